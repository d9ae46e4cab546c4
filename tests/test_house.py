"""The house rules that a machine can check: which room looks into which, who reads clocks, how long a file may be."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edge.model import event_types
from edge.model.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
# From the ground up: what of Doorward each room may look into, imports for types included. A room looks down only.
ROOMS = {
    "model": "",
    "drivers": "model",
    "settings": "model",
    "system": "model",
    "log": "model system",
    "socket": "model system",
    "doors": "model settings",
    "directory": "model settings system log",
    "access": "model settings system log doors directory",
    "people": "model doors directory access",
    "delivery": "model settings system log socket directory",
    "alerts": "model settings system log socket directory delivery",
    "cameras": "model settings system log socket directory delivery",
    "reports": "model settings system log socket directory",
    "commands": "model settings system log doors access",
    "upstream": "model settings system log doors commands",
    "client": "model settings log reports",
    "config": "model drivers settings system directory delivery commands client",
    "diagnosis": "model settings system log client config",
    "daemon": "model settings system log socket doors directory access people delivery alerts cameras reports "
    "commands upstream config",
    "web": "model settings system reports client config diagnosis",
    "cli": "model system log reports commands client config diagnosis web",
    "demo": "model client web cli",
}

CORE = [
    "model.messages",
    "model.roles",
    "model.catalogue",
    "model.event_types",
    "model.ports",
    "model.policy",
    "model.cloudevents",
    "model.schedule",
    "model.budget",
    "model.printable",
    "model.local_time",
    "settings.alert_policies",
    "doors.rules",
    "doors.state",
    "doors.conditions",
    "doors.modes",
    "doors.debounce",
    "doors.progress",
    "directory.directory",
    "directory.cards",
    "access.decisions",
    "access.credentials",
    "access.enrolment.keeping",
    "access.enrolment.listening",
    "access.keypad",
    "access.guesses",
    "access.anti_passback",
    "access.elevator_rules",
    "people.finding",
    "people.cards",
    "people.card_changes",
    "people.changing",
    "people.groups",
    "people.names",
    "people.facts",
    "people.roll",
    "people.access.places",
    "people.access.passing",
    "people.access.explaining",
    "people.access.sentences",
    "people.access.overview",
    "people.visitors",
    "people.exchange.sheet",
    "people.exchange.cards",
    "people.words",
    "people.times",
    "delivery.address",
    "delivery.health",
    "delivery.receivers.syslog",
    "delivery.receivers.chat",
    "alerts.rules",
    "alerts.memory",
    "alerts.state",
    "cameras.auth",
    "reports.passages",
    "commands.parsing",
    "commands.shape",
    "commands.claims",
    "upstream.outbox",
    "upstream.ranges",
    "upstream.refusals",
    "upstream.home_assistant.discovery",
    "upstream.home_assistant.entities",
    "upstream.mqtt.publish",
    "diagnosis.diagnose",
    "diagnosis.findings",
]
IMPURE = {"asyncio", "time", "os", "socket", "sqlite3", "threading", "logging", "subprocess", "pathlib", "random"}

READS_CLOCKS = {
    "edge/system/clock.py": "its one reason to exist",
    "edge/system/systemd.py": "the default of an argument: systemd wants its own clock in a reload",
    "drivers/gpio/factory.py": "gpiozero asks a factory for its ticks",
    "drivers/wiegand/lines.py": "compares the clock that stamps edges with the boot clock",
    "edge/demo/*.py": "waits for programs to get ready, has no doors of its own",
    "edge/config/checking.py": "tells the time that a window is checked at",
    "edge/diagnosis/gathering.py": "a diagnosis says when it was made",
    "edge/cli/*.py": "shows the time of day to people and waits for them",
}
CLOCKS = re.compile(
    r"time\.(time|monotonic|perf_counter|clock_gettime|process_time)(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
)

LONGEST = 300
MOST_LINES = 3100
MOST_FILES = 15
LONG = {
    "edge/diagnosis/facts.py": "what is known of a controller, a value for each part of it",
    "edge/diagnosis/diagnose.py": "facts to findings, part by part",
    "edge/directory/document/tables.py": "the keys of one document, each with the words its errors use",
    "edge/directory/in_force.py": "the life of one directory: taken up, replaced, edited, kept; its parts share a lock",
    "edge/config/reading.py": "one pass over one document; its parts share the report",
    "edge/doors/rules.py": "all rules of a door, in one place on purpose",
    "edge/diagnosis/findings.py": "a table: a row for each finding",
    "edge/access/elevators.py": "drives every elevator; its permits, timers and wires are one state",
    "edge/model/messages.py": "all nouns, each with its meaning",
    "edge/settings/controller.py": "a configuration as values, and how two of them differ",
    "edge/doors/runner.py": "drives every door: what may call whom while a door is stepped, in one place",
    "drivers/osdp/device.py": "one conversation with its answers, refusals and setbacks",
    "drivers/osdp/messages.py": "the messages of a standard, one after the other",
    "drivers/gpio/driver.py": "the promise of a driver, method by method",
    "drivers/gpio/factory.py": "the interface that gpiozero wants, method by method",
    "drivers/simulated/driver.py": "a whole building, and the promise of a driver",
}

FORBIDDEN = {
    r"/work/": "a path of the machine it was written on",
    r"(?i)\b(ai|llm|gpt|claude|copilot|chatbot)\b|\bagents?\b": "who or what typed it is of no use to a reader",
    r"pypi\.org/simple|pythonhosted|piwheels|registry\.npmjs|proxy\.golang|extra-index-url|find-links": "whoever "
    "installs chooses where packages come from",
}


def sources() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    found: dict[str, Path] = {}
    for package in ("edge", "drivers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = sources()


def tracked() -> list[Path]:
    """Every file of the repository as text, or of the folder where there is no repository."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name] or list(ROOT.rglob("*.*"))
    hidden = re.compile(r"\.git|\.venv.*|__pycache__|build")
    return [f for f in files if f.is_file() and not any(map(hidden.fullmatch, f.relative_to(ROOT).parts))]


