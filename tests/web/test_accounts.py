"""The file of accounts and the hashes in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge.model.page_roles import PageRole
from edge.web import accounts
from edge.web.accounts import Account, Accounts, AccountsError, hashed, load, matches, save
from tests.support.web import HASH, PASSWORD, write_accounts

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_is_loaded_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    write_accounts(path, olga="operator", vera="viewer")
    assert load(path) == {
        "olga": Account("olga", PageRole.OPERATOR, HASH),
        "vera": Account("vera", PageRole.VIEWER, HASH),
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["accounts.json"], "nothing is left beside it"
    assert PASSWORD not in path.read_text()


def test_hashes_are_argon2id_as_owasp_has_it() -> None:
    assert HASH.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashed(PASSWORD) != HASH, "each has a salt of its own"


@pytest.mark.parametrize("hash_", ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$BBBB", HASH[:-1]])
def test_a_hash_that_is_none_matches_nothing(hash_: str) -> None:
    assert not matches(hash_, PASSWORD)


def test_a_name_nobody_has_costs_a_hash_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_accounts(tmp_path / "a.json", olga="operator")
    asked: list[str] = []

    def counting(hash_: str, password: str) -> bool:
        asked.append(hash_)
        return matches(hash_, password)

    monkeypatch.setattr(accounts, "matches", counting)
    known = Accounts(tmp_path / "a.json")
    assert known.check("nobody", PASSWORD) is None
    assert known.check("olga", "wrong") is None
    assert known.check("olga", PASSWORD) == Account("olga", PageRole.OPERATOR, HASH)
    assert len(asked) == 3
    assert asked[0].rpartition("$")[0][:31] == HASH[:31], "with the same parameters"


def test_a_change_of_the_file_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    known = Accounts(path)
    assert known.get("olga") is None
    write_accounts(path, olga="viewer")
    assert known.get("olga") == Account("olga", PageRole.VIEWER, HASH)
    write_accounts(path, olga="operator")
    assert known.get("olga") == Account("olga", PageRole.OPERATOR, HASH)
    path.unlink()
    assert known.get("olga") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"accounts": []}',
        '{"accounts": {"olga": {"role": "admin", "hash": "x"}}}',
        '{"accounts": {"olga": {"role": "viewer"}}}',
        '{"accounts": {"olga": {"role": "viewer", "hash": 5}}}',
        '{"accounts": {"<b>": {"role": "viewer", "hash": "x"}}}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_none_lets_nobody_in_and_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(AccountsError, match="no file of accounts"):
        Accounts(path).check("olga", PASSWORD)


def test_a_file_that_grew_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"accounts": {}}) + " " * accounts.LARGEST_FILE)
    with pytest.raises(AccountsError, match="more than"):
        load(path)


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_accounts(path, olga="operator")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(accounts.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(path, {})
    assert set(load(path)) == {"olga"}
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
