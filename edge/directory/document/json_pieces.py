"""A large JSON document, piece by piece: each entry of its lists is read when it is asked for.

One rule: a piece is little work, and the caller decides when the next one is read, so that nothing else waits long.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TWICE: Final = 10
"""At most this many duplicate keys of one object are named."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class NotJsonError(ValueError):
    """The text is not a JSON object; the message says where."""


class JsonPieces:
    """The entries of a JSON object whose values may be lists."""

    def __init__(self, text: str) -> None:
        """Nothing is read yet."""
        self._text, self._at = text, 0
        self._twice: list[str] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._pairs, parse_constant=self._constant)

    def __iter__(self) -> Iterator[tuple[str, int | None, Any]]:
        """Yield (key, index, value) for each entry of a list, (key, None, value) for all else.

        An empty list is (key, None, []). Raises NotJsonError.
        """
        self._expect("{")
        if self._next() == "}":
            self._at += 1
        else:
            while True:
                key = self._value()
                if not isinstance(key, str):
                    self._fail("expected a key in quotes")
                self._expect(":")
                yield from self._entries(key)
                if not self._more("}"):
                    break
        if self._next():
            self._fail("expected nothing after the last }")

    def take_twice(self) -> list[str]:
        """Return the duplicate keys in objects of the last piece."""
        twice, self._twice = self._twice, []
        return twice

    def _entries(self, key: str) -> Iterator[tuple[str, int | None, Any]]:
        if self._next() != "[":
            yield key, None, self._value()
            return
        self._at += 1
        if self._next() == "]":
            self._at += 1
            yield key, None, []
            return
        index = 0
        while True:
            yield key, index, self._value()
            index += 1
            if not self._more("]"):
                return

    def _value(self) -> Any:  # noqa: ANN401 -- JSON is anything
        self._next()
        try:
            value, self._at = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._fail(error.msg[:1].lower() + error.msg[1:])
        except RecursionError:
            self._fail("nested too deeply")
        except ValueError as error:  # a number of thousands of digits, NaN
            self._fail(str(error))
        return value

    def _more(self, closing: str) -> bool:
        found = self._next()
        if found not in {",", closing}:
            self._fail(f"expected , or {closing}")
        self._at += 1
        return found == ","

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            self._fail(f"expected {mark}")
        self._at += 1

    def _next(self) -> str:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _fail(self, what: str) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - self._text.rfind("\n", 0, self._at)
        raise NotJsonError(f"line {line}, column {column}: {what}")

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            left = dict.fromkeys(found)
            again = [key for key, _ in pairs if left.pop(key, key) is not None]
            self._twice += again[:MOST_TWICE]
        return found

    def _constant(self, name: str) -> NoReturn:
        raise ValueError(f"{name} is no number in JSON")