def room(module: str) -> str:
    """The room that a module is in; empty for `edge` itself, which has the version and may be asked by everybody."""
    top, _, rest = module.partition(".")
    return top if top == "drivers" else rest.partition(".")[0]


def imported(source: str) -> set[str]:
    """The dotted names that a source imports, for types too; `from edge.doors import rules` is `edge.doors.rules`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            within = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= within or {str(node.module)}
    return names


IMPORTS = {module: imported(path.read_text()) for module, path in MODULES.items()}


def not_allowed(module: str, imports: set[str]) -> set[str]:
    """Imports of rooms that the module's room may not look into."""
    may = {"", room(module), *ROOMS[room(module)].split()}
    return {name for name in imports if name.split(".")[0] in {"edge", "drivers"} and room(name) not in may}


@pytest.mark.parametrize("module", [module for module in MODULES if room(module)])
def test_a_room_looks_only_where_its_row_allows(module: str) -> None:
    assert room(module) in ROOMS, f"{module} is in no room: add it to one, or a row to ROOMS in tests/test_house.py"
    wrong = not_allowed(module, IMPORTS[module])
    assert not wrong, f"{module} imports {wrong}; the row of its room in ROOMS allows: {ROOMS[room(module)]}"


def test_the_rule_about_rooms_finds_what_is_forbidden() -> None:
    """Whatever way it is written, and for types only, too."""
    for line in (
        "import edge.daemon.daemon",
        "from edge.daemon.daemon import Daemon",
        "from edge.daemon import daemon",
        "if TYPE_CHECKING:\n    from edge.daemon.daemon import Daemon",
        "def late():\n    from edge.daemon import daemon",
    ):
        assert not_allowed("edge.doors.rules", imported(line)), line
    assert not not_allowed("edge.doors.rules", imported("from edge import __version__\nfrom edge.model import policy"))
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_rooms_stand_in_order_and_every_permission_is_used() -> None:
    order = list(ROOMS)
    for name, row in ROOMS.items():
        below = row.split()
        assert below == [other for other in order[: order.index(name)] if other in below], f"{name}: out of order"
        used = {room(i) for m in MODULES if room(m) == name for i in IMPORTS[m] if i in MODULES} - {name, ""}
        assert set(below) == used, f"{name}: its row allows what it does not use"


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Names that need each other, group by group."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in graph.get(waiting.pop(), set()) - seen:
                seen.add(name)
                waiting.append(name)
        reach[start] = seen
    groups = {frozenset(o for o in reach[n] if n in reach.get(o, set())) for n in graph if n in reach[n]}
    return sorted(sorted(group) for group in groups)


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles({module: names & MODULES.keys() for module, names in IMPORTS.items()}) == []


@pytest.mark.parametrize("module", [m for m, p in MODULES.items() if p.name == "__init__.py" and m != "edge"])
def test_the_door_of_a_room_has_a_sign_and_no_code(module: str) -> None:
    body = ast.parse(MODULES[module].read_text()).body
    assert len(body) == 1
    assert ast.get_docstring(ast.parse(MODULES[module].read_text()))


def test_a_room_is_no_hall() -> None:
    """About 15 modules or 3,000 lines; a larger one has folders inside."""
    for name in ROOMS:
        files = [path for module, path in MODULES.items() if room(module) == name]
        lines = sum(len(path.read_text().splitlines()) for path in files)
        folders = {path.parent for path in files}
        assert len(folders) > 1 or (lines <= MOST_LINES and len(files) <= MOST_FILES), f"{name}: {len(files)}, {lines}"


