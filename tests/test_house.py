"""The house rules that a machine can check: who may import whom, who reads clocks, how long a file may be.

A new module gets a row in ALLOWED: that is the moment to think about where it belongs.
"""

from __future__ import annotations

import ast
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
HARDWARE = "edge.messages edge.ports"

# Module -> what of Doorward it may import when it runs; patterns as in a shell. Rows may wait for their file.
ALLOWED = {
    # the pure core: values in, values out
    "edge": "",
    "edge.records": "",
    "edge.messages": "edge.records",
    "edge.policy": "",
    "edge.catalogue": "edge.records",
    "edge.ports": "edge.messages",
    "edge.debounce": "edge.messages",
    "edge.door_table": "",
    "edge.door_state": "edge.messages edge.policy edge.door_table",
    "edge.door": "edge.messages edge.policy edge.door_state edge.door_table",
    "edge.wire": "edge.records edge.catalogue",
    "edge.order_shape": "edge.messages edge.policy",
    "edge.claims": "edge.messages edge.order_shape edge.wire",
    "edge.orders": "edge.printable edge.messages edge.catalogue edge.claims edge.order_shape edge.wire",
    "edge.outbox": "edge.messages",
    "edge.ranges": "",
    "edge.refusals": "",
    "edge.schedule": "edge.messages",
    "edge.progress": "edge.messages edge.schedule",
    "edge.cards": "edge.messages",
    "edge.changes": "edge.messages",
    "edge.passback": "edge.messages",
    "edge.credentials": "edge.messages edge.cards edge.directory edge.pins edge.schedule",
    "edge.directory": "edge.messages edge.directory_* edge.cards edge.pins edge.schedule",
    "edge.memory": "",
    "edge.directory_*": "edge.memory edge.printable edge.plain_text "
    "edge.messages edge.cards edge.changes edge.directory edge.directory_* edge.pins edge.policy "
    "edge.problems edge.schedule edge.tables",
    "edge.directory_integrations": "edge.catalogue edge.directory edge.directory_problems edge.event_types "
    "edge.problems",
    "edge.event_types": "edge.catalogue",
    "edge.access": "edge.messages edge.cards edge.credentials edge.directory edge.door_state edge.door_table "
    "edge.passback edge.pins edge.policy edge.schedule",
    "edge.elevator": "edge.messages edge.access edge.credentials edge.directory",
    "edge.keypad": "edge.messages edge.access edge.credentials edge.directory",
    "edge.guesses": "edge.messages edge.directory",
    "edge.reader_state": "edge.budget edge.messages edge.credentials edge.guesses edge.keypad",
    "edge.findings": "edge.messages",
    "edge.facts_outlets": "",
    "edge.diagnose_outlets": "edge.facts_outlets edge.findings",
    "edge.diagnose": "edge.secret_files "
    "edge edge.messages edge.catalogue edge.diagnose_outlets edge.findings edge.facts",
    # configuration: hostile text becomes frozen settings
    "edge.plain_text": "",
    "edge.printable": "",
    "edge.secret_files": "edge.plain_text",
    "edge.hosts": "",
    "edge.problems": "edge.printable",
    "edge.home": "",
    "edge.tables": "edge.home edge.hosts edge.policy edge.problems",
    "edge.tables_*": "edge.catalogue edge.problems edge.tables",
    "edge.settings": "edge.tables edge.tables_cameras",
    "edge.config": "edge.plain_text "
    "drivers edge edge.config_alerts edge.policy edge.problems edge.settings edge.tables edge.tables_* "
    "edge.tokens "
    "edge.directory_reading edge.directory_store",
    "edge.config_files": "edge.delivery_secrets edge.directory_reading edge.directory_store edge.problems "
    "edge.secret_files edge.tables edge.tokens",
    "edge.config_groups": "edge.directory edge.directory_reading edge.directory_store edge.problems edge.schedule",
    "edge.config_warnings": "edge.header edge.problems",
    "edge.header": "",
    "edge.config_source": "edge.config edge.problems",
    "edge.reloading": "edge.aside edge.changes edge.config edge.control_peers edge.messages edge.printable "
    "edge.problems edge.settings",
    # the log
    "edge.clock": "edge.messages",
    "edge.log_times": "edge.records",
    "edge.log_schema": "edge.records",
    "edge.log_buffer": "edge.messages edge.catalogue",
    "edge.log_*": "edge edge.messages edge.records edge.catalogue edge.ports edge.log_*",
    "edge.log": "edge.messages edge.log_*",
    # the shell: one task each
    "edge.pins": "",
    "edge.inputs": "edge.messages",
    "edge.keeper": "edge.messages edge.ports edge.settings",
    "edge.runner": "edge edge.messages edge.catalogue edge.debounce edge.door edge.door_state edge.inputs edge.policy "
    "edge.ports edge.progress edge.schedule edge.access",
    "edge.timetable": "edge.messages edge.credentials edge.directory edge.door_state edge.progress edge.runner "
    "edge.schedule",
    "edge.lifts": "edge.messages edge.debounce edge.elevator edge.inputs",
    "edge.places": "edge.messages edge.access edge.credentials edge.directory edge.elevator edge.passback edge.pins "
    "edge.ports edge.runner edge.timetable",
    "edge.directory_store": "edge.memory edge.messages edge.log_file edge.log_schema edge.pins",
    "edge.directory_audit": "edge.messages edge.directory edge.directory_changes edge.log",
    "edge.directory_keeper": "edge.tasks edge.messages edge.directory edge.directory_* edge.log edge.problems "
    "edge.calendar",
    "edge.enquiries": "edge.messages edge.cards edge.directory edge.directory_writing",
    "edge.metrics": "edge.messages edge.catalogue",
    "edge.metrics_file": "",
    "edge.home_assistant": "edge.messages edge.catalogue edge.door_table edge.wire",
    "edge.stored": "edge.log edge.runner",
    "edge.restored": "edge.control edge.log edge.messages",
    "edge.remembering": "edge edge.changes edge.clock edge.log edge.log_filters edge.messages edge.outlets "
    "edge.page_rights edge.people edge.runner",
    "edge.outlets": "edge.messages edge.aside edge.cameras edge.control edge.directory edge.delivery* "
    "edge.alert_* edge.log edge.log_indexer edge.metrics* edge.ports edge.report_runner edge.runner edge.schedule "
    "edge.spared edge.sync edge.wire",
    "edge.people": "edge.messages edge.clock edge.directory edge.directory_keeper edge.enquiries edge.log edge.places "
    "edge.readers edge.runner edge.settings edge.calendar edge.timetable",
    "edge.readers": "edge.guesses edge.reader_state edge.tally "
    "edge.messages edge.access edge.credentials edge.directory edge.elevator edge.keypad edge.passback "
    "edge.pins edge.places",
    "edge.alarm_lane": "edge.catalogue edge.log edge.log_query",
    "edge.sync_messages": "edge.ports",
    "edge.sync_standing": "edge.refusals edge.sync_messages",
    "edge.sync_states": "edge.log edge.sync_messages edge.tasks edge.wire",
    "edge.sync_records": "edge.log edge.outbox edge.ranges edge.sync_messages",
    "edge.sync_queue": "edge.alarm_lane edge.sync_messages edge.sync_records edge.wire",
    "edge.sync_witness": "edge.log edge.log_query edge.ports",
    "edge.sync_flight": "edge.sync_messages",
    "edge.sync_limits": "edge.ports edge.sync_flight edge.sync_messages edge.wire",
    "edge.sync": "edge.orders edge.ports edge.sync_*",
    "edge.aside": "",
    "edge.spared": "",
    "edge.tasks": "",
    "edge.delivery_health": "",
    "edge.delivery_address": "",
    "edge.delivery_secrets": "edge.plain_text",
    "edge.delivery_ports": "",
    "edge.delivery_errors": "",
    "edge.delivery": "edge.messages edge.delivery_errors edge.delivery_health edge.log",
    "edge.trust": "edge.secret_files",
    "edge.delivery_net": "edge.aside edge.delivery_errors edge.delivery_address edge.trust",
    "edge.syslog": "edge.printable edge.messages edge.catalogue edge.wire",
    "edge.syslog_sink": "edge.delivery_errors edge.syslog",
    "edge.alert_policies": "edge.messages edge.catalogue",
    "edge.alerts": "edge.messages edge.alert_policies edge.catalogue edge.printable",
    "edge.alert_memory": "edge.messages edge.alerts",
    "edge.delivery_desk": "edge.chat "
    "edge.tasks edge.messages edge.control edge.delivery* edge.event_types edge.syslog_sink "
    "edge.webhook",
    "edge.local_time": "",
    "edge.mail_conversation": "edge.delivery_errors",
    "edge.alert_mail": "edge.printable edge.secret_files edge.aside edge.alerts edge.delivery_errors edge.local_time "
    "edge.mail_conversation edge.trust edge.wire",
    "edge.alert_where": "edge.directory edge.records edge.schedule",
    "edge.alert_ways": "edge.alert_mail edge.alert_policies edge.alerts edge.chat edge.delivery_errors "
    "edge.local_time edge.wire",
    "edge.alert_sender": "edge edge.messages edge.alerts edge.delivery edge.delivery_errors",
    "edge.alert_runner": "edge edge.messages edge.alert_memory edge.alert_sender edge.alerts edge.control "
    "edge.delivery edge.log edge.wire",
    "edge.tables_alerts": "edge.hosts edge.catalogue edge.event_types edge.problems edge.tables",
    "edge.tables_cameras": "edge.hosts edge.event_types edge.problems edge.tables",
    "edge.camera_auth": "",
    "edge.camera_fetch": "edge.plain_text "
    "edge.aside edge.camera_auth edge.delivery_errors edge.delivery_address edge.delivery_net edge.http_answer",
    "edge.camera_store": "edge.camera_fetch",
    "edge.cameras": "edge.tasks edge.aside edge.camera_* edge.catalogue edge.clock edge.control edge.directory "
    "edge.event_types edge.log edge.messages edge.tables_cameras edge.wire",
    "edge.config_alerts": "edge.alert_policies edge.event_types edge.problems",
    "edge.chat": "edge.catalogue edge.printable edge.wire",
    "edge.http_answer": "",
    "edge.webhook": "edge.aside edge.catalogue edge.chat edge.delivery_errors edge.delivery_secrets edge.http_answer "
    "edge.local_time edge.wire",
    "edge.budget": "",
    "edge.mqtt_publish": "",
    "edge.mqtt_client": "edge.mqtt_publish",
    "edge.mqtt_terms": "edge.mqtt_client edge.ports edge.secret_files edge.trust",
    "edge.mqtt_intake": "edge.budget edge.mqtt_client edge.mqtt_publish edge.mqtt_terms edge.ports",
    "edge.mqtt": "edge.aside edge.mqtt_* edge.ports edge.trust",
    "edge.tokens": "edge.order_shape",
    "edge.command_desk": "edge.messages edge.command_refusals edge.log edge.orders edge.directory edge.problems "
    "edge.tasks edge.tokens",
    "edge.command_refusals": "edge.messages edge.budget edge.log edge.orders edge.tasks",
    "edge.control_peers": "edge.messages",
    "edge.control_places": "edge.budget edge.control_peers",
    "edge.control": "edge.printable edge.control_peers edge.control_places edge.tasks",
    "edge.tally": "",
    "edge.allowances": "edge.budget edge.control_peers",
    "edge.search_words": "edge.directory edge.log_filters",
    "edge.searches": "edge.directory edge.log_filters edge.search_words",
    "edge.report_file": "edge.printable",
    "edge.reports": "edge.messages edge.searches",
    "edge.report_runner": "edge.messages edge.export_desk edge.log_walk edge.report_file edge.reports edge.search*",
    "edge.export_desk": "edge.messages edge.control edge.search*",
    "edge.service": "edge.allowances edge.tally "
    "edge.messages edge.control edge.export_desk edge.log edge.log_query edge.order_shape edge.runner "
    "edge.directory edge.schedule edge.search* edge.stored "
    "edge.restored",
    "edge.calendar": "",
    "edge.status": "edge edge.messages",
    "edge.watchers": "",
    "edge.page_rights": "edge.control_peers edge.messages",
    "edge.notify": "",
    "edge.daemon": "edge edge.*",
    "edge.doord": "edge edge.clock edge.config* edge.control edge.home edge.keeper edge.printable edge.problems "
    "edge.settings edge.daemon",
    # tools beside the daemon: the log read-only, the socket, the configuration
    "edge.facts": "edge edge.facts_outlets edge.messages edge.clock edge.config edge.problems edge.settings "
    "edge.log_* edge.findings",
    "edge.provision": "edge.config edge.config_files edge.header edge.problems",
    "edge.demo": "edge.cli.* edge.demo_story edge.web edge.web.accounts",
    "edge.demo_story": "edge.cli.*",
    "edge.cli": "edge edge.cli.* edge.printable",
    "edge.cli.web": "edge edge.cli.* edge.config edge.problems edge.web.accounts",
    "edge.cli.sign": "edge.printable edge.cli.text edge.claims edge.order_shape edge.tokens",
    "edge.cli.*": "edge.plain_text edge.printable edge.config_files edge.config_groups edge.config_warnings edge.home "
    "edge edge.cli edge.cli.* edge.messages edge.catalogue edge.wire edge.config edge.problems "
    "edge.clock edge.log_memory edge.log_query edge.log_verify edge.log_schema edge.diagnose edge.findings edge.facts "
    "edge.provision edge.cards edge.directory edge.schedule edge.pins edge.search_words edge.report_file "
    "edge.directory_reading",
    # the local page, a program of its own: doord through its socket, and nothing of doord's
    "edge.web": "",
    "edge.web.*": "edge.printable edge.plain_text "
    "edge edge.web edge.web.* edge.cli.client edge.cli.sources edge.cli.times edge.report_file "
    "edge.cli.diagnose_history edge.cli.diagnose_machine edge.catalogue edge.clock edge.config edge.diagnose "
    "edge.facts edge.findings edge.notify edge.problems edge.records edge.tables_web edge.metrics",
    # one kind of hardware each
    "drivers": "",
    "drivers.hand_on": "edge.messages edge.ports",
    "drivers.serial_port": "",
    "drivers.gpio": f"{HARDWARE} drivers.hand_on drivers.gpio_*",
    "drivers.gpio_*": f"{HARDWARE} drivers.gpio_*",
    # a GPIO chip, its lines and its clock are the same whoever is wired to it
    "drivers.wiegand": f"{HARDWARE} drivers.hand_on drivers.wiegand_* drivers.gpio_chip drivers.gpio_wire",
    "drivers.wiegand_*": f"{HARDWARE} drivers.wiegand_* drivers drivers.gpio_chip drivers.gpio_points",
    "drivers.simulated": f"{HARDWARE} drivers.simulated_*",
    "drivers.simulated_*": f"{HARDWARE} drivers.simulated_*",
    "drivers.modbus": f"{HARDWARE} drivers.modbus_*",
    "drivers.modbus_*": f"{HARDWARE} drivers.hand_on drivers.serial_port drivers.modbus_*",
    "drivers.osdp": f"{HARDWARE} drivers.osdp.* drivers.osdp_*",
    "drivers.osdp.*": f"{HARDWARE} drivers.hand_on drivers.serial_port drivers.osdp drivers.osdp.* drivers.osdp_*",
    "drivers.osdp_*": f"{HARDWARE} drivers.osdp drivers.osdp.* drivers.osdp_*",
}

