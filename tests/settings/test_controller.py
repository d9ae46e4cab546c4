"""What a new configuration changes at once, and what waits for a restart."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from edge.model.policy import DoorPolicy
from edge.settings.controller import Settings, difference
from tests.support.configs import settings_of

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
[controller]
id = "hq"
site = "hq"
name = "HQ"
[log]
[mqtt]
url = "mqtt://broker"
[control]
[commands]
[driver.sim]
kind = "simulated"
[driver.gp]
kind = "gpio"
[door.back]
lock = { driver = "sim", resting = "locked" }
interlock = "yard"
[door.side]
lock = { driver = "sim", resting = "locked" }
interlock = "yard"
[door.front]
lock = { driver = "gp", line = 17, unlocked = "high", resting = "locked" }
contact = { driver = "gp", line = 27 }
rex = { driver = "gp", line = 22 }
"""


NEW = '[door.new]\nlock = { driver = "sim", resting = "locked" }\n'
MODBUS = '[driver.board]\nkind = "modbus"\nport = "/dev/ttyUSB0"\nbaud = 9600\n[driver.gp]'
ON_BOARD = (
    '[door.third]\nlock = { driver = "board", unit = 1, coil = 0, unlocked = "on", resting = "locked", '
    'flash = "waveshare" }\n'
)


def change(tmp_path: Path, *edits: tuple[str, str]) -> tuple[Settings, Settings]:
    text = TEXT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return settings_of(tmp_path, TEXT), settings_of(tmp_path, text)


def front(line: str) -> tuple[str, str]:
    return ("[door.front]\n", f"[door.front]\n{line}\n")


def test_the_same_changes_nothing(tmp_path: Path) -> None:
    old, new = change(tmp_path)
    found = difference(old, new)
    assert (found.doors, found.applied, found.restart, found.settings) == ((), (), (), old)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('name = "Main"', "name"),
        ("unlock_s = 7.0", "unlock_s"),
        ('relock = "timer"', "relock"),
        ("relock_delay_s = 1", "relock_delay_s"),
        ("held_open_s = 60", "held_open_s"),
        ('held_open_from = "open"', "held_open_from"),
        ("held_open_warning_s = 5", "held_open_warning_s"),
        ("rex_shunt_s = 9", "rex_shunt_s"),
        ("rex_grace_ms = 300", "rex_grace_ms"),
        ("rex_level_s = 60", "rex_level_s"),
        ("rex_in_lockdown = false", "rex_in_lockdown"),
        ("rex_in_interlock = false", "rex_in_interlock"),
        ('zone = "Ground floor"', "zone"),
    ],
)
def test_a_running_door_takes_over_its_policy(tmp_path: Path, line: str, key: str) -> None:
    old, new = change(tmp_path, front(line))
    found = difference(old, new)
    assert (found.doors, found.applied, found.restart) == (("front",), (f"door.front.{key}",), ())
    assert found.settings.doors["front"] == new.doors["front"]
    assert found.settings == new