def test_nobody_imports_the_daemon() -> None:
    """It knows everybody; who needs it is the program that starts it, a test, or asks at its socket."""
    assert [m for m in MODULES if "edge.daemon.daemon" in IMPORTS[m] and m != "edge.daemon.doord"] == []


@pytest.mark.parametrize("module", [f"edge.{name}" for name in CORE])
def test_the_core_touches_nothing_outside_itself(module: str) -> None:
    wrong = {name for name in IMPORTS[module] if name.split(".")[0] in IMPURE}
    assert not wrong


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("paho", ["edge/upstream/mqtt/*.py", "edge/demo/*.py"]),
        ("gpiozero", ["drivers/gpio/*.py", "drivers/gpio_chip.py"]),
        ("gpiod", ["drivers/gpio/*.py", "drivers/gpio_chip.py", "drivers/wiegand/lines.py"]),
        ("serial", ["drivers/*.py"]),
        ("pymodbus", ["drivers/modbus/frames.py"]),
        ("jwt", ["edge/commands/tokens.py", "edge/cli/sign.py"]),
        (
            "sqlite3",
            [
                "edge/log/*.py",
                "edge/directory/store.py",
                "edge/access/enrolment/store.py",
                "edge/diagnosis/gathering.py",
            ],
        ),
        ("starlette", ["edge/web/*.py"]),
        ("uvicorn", ["edge/web/server.py", "edge/web/protocol.py"]),
        ("jinja2", ["edge/web/page.py"]),
        ("argon2", ["edge/web/accounts.py"]),
    ],
)
def test_a_library_is_used_in_one_place(library: str, only: list[str]) -> None:
    users = {
        str(path.relative_to(ROOT))
        for module, path in MODULES.items()
        if any(name.split(".")[0] == library for name in IMPORTS[module])
    }
    assert not {user for user in users if not any(fnmatch(user, pattern) for pattern in only)}


def test_clocks_are_read_in_one_place() -> None:
    for path in MODULES.values():
        name = str(path.relative_to(ROOT))
        if any(fnmatch(name, pattern) for pattern in READS_CLOCKS):
            continue
        read = [
            f"{name}:{node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and CLOCKS.fullmatch(ast.unparse(node))
        ]
        assert not read, "take `now_ns` or a Clock as an argument"


def test_event_types_are_spelled_in_one_place() -> None:
    """A misspelt constant fails on import, a misspelt string only when the event is recorded."""
    for module, path in MODULES.items():
        if module in {"edge.model.event_types", "edge.model.catalogue"}:
            continue
        spelled = {
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CATALOGUE
        }
        assert not spelled, "use the constant of edge/model/event_types.py"


def test_every_event_type_has_a_constant_of_its_name() -> None:
    names = {name: value for name, value in vars(event_types).items() if name.isupper()}
    assert names == {event_type.upper().replace(".", "_"): event_type for event_type in CATALOGUE}, (
        "edge/model/event_types.py has a constant, edge/model/catalogue.py a row for each type"
    )


def test_a_class_name_means_one_thing() -> None:
    """A driver's `points.py` may call its points by their roles, and has to call its table `Settings`."""
    homes: dict[str, list[str]] = {}
    for path in MODULES.values():
        name = str(path.relative_to(ROOT))
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            if public and not fnmatch(name, "drivers/*/points.py"):
                homes.setdefault(node.name, []).append(name)
    assert not {name: where for name, where in homes.items() if len(where) > 1}, "rename all but one"


def test_files_stay_short() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in MODULES.values()}
    long = {name: length for name, length in lengths.items() if length > LONGEST and name not in LONG}
    assert not long, "split it, or give it a reason in LONG"


def test_every_module_opens_with_its_reason() -> None:
    bare = [name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not bare


def test_no_shell_runs_a_string() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.keyword) and node.arg == "shell")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.system", "os.popen"})
    ]
    assert not guilty


def test_nothing_of_the_workshop_is_left_in_the_house() -> None:
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()} ({why})"
            for number, line in enumerate(lines, 1)
            for pattern, why in FORBIDDEN.items()
            if re.search(pattern, line)
        ]
    assert not found


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = sorted(module for module, path in MODULES.items() if path.name == "__init__.py")
    assert listed == packages, "pyproject.toml, [tool.setuptools] packages: name every package, in order"


def test_systemd_is_no_package() -> None:
    """It would hide the Python bindings of that name."""
    assert not list((ROOT / "systemd").rglob("*.py"))


@pytest.mark.parametrize("exceptions", [READS_CLOCKS, LONG], ids=["READS_CLOCKS", "LONG"])
def test_exceptions_are_dropped_when_their_file_goes(exceptions: dict[str, str]) -> None:
    assert not [name for name in exceptions if not list(ROOT.glob(name))]
