"""`doorctl web`: accounts come and go, nobody sees their passwords, and the log knows."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

import pytest

from edge.cli.main import main
from edge.model.page_roles import PageRole
from edge.web.accounts import Account, load, matches
from tests.support.doord import Doord
from tests.support.waiting import until
from tests.support.web import PASSWORD, write_accounts, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[Doord]:
    with Doord(write_config(tmp_path)) as daemon:
        yield daemon


def doorctl(folder: Path, *words: str) -> int:
    return main(["--socket", str(folder / "doord.sock"), "web", *words, "--config", str(folder / "doorward.toml")])


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What somebody types at the terminal."""
    lines = [PASSWORD, PASSWORD]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: lines.pop(0))
    return lines


def test_an_account_comes_changes_and_goes(
    tmp_path: Path, doord: Doord, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "accounts.json"
    assert doorctl(tmp_path, "add", "olga", "--role", "operator") == 0
    first = load(path)["olga"]
    assert first.role is PageRole.OPERATOR
    assert matches(first.hash, PASSWORD)
    assert path.stat().st_mode & 0o777 == 0o600
    typed += [PASSWORD + "!", PASSWORD + "!"]
    assert doorctl(tmp_path, "add", "olga") == 0
    assert load(path) == {"olga": Account("olga", PageRole.VIEWER, load(path)["olga"].hash)}
    assert doorctl(tmp_path, "list") == 0
    assert doorctl(tmp_path, "remove", "olga") == 0
    assert load(path) == {}
    assert doorctl(tmp_path, "remove", "olga") == 1
    said = capsys.readouterr().out
    assert said == ("olga: may sign in\nolga: has a new password and role\nNAME  ROLE\nolga  viewer\nolga: removed\n")

    def logins() -> list[Any]:
        return [one for one in doord.ask("events", limit=100)["records"] if one["type"].startswith("login.")]

    records = until(lambda: found if len(found := logins()) >= 4 else None, "the records")
    assert [one["type"].removeprefix("login.") for one in records] == ["create", "destroy", "create", "destroy"]
    roles = [one["data"]["details"].get("role") for one in records]
    assert roles == ["operator", None, "viewer", None], "who may command doors is what an auditor looks for"
    assert {one["data"]["object"]["id"] for one in records} == {"olga"}
    assert {one["data"]["actor"]["id"].partition(":")[0] for one in records} == {"uid"}, "as the kernel says"
    assert PASSWORD not in doord.log.read_bytes().decode("latin-1")


@pytest.mark.usefixtures("doord")
def test_who_is_removed_while_a_password_is_thought_about_stays_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts.json"
    write_accounts(path, olga="operator", vera="viewer")

    def slowly(_prompt: str) -> str:
        if "olga" in load(path):
            assert doorctl(tmp_path, "remove", "olga") == 0
        return PASSWORD

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", slowly)
    assert doorctl(tmp_path, "add", "nina") == 0
    assert set(load(path)) == {"nina", "vera"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["short"], "expected 12 to 256 characters"),
        ([PASSWORD, "another password"], "two passwords differ"),
        (["x" * 257], "12 to 256"),
    ],
)
@pytest.mark.usefixtures("doord")
def test_a_bad_password_changes_nothing(
    tmp_path: Path, typed: list[str], lines: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed[:] = lines
    assert doorctl(tmp_path, "add", "olga") == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "accounts.json").exists()


@pytest.mark.parametrize("name", ["", "Olga", "-x", "a b", "a/b", "x" * 41, "(unknown)", "<b>"])
@pytest.mark.usefixtures("doord", "typed")
def test_a_name_is_plain(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--socket",
        str(tmp_path / "doord.sock"),
        "web",
        "add",
        "--config",
        str(tmp_path / "doorward.toml"),
        "--",
        name,
    ]
    assert main(words) == 2
    assert "is not a name for an account" in capsys.readouterr().err


@pytest.mark.usefixtures("doord")
def test_a_password_is_typed_by_somebody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert doorctl(tmp_path, "add", "olga") == 2
    assert "at a terminal" in capsys.readouterr().err


@pytest.mark.usefixtures("typed")
def test_without_a_daemon_nothing_changes_because_nothing_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(tmp_path)
    assert doorctl(tmp_path, "add", "olga") == 2
    assert "is doord running?" in capsys.readouterr().err
    assert not (tmp_path / "accounts.json").exists()
    assert doorctl(tmp_path, "list") == 0


@pytest.mark.usefixtures("typed")
def test_a_spoiled_file_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(tmp_path)
    (tmp_path / "accounts.json").write_text("{")
    assert doorctl(tmp_path, "add", "olga") == 2
    assert "no file of accounts" in capsys.readouterr().err
    assert (tmp_path / "accounts.json").read_text() == "{"


def test_without_the_page_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(tmp_path)
    monkeypatch.delitem(sys.modules, "edge.web.accounts")
    monkeypatch.delattr("edge.web.accounts")
    monkeypatch.setitem(sys.modules, "argon2", None)
    assert doorctl(tmp_path, "list") == 2
    assert "the local page is not installed here" in capsys.readouterr().err
