"""How often somebody may try, and for how long somebody stays."""

from __future__ import annotations

import pytest

from edge.model.page_roles import PageRole
from edge.web.accounts import Account
from edge.web.attempts import FORGOTTEN_S, FREE, MOST, S_NS, Attempts, PageRecordAllowance
from edge.web.sessions import MOST as MOST_SESSIONS
from edge.web.sessions import MOST_OF_ONE, Sessions

KEYS = {"account olga": 300.0, "address 192.0.2.7": 900.0}
OLGA = Account("olga", PageRole.OPERATOR, "x")


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = 10**12

    def __call__(self) -> int:
        return self.ns

    def on(self, seconds: float) -> None:
        self.ns += int(seconds * S_NS)


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_few_failures_cost_nothing_and_then_each_costs_twice_as_much(time: Time) -> None:
    attempts, waits = Attempts(time), []
    for _ in range(FREE + 12):
        waits.append(attempts.wait_s({"account olga": 300.0}))
        time.on(waits[-1])
        attempts.count("account olga")
    assert waits[: FREE + 10] == [0.0] * FREE + [2.0**n for n in range(9)] + [300.0]


def test_an_address_waits_for_what_it_did_to_any_account(time: Time) -> None:
    attempts = Attempts(time)
    for n in range(FREE + 3):
        attempts.count(f"account {n}", "address 192.0.2.7")
    assert attempts.wait_s({"account other": 300.0, "address 192.0.2.7": 900.0}) == 8.0
    assert attempts.wait_s({"account other": 300.0, "address 192.0.2.8": 900.0}) == 0.0


def test_knowing_the_password_forgives_the_account_but_not_the_address(time: Time) -> None:
    """Or else somebody with an account could guess another's for ever."""
    attempts = Attempts(time)
    for _ in range(FREE):
        attempts.count(*KEYS)
    attempts.count(*KEYS)
    attempts.forget("account olga")
    attempts.take_back("address 192.0.2.7")
    assert attempts.wait_s({"account olga": 300.0}) == 0.0
    assert attempts.wait_s({"address 192.0.2.7": 900.0}) == 1.0


def test_failures_are_forgotten(time: Time) -> None:
    attempts = Attempts(time)
    for _ in range(FREE + 2):
        attempts.count("account olga")
    time.on(FORGOTTEN_S)
    attempts.count("account olga")
    assert attempts.wait_s({"account olga": 300.0}) == 0.0


def test_no_more_names_are_remembered_than_fit(time: Time) -> None:
    attempts = Attempts(time)
    for n in range(MOST + 50):
        attempts.count(f"account {n}")
    assert len(attempts._failures) == MOST
    assert "account 0" not in attempts._failures


def test_so_many_a_minute_are_allowed_of_each_kind(time: Time) -> None:
    allowance = PageRecordAllowance(time, 3)
    assert [allowance.take("olga") for _ in range(5)] == [True] * 3 + [False] * 2
    assert allowance.take("vera")
    assert allowance.refused == {"olga": 2}
    time.on(59)
    assert not allowance.take("olga")
    time.on(1)
    assert [allowance.take("olga") for _ in range(4)] == [True] * 3 + [False]
    assert allowance.refused == {"olga": 4}, "until somebody says so"


def test_a_session_ends_when_nobody_uses_it(time: Time) -> None:
    sessions = Sessions(time, 100, 1_000)
    secret = sessions.begin(OLGA)
    time.on(99)
    assert sessions.find(secret, use=True) is not None
    time.on(99)
    assert sessions.find(secret, use=False) is not None
    time.on(1)
    assert sessions.find(secret, use=True) is None, "looking without asking is no use"
    assert sessions.find(secret, use=True) is None


def test_a_session_ends_in_any_case(time: Time) -> None:
    sessions = Sessions(time, 100, 1_000)
    secret = sessions.begin(OLGA)
    for _ in range(19):
        time.on(50)
        assert sessions.find(secret, use=True) is not None
    time.on(50)
    assert sessions.find(secret, use=True) is None


def test_an_account_has_so_many_sessions_and_the_oldest_ends(time: Time) -> None:
    sessions = Sessions(time, 1_000, 10_000)
    secrets = []
    for _ in range(MOST_OF_ONE + 1):
        time.on(1)
        secrets.append(sessions.begin(OLGA))
    assert [sessions.find(one, use=False) is None for one in secrets] == [True] + [False] * MOST_OF_ONE


def test_there_are_so_many_sessions(time: Time) -> None:
    sessions = Sessions(time, 1_000, 10_000)
    for n in range(MOST_SESSIONS + 5):
        sessions.begin(Account(f"u{n}", PageRole.VIEWER, "x"))
    assert len(sessions._sessions) == MOST_SESSIONS


def test_what_the_browser_holds_is_not_kept(time: Time) -> None:
    sessions = Sessions(time, 100, 1_000)
    secret = sessions.begin(OLGA)
    assert secret not in repr(sessions._sessions)
    assert len(secret) >= 43, "256 bits"
