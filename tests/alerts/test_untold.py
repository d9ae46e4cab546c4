"""Alarms that no policy tells anybody of: who takes them, and how long they are kept; and what is shown of an alert."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.alerts.facts import open_alerts
from edge.alerts.rules import acknowledged, alert_by_id, due, fold, next_deadline, taken
from edge.alerts.state import AlertState
from edge.alerts.untold import LAPSES_S, with_untold
from edge.model.catalogue import CATALOGUE, Severity
from edge.model.messages import NS_PER_S
from edge.settings.alert_policies import Actions, Siren
from tests.alerts.test_rules import ESCALATE_S, FORCED, TOWN, record
from tests.support.house import House, live, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.messages import Record
    from edge.settings.alert_policies import AlertPolicy

WALL_US = 1_795_000_000_000_000


def state_of(records: list[Record], *policies: AlertPolicy, now_ns: int = 0) -> AlertState:
    state, known = AlertState(), with_untold({policy.id: policy for policy in policies})
    for one in records:
        state = fold(state, known, one, TOWN, now_ns)
    return state


def shown(state: AlertState, *policies: AlertPolicy, now_ns: int = 0) -> list[Any]:
    return open_alerts(state, with_untold({policy.id: policy for policy in policies}), now_ns, WALL_US)


def test_every_alarm_of_the_catalogue_is_kept_and_nothing_else_and_it_tells_nobody() -> None:
    state = state_of([record(number, kind=kind) for number, kind in enumerate(CATALOGUE, 1)])
    alarms = {kind for kind, row in CATALOGUE.items() if row.severity is Severity.ALARM}
    assert {alert.policy for alert in state.alerts.values()} == alarms
    assert not state.waiting
    assert all(one["told"] == [] for one in shown(state))


def test_a_policy_of_the_configuration_comes_first() -> None:
    back = replace(FORCED, doors=frozenset({"back"}))
    state = state_of([record(1, "front"), record(2, "back")], back)
    assert [*state.alerts] == ["lock.forced_open/front", "forced/back"]


def test_one_that_was_taken_is_new_when_it_happens_again() -> None:
    state = state_of([record(1), record(2)])
    [alert] = state.alerts.values()
    assert (alert.id, alert.count) == ("lock.forced_open-1", 2)
    state = acknowledged(state, alert)
    assert shown(state) == []
    state = fold(state, with_untold({}), record(3), TOWN, 1)
    assert [(one["alert"], one["count"]) for one in shown(state)] == [("lock.forced_open-3", 1)]


def test_what_nobody_takes_lapses_after_a_day_and_what_somebody_was_told_of_stays() -> None:
    silent = replace(FORCED, doors=frozenset({"back"}), escalate_after_s=None)
    state, policies = state_of([record(1, "front"), record(2, "back")], silent), with_untold({"forced": silent})
    end_ns = round(LAPSES_S * NS_PER_S)
    due_ns = {next_deadline(due(state, policies, now_ns), policies) for now_ns in (60 * NS_PER_S, end_ns - 1)}
    assert due_ns == {end_ns}
    assert len(due(state, policies, end_ns - 1).alerts) == 2
    assert [*due(state, policies, end_ns).alerts] == ["forced/back"]


def test_who_was_told_whose_message_waits_and_who_comes_next() -> None:
    policy = replace(
        FORCED,
        actions=Actions(mqtt=True, webhook=("pager",), email=("ann@example.org",), siren=Siren("front", 60)),
        escalate_to=Actions(webhook=("chief",), ntfy=("secret",), email=("boss@example.org",)),
    )
    state = state_of([record(7)], policy)
    sent = taken(state, "email", state.waiting["email"][0].id)
    [alert] = shown(sent, policy)
    assert alert["told"] == [
        {"way": "mqtt", "to": [], "waits": True},
        {"way": "webhook", "to": ["pager"], "waits": True},
        {"way": "email", "to": ["ann@example.org"], "waits": False},
        {"way": "siren", "to": ["front"], "waits": False},
    ]
    assert (alert["sequence"], alert["severity"], alert["name"]) == (7, "warning", "Forced open")
    assert (alert["escalates"], alert["escalates_to"]) == ("2026-11-18T11:21:40.000000Z", ["chief", "boss@example.org"])
    [later] = shown(due(sent, {"forced": policy}, ESCALATE_S * NS_PER_S), policy)
    assert (later["escalated"], later["escalates"], later["escalates_to"]) == (True, None, [])
    assert [way["to"] for way in later["told"][4:]] == [["chief"], [], ["boss@example.org"]]


def test_an_alarm_without_any_policy_outlives_a_restart_until_it_is_taken(tmp_path: Path) -> None:
    config = write_config(tmp_path)

    async def first(house: House) -> None:
        await house.sim("open")
        await house.sim("close")

    async def second(house: House) -> None:
        await asyncio.sleep(1)
        [alert] = (await house.request("alerts"))["open"]
        assert (alert["policy"], alert["door"], alert["told"]) == ("lock.forced_open", "front", [])
        assert alert_by_id(house.daemon.consumers._alerts.state, alert["alert"])  # type: ignore[union-attr]  # started
        await house.request("acknowledge", alert=alert["alert"])
        assert (await house.request("alerts"))["open"] == []

    live(config, first)
    event = live(config, second).last("integration.update")
    assert (event.object.id, event.door, event.actor and event.actor.name) == (
        "alert.lock.forced_open",
        "front",
        "otto",
    )
    assert event.details["alert"] == "front door forced open"