CORE = [
    "messages",
    "catalogue",
    "policy",
    "door_state",
    "door_table",
    "door",
    "debounce",
    "wire",
    "printable",
    "order_shape",
    "claims",
    "orders",
    "outbox",
    "ranges",
    "refusals",
    "budget",
    "mqtt_publish",
    "ports",
    "findings",
    "diagnose",
    "access",
    "directory",
    "schedule",
    "progress",
    "cards",
    "credentials",
    "passback",
    "elevator",
    "keypad",
    "guesses",
    "delivery_health",
    "event_types",
    "alert_policies",
    "alerts",
    "alert_memory",
    "syslog",
    "delivery_address",
    "local_time",
    "chat",
    "camera_auth",
    "home_assistant",
]
IMPURE = {"asyncio", "time", "os", "socket", "sqlite3", "threading", "logging", "subprocess", "pathlib", "random"}

READS_CLOCKS = {
    "edge/clock.py": "its one reason to exist",
    "edge/notify.py": "the default of an argument: systemd wants its own clock in a reload, nothing is decided by it",
    "drivers/gpio_factory.py": "gpiozero asks a factory for its ticks",
    "drivers/wiegand_lines.py": "compares the clock that stamps edges with the boot clock",
    "edge/demo*.py": "waits for programs to get ready, has no doors of its own",
    "edge/cli/*.py": "shows the time of day to people and waits for them",
}
CLOCKS = re.compile(
    r"time\.(time|monotonic|perf_counter|clock_gettime|process_time)(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
)

