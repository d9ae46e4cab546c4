"""The body of a webhook: the event itself, or a message in the format of a chat or push service.

One rule: what a record contains is plain text. It mentions nobody, makes no link and no header.

Slack: https://docs.slack.dev/messaging/formatting-message-text (Mattermost and Rocket.Chat take the same);
Discord: https://discord.com/developers/docs/resources/webhook; Teams: an Adaptive Card, as its workflows want it;
Matrix: the client-server API, `PUT …/send/m.room.message/{txnId}`; ntfy: https://docs.ntfy.sh/publish/.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.catalogue import Severity
from edge.model.cloudevents import CONTENT_TYPE
from edge.model.printable import masked

if TYPE_CHECKING:
    from edge.model.messages import Json

EVENTS: Final = "events"
"""The signed CloudEvent, for programs."""
FORMATS: Final = (EVENTS, "slack", "discord", "teams", "matrix", "ntfy")
MOST_CHARACTERS: Final = 1_500
"""Longest message; Discord allows 2,000 characters."""
_PRIORITY: Final = {Severity.ALARM: "5", Severity.WARNING: "4", Severity.INFO: "3"}
"""ntfy's priorities: 3 is the default, 5 the highest."""
_TAGS: Final = {Severity.ALARM: "rotating_light", Severity.WARNING: "warning", Severity.INFO: "information_source"}
"""ntfy shows these short codes as emojis before the title."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message in all its forms."""

    id: str
    """Stays the same when it is sent again."""
    body: bytes
    """The CloudEvent."""
    title: str = ""
    text: str = ""
    severity: Severity = Severity.INFO
    link: str = ""
    """What a tap on a notification opens: a URL in ASCII; empty: nothing."""


@dataclass(frozen=True, slots=True)
class FormattedMessage:
    """A message in a receiver's format: the parts of an HTTP request."""

    body: bytes
    content_type: str = "application/json"
    method: str = "POST"
    below: str = ""
    """Appended to the path of the url."""
    headers: tuple[tuple[str, str], ...] = ()


def letter(wanted: str, message: ChatMessage) -> FormattedMessage:
    """The message in one of `FORMATS`."""
    if wanted == EVENTS:
        return FormattedMessage(message.body, CONTENT_TYPE, headers=(("X-Event-Id", message.id),))
    title, text = _plain(message.title).replace("\n", " "), _plain(message.text)
    both = f"{title}\n{text}"[:MOST_CHARACTERS]
    if wanted == "ntfy":
        encoded = base64.b64encode(title.encode()).decode("ascii")
        headers = (
            ("Title", f"=?UTF-8?B?{encoded}?="),
            ("Priority", _PRIORITY[message.severity]),
            ("Tags", _TAGS[message.severity]),
            *([("Click", message.link)] if message.link else []),
        )
        body = text.encode()[:4_000].decode(errors="ignore").encode()  # cut within a character it is no text to ntfy
        return FormattedMessage(body, "text/plain; charset=utf-8", headers=headers)
    if wanted == "matrix":
        return FormattedMessage(_json({"msgtype": "m.text", "body": both}), method="PUT", below=f"/{message.id}")
    bodies: dict[str, Json] = {
        "slack": {"text": _unmarked(both)},
        "discord": {"content": both, "allowed_mentions": {"parse": []}},
        "teams": _card(title, text),
    }
    return FormattedMessage(_json(bodies[wanted]))


def _card(title: str, text: str) -> Json:
    blocks: list[Json] = [
        {"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True},
        {"type": "TextBlock", "text": text.replace("\n", "\n\n"), "wrap": True},
    ]
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _plain(text: str) -> str:
    """The text with unprintable characters replaced, cut to `MOST_CHARACTERS`."""
    return "\n".join(masked(line, " ") for line in text.split("\n"))[:MOST_CHARACTERS]


def _unmarked(text: str) -> str:
    """Escaped for Slack, with mentions broken up for Mattermost."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")


def _json(body: Json) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
