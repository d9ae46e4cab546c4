"""doorctl inside this process: what it said, what it complained of, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Terminal(io.StringIO):
    """Somebody sits there and types this."""

    def isatty(self) -> bool:
        return True


class Doorctl:
    """Call it like the command; the socket is always named."""

    def __init__(self, socket: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.socket, self._patch, self._capsys = socket, patch, capsys

    def __call__(self, *words: str, typed: str | None = None) -> Said:
        """`typed`: on a terminal; else nobody is there."""
        self._patch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        try:
            code = main(["--socket", str(self.socket), *words])
        except SystemExit as end:  # argparse
            code = end.code if isinstance(end.code, int) else 1
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)