def test_what_a_button_does_is_policy_too(tmp_path: Path) -> None:
    old, new = change(tmp_path, ("line = 22", "line = 22, unlocks = false"))
    found = difference(old, new)
    assert (found.doors, found.applied, found.restart) == (("front",), ("door.front.rex.unlocks",), ())


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ('keys = ["/x"]', ("commands.keys",)),
        ('keys = ["/x", "/y"]', ("commands.keys",)),
        ('key.hq = { file = "/x" }', ("commands.key.hq",)),
        ('keys = ["/y"]\nkey.hq = { file = "/x", doors = ["front"] }', ("commands.key.hq", "commands.keys")),
    ],
)
def test_whose_signature_counts_is_taken_over(tmp_path: Path, lines: str, keys: tuple[str, ...]) -> None:
    old, new = change(tmp_path, ("[commands]", f"[commands]\n{lines}"))
    found = difference(old, new)
    assert (found.doors, found.applied, found.restart) == ((), keys, ())
    assert found.settings == new
    back = difference(new, old)
    assert (back.applied, back.settings) == (keys, old)


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("[integrations]\nallow_private = true\ndisable_tries = 5", ["allow_private", "disable_tries"]),
        ("[smtp]\nhost = 'mail'\nsender = 'doors@example.org'", []),
        ("[ntfy]\nurl = 'https://ntfy.sh'", []),
        ("[alert.forced]\ntypes = ['lock.forced_open']\nmqtt = true", []),
    ],
)
def test_what_is_passed_on_is_taken_over(tmp_path: Path, lines: str, keys: list[str]) -> None:
    old, new = change(tmp_path, ("[log]", f"{lines}\n[log]"))
    section = lines[1 : lines.index("]")]
    applied = tuple(f"{section}.{key}" for key in keys) or (section,)
    for before, after in ((old, new), (new, old)):
        found = difference(before, after)
        assert (found.doors, found.applied, found.restart, found.settings) == ((), applied, (), after)


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        (("mqtt://broker", "mqtt://other"), ("mqtt.url",)),
        (('[mqtt]\nurl = "mqtt://broker"\n', ""), ("mqtt",)),
        (("[log]", "[home_assistant]\n[log]"), ("home_assistant",)),
        (("[log]", '[directory]\nfile = "people.json"\n[log]'), ("directory.file",)),
    ],
)
def test_whom_it_talks_to_is_taken_over(tmp_path: Path, edit: tuple[str, str], keys: tuple[str, ...]) -> None:
    old, new = change(tmp_path, edit)
    for before, after in ((old, new), (new, old)):
        found = difference(before, after)
        assert (found.doors, found.applied, found.restart, found.settings) == ((), keys, (), after)


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        (('site = "hq"', 'site = "eu"'), ["controller.site"]),
        (('name = "HQ"', 'name = "X"'), ["controller.name"]),
        (
            ('name = "HQ"', 'name = "HQ"\nrelease = { driver = "gp", line = 5 }'),
            ["controller.release"],
        ),
        (("[log]", "[log]\nmax_mib = 64"), ["log.max_mib"]),
        (("[control]", '[control]\nsocket = "/x"'), ["control.socket"]),
        (('kind = "simulated"', 'kind = "simulated"\nbounce_ms = 5'), ["driver.sim.bounce_ms"]),
        (("line = 27", "line = 26"), ["door.front.contact"]),
        (('resting = "locked" }\ncontact', 'resting = "unlocked" }\ncontact'), ["door.front.lock"]),
        (('contact = { driver = "gp", line = 27 }\n', ""), ["door.front.contact"]),
        (('contact = { driver = "gp", line = 27 }', 'contact = { driver = "sim" }'), ["door.front.contact"]),
        (("line = 27", "line = 27, debounce_ms = 50"), ["door.front.contact"]),
        (front("debounce_ms = 50"), ["door.front.contact", "door.front.rex"]),
        (front("instability_ms = 2000"), ["door.front.contact", "door.front.rex"]),
        (front('interlock = "yard"'), ["door.front.interlock"]),
        (("[door.side]", f'{NEW}interlock = "yard"\n[door.side]'), ["door.new"]),
    ],
)
def test_the_rest_waits_for_a_restart(tmp_path: Path, edit: tuple[str, str], keys: list[str]) -> None:
    old, new = change(tmp_path, edit)
    found = difference(old, new)
    assert (found.doors, found.applied, list(found.restart)) == ((), (), keys)
    assert found.settings == old


