"""Who is meant: an id, an e-mail, a name, or the beginning of one.

One rule: what is exact beats a beginning, and nobody is guessed: where several are meant, all of them are named.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.model.alike import MOST, alike, proposing
from edge.people.slices import at_once

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from edge.directory.directory import Directory, Member, User

SLICE: Final = 250
"""People between two yields: about a millisecond on a PC."""
MOST_COMPARED: Final = 2_000
"""Names that are compared with one that nobody has."""
AT_ONCE: Final = 50
"""Names that are compared between two yields: about a millisecond on a PC."""
MOST_CANDIDATES: Final = 10
"""People who are named when several are meant."""
_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
"""Letters that Unicode does not take apart."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person of the directory."""

    id: str
    """The member's; the user's own where there is no member."""
    user: User
    member: Member | None

    @property
    def described(self) -> str:
        """To tell people of one name apart: `Ada Lovelace (ada, ada@example.org)`."""
        return f"{self.user.name} ({', '.join(filter(None, (self.id, self.user.email)))})"

    @property
    def called(self) -> list[str]:
        """Everything that they are called, folded."""
        names = [self.id, self.user.id, self.user.name] + ([self.user.email] if self.user.email else [])
        return [folded(name) for name in names]


class NotFoundError(LookupError):
    """Nobody, or more than one, is meant; `code` is stable, the text is a sentence for people."""

    def __init__(self, code: str, sentence: str, candidates: Sequence[Somebody] = ()) -> None:
        """`code` is `unknown_person` or `ambiguous`; up to `MOST_CANDIDATES` are named."""
        super().__init__(sentence)
        self.code, self.candidates = code, candidates


def folded(text: str) -> str:
    """Text in which case, accents and the number of spaces do not count."""
    if text.isascii():
        return " ".join(text.lower().split())
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(bare.casefold().translate(_LETTERS).split())


def everybody(directory: Directory) -> Iterator[Somebody | None]:
    """Each member, then each user who is none; None after each slice, so that whoever asks can let others go first."""
    having: set[str] = set()
    for count, member in enumerate(directory.members.values(), 1):
        having.add(member.user)
        yield Somebody(member.id, directory.users[member.user], member)
        if count % SLICE == 0:
            yield None
    for count, user in enumerate(directory.users.values(), 1):
        if user.id not in having:
            yield Somebody(user.id, user, None)
        if count % SLICE == 0:
            yield None


def finding(directory: Directory, text: str, *, by_id: bool = False) -> Generator[None, None, Somebody]:
    """Find the one who is meant; `by_id`: only the one with this id. Raises NotFoundError."""
    member = directory.members.get(text.strip())
    if member is not None:
        return Somebody(member.id, directory.users[member.user], member)
    if by_id:
        return (yield from _with_id(directory, text))
    wanted = folded(text)
    exact: list[Somebody] = []
    begun: list[Somebody] = []
    for one in everybody(directory) if wanted else ():
        if one is None:
            yield
        elif (rank := _rank(one, wanted)) is not None:
            (exact if rank else begun).append(one)
            del begun[MOST_CANDIDATES + 1 :]
    found = exact or begun
    if not found:
        near = yield from _near(directory, wanted)
        raise NotFoundError("unknown_person", f"nobody here is called {text.strip()!r}{proposing(near)}")
    if len(found) > 1:
        names = [one.described for one in found[:MOST_CANDIDATES]] + ["..."] * (len(found) > MOST_CANDIDATES)
        raise NotFoundError("ambiguous", f"{text.strip()!r} may be {'; '.join(names)}", found[:MOST_CANDIDATES])
    return found[0]


def _with_id(directory: Directory, own: str) -> Generator[None, None, Somebody]:
    """Somebody who is no member. Raises NotFoundError."""
    for one in everybody(directory):
        if one is None:
            yield
        elif one.id == own:
            return one
    raise NotFoundError("unknown_person", f"there is nobody with the id {own!r}, or no longer")


def find_person(directory: Directory, text: str) -> Somebody:
    """As `finding`, at once: for a directory that is known to be small."""
    return at_once(finding(directory, text))


def _near(directory: Directory, wanted: str) -> Generator[None, None, list[str]]:
    """Those who are spelt most alike, described. Only `MOST_COMPARED` are compared, who begin with the same letter."""
    called: dict[str, list[str]] = {}
    for one in everybody(directory) if wanted else ():
        if one is None:
            yield
        elif len(called) < MOST_COMPARED:
            for word in {word for name in one.called for word in (name, *name.split())}:
                if word[:1] == wanted[:1]:
                    called.setdefault(word, []).append(one.described)
    names, near = [*called], list[str]()
    for start in range(0, len(names), AT_ONCE):
        near += alike(wanted, names[start : start + AT_ONCE])
        yield
    described = [one for name in alike(wanted, near) for one in called[name]]
    return [*dict.fromkeys(described)][:MOST]


def _rank(one: Somebody, wanted: str) -> bool | None:
    """Whether the person is called exactly so; None when nothing of theirs begins so."""
    called = one.called
    if wanted in called:
        return True
    return False if any(name.startswith(wanted) for name in called) else None
