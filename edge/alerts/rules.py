"""The rules of alerts: a record that matches a policy raises one, repetitions are counted, unanswered ones escalate.

One rule: what has to be sent is part of the state. An alert is open until it is acknowledged; there
is one for each policy and door. Between two messages about it lies at least `quiet_s`; an open one
is escalated once, `escalate_after_s` after it was raised. What repeats between an acknowledgement and
the end of the quiet time is sent as a new alert at that end, so that nothing goes unreported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge.alerts.state import Alert, AlertState, Notice, NoticeKind
from edge.model.catalogue import message
from edge.model.messages import NS_PER_S
from edge.settings.alert_policies import matches

if TYPE_CHECKING:
    from edge.model.messages import Record
    from edge.settings.alert_policies import Actions, AlertPolicy, DirectoryView, Policies, Siren

MOST_ALERTS: Final = 200
"""Alerts that are kept. Above this the oldest is dropped, and escalated before if that is still due."""
MOST_WAITING: Final = 50
"""Messages that wait for one channel. Above this the oldest are left out, and the next one says how many."""


def fold(  # noqa: PLR0913, PLR0917 -- one step: state, record, time
    state: AlertState, policies: Policies, record: Record, where: DirectoryView, now_ns: int, age_ns: int = 0
) -> AlertState:
    """Apply the next record, which happened `age_ns` ago. A record that was looked at already changes nothing."""
    if record.sequence <= state.through:
        return state
    applying = [policy for policy in policies.values() if matches(policy, record, where)]
    for policy in [policy for policy in applying if not policy.spare] or applying:
        state = _happened(state, policies, policy, record, now_ns, age_ns)
    return replace(state, through=record.sequence)


def due(state: AlertState, policies: Policies, now_ns: int) -> AlertState:
    """Apply what is due by time: escalations, ends of sirens and of quiet times."""
    for key, alert in [*state.alerts.items()]:
        policy = policies[alert.policy]
        if alert.acknowledged and now_ns >= alert.told_ns + policy.quiet_ns:
            if alert.untold:
                again = replace(alert, acknowledged=False, escalated=False, raised_ns=now_ns, told=0)
                state = _notify(state, key, again, policy, now_ns, NoticeKind.RAISED, now_ns - alert.happened_ns)
            else:
                state = _closed(state, key)
        elif (end_ns := _lapses_ns(alert, policy)) is not None and now_ns >= end_ns:
            state = _closed(state, key)
        elif (at_ns := escalates_ns(alert, policy)) is not None and now_ns >= at_ns:
            state = _escalated(state, key, policy, now_ns)
        elif any(until_ns <= now_ns for _, until_ns in alert.sirens):
            sirens = tuple((door, until_ns) for door, until_ns in alert.sirens if until_ns > now_ns)
            state = _with(state, key, replace(alert, sirens=sirens))
    return state


def next_deadline(state: AlertState, policies: Policies) -> int | None:
    """When `due` has to be called next; None: never."""
    deadlines = []
    for alert in state.alerts.values():
        policy = policies[alert.policy]
        deadlines += [until_ns for _, until_ns in alert.sirens]
        if alert.acknowledged:
            deadlines.append(alert.told_ns + policy.quiet_ns)
        else:
            ends = (escalates_ns(alert, policy), _lapses_ns(alert, policy))
            deadlines += [end_ns for end_ns in ends if end_ns is not None]
    return min(deadlines, default=None)


def sounding(state: AlertState, now_ns: int) -> frozenset[str]:
    """The doors whose buzzer should sound now."""
    return frozenset(door for alert in state.alerts.values() for door, until_ns in alert.sirens if now_ns < until_ns)


def escalates_ns(alert: Alert, policy: AlertPolicy) -> int | None:
    """When an alert escalates; None: it does not."""
    if alert.acknowledged or alert.escalated or policy.escalate_after_s is None:
        return None
    return alert.raised_ns + round(policy.escalate_after_s * NS_PER_S)


def alert_by_id(state: AlertState, alert_id: str) -> Alert | None:
    """The open alert with this id; None when there is none."""
    return next((alert for alert in state.alerts.values() if alert.id == alert_id and not alert.acknowledged), None)


def acknowledged(state: AlertState, alert: Alert) -> AlertState:
    """Somebody has acknowledged an alert: its sirens end, and its waiting messages are dropped."""
    own = replace(alert, acknowledged=True, sirens=(), count=0, untold=0)
    waiting = {channel: tuple(n for n in notices if n.alert != alert.id) for channel, notices in state.waiting.items()}
    state = _with(state, _key(alert.policy, alert.door), own)
    return replace(state, waiting={channel: notices for channel, notices in waiting.items() if notices})


def taken(state: AlertState, channel: str, notice: str) -> AlertState:
    """A channel has taken a message, which also said how many were left out."""
    left_out = {c: n for c, n in state.left_out.items() if c != channel}
    return replace(dropped(state, channel, notice), left_out=left_out)


def dropped(state: AlertState, channel: str, notice: str) -> AlertState:
    """Remove a waiting message."""
    left = tuple(waiting for waiting in state.waiting.get(channel, ()) if waiting.id != notice)
    return replace(state, waiting={c: notices for c, notices in {**state.waiting, channel: left}.items() if notices})


def _happened(  # noqa: PLR0913, PLR0917 -- as `fold`
    state: AlertState, policies: Policies, policy: AlertPolicy, record: Record, now_ns: int, age_ns: int
) -> AlertState:
    event = record.event
    key = _key(policy.id, event.door or "")
    alert = state.alerts.get(key)
    if alert is not None:
        first = alert.acknowledged and not alert.untold
        alert = replace(
            alert,
            id=f"{policy.id}-{record.sequence}" if first else alert.id,
            sequence=record.sequence,
            time_us=record.time_us,
            message=message(event),
            count=alert.count + 1,
            untold=alert.untold + 1,
            happened_ns=now_ns - age_ns,
        )
        if now_ns < alert.told_ns + policy.quiet_ns:
            return _with(state, key, alert)
        if not alert.acknowledged:
            return _notify(state, key, alert, policy, now_ns, NoticeKind.REPEATED, age_ns)
        alert = replace(alert, acknowledged=False, escalated=False, raised_ns=now_ns, told=0)
    else:
        state = _room(state, policies, now_ns)
        about = (record.sequence, record.time_us, message(event))
        alert = Alert(f"{policy.id}-{record.sequence}", policy.id, event.door or "", now_ns, now_ns, *about)
        alert = replace(alert, happened_ns=now_ns - age_ns)
    return _notify(state, key, alert, policy, now_ns, NoticeKind.RAISED, age_ns)


def _notify(  # noqa: PLR0913, PLR0917 -- all that a message depends on
    state: AlertState, key: str, alert: Alert, policy: AlertPolicy, now_ns: int, kind: NoticeKind, age_ns: int
) -> AlertState:
    """Send messages about an alert, and move it to the end of the order."""
    alert = replace(_sounded(alert, policy.actions.siren, now_ns - age_ns, now_ns), told_ns=now_ns, untold=0)
    others = {k: v for k, v in state.alerts.items() if k != key}
    return _notices(replace(state, alerts=others), key, alert, policy.actions, kind)


def _escalated(state: AlertState, key: str, policy: AlertPolicy, now_ns: int) -> AlertState:
    """Escalate an alert. Its siren's time counts from when this was due, which after a power cut may be long ago."""
    due_ns = escalates_ns(state.alerts[key], policy)
    from_ns = now_ns if due_ns is None else min(due_ns, now_ns)
    alert = replace(_sounded(state.alerts[key], policy.escalate_to.siren, from_ns, now_ns), escalated=True)
    return _notices(state, key, alert, policy.escalate_to, NoticeKind.ESCALATED)