@pytest.mark.parametrize(
    ("edits", "applied"),
    [
        ([("[door.side]", f"{NEW}[door.side]")], ("door.new",)),
        ([("[driver.gp]", '[driver.third]\nkind = "gpio"\n[driver.gp]')], ("driver.third",)),
        ([("[driver.gp]", MODBUS), ("[door.side]", f"{ON_BOARD}[door.side]")], ("driver.board", "door.third")),
        ([("[door.side]", f"{NEW}[door.side]"), front("unlock_s = 7.0")], ("door.front.unlock_s", "door.new")),
    ],
)
def test_a_new_door_joins_the_others(tmp_path: Path, edits: list[tuple[str, str]], applied: tuple[str, ...]) -> None:
    old, new = change(tmp_path, *edits)
    found = difference(old, new)
    assert (found.applied, found.restart, found.settings) == (applied, (), new)
    assert found.added == tuple(key.removeprefix("door.") for key in applied if key in {"door.new", "door.third"})


@pytest.mark.parametrize(
    ("edits", "restart"),
    [
        ([("line = 27", "line = 26")], ("door.front.contact", "door.new")),  # it might take the line that is left
        ([('kind = "simulated"', 'kind = "simulated"\nbounce_ms = 5')], ("driver.sim.bounce_ms", "door.new")),
        ([('name = "HQ"', 'name = "HQ"\nrelease = { driver = "sim" }')], ("controller.release", "door.new")),
        ([("[door.front]", "[door.main]")], ("door.front", "door.main", "door.new")),
    ],
)
def test_a_new_door_waits_where_others_are_wired_otherwise(
    tmp_path: Path, edits: list[tuple[str, str]], restart: tuple[str, ...]
) -> None:
    old, new = change(tmp_path, *edits, ("[door.side]", f"{NEW}[door.side]"))
    found = difference(old, new)
    assert (found.added, found.applied, set(found.restart), found.settings) == ((), (), set(restart), old)


def test_a_new_door_waits_for_a_driver_that_takes_no_more_points(tmp_path: Path) -> None:
    _, old = change(tmp_path, ("[driver.gp]", MODBUS), ("[door.side]", f"{ON_BOARD}[door.side]"))
    more = ON_BOARD.replace("third", "fourth").replace("coil = 0", "coil = 1")
    _, new = change(tmp_path, ("[driver.gp]", MODBUS), ("[door.side]", f"{ON_BOARD}{more}{NEW}[door.side]"))
    found = difference(old, new)
    assert (found.added, found.restart, found.settings) == ((), ("door.fourth", "door.new"), old), "all or none"


def test_a_driver_of_another_kind(tmp_path: Path) -> None:
    old, new = change(tmp_path, ('[driver.sim]\nkind = "simulated"', '[driver.sim]\nkind = "gpio"'), *_wired())
    assert difference(old, new).restart == ("driver.sim.kind", "door.back.lock", "door.side.lock")


def _wired() -> list[tuple[str, str]]:
    simulated = 'lock = { driver = "sim", resting = "locked" }'
    return [
        (simulated, f'lock = {{ driver = "sim", line = {line}, unlocked = "high", resting = "locked" }}')
        for line in (1, 2)
    ]


def test_a_door_is_taken_over_whole_or_not_at_all(tmp_path: Path) -> None:
    old, new = change(
        tmp_path, front("unlock_s = 7.0"), ("line = 27", "line = 26"), ("[door.back]", '[door.back]\nname = "B"')
    )
    found = difference(old, new)
    assert (found.doors, found.applied) == (("back",), ("door.back.name",))
    assert found.restart == ("door.front.unlock_s", "door.front.contact")
    assert found.settings.doors["front"] == old.doors["front"]
    assert found.settings.doors["back"] == new.doors["back"]
    assert difference(found.settings, new).restart == found.restart, "still waiting, and said again"


def test_every_key_of_a_policy_is_known_to_be_one_or_the_other() -> None:
    """A new key of DoorPolicy belongs into the lists above."""
    live = "unlock_s relock relock_delay_s held_open_s held_open_from held_open_warning_s rex_unlocks rex_shunt_s"
    live += " rex_grace_ms rex_level_s rex_in_lockdown rex_in_interlock"
    fixed = "debounce_ms instability_ms has_contact interlock rex_settle_ms"
    assert sorted(field.name for field in fields(DoorPolicy)) == sorted([*live.split(), *fixed.split()])
