"""The channels of an alert's messages: to the broker, to a webhook, to phones, by e-mail.

One rule: a message is a CloudEvent, but not a record of the log: it has no sequence number of its own.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from edge.alerts.state import headline, last_line
from edge.delivery.errors import DeliveryError
from edge.delivery.receivers.chat import ChatMessage
from edge.model.cloudevents import rfc3339, to_bytes
from edge.model.local_time import local
from edge.settings.alert_policies import EMAIL, MQTT, NTFY, WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import tzinfo

    from edge.alerts.mail import Mailer
    from edge.alerts.ntfy import Ntfy
    from edge.alerts.state import Notice
    from edge.model.cloudevents import Identity
    from edge.model.messages import Json
    from edge.settings.alert_policies import AlertPolicy

TYPE: Final = "doorward.alert"


class Channels:
    """The channels that are configured. Messages for a missing channel wait until it is configured."""

    def __init__(  # noqa: PLR0913 -- each channel has one owner
        self,
        publish: Callable[[bytes], Awaitable[None]] | None = None,
        post: Callable[[str, ChatMessage], Awaitable[None]] | None = None,
        mailer: Mailer | None = None,
        ntfy: Ntfy | None = None,
        *,
        zone: tzinfo = UTC,
        now_us: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`publish` sends to the topic `alerts`; `post` sends to an integration, by its id.

        Both raise DeliveryError when it is not certain that the message was taken. `zone` is the site's; `now_us` is
        the calendar time in microseconds since 1970, None while it is not known.
        """
        self._publish, self._post, self._mailer, self._ntfy = publish, post, mailer, ntfy
        self._zone, self._now_us = zone, now_us

    async def tell(self, channel: str, notice: Notice, policy: AlertPolicy, identity: Identity, left_out: int) -> None:
        """Return when the message was taken. DeliveryError; RefusedError when it concerns this message only."""
        if channel == EMAIL and self._mailer is not None:
            from edge.alerts.mail import mail  # noqa: PLC0415 -- only where there is a server for it

            sender = self._mailer.server.sender
            await self._mailer.send(mail(notice, policy, identity, sender, left_out, self._zone, self._now_us()))
        elif channel == MQTT and self._publish is not None:
            await self._publish(to_bytes(content(notice, policy, identity, left_out)))
        elif channel.startswith(WEBHOOK) and self._post is not None:
            await self._post(channel.removeprefix(WEBHOOK), self._chat(notice, policy, identity, left_out))
        elif channel.startswith(NTFY) and self._ntfy is not None:
            page = self._ntfy.table.page
            message = self._chat(notice, policy, identity, left_out, _link(page, notice))
            await self._ntfy.send(channel.removeprefix(NTFY), message)
        else:
            raise DeliveryError(f"no way to send by {channel} is configured", ours=True)

    def _chat(
        self, notice: Notice, policy: AlertPolicy, identity: Identity, left_out: int, link: str = ""
    ) -> ChatMessage:
        body = to_bytes(content(notice, policy, identity, left_out))
        lines = [
            f"{local(notice.time_us, self._zone)}, {identity.controller} at {identity.site}",
            f"{policy.name}, {notice.count} times",
            last_line(notice),
        ]
        title = f"[{policy.severity}] {headline(notice)}"
        return ChatMessage(f"{identity.epoch}-{notice.id}", body, title, "\n".join(lines), policy.severity, link)


def _link(page: str | None, notice: Notice) -> str:
    """The record on the local page, which asks to sign in; a test has no record."""
    if page is None:
        return ""
    return f"{page}/events/{notice.sequence}" if notice.sequence else f"{page}/"


def content(notice: Notice, policy: AlertPolicy, identity: Identity, left_out: int) -> dict[str, Json]:
    """The JSON object of a message."""
    return {
        "specversion": "1.0",
        "id": f"{identity.epoch}-{notice.id}",
        "source": f"/doorward/{identity.site}/{identity.controller}",
        "type": TYPE,
        "subject": f"doors/{notice.door}" if notice.door else "controller",
        "time": rfc3339(notice.time_us),
        "datacontenttype": "application/json",
        "data": {
            "alert": notice.alert,
            "kind": notice.kind.value,
            "policy": policy.id,
            "name": policy.name,
            "severity": policy.severity.value,
            "door": notice.door or None,
            "message": notice.message,
            "count": notice.count,
            "sequence": notice.sequence,
            "left_out": left_out,
        },
    }
