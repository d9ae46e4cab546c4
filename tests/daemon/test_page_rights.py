"""What the local page may ask at the socket: what its pages offer, for accounts that root has made."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from edge.client.connection import Client, RequestRefused
from edge.config.as_user import as_user
from edge.daemon.requests.page_rights import MEMORY, MOST_ACCOUNTS, PageRights
from edge.model.messages import Actor
from edge.socket.server import RequestError
from tests.support.doord import Doord
from tests.support.house import House, live, write_config
from tests.support.waiting import until

PAGE = Actor("operator", "uid:998", "doorweb")
ROOT = Actor("operator", "uid:0", "root")
LOOKS = [
    "status",
    "facts",
    "events",
    "passages",
    "pictures",
    "picture",
    "metrics",
    "watch",
    "access",
    "groups",
    "schedules",
]
UNLOCK = {"command": "unlock", "door": "front"}
MOVES = ("unlock", "hold", "block", "unblock")
LOCK_DOWN = {"command": "lock_down", "all": True}


def of(login: str) -> Actor:
    return Actor("operator", f"web:{login}", login)


@pytest.fixture
def rights() -> PageRights:
    made = PageRights()
    made.restore("{}")
    made.change("create", "vic", "viewer")
    made.change("create", "olga", "operator")
    return made


def refused(rights: PageRights, op: str, body: dict[str, Any], actor: Actor) -> str:
    with pytest.raises(RequestError) as error:
        rights.check(op, body, actor)
    assert error.value.code == "not_allowed"
    return str(error.value)


@pytest.mark.parametrize("op", LOOKS)
def test_the_page_shows_what_there_is(rights: PageRights, op: str) -> None:
    rights.check(op, {}, PAGE)


@pytest.mark.parametrize("op", ["reload", "sim", "who", "replay", "nonsense"])
@pytest.mark.parametrize("actor", [PAGE, of("olga")])
def test_what_the_page_does_not_offer_is_refused(rights: PageRights, op: str, actor: Actor) -> None:
    assert "does not offer" in refused(rights, op, {}, actor)


def test_only_operators_that_there_are_move_doors(rights: PageRights) -> None:
    for body in (UNLOCK, {"command": "lock", "door": "front"}, LOCK_DOWN, {"command": "cancel_lockdown", "all": True}):
        rights.check("command", body, of("olga"))
        assert "the role viewer" in refused(rights, "command", body, of("vic"))
        assert "knows no account 'ceo'" in refused(rights, "command", body, of("ceo"))
        assert "only for an account" in refused(rights, "command", body, PAGE)


def test_only_who_may_act_takes_an_alert(rights: PageRights) -> None:
    alert = {"alert": "lock.forced_open-7"}
    rights.change("create", "rita", "reception")
    rights.change("create", "wall", "display")
    for name in ("olga", "rita"):
        rights.check("acknowledge", alert, of(name))
    assert "the role viewer" in refused(rights, "acknowledge", alert, of("vic"))
    assert "the role display" in refused(rights, "acknowledge", alert, of("wall"))
    assert "only for an account" in refused(rights, "acknowledge", alert, PAGE)


@pytest.mark.parametrize(
    "body",
    [
        {"command": "record", "door": "front"},
        {"command": "unlock", "all": True},
        {"command": "hold_unlocked", "all": True},
        {"command": "hold_unlocked", "door": "front", "until": "2030-01-01T00:00:00Z"},
        {"command": "unlock", "doors": ["front", "back"]},
        {**UNLOCK, "for_s": 600},
        {"command": ["unlock"], "door": "front"},
        {},
    ],
)
def test_operators_get_no_more_than_the_page_has(rights: PageRights, body: dict[str, Any]) -> None:
    assert "offers only" in refused(rights, "command", body, of("olga"))


@pytest.mark.parametrize("kind", ["user", "member", "card", "integration", "camera", "elevator", "nonsense"])
def test_managers_edit_at_the_page_only_what_its_forms_show(rights: PageRights, kind: str) -> None:
    rights.change("create", "max", "manager")
    good = {"put": "group", "entry": {"name": "Staff"}}
    rights.check("edit_directory", {"changes": [good, {"remove": "schedule", "id": "x"}], "base": 1}, of("max"))
    rights.check("entries", {"kind": "door", "ids": ["front"]}, of("max"))
    for change in ({"put": kind, "entry": {}}, {"remove": kind, "id": "x"}, {"put": [kind]}, [kind], {}):
        assert "edits only" in refused(rights, "edit_directory", {"changes": [good, change]}, of("max"))
    refused(rights, "edit_directory", {"changes": [{"put": kind, "remove": "group"}]}, of("max"))
    refused(rights, "edit_directory", {"changes": {"put": "group"}}, of("max"))
    assert "edits only" in refused(rights, "entries", {"kind": kind, "ids": ["ada"]}, of("max"))


def test_exports_are_for_whoever_has_an_account(rights: PageRights) -> None:
    rights.check("export", {"action": "create"}, of("vic"))
    refused(rights, "export", {"action": "create"}, of("ceo"))
    refused(rights, "export", {"action": "create"}, PAGE)


def test_only_sign_ins_and_outs_are_recorded_and_of_whoever_did(rights: PageRights) -> None:
    rights.check("login", {"action": "sign_in", "login": "vic"}, of("vic"))
    rights.check("login", {"action": "sign_out", "login": "vic"}, of("vic"))
    rights.check("login", {"action": "sign_in", "login": "(unknown)", "code": "wrong"}, of("(unknown)"))
    for action, login, actor in (
        ("create", "vic", of("vic")),
        ("destroy", "olga", of("vic")),
        ("sign_in", "olga", of("vic")),
        ("sign_in", "ceo", of("ceo")),
        ("sign_in", "vic", PAGE),
    ):
        refused(rights, "login", {"action": action, "login": login}, actor)


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("display", set()),
        ("viewer", {"export"}),
        ("reception", {"export", "unlock", "change_person"}),
        ("operator", {"export", "unlock", "hold", "block", "unblock", "lock_down"}),
        (
            "manager",
            {"export", "unlock", "hold", "block", "unblock", "lock_down", "change_person", "edit_directory", "create"},
        ),
    ],
)
def test_each_role_may_what_its_row_says(rights: PageRights, role: str, may: set[str]) -> None:
    rights.change("create", "me", role)
    asks: dict[str, tuple[str, dict[str, Any]]] = {
        "export": ("export", {"action": "create"}),
        "unlock": ("command", UNLOCK),
        "hold": ("command", {"command": "hold_unlocked", "door": "front", "for_s": 600}),
        "block": ("command", {"command": "block", "door": "front"}),
        "unblock": ("command", {"command": "unblock", "door": "front"}),
        "lock_down": ("command", LOCK_DOWN),
        "change_person": ("change_person", {}),
        "edit_directory": ("edit_directory", {"changes": []}),
        "create": ("login", {"action": "create", "login": "other", "role": "viewer"}),
    }
    for name, (op, body) in asks.items():
        if name in may:
            rights.check(op, body, of("me"))
        else:
            assert f"the role {role} may not" in refused(rights, op, body, of("me"))


def test_managers_keep_the_accounts_of_others_and_everybody_their_own_password(rights: PageRights) -> None:
    rights.change("create", "mia", "manager")
    for action in ("create", "change", "destroy"):
        rights.check("login", {"action": action, "login": "vic", "role": "viewer"}, of("mia"))
        refused(rights, "login", {"action": action, "login": "mia", "role": "viewer"}, of("mia"))
        refused(rights, "login", {"action": action, "login": "olga", "role": "manager"}, of("olga"))
        refused(rights, "login", {"action": action, "login": "vic"}, of("olga"))
        refused(rights, "login", {"action": action, "login": "vic"}, PAGE)
    rights.check("login", {"action": "change", "login": "vic"}, of("vic"))
    refused(rights, "login", {"action": "change", "login": "ceo"}, of("ceo"))


def test_an_account_that_was_removed_or_changed_counts_as_it_is_now(rights: PageRights) -> None:
    rights.change("destroy", "olga", None)
    refused(rights, "command", UNLOCK, of("olga"))
    rights.change("destroy", "vic", None)
    rights.change("create", "vic", "operator")
    rights.check("command", UNLOCK, of("vic"))
    again = PageRights()
    again.restore(rights.change("create", "new", None)[MEMORY])
    again.check("command", UNLOCK, of("vic"))
    assert "the role viewer" in refused(again, "command", UNLOCK, of("new"))


def test_there_are_only_so_many(rights: PageRights) -> None:
    for number in range(MOST_ACCOUNTS - 2):
        rights.change("create", f"n{number}", "viewer")
    rights.change("create", "vic", "operator")
    with pytest.raises(RequestError, match="256 accounts"):
        rights.change("create", "one-more", "viewer")


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '"x"'])
def test_a_memory_that_is_none_is_nobody(text: str) -> None:
    rights = PageRights()
    with pytest.raises(RequestError, match="not known before the log is open"):
        rights.check("command", UNLOCK, of("olga"))
    with pytest.raises(RequestError, match="not known before the log is open"):
        rights.change("create", "olga", "operator")
    rights.restore(text)
    refused(rights, "command", UNLOCK, of("olga"))


def test_a_new_role_or_password_is_recorded_as_another_account(tmp_path: Path) -> None:
    async def main(house: House) -> None:
        service = house._service
        await service.request("login", {"action": "create", "login": "vic", "role": "viewer"}, ROOT)
        await service.request("login", {"action": "change", "login": "vic"}, of("vic"))
        await service.request("login", {"action": "change", "login": "vic", "role": "reception"}, of("mia"))
        with pytest.raises(RequestError, match="no account 'ceo'"):
            await service.request("login", {"action": "change", "login": "ceo"}, ROOT)
        with pytest.raises(RequestError, match="role"):
            await service.request("login", {"action": "create", "login": "x", "role": "king"}, ROOT)
        with pytest.raises(RequestError, match="only root, and managers"):
            await service.request("login", {"action": "create", "login": "x"}, Actor("operator", "uid:1000", "pi"))
        await house._durable()
        log = house.daemon.log
        found = [one.event for one in await log.read(0, log.committed) if one.event.type.startswith("login.")]
        assert [(e.type, e.actor and e.actor.id, e.details.get("role")) for e in found] == [
            ("login.create", "uid:0", "viewer"),
            ("login.destroy", "web:vic", "viewer"),
            ("login.create", "web:vic", "viewer"),
            ("login.destroy", "web:mia", "reception"),
            ("login.create", "web:mia", "reception"),
        ]
        house._service.check_page("people", {}, of("vic"))

    live(write_config(tmp_path), main)


def test_accounts_outlive_a_restart(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def first(house: House) -> None:
        service = house._service
        await service.request("login", {"action": "create", "login": "olga", "role": "operator"}, ROOT)
        await service.request("login", {"action": "create", "login": "gone", "role": "operator"}, ROOT)
        await service.request("login", {"action": "destroy", "login": "gone"}, ROOT)

    async def second(house: House) -> None:
        house._service.check_page("command", UNLOCK, of("olga"))
        with pytest.raises(RequestError, match="knows no account 'gone'"):
            house._service.check_page("command", UNLOCK, of("gone"))

    live(config, first)
    live(config, second)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_at_the_socket_the_kernel_says_who_the_page_is(tmp_path: Path) -> None:
    """With real users: `nobody` stands in for doorweb."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    program = (
        "import sys, edge.socket.peers; edge.socket.peers.WEB_USER = 'nobody'\n"
        "from edge.daemon.doord import main; sys.exit(main(sys.argv[1:]))"
    )
    doord = Doord(write_config(tmp_path), program=program)

    def asks() -> list[Any]:
        ceo, olga = {"id": "ceo", "name": "The CEO"}, {"id": "olga", "name": "Olga"}
        answers = []
        for op, body in (
            ("status", {}),
            ("command", {**UNLOCK, "as": ceo}),
            ("command", UNLOCK),
            ("command", {**UNLOCK, "as": olga}),
            ("reload", {}),
            ("sim", {"door": "front", "action": "rex"}),
            ("login", {"action": "create", "login": "ceo"}),
            ("login", {"action": "sign_in", "login": "ceo", "as": ceo}),
        ):
            try:
                with Client(doord.socket) as client:
                    client.ask(op, **body)
                answers.append("done")
            except RequestRefused as error:
                answers.append(error.code)
        return answers

    with doord:
        until(lambda: doord.ask("status")["log"]["committed"], "the log")  # the accounts are in it
        doord.socket.chmod(0o666)  # after doord has given it its own mode: the kernel's word is asked, not the file's
        doord.ask("login", action="create", login="olga", role="operator")
        assert as_user(pwd.getpwnam("nobody").pw_name, asks) == [
            "done",
            "not_allowed",
            "not_allowed",
            "done",
            *["not_allowed"] * 4,
        ]
        (record,) = doord.ask("events", type=["lock.unlock"])["records"]
        assert record["data"]["actor"]["id"] == "web:olga"
