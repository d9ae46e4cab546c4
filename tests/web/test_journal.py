"""What strangers can make the page say, and how often."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import pytest

from edge.web.journal import EVERY_S, MOST_KINDS, RepeatFilter
from tests.support.control import FakeDaemon
from tests.support.waiting import PATIENCE_S
from tests.support.web import Doorweb, answers, write_accounts, write_config

if TYPE_CHECKING:
    from pathlib import Path

FORM = (
    b"POST /sign-in HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\n"
)


def line(text: str, at_s: float, level: int = logging.WARNING, number: int = 7) -> logging.LogRecord:
    record = logging.LogRecord("uvicorn.error", level, "x.py", number, text, (), None)
    record.created = at_s
    return record


def test_what_comes_again_is_counted_and_said_with_the_next_one() -> None:
    seldom = RepeatFilter()
    assert seldom.filter(line("Invalid HTTP request received.", 0.0))
    assert not any(seldom.filter(line("Invalid HTTP request received.", n / 100)) for n in range(1, 50))
    assert seldom.filter(line("another", 0.5))
    again = line("Invalid HTTP request received.", EVERY_S + 1)
    assert seldom.filter(again)
    assert again.getMessage() == "Invalid HTTP request received. (and 49 more like it)"
    assert all(seldom.filter(line("listening", 0.0, logging.INFO)) for _ in range(3))


def test_a_calendar_that_steps_back_silences_nothing() -> None:
    seldom = RepeatFilter()
    assert seldom.filter(line("x", 1_000_000.0))
    assert seldom.filter(line("x", 0.0))


def test_it_remembers_only_so_much() -> None:
    seldom = RepeatFilter()
    for number in range(3 * MOST_KINDS):
        seldom.filter(line("x", 0.0, number=number))
    assert len(seldom._kinds) <= MOST_KINDS


@pytest.mark.parametrize("request_", [FORM + b"a=b&c", b"nonsense\r\n\r\n"])
def test_who_breaks_off_leaves_no_mistake_in_the_journal(tmp_path: Path, request_: bytes) -> None:
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path, web="tls = false")
    with FakeDaemon(tmp_path / "doord.sock", **answers()), Doorweb(config) as page:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", page.port)) as stranger:
                stranger.settimeout(PATIENCE_S)
                stranger.sendall(request_)
                stranger.shutdown(socket.SHUT_WR)
                while stranger.recv(4096):
                    pass
        said = page.output.read_text()
    assert "Traceback" not in said
    assert said.count("WARNING") <= 1
