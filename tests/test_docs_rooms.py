"""docs/architecture.md and the `__init__.py` of each room: every module they name exists, and nobody uses another."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.test_house import IMPORTS, MODULES, ROOMS, room

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROWS = dict(re.findall(r"^\| \[(\w+)\]\(\.\./[\w/]+\) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))
SIGNS = {
    path.parent: ast.get_docstring(ast.parse(path.read_text())) or ""
    for module, path in MODULES.items()
    if path.name == "__init__.py" and module != "edge"
}
PROGRAMS = ("doorctl", "doorweb", "make ", "[driver")
FOLDERS = {name: ROOT / name if name == "drivers" else ROOT / "edge" / name for name in ROOMS if name != "demo"}


def words(text: str) -> list[str]:
    return [word for word in re.findall(r"`([^`]+)`", text) if not word.startswith(PROGRAMS) and "<" not in word]


def exists(word: str, folder: Path) -> bool:
    """Whether `word` is a module, a folder or `module.name` of the room, or one from the root on."""
    for base in (folder, ROOT):
        if (base / word.rstrip("/")).exists():
            return True
        module, _, name = word.rpartition(".")
        if (base / f"{word.replace('.', '/')}.py").is_file():
            return True
        path = base / f"{module.replace('.', '/')}.py"
        if module and path.is_file():
            return bool(re.search(rf"\b(class|def) {name}\b|^{name}\b", path.read_text(), re.MULTILINE))
    return False


def test_every_room_has_a_row_in_the_order_of_the_house() -> None:
    assert list(ROWS) == [*FOLDERS], "docs/architecture.md: a row for each room of ROOMS, in its order"


@pytest.mark.parametrize("name", ROWS)
def test_what_a_row_names_is_in_its_room(name: str) -> None:
    folders = [FOLDERS[name], *(path.parent for path in FOLDERS[name].glob("*/points.py"))]
    gone = {word for word in words(ROWS[name]) if not any(exists(word, folder) for folder in folders)}
    assert not gone, f"docs/architecture.md: the row of {name} names {gone}: no module of that room"


@pytest.mark.parametrize("folder", SIGNS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_what_a_room_says_of_itself_is_there(folder: Path) -> None:
    sign, file = SIGNS[folder], folder.relative_to(ROOT) / "__init__.py"
    folders = [folder, *(path.parent for path in folder.glob("*/points.py"))]
    own = {"kind"} if folder.name == "drivers" else set()
    gone = {word for word in words(sign) if not any(exists(word, place) for place in folders)} - own
    assert not gone, f"{file} names {gone}, which is not there: say what is"
    assert 3 <= len(sign.splitlines()) + 1 <= 8, f"{file}: three to eight lines"


def offers(name: str, module: str) -> bool:
    """Whether a room says that others may use this module of it, or the folder that it is in."""
    _, _, said = " ".join(SIGNS[FOLDERS[name]].split()).partition("Others may use ")
    _, every, kept = said.partition("every module")
    if every:
        return module not in words(kept)
    return any(f"{module}.".startswith(f"{word.rstrip('/')}.") for word in words(said))


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "drivers"])
def test_others_use_what_a_room_offers(name: str) -> None:
    wrong = {
        f"{user} uses {used}"
        for user, names in IMPORTS.items()
        for used in names
        if room(used) == name != room(user) and not offers(name, used.removeprefix(f"edge.{name}."))
    }
    assert not wrong, f"edge/{name}/__init__.py does not offer it: {wrong}; use what it offers, or let it offer that"


def test_what_a_room_does_not_offer_is_found() -> None:
    assert offers("log", "log")
    assert offers("log", "reading.query")
    assert not offers("log", "store")
    assert offers("doors", "runner")
    assert not offers("doors", "rules")
    assert not offers("daemon", "daemon")
