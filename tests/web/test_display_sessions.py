"""Displays stay signed in over a restart of the page, and nobody else does."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge.model.page_roles import PageRole
from edge.web.accounts import Account, Accounts, save
from edge.web.display_sessions import LARGEST, MOST, DisplaySessions
from edge.web.sessions import Sessions

if TYPE_CHECKING:
    from pathlib import Path

WALL = Account("wall", PageRole.DISPLAY, "$argon2id$wall")
OLGA = Account("olga", PageRole.OPERATOR, "$argon2id$olga")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store(tmp_path, WALL, OLGA)
    return tmp_path


def store(folder: Path, *accounts: Account) -> None:
    save(folder / "accounts.json", {one.name: one for one in accounts})


def started(folder: Path) -> Sessions:
    """As after a start of the page."""
    kept = DisplaySessions(folder / "displays.json", Accounts(folder / "accounts.json"))
    return Sessions(lambda: 0, 100, 1_000, kept)


def test_a_display_stays_signed_in_over_a_restart_and_nobody_else(folder: Path) -> None:
    before = started(folder)
    wall, olga = before.begin(WALL), before.begin(OLGA)
    after = started(folder)
    session = after.find(wall, use=True)
    assert session is not None
    assert session.account == WALL
    assert after.find(olga, use=True) is None


def test_the_file_is_of_no_use_to_sign_in(folder: Path) -> None:
    secret = started(folder).begin(WALL)
    file = folder / "displays.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    assert WALL.hash not in file.read_text()


def test_who_signed_out_stays_out(folder: Path) -> None:
    before = started(folder)
    gone, stays = before.begin(WALL), before.begin(WALL)
    before.end(gone)
    after = started(folder)
    assert (after.find(gone, use=True), after.find(stays, use=True) is None) == (None, False)


@pytest.mark.parametrize(
    "now",
    [
        (OLGA,),
        (OLGA, replace(WALL, hash="$argon2id$another")),
        (OLGA, replace(WALL, role=PageRole.MANAGER)),
    ],
    ids=["removed", "another password", "another role"],
)
def test_a_changed_account_is_not_signed_in_by_an_old_file(folder: Path, now: tuple[Account, ...]) -> None:
    secret = started(folder).begin(WALL)
    store(folder, *now)
    assert started(folder).find(secret, use=True) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"displays": {"x": ["wall", "y"]}}',
        b'{"displays": {"' + b"0" * 64 + b'": "wall"}}',
        b'{"displays": {"' + b"0" * 64 + b'": [["wall"], 7]}}',
        b"[" * 60_000,
        b"\xff",
        b" " * (LARGEST + 1),
    ],
)
def test_a_damaged_file_signs_nobody_in_and_ends_nothing(folder: Path, content: bytes) -> None:
    (folder / "displays.json").write_bytes(content)
    sessions = started(folder)
    secret = sessions.begin(WALL)
    assert [one.account for one in sessions._sessions.values()] == [WALL]
    assert started(folder).find(secret, use=True) is not None, "the next one is kept again"


def test_a_disk_that_is_full_keeps_no_display_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    kept = DisplaySessions(folder / "away" / "displays.json", Accounts(folder / "accounts.json"))
    sessions = Sessions(lambda: 0, 100, 1_000, kept)
    assert sessions.find(sessions.begin(WALL), use=True) is not None
    assert "displays will have to sign in after a restart" in caplog.text


def test_so_many_are_kept_and_the_first_go(folder: Path) -> None:
    accounts = [replace(WALL, name=f"wall{n}") for n in range(MOST + 2)]
    store(folder, *accounts)
    before = started(folder)
    secrets = [before.begin(one) for one in accounts]
    assert len(json.loads((folder / "displays.json").read_text())["displays"]) == MOST
    after = started(folder)
    assert [after.find(one, use=False) is None for one in secrets] == [True] * 2 + [False] * MOST