LONGEST = 300
LONG = {
    "edge/outlets.py": "the wiring of every outlet, one like the other",
    "edge/facts.py": "what is known of a controller, a value for each part of it",
    "edge/diagnose.py": "facts to findings, part by part",
    "edge/directory_tables.py": "the keys of one document, each with the words its errors use",
    "edge/config.py": "one pass over one document; its parts share the report",
    "edge/daemon.py": "the wiring and the order of start and stop, in one place on purpose",
    "edge/door.py": "all rules of a door, in one place on purpose",
    "edge/findings.py": "a table: a row for each finding",
    "edge/lifts.py": "drives every elevator; its permits, timers and wires are one state",
    "edge/messages.py": "all nouns, each with its meaning",
    "edge/settings.py": "a configuration as values, and how two of them differ",
    "edge/runner.py": "drives every door; its inbox, timers and wires are one state",
    "drivers/osdp/device.py": "one conversation with its answers, refusals and setbacks",
    "drivers/osdp/messages.py": "the messages of a standard, one after the other",
    "drivers/gpio.py": "the promise of a driver, method by method",
    "drivers/gpio_factory.py": "the interface that gpiozero wants, method by method",
    "drivers/simulated.py": "a whole building, and the promise of a driver",
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


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything that runs: all but `if TYPE_CHECKING:`, which couples nothing."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from nodes(child)


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports; `from edge import door` is `edge.door`."""
    names: set[str] = set()
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            within = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= within or {str(node.module)}
    return names


def row(module: str) -> list[str]:
    """What a module may import: by its own row, else by the first pattern that fits."""
    if module in ALLOWED:
        return ALLOWED[module].split()
    return next((may.split() for pattern, may in ALLOWED.items() if "*" in pattern and fnmatch(module, pattern)), ["-"])


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_layer_may(module: str) -> None:
    may = row(module)
    assert may != ["-"], f"{module} has no row in ALLOWED: decide where it belongs"
    ours = {name for name in imported(MODULES[module]) if name.split(".")[0] in {"edge", "drivers"}}
    wrong = {name for name in ours if not any(fnmatch(name, pattern) for pattern in may)}
    assert not wrong, f"{module} imports {wrong}; its row allows {may}"


def test_nobody_imports_the_daemon() -> None:
    """It knows everybody; who needs it is the program that starts it, a test, or asks at its socket."""
    assert [m for m, path in MODULES.items() if "edge.daemon" in imported(path)] == ["edge.doord"]


@pytest.mark.parametrize("module", [f"edge.{name}" for name in CORE])
def test_the_core_touches_nothing_outside_itself(module: str) -> None:
    if module not in MODULES:
        pytest.skip("not written yet")
    wrong = {name for name in imported(MODULES[module]) if name.split(".")[0] in IMPURE}
    assert not wrong


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("paho", ["edge/mqtt*.py", "edge/demo.py"]),
        ("gpiozero", ["drivers/gpio*.py"]),
        ("gpiod", ["drivers/gpio*.py", "drivers/wiegand_lines.py"]),
        ("serial", ["drivers/*.py"]),
        ("pymodbus", ["drivers/modbus_frames.py"]),
        ("jwt", ["edge/tokens.py", "edge/cli/sign.py"]),
        ("sqlite3", ["edge/log*.py", "edge/directory_store.py", "edge/cli/__init__.py", "edge/cli/diagnose_facts.py"]),
        ("starlette", ["edge/web/*.py"]),
        ("uvicorn", ["edge/web/server.py", "edge/web/protocol.py"]),
        ("jinja2", ["edge/web/page.py"]),
        ("argon2", ["edge/web/accounts.py"]),
        ("rich", ["edge/cli/*.py", "edge/demo.py"]),
    ],
)
def test_a_library_is_used_in_one_place(library: str, only: list[str]) -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES.values()
        if any(name.split(".")[0] == library for name in imported(path))
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


def test_systemd_is_no_package() -> None:
    """It would hide the Python bindings of that name."""
    assert not list((ROOT / "systemd").rglob("*.py"))


@pytest.mark.parametrize("exceptions", [READS_CLOCKS, LONG], ids=["READS_CLOCKS", "LONG"])
def test_exceptions_are_dropped_when_their_file_goes(exceptions: dict[str, str]) -> None:
    assert not [name for name in exceptions if not list(ROOT.glob(name))]
