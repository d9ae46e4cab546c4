"""Where pages of history come from: a running daemon, or a log file.

One rule: whoever reads does not know which; a page is records as they look on the wire.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from edge.cli.client import Client


class Source(Protocol):
    """Pages of records by sequence."""

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """Records as they look on the wire, and where the next page begins.

        `asked` is the body of the control socket's `events`.
        """

    def close(self) -> None:
        """Let go."""


class DaemonSource:
    """Pages from a running daemon."""

    def __init__(self, client: Client) -> None:
        """Takes the connection over."""
        self._client = client

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """See Source. Raises Refused and Unreachable."""
        answer = self._client.ask("events", **asked)
        return answer["records"], answer["next"]

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class FileSource:
    """Pages from a log file: of a dead daemon, or a copy."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when there is no such file, sqlite3.Error when it is no log."""
        from edge.log_query import LogReader  # noqa: PLC0415 -- sqlite-utils is slow to import
        from edge.wire import Identity  # noqa: PLC0415 -- as above

        path.stat()
        self._reader = LogReader(path)
        who = _object(self._reader.modes().get("controller", "{}"))
        self._identity = Identity(str(who.get("site", "unknown")), str(who.get("id", "unknown")), self._reader.epoch)

    def page(self, asked: dict[str, Any]) -> tuple[list[dict[str, Any]], int | None]:
        """See Source. Raises OSError when the file is damaged here, ValueError when a group is asked for."""
        from edge.searches import Asked  # noqa: PLC0415 -- pydantic is slow to import
        from edge.wire import cloudevent  # noqa: PLC0415 -- as above

        query = Asked.model_validate(asked).page(None)
        try:
            page = self._reader.page(query)
        except self._reader.db.Error as error:
            raise OSError(f"the log cannot be read any further: {error}") from error
        return [cloudevent(record, self._identity, replayed=False) for record in page.records], page.next

    def close(self) -> None:
        """Let the file go."""
        self._reader.close()


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:  # somebody spoiled it: the records are still worth reading
        return {}
    return found if isinstance(found, dict) else {}
