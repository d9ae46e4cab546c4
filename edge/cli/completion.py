"""What may come next on a command line: for the shells, whose scripts are in systemd/completion.

One rule: it is quick and says nothing but what may come next; without a daemon, or rights to ask it, nothing.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.cli.commands import COMMANDS, completed, parser
from edge.cli.overview import ALSO
from edge.cli.parsing import options_of, parser_of
from edge.model.printable import spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Found = Iterable[tuple[str, str]]

WITHIN_S: Final = 2.0
"""How long the daemon may take; connect(2) takes whole seconds only."""
MOST: Final = 100
"""People who are proposed."""
FILES: Final = ":files"
"""Said instead of words: the shell knows the files."""
KINDS: Final = {
    "door": "doors", "reader": "doors", "who": "people", "of": "people", "user": "people", "group": "groups",
    "no_group": "groups", "what": "doors people", "schedule": "schedules", "alert": "alerts", "camera": "cameras",
    "integration": "integrations", "type": "types", "code": "codes",
}  # fmt: skip
"""What an argument takes, by its name."""


def complete(words: Sequence[str]) -> int:
    """Print what may stand in place of the last word: each with what it is behind a tab."""
    *before, typed = words or [""]
    for value, text in may_follow(before, typed):
        if value.startswith(typed) or value == FILES:
            sys.stdout.write(f"{spelt(value)}\t{spelt(text)}\n")
    return 0


def may_follow(before: Sequence[str], typed: str) -> Found:
    """What may come behind these words; `typed` is the beginning of it."""
    before = [ALSO.get(word, word) for word in before if word != "="]  # bash makes a word of it
    words = [*completed(before)] if set(before) & COMMANDS.keys() else before
    top = parser(words)
    meant = parser_of(top, before)
    action = _wants(meant, before)
    if action is None and typed.startswith("-"):
        return [(option, _help(meant, option)) for option in options_of(meant)]
    if action is None:
        action = _positional(meant, before)
    return () if action is None else _values(action, before, typed)


def _help(meant: argparse.ArgumentParser, option: str) -> str:
    action = meant._option_string_actions[option]  # noqa: SLF001 -- it has no public name
    return action.help or ""


def _wants(meant: argparse.ArgumentParser, before: Sequence[str]) -> argparse.Action | None:
    """The option whose value comes next."""
    action = meant._option_string_actions.get(before[-1]) if before else None  # noqa: SLF001 -- as above
    return action if action is not None and action.nargs != 0 else None


def _positional(meant: argparse.ArgumentParser, before: Sequence[str]) -> argparse.Action | None:
    """The argument without an option that comes next; of a command with verbs the verbs."""
    depth = len(meant.prog.split()) - 1  # the words of the command itself
    count, value_of = -depth, False
    for word in before:
        action = meant._option_string_actions.get(word)  # noqa: SLF001 -- as above
        count += not value_of and not word.startswith("-")
        value_of = action is not None and action.nargs != 0
    positionals = [action for action in meant._actions if not action.option_strings]  # noqa: SLF001 -- as above
    if count < len(positionals):
        return positionals[max(0, count)]
    return positionals[-1] if positionals and positionals[-1].nargs in {"*", "+"} else None


def _values(action: argparse.Action, before: Sequence[str], typed: str) -> Found:
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 -- as above
        helps = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001 -- as above
        return [(name, helps.get(name, "")) for name in action.choices]
    if action.choices is not None:
        return [(str(one), "") for one in action.choices]
    if action.type is Path:
        return [(FILES, "")]
    return [pair for kind in KINDS.get(action.dest, "").split() for pair in _of(kind, before, typed)]


def _of(kind: str, before: Sequence[str], typed: str) -> Iterator[tuple[str, str]]:
    if kind == "types":
        from edge.model.catalogue import CATALOGUE  # noqa: PLC0415 -- for this only

        yield from ((name, "") for name in CATALOGUE)
    elif kind == "codes":
        from edge.model.refusal_codes import REFUSAL_CODES  # noqa: PLC0415 -- for this only

        yield from ((code, "") for code in REFUSAL_CODES)
    else:
        yield from _asked(kind, before, typed)


def _asked(kind: str, before: Sequence[str], typed: str) -> Found:
    """What the daemon knows of this kind; nothing if it cannot be asked."""
    from edge.client.connection import Client, RequestRefused, Unreachable  # noqa: PLC0415 -- for this only
    from edge.client.sources import doors_of  # noqa: PLC0415 -- for this only

    named = [Path(after) for word, after in pairwise(before) if word == "--socket"]
    try:
        with Client(named[-1] if named else None, WITHIN_S) as client:
            if kind == "doors":
                return [*doors_of(client.ask("status")).items()]
            if kind == "people":
                return _named(client.ask("people", text=typed, limit=MOST)["people"])
            answer = client.ask(kind)
            if kind == "alerts":
                return [(one["alert"], one["message"]) for one in answer["open"]]
            known: Mapping[str, Any] = answer if kind == "integrations" else answer.get(kind, {})
            return _named(known) if isinstance(known, list) else [(key, one["name"]) for key, one in known.items()]
    except (RequestRefused, Unreachable, OSError, ValueError, KeyError, TypeError):
        return ()


def _named(those: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(one["id"], one["name"]) for one in those]
