"""`doorctl sign`: what it prints is obeyed by a controller that has the public key, and by no other."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from edge.cli.main import main
from edge.commands.parsing import Context, Order, Refusal, parse_command
from edge.commands.tokens import read_keys
from edge.model.messages import Actor, ClockQuality
from edge.settings.controller import KeySettings
from tests.support.cli import Doorctl, Said
from tests.support.signatures import Pair

if TYPE_CHECKING:
    from pathlib import Path

HAPPENED = {"type": "subscription.update", "object": {"type": "subscription", "id": "s-1", "name": "Plan"}}


@pytest.fixture
def doorctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorctl:
    return Doorctl(tmp_path / "nobody.sock", monkeypatch, capsys)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "upstream.key"
    file.write_bytes(Pair().private_pem)
    file.chmod(0o600)
    return file


def judged(token: str, tmp_path: Path, controller: str = "hq-lobby") -> Order | Refusal:
    ring, problems = read_keys([KeySettings("commands.keys[0]", "up", Pair().write(tmp_path / "up.pub.pem"))])
    assert not problems
    here = Context(controller, ["front", "back"], time.time_ns() // 1_000, ClockQuality.SYNCED, True, ring)
    found = parse_command(token.encode(), here, retained=False)
    return found.late or found if isinstance(found, Order) else found


def obeyed(said: Said, tmp_path: Path) -> Order:
    assert (said.code, said.err) == (0, "")
    found = judged(said.out, tmp_path)
    assert isinstance(found, Order), found
    return found


def test_a_new_pair_of_keys_signs_what_a_controller_obeys(tmp_path: Path, doorctl: Doorctl) -> None:
    private, public = tmp_path / "mine", tmp_path / "mine.pub.pem"
    said = doorctl("--json", "sign", "--new-key", str(private))
    assert (said.code, said.err) == (0, "")
    assert (said.json["private"], said.json["public"]) == (str(private), str(public))
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"BEGIN PRIVATE KEY" in private.read_bytes()
    ring, problems = read_keys([KeySettings("commands.keys[0]", "mine", public)])
    assert not problems
    assert ring.signers[0].thumbprint == said.json["thumbprint"]
    token = doorctl("sign", "--key", str(private), "--controller", "hq", "unlock", "--door", "front")
    here = Context("hq", ["front"], time.time_ns() // 1_000, ClockQuality.SYNCED, True, ring)
    assert isinstance(parse_command(token.out.encode(), here, retained=False), Order)
    assert isinstance(judged(token.out, tmp_path, "hq"), Refusal)  # another key's controller


@pytest.mark.parametrize("there", ["mine.pem", "mine.pub.pem"])
def test_a_key_is_never_overwritten(tmp_path: Path, doorctl: Doorctl, there: str) -> None:
    (tmp_path / there).write_text("precious")
    said = doorctl("sign", "--new-key", str(tmp_path / "mine.pem"))
    assert said.code == 2
    assert "is there already" in said.err
    assert [file.name for file in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


def test_the_options_become_the_command(tmp_path: Path, doorctl: Doorctl, key: Path) -> None:
    words = ("sign", "--key", str(key), "--controller", "hq-lobby")
    more = ("--for", "7", "--valid-for", "2m", "--actor", "ann", "--id", "c-7")
    found = obeyed(doorctl(*words, "unlock", "--door", "front", *more), tmp_path)
    assert (found.id, found.name, found.doors, found.for_s) == ("c-7", "unlock", ("front",), 7.0)
    assert found.actor == Actor("operator", "ann")
    assert found.expires_us is not None
    assert found.expires_us - found.issued_us == 120_000_000
    both = obeyed(doorctl(*words, "lock_down", "--door", "front", "--door", "back"), tmp_path)
    everywhere = obeyed(doorctl(*words, "lock_down", "--all"), tmp_path)
    assert both.doors == everywhere.doors == ("front", "back")
    assert both.id != everywhere.id
    assert both.actor.id
    assert both.expires_us is not None
    assert both.expires_us - both.issued_us == 30_000_000


def test_json_names_the_id_for_whoever_waits_for_the_answer(tmp_path: Path, doorctl: Doorctl, key: Path) -> None:
    said = doorctl("--json", "sign", "--key", str(key), "--controller", "hq-lobby", "diagnose")
    found = judged(said.json["token"], tmp_path)
    assert isinstance(found, Order)
    assert found.id == said.json["id"]


def typed(body: Any, patch: pytest.MonkeyPatch) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def signed(body: Any, key: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    typed(body, patch)
    code = main(["sign", "--key", str(key), "--controller", "hq-lobby", "-", "--actor", "ann"])
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def test_a_whole_command_comes_from_stdin(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"command": "record", "id": "r-1", "event": HAPPENED}
    found = obeyed(signed(body, key, monkeypatch, capsys), tmp_path)
    assert (found.id, found.name, found.actor.id) == ("r-1", "record", "ann")
    assert found.entry is not None
    assert found.entry.type == "subscription.update"
    told = judged(
        signed({"command": "apply_directory", "directory": {"version": 1}}, key, monkeypatch, capsys).out, tmp_path
    )
    assert isinstance(told, Order)
    assert told.directory == {"version": 1}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "one JSON object"),
        ("[]", "one JSON object"),
        ({"command": "record", "jti": "x"}, "jti is not taken from stdin"),
        ({"command": "record", "issued_at": "2026-11-22T21:57:00Z"}, "issued_at is not taken from stdin"),
        ({"command": "fly"}, "unknown_command"),
        ({"command": "unlock", "door": "front", "sudo": True}, "malformed"),
    ],
)
def test_what_comes_from_stdin_is_checked(
    key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: Any, why: str
) -> None:
    said = signed(body, key, monkeypatch, capsys)
    assert (said.code, said.out) == (2, "")
    assert why in said.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "expected --key FILE"),
        (("unlock",), "expected --key FILE"),
        (("--key", "KEY", "unlock"), "expected --key FILE"),
        (("--key", "KEY", "--controller", "hq"), "expected --key FILE"),
        (("--key", "nothing.key", "--controller", "hq", "lock", "--all"), "No such file"),
        (("--key", "KEY", "--controller", "hq", "open", "--all"), "unknown_command"),
        (("--key", "KEY", "--controller", "hq", "unlock", "--all", "--for", "0"), "malformed"),
        (("--key", "KEY", "--controller", "hq", "unlock", "--all", "--valid-for", "6m"), "valid_too_long"),
        (("--key", "KEY", "--controller", "hq", "lock", "--all", "--valid-for", "2d"), "valid_too_long"),
        (("--key", "KEY", "--controller", "hq", "lock", "--all", "--valid-for", "soon"), "--valid-for"),
        (("--key", "KEY", "--controller", "hq", "lock", "--all", "--valid-for", "0s"), "--valid-for"),
        (("--key", "KEY", "--controller", "hq", "lock", "--all", "--id", "a b"), "malformed"),
    ],
)
def test_what_a_controller_would_refuse_is_not_signed(
    doorctl: Doorctl, key: Path, words: tuple[str, ...], why: str
) -> None:
    said = doorctl("sign", *(str(key) if word == "KEY" else word for word in words))
    assert (said.code, said.out) == (2, "")
    assert why in said.err


def test_a_file_that_is_no_private_key_says_so(tmp_path: Path, doorctl: Doorctl) -> None:
    encrypted = Pair().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    for content, why in (
        (Pair().public_pem, "is not a private key"),
        (encrypted, "is encrypted"),
        (b"", "is not a private"),
    ):
        file = tmp_path / "a.key"
        file.write_bytes(content)
        file.chmod(0o600)
        said = doorctl("sign", "--key", str(file), "--controller", "hq", "lock", "--all")
        assert (said.code, said.out) == (2, "")
        assert why in said.err


def test_a_key_of_another_kind_is_refused(tmp_path: Path, doorctl: Doorctl) -> None:
    file = tmp_path / "rsa.key"
    subprocess.run(["openssl", "genrsa", "-out", str(file), "2048"], check=True, capture_output=True)
    said = doorctl("sign", "--key", str(file), "--controller", "hq", "lock", "--all")
    assert (said.code, said.out) == (2, "")
    assert "another kind" in said.err


def test_a_key_that_others_can_read_is_said(tmp_path: Path, doorctl: Doorctl, key: Path) -> None:
    key.chmod(0o640)
    said = doorctl("sign", "--key", str(key), "--controller", "hq-lobby", "lock", "--all")
    assert said.code == 0
    assert "chmod 600" in said.err
    assert isinstance(judged(said.out, tmp_path), Order)
