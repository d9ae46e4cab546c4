"""What an installer may write about OSDP readers, and what a key file may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.osdp.points import POINTS, Lock, Settings, addresses, read_key
from edge.config.reading import load
from edge.model.problems import ConfigError

ROOT = Path(__file__).parents[2]
CONTEXT = {"folder": Path("/etc/doorward"), "credentials": Path("/run/credentials/doord.service")}
LOCK = {"address": 3, "output": 1, "unlocked": "on", "resting": "locked"}


def point(role: str, **table: Any) -> Any:
    return POINTS[role].model_validate(table, context=CONTEXT)


@pytest.mark.parametrize(
    ("unlocked", "resting", "on_when", "rest"),
    [
        ("on", "locked", True, False),
        ("on", "unlocked", True, True),
        ("off", "locked", False, True),
        ("off", "unlocked", False, False),
    ],
)
def test_what_the_relay_does(unlocked: str, resting: str, on_when: bool, rest: bool) -> None:
    lock = Lock(address=1, output=0, unlocked=unlocked, resting=resting)  # type: ignore[arg-type]  # from the table above
    assert (lock.on_when, lock.rest) == (on_when, rest)


@pytest.mark.parametrize("missing", LOCK)
def test_a_lock_leaves_nothing_to_chance(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        point("lock", **{key: value for key, value in LOCK.items() if key != missing})


def test_files_are_found_beside_the_configuration_and_in_credentials() -> None:
    assert point("reader", address=1, key_file="osdp/1.key").key_file == Path("/etc/doorward/osdp/1.key")
    assert point("reader", address=1, key_file="/keys/1").key_file == Path("/keys/1")
    assert point("reader", address=1, key_file="credential:r1").key_file == CONTEXT["credentials"] / "r1"


@pytest.mark.parametrize("bad", ["", "credential:", "credential:../x", 5])
def test_what_is_no_file_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        point("reader", address=1, key_file=bad)


@pytest.mark.parametrize(
    ("role", "table", "occupied"),
    [
        ("reader", {"address": 3}, {"reader 0 of address 3"}),
        ("lock", LOCK, {"output 1 of address 3"}),
        ("buzzer", {"address": 3}, {"sounder 0 of address 3"}),
        ("buzzer", {"address": 3, "output": 1}, {"output 1 of address 3"}),
        ("contact", {"address": 3, "input": 1}, {"input 1 of address 3"}),
        ("tamper", {"address": 3}, {"tamper of address 3"}),
        ("tamper", {"address": 3, "input": 1}, {"input 1 of address 3"}),
    ],
)
def test_what_a_point_occupies(role: str, table: dict[str, Any], occupied: set[str]) -> None:
    assert addresses(point(role, **table)) == occupied


@pytest.mark.parametrize(
    "table",
    [
        {"baud": 9601},
        {"port": "COM3"},
        {"poll_ms": 1},
        {"secure": "maybe"},
        {"key": "00112233445566778899aabbccddeeff"},
        {"direction": "left"},
    ],
)
def test_settings_that_cannot_be(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"port": "/dev/serial0", **table})


def test_the_key_itself_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValidationError):
        point("reader", address=1, key="00" * 16)


@pytest.mark.parametrize("text", ["00112233445566778899AABBCCDDEEFF\n", " 00112233 44556677 8899aabb ccddeeff "])
def test_a_key_file_holds_32_digits(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    assert read_key(path).hex() == "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    "text", ["", "00112233", "zz" * 16, "00" * 17, "303132333435363738393a3b3c3d3e3f", "\0" * 9000]
)
def test_a_key_file_that_is_none_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(ValueError, match=str(path)) as refused:
        read_key(path)
    assert not text.strip() or text not in str(refused.value)


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_key(tmp_path / "none")


def test_the_example_is_read_by_the_daemons_own_loader() -> None:
    settings = load(ROOT / "config" / "example-osdp.toml")
    points = settings.drivers["line"].points
    assert points["front.reader"].key_file == ROOT / "config/osdp/reader-1.key"  # type: ignore[attr-defined]  # its own model
    assert settings.doors["store"].policy.rex_unlocks


def test_a_relay_used_twice_is_refused_by_the_daemons_own_loader(tmp_path: Path) -> None:
    text = (ROOT / "config" / "example-osdp.toml").read_text()
    path = tmp_path / "twice.toml"
    path.write_text(text.replace("address = 2, output = 1", "address = 2, output = 0"))
    with pytest.raises(ConfigError, match="output 0 of address 2"):
        load(path)
