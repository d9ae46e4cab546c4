"""Where the configuration in force came from: its file, or else the one that was in force before.

One rule: doors that were guarded once are guarded at the next start too, whatever became of the file; and loudly.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from edge.config.reading import content_of, settings_from
from edge.model.problems import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.messages import Json
    from edge.model.problems import Problem
    from edge.settings.controller import Settings

KEPT: Final = "configuration.kept"
"""The file's name in the service's state directory."""
MOST_TOLD: Final = 20
"""Problems in `status`; `doorctl check` names them all."""
SPARED: Final = frozenset(
    {"mqtt", "home_assistant", "smtp", "alert", "camera", "pictures", "metrics", "report", "web", "integrations"}
)
"""Sections that no door needs: one that this version does not understand any more is left out of the kept file."""


class ConfigSource:
    """One configuration file, and the copy of what was in force."""

    def __init__(self, file: Path, kept: Path | None = None) -> None:
        """`kept` is where the configuration in force is kept; None keeps none."""
        self.file, self._kept = file.absolute(), kept
        self._content: bytes | None = None
        """Of the file, as it came into force."""
        self.refused: tuple[Problem, ...] = ()
        """What is wrong with the file, while an earlier configuration guards."""
        self.left_out: tuple[str, ...] = ()
        """Sections of the kept configuration that this version cannot use."""

    def start(self) -> Settings:
        """The configuration to start with. Raises ConfigError when neither the file nor a kept one can be used."""
        try:
            settings, content = self.read()
        except ConfigError as error:
            kept = self._kept_content()
            if kept is None:
                raise
            try:
                settings = self._from_kept(kept)
            except ConfigError:  # by another version: what is wrong with the file is what can be mended
                raise error from None
            self.refused = error.problems
        else:
            self.accept(content)
        return settings

    def read(self) -> tuple[Settings, bytes]:
        """The configuration as its file has it now, and the content for `accept`; blocks. Raises ConfigError."""
        content = content_of(self.file)
        return settings_from(content, self.file), content

    def accept(self, content: bytes) -> None:
        """This content of the file is in force from now on."""
        self._content, self.refused, self.left_out = content, (), ()

    def keep(self) -> None:
        """Keep what is in force, durably and for our own eyes; blocks. Raises OSError."""
        if self._kept is None or self._content is None or self._kept_content() == self._content:
            return
        partial = self._kept.with_name(f".{self._kept.name}.{secrets.token_hex(4)}")
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(self._head() + self._content)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self._kept)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise
        folder = os.open(self._kept.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def facts(self) -> Json:
        """The `configuration` part of the status."""
        told = [str(problem) for problem in self.refused]
        return {
            "file": str(self.file),
            "refused": [*told[:MOST_TOLD]],
            "more": max(0, len(told) - MOST_TOLD),
            "left_out": [*self.left_out],
        }

    def _head(self) -> bytes:
        """The first line of a kept file says whose copy it is: another configuration's doors are not ours."""
        return f"# kept by doord from {json.dumps(str(self.file))}\n".encode()

    def _kept_content(self) -> bytes | None:
        if self._kept is None:
            return None
        try:
            content = content_of(self._kept)
        except ConfigError:  # there is none yet, or it cannot be read: then there is none
            return None
        head = self._head()
        return content.removeprefix(head) if content.startswith(head) else None

    def _from_kept(self, content: bytes) -> Settings:
        """Raises ConfigError."""
        try:
            return settings_from(content, self.file)
        except ConfigError as error:
            wrong = {problem.key.partition(".")[0] for problem in error.problems}
            if not wrong <= SPARED:
                raise
            if "mqtt" in wrong:
                wrong.add("home_assistant")  # it is told by the broker
            self.left_out = tuple(sorted(wrong))
            return settings_from(content, self.file, without=self.left_out)
