"""The sinks of the directory's integrations: one for each integration with a kind, as long as the directory has it.

One rule: a changed entry of the directory restarts its own sink only; the others go on.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from edge.delivery.address import AllowedAddresses
from edge.delivery.errors import DeliveryError
from edge.delivery.health import ErrorLimits
from edge.delivery.network import Network
from edge.delivery.receivers.chat import EVENTS
from edge.delivery.sink import Delivery, SinkOptions
from edge.model.catalogue import matching
from edge.model.messages import Subject
from edge.socket.server import RequestError
from edge.system.tasks import say_why

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import tzinfo

    from edge.delivery.ports import DeliveryLog, Receiver
    from edge.delivery.receivers.chat import ChatMessage
    from edge.delivery.receivers.webhook import Poster
    from edge.delivery.secrets import Secrets
    from edge.directory.directory import Integration
    from edge.model.messages import Actor, Json, Record
    from edge.model.ports import Origin
    from edge.settings.alerts import IntegrationsTable

LOG: Final = logging.getLogger(__name__)
PREFIX: Final = "integration."
"""This and an integration's id name its cursor and its row among the modes; no door's id has a dot."""


class Deliveries:
    """The integrations of one controller."""

    def __init__(  # noqa: PLR0913 -- each part has one owner
        self,
        log: DeliveryLog,
        origin: Origin,
        *,
        network: Network,
        secrets: Secrets,
        chance: random.Random,
        now_ns: Callable[[], int],
        retain_for: Callable[[Sequence[str]], None] = lambda _sinks: None,
        options: SinkOptions | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """`retain_for` gets the sinks for which the log has to keep records: all but the disabled ones."""
        self._log, self._origin, self._network, self._secrets = log, origin, network, secrets
        self._chance, self._now_ns, self._retain_for = chance, now_ns, retain_for
        self._options, self._zone = options or SinkOptions(), zone
        self._memory: dict[str, str] | None = None
        self._wanted: Mapping[str, Integration] = {}
        self._known = False
        """Whether `apply` was called: before that no integration counts as removed."""
        self._sinks: dict[str, Delivery] = {}
        self._closing: set[asyncio.Task[None]] = set()

    # --- for the daemon --------------------------------------------------------------------------------

    def start(self, modes: Mapping[str, str]) -> None:
        """The log is open and has these modes: begin with the integrations of the last `apply`."""
        self._memory = {key: text for key, text in modes.items() if key.startswith(PREFIX)}
        self._log.on_commit(self._committed)
        if self._known:
            self.apply(self._wanted)

    def apply(self, integrations: Mapping[str, Integration]) -> None:
        """The directory in force has these integrations: start, restart and end sinks accordingly."""
        self._wanted, self._known = integrations, True
        if self._memory is None:
            return
        for name, sink in [*self._sinks.items()]:
            entry = integrations.get(name)
            if entry is None or mark(entry) != sink.mark:
                self._end(name)
        for name in [key.removeprefix(PREFIX) for key in self._memory]:
            if name not in integrations or integrations[name].kind is None:
                self._forget(name)
        for name, entry in integrations.items():
            if entry.kind is not None and name not in self._sinks:
                self._begin(entry)
        self._tell()

    def reload(self, network: Network, options: SinkOptions) -> None:
        """Other settings are in force: restart every sink with them, at its cursor."""
        self._network, self._options = network, options
        for name in [*self._sinks]:
            self._end(name)
        self.apply(self._wanted)

    async def close(self) -> None:
        """End all sinks; what is under way is sent again after a restart."""
        for name in [*self._sinks]:
            self._end(name)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def facts(self) -> dict[str, Json]:
        """For `doorctl status` and `doorctl integration list`."""
        return {
            name: {"name": sink.subject.name, "kind": self._wanted[name].kind, **sink.facts()}
            for name, sink in self._sinks.items()
        }

    @property
    def ops(self) -> dict[str, Callable[[dict[str, Any], Actor], Awaitable[Json]]]:
        """The operations that the control socket serves."""
        return {"integrations": self._list, "enable_integration": self._enable}

    async def post(self, integration: str, message: ChatMessage) -> None:
        """Send a message other than a record to a webhook. Raises DeliveryError."""
        entry = self._wanted.get(integration)
        if entry is None or entry.kind != "webhook":
            raise DeliveryError(f"the directory has no webhook {integration}", ours=True)
        await self._poster(entry).post(message)

    # --- sinks -----------------------------------------------------------------------------------------

    def _begin(self, entry: Integration) -> None:
        assert self._memory is not None  # noqa: S101 -- checked by `apply`
        sink = Delivery(
            f"{PREFIX}{entry.id}",
            Subject("integration", entry.id, entry.name),
            self._receiver(entry),
            log=self._log,
            chance=self._chance,
            now_ns=self._now_ns,
            options=self._options,
            mark=mark(entry),
            modes=self._memory,
            changed=self._tell,
        )
        self._sinks[entry.id] = sink
        sink.start().add_done_callback(say_why)

    def _end(self, name: str) -> None:
        task = asyncio.create_task(self._sinks.pop(name).close(), name=f"end of {name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _forget(self, name: str) -> None:
        """Clear the log's memory of an integration: one of this name that is added later is a new one."""
        assert self._memory is not None  # noqa: S101 -- as above
        key = f"{PREFIX}{name}"
        if self._memory[key] != "{}":
            self._memory[key] = "{}"
            self._log.append([], {key: "{}"})

    def _tell(self) -> None:
        self._retain_for([sink.sink for sink in self._sinks.values() if sink.disabled is None])

    def _committed(self, records: Sequence[Record]) -> None:
        for sink in self._sinks.values():
            sink.committed(records)

    def _receiver(self, entry: Integration) -> Receiver:
        types = matching(entry.types)
        if entry.kind == "syslog":
            from edge.delivery.receivers.syslog_sink import Syslog  # noqa: PLC0415 -- only where there is one

            return Syslog(str(entry.url), types, network=self._network, origin=self._origin)
        from edge.delivery.receivers.webhook import Webhook  # noqa: PLC0415 -- as above

        return Webhook(self._poster(entry), types, self._origin, self._zone)

    def _poster(self, entry: Integration) -> Poster:
        from edge.delivery.receivers.webhook import Poster  # noqa: PLC0415 -- as above

        url, secret, wanted = str(entry.url), str(entry.secret), entry.format or EVENTS
        return Poster(url, secret, network=self._network, secrets=self._secrets, wanted=wanted)

    # --- requests --------------------------------------------------------------------------------------

    async def _list(self, _body: dict[str, Any], _actor: Actor) -> Json:
        return self.facts()

    async def _enable(self, body: dict[str, Any], actor: Actor) -> Json:
        name = body.get("integration")
        sink = self._sinks.get(name) if isinstance(name, str) else None
        if sink is None:
            known = ", ".join(self._sinks) or "none"
            raise RequestError("unknown_integration", f"no integration {name!r} passes records on; there is {known}")
        if not sink.enable(actor):
            raise RequestError("not_disabled", f"{name} is not disabled")
        return {}


def chosen(table: IntegrationsTable) -> tuple[Network, SinkOptions]:
    """The network and the options that the configuration chooses."""
    limits = ErrorLimits(table.warn_tries, table.warn_percent, table.disable_after_s, table.disable_tries)
    network = Network(AllowedAddresses(table.allow_private, table.networks), table.ca_file, tls_strict=table.tls_strict)
    return network, SinkOptions(limits)


def mark(entry: Integration) -> str:
    """A digest of all in an entry that matters to its sink."""
    content = repr((entry.kind, entry.url, entry.types, entry.secret, *([entry.format] if entry.format else [])))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