def _notices(state: AlertState, key: str, alert: Alert, actions: Actions, kind: NoticeKind) -> AlertState:
    waiting, left_out = dict(state.waiting), dict(state.left_out)
    number = alert.told + 1
    for channel, to in actions.channels():
        notice = Notice(
            f"{alert.id}-{number}",
            alert.id,
            alert.policy,
            kind,
            alert.door,
            alert.sequence,
            alert.time_us,
            alert.message,
            alert.count,
            to,
        )
        queue = (*waiting.get(channel, ()), notice)
        if len(queue) > MOST_WAITING:
            left_out[channel] = left_out.get(channel, 0) + len(queue) - MOST_WAITING
        waiting[channel] = queue[-MOST_WAITING:]
    return replace(_with(state, key, replace(alert, told=number)), waiting=waiting, left_out=left_out)


def _room(state: AlertState, policies: Policies, now_ns: int) -> AlertState:
    """Drop an alert if there are too many: one with nothing due, else the oldest, which is escalated first."""
    if len(state.alerts) < MOST_ALERTS:
        return state
    key = next((k for k, a in state.alerts.items() if a.acknowledged and not a.untold), None)
    if key is None:
        open_ = ((k, a) for k, a in state.alerts.items() if not a.acknowledged)
        key = next((k for k, a in open_ if escalates_ns(a, policies[a.policy]) is None), None)
    if key is None:
        key = next(iter(state.alerts))
        state = _escalated(state, key, policies[state.alerts[key].policy], now_ns)
    return _closed(state, key)


def _sounded(alert: Alert, siren: Siren | None, from_ns: int, now_ns: int) -> Alert:
    """Add a siren. Its time counts from the event: a record that is read too late sounds none."""
    until_ns = 0 if siren is None else from_ns + round(siren.for_s * NS_PER_S)
    if siren is None or until_ns <= now_ns:
        return alert
    others = tuple(other for other in alert.sirens if other[0] != siren.door)
    return replace(alert, sirens=(*others, (siren.door, until_ns)))


def _lapses_ns(alert: Alert, policy: AlertPolicy) -> int | None:
    return None if policy.lapses_s is None else alert.happened_ns + round(policy.lapses_s * NS_PER_S)


def _closed(state: AlertState, key: str) -> AlertState:
    return replace(state, alerts={k: v for k, v in state.alerts.items() if k != key})


def _with(state: AlertState, key: str, alert: Alert) -> AlertState:
    return replace(state, alerts={**state.alerts, key: alert})


def _key(policy: str, door: str) -> str:
    return f"{policy}/{door}"
