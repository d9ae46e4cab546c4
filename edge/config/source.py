"""The source of the configuration in force: its file, or a kept copy of what was in force before.

One rule: doors that were configured once are controlled at the next start too, even if the file is broken then.
That is reported.
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
"""Problems in the status; `doorctl check` shows all of them."""
SPARED: Final = frozenset({
    "mqtt", "home_assistant", "smtp", "ntfy", "alert", "camera", "pictures", "metrics", "report", "web", "integrations",
})  # fmt: skip
"""Sections that no door needs: those of the kept copy that this version cannot read are left out."""


class ConfigSource:
    """One configuration file, and the kept copy of what was in force."""

    def __init__(self, file: Path, kept: Path | None = None) -> None:
        """`kept` is the path of the copy; None: no copy is kept."""
        self.file, self._kept = file.absolute(), kept
        self._content: bytes | None = None
        """The file's content when it came into force."""
        self.refused: tuple[Problem, ...] = ()
        """Problems of the file while an earlier configuration is in force."""
        self.left_out: tuple[str, ...] = ()
        """Sections of the kept copy that this version cannot use."""

    def start(self) -> Settings:
        """The configuration to start with. Raises ConfigError when neither the file nor the kept copy can be used."""
        try:
            settings, content = self.read()
        except ConfigError as error:
            kept = self._kept_content()
            if kept is None:
                raise
            try:
                settings = self._from_kept(kept)
            except ConfigError:  # kept by another version: report the file's problems, which can be corrected
                raise error from None
            self.refused = error.problems
        else:
            self.accept(content)
        return settings

    def read(self) -> tuple[Settings, bytes]:
        """The settings in the file now, and its content for `accept`; blocks. Raises ConfigError."""
        content = content_of(self.file)
        return settings_from(content, self.file), content

    def accept(self, content: bytes) -> None:
        """From now on this content of the file is in force."""
        self._content, self.refused, self.left_out = content, (), ()

    def keep(self) -> None:
        """Write the copy of what is in force, durably and readable only for our user; blocks. Raises OSError."""
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
        refused = [str(problem) for problem in self.refused]
        return {
            "file": str(self.file),
            "refused": [*refused[:MOST_TOLD]],
            "more": max(0, len(refused) - MOST_TOLD),
            "left_out": [*self.left_out],
        }

    def _head(self) -> bytes:
        """The first line of the copy: it names the file, so that no copy of another configuration is used."""
        return f"# kept by doord from {json.dumps(str(self.file))}\n".encode()

    def _kept_content(self) -> bytes | None:
        if self._kept is None:
            return None
        try:
            content = content_of(self._kept)
        except ConfigError:  # there is no copy, or it cannot be read
            return None
        head = self._head()
        return content.removeprefix(head) if content.startswith(head) else None

    def _from_kept(self, content: bytes) -> Settings:
        """The settings in the kept copy, without sections that cannot be read and no door needs. ConfigError."""
        try:
            return settings_from(content, self.file)
        except ConfigError as error:
            wrong = {problem.key.partition(".")[0] for problem in error.problems}
            if not wrong <= SPARED:
                raise
            if "mqtt" in wrong:
                wrong.add("home_assistant")  # it works over the broker
            self.left_out = tuple(sorted(wrong))
            return settings_from(content, self.file, without=self.left_out)
