"""What somebody may have meant who typed something that does not exist.

One rule: pure functions; a name is proposed, never taken instead of what was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST: Final = 3
"""Names that are proposed."""
LONGEST: Final = 100
"""Characters of a text that is compared: comparing takes time by the length of both."""
LEAST_BEGINNING: Final = 2
"""Characters that count as the beginning of a name."""


def alike(text: str, known: Iterable[str]) -> list[str]:
    """The names that are spelt most alike, in capital or small letters, the nearest first; at most `MOST`."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only when something went wrong

    typed = text.strip().lower()[:LONGEST]
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(name.lower()[:LONGEST], name)
    begun = [name for name in names if len(typed) >= LEAST_BEGINNING and name.startswith(typed)]
    near = get_close_matches(typed, names, n=MOST)
    return [names[one] for one in dict.fromkeys([*sorted(begun), *near])][:MOST]


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """`; did you mean a, b or c?`, to be put behind a sentence; empty when nothing is spelt alike."""
    return proposing(alike(text, known))


def named_alike(text: str, known: Mapping[str, str]) -> str:
    """The same for things that have an id and a name (id to name): their ids."""
    ids = {**{name: one for one, name in known.items()}, **{one: one for one in known}}
    return proposing([*dict.fromkeys(ids[name] for name in alike(text, ids))])


def proposing(near: list[str]) -> str:
    """`; did you mean a, b or c?`; empty for none."""
    if not near:
        return ""
    *before, last = near
    return f"; did you mean {', '.join(before)} or {last}?" if before else f"; did you mean {last}?"
