"""`doorweb`, the program: read the configuration, listen, serve until SIGTERM.

One rule: other computers are served over TLS only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import uvicorn

from edge import __version__
from edge.config.reading import DEFAULT_PATH, load
from edge.model.problems import ConfigError
from edge.model.records import ClockQuality
from edge.system.clock import Clock
from edge.system.systemd import Notifier
from edge.web.accounts import Accounts
from edge.web.app import application
from edge.web.attempts import Attempts, PageRecordAllowance
from edge.web.certificate import certificate, fingerprint
from edge.web.display_sessions import FILE, DisplaySessions
from edge.web.journal import RepeatFilter
from edge.web.link import DaemonLink
from edge.web.listener import MOST_CONNECTIONS, MOST_OF_AN_ADDRESS, Listener
from edge.web.page import Page
from edge.web.protocol import BoundedProtocol
from edge.web.sessions import Sessions
from edge.web.words import Words

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from edge.settings.controller import Settings

LOG: Final = logging.getLogger("doorweb")
EX_CONFIG: Final = 78
"""The exit code for a wrong configuration (sysexits.h); the unit tells systemd not to restart after it."""
BACKLOG: Final = 128
"""Connections that the kernel queues until they are accepted."""
HANDSHAKE_WITHIN_S: Final = 10.0
"""Limit for the TLS handshake; asyncio's default is a minute."""
GOODBYE_WITHIN_S: Final = 45.0
"""Limit for the end of TLS after the last answer: enough for slow clients; those that stall are disconnected before."""
LONGEST_HEAD: Final = 16 << 10
END_S: Final = 2
"""How long a stop waits for clients that still read."""


class WebServer(uvicorn.Server):
    """uvicorn's server with a limited listener, readiness for systemd, and exit code 0 after a signal."""

    def __init__(self, config: uvicorn.Config, listener: Listener) -> None:
        """No connection is accepted before it runs."""
        super().__init__(config)
        self._listener = listener

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals to stop; uvicorn would raise them again at the end, which changes the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 -- as uvicorn has it
        """Listen, and tell systemd. uvicorn's own method cannot limit the TLS handshake."""
        await self.lifespan.startup()
        secure = self.config.ssl
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedProtocol(self.config, self.server_state, self.lifespan.state),
            sock=self._listener,
            ssl=secure,
            backlog=BACKLOG,
            ssl_handshake_timeout=HANDSHAKE_WITHIN_S if secure else None,
            ssl_shutdown_timeout=GOODBYE_WITHIN_S if secure else None,
        )
        self.servers, self.started = [server], True
        LOG.info("listening at %s", self._listener.getsockname()[:2])
        Notifier().ready()


def page_for(settings: Settings, clock: Clock) -> Page:
    """The page for a configuration."""
    web, accounts = settings.web, Accounts(settings.web.accounts)
    displays = DisplaySessions(web.accounts.with_name(FILE), accounts)
    return Page(
        link=DaemonLink(settings.control.socket),
        accounts=accounts,
        sessions=Sessions(clock.now_ns, web.idle_s, web.session_s, displays),
        attempts=Attempts(clock.now_ns),
        allowance=PageRecordAllowance(clock.now_ns),
        words=Words(ZoneInfo(settings.controller.time_zone)),
        now_ns=clock.now_ns,
        site=settings.controller.name,
        secure=web.tls or web.tls_proxy,
        metrics_token_file=web.metrics_token_file,
    )


def serve(settings: Settings) -> None:
    """Serve until SIGTERM. Raises OSError when it cannot listen or has no certificate."""
    web, clock = settings.web, Clock()
    config = uvicorn.Config(
        application(page_for(settings, clock)),
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS + 1,  # the listener limits connections; this never takes effect first
        h11_max_incomplete_event_size=LONGEST_HEAD,
        timeout_graceful_shutdown=END_S,
    )
    if web.tls:
        config.load()
        config.ssl = tls(settings, clock)
    # without TLS a proxy connects, with the requests of all browsers
    most_of_one = MOST_OF_AN_ADDRESS if web.tls else MOST_CONNECTIONS
    WebServer(config, Listener(web.address, web.port, most_of_one=most_of_one)).run()


def tls(settings: Settings, clock: Clock) -> ssl.SSLContext:
    """The TLS context, with the configured certificate or a self-signed one. Raises OSError."""
    web = settings.web
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if web.cert_file is not None:
        context.load_cert_chain(web.cert_file, web.key_file)
        return context
    now = datetime.fromtimestamp(clock.wall_us() / 1e6, UTC)
    file = certificate(web.accounts.parent, web.address, now, vouched=clock.quality() is not ClockQuality.UNSYNCED)
    context.load_cert_chain(file)
    LOG.info("the page's own certificate, %s: compare its SHA-256 fingerprint %s", file, fingerprint(file))
    return context


def _log_to_stderr() -> None:
    prefix = "%(name)s: %(message)s" if "JOURNAL_STREAM" in os.environ else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=prefix)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())


def _complain(error: ConfigError) -> None:
    for problem in error.problems:
        LOG.error("%s", problem)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM. Exit code 0 after a stop, 78 for a bad configuration, 1 for anything else."""
    parser = argparse.ArgumentParser(prog="doorweb", description="Shows the doors of one Doorward controller.")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"default: {DEFAULT_PATH}")
    parser.add_argument("--version", action="version", version=f"doorweb {__version__}")
    arguments = parser.parse_args(argv)
    _log_to_stderr()
    try:
        settings = load(arguments.config)
    except ConfigError as error:
        _complain(error)
        return EX_CONFIG
    try:
        serve(settings)
    except (OSError, ssl.SSLError) as error:
        LOG.critical("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
