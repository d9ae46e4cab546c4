"""Bad configuration files, and what is said about each, word for word."""

from __future__ import annotations

import contextlib
import os
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gpio.points import POINTS
from edge.config.reading import LARGEST_FILE, MOST_DOORS, kinds, load
from edge.model.problems import ConfigError, alternatives
from tests.support.configs import GOOD, MQTT, problems_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = 'expected a time zone that this computer knows, like "Europe/Berlin"'
LOCK = 'like lock = { driver = "gpio", line = 17, unlocked = "high", resting = "locked" }'
PASSWORD = (
    "a password does not belong into this file, which others may read: put it into a file of its own "
    'and name that with password_file = "/etc/doorward/mqtt.password" or "credential:NAME"'
)
KINDS = alternatives(sorted(kinds()))
WRONG = [
    ("[controler]\n", 'controler: unknown section, did you mean "controller"?'),
    (
        "[zzz]\n",
        (
            'zzz: unknown section, expected "alert", "camera", "commands", "control", "controller", "directory", '
            '"door", "driver", "elevator", "home_assistant", "integrations", "log", "metrics", "mqtt", "ntfy", '
            '"pictures", "report", "smtp" or "web"'
        ),
    ),
    (
        "[home_assistant]\n",
        "home_assistant: found without [mqtt], expected that section too: it works over the broker",
    ),
    ('[log]\npth = "x"\n', 'log.pth: unknown key, did you mean "path"?'),
    ("[log]\ndays = 5\n", 'log.days: unknown key, did you mean "retention_days"?'),
    ('[log]\npath = ""\n', 'log.path: found "", expected the path of a file'),
    ('[metrics]\nfile = "/"\n', 'metrics.file: found "/", expected the path of a file'),
    ("[log]\nretention_days = -1\n", "log.retention_days: found -1, expected 0 (for ever) to 36500 days"),
    ('[log]\nretention_days = "7"\n', 'log.retention_days: found "7", expected 0 (for ever) to 36500 days'),
    ("[log]\nmax_mib = 1.5\n", "log.max_mib: found 1.5, expected 16 to 1048576 MiB"),
    ("[control]\nsocket = 5\n", "control.socket: found 5, expected the path of a file"),
    ("[commands]\nkeys = [5]\n", "commands.keys[0]: found 5, expected the path of a file"),
    ('[commands]\nkeys = "a"\n', 'commands.keys: found "a", expected a list of up to 16 files'),
    ("[mqtt]\n", 'mqtt.url: missing, expected "mqtts://host:port" or "mqtt://host:port"'),
    ("[driver.x]\n", f"driver.x.kind: missing, expected {KINDS}"),
    ('[driver.x]\nkind = "gpoi"\n', 'driver.x.kind: found "gpoi", did you mean "gpio"?'),
    ('[driver.x]\nkind = "x"\n', f'driver.x.kind: found "x", expected {KINDS}'),
    ("[driver.x]\nkind = 7\n", f"driver.x.kind: found 7, expected {KINDS}"),
    (
        '[driver.x]\nkind = "simulated"\nbounce = 3\n',
        'driver.x.bounce: unknown key, did you mean "bounce_ms"?',
    ),
    ('[driver."X Y"]\nkind = "gpio"\n', 'driver.X Y: found "X Y", expected 1 to 63 of a-z, 0-9 and -'),
    (
        '[door."Front Door"]\nlock = { driver = "sim", resting = "locked" }\n',
        'door.Front Door: found "Front Door", expected 1 to 63 of a-z, 0-9 and -',
    ),
    (
        '[door.controller]\nlock = { driver = "sim", resting = "locked" }\n',
        "door.controller: found a name that the controller itself has, expected another",
    ),
    ("[door.back]\n", f"door.back.lock: missing, expected a lock: every door needs one, {LOCK}"),
]
DOOR_WRONG = [
    ("unlock_s = 700", "unlock_s: found 700, expected 0.5 to 600 seconds"),
    ("unlock_s = 0.4", "unlock_s: found 0.4, expected 0.5 to 600 seconds"),
    ("unlock_s = nan", "unlock_s: found NaN, expected 0.5 to 600 seconds"),
    ("unlock_s = true", "unlock_s: found true, expected 0.5 to 600 seconds"),
    ('unlock_s = "5"', 'unlock_s: found "5", expected 0.5 to 600 seconds'),
    ("unlock_s = 2026-11-22", "unlock_s: found a date 2026-11-22, expected 0.5 to 600 seconds"),
    ("unlocks_s = 5", 'unlocks_s: unknown key, did you mean "unlock_s"?'),
    ('relock = "never"', 'relock: found "never", expected "open", "close", "timer" or "closed"'),
    ("relock_delay_s = -1", "relock_delay_s: found -1, expected 0 to 600 seconds"),
    ("held_open_s = 2", "held_open_s: found 2, expected 3 to 600 seconds"),
    ('held_open_from = "close"', 'held_open_from: found "close", expected "unlock" or "open"'),
    (
        "held_open_s = 20\nheld_open_warning_s = 20",
        "held_open_warning_s: found 20, expected less than held_open_s, which is 20 seconds",
    ),
    ("rex_shunt_s = 0", "rex_shunt_s: found 0, expected 0.5 to 600 seconds"),
    ("rex_grace_ms = 5001", "rex_grace_ms: found 5001, expected 0 to 5000 milliseconds"),
    ("rex_level_s = 601", "rex_level_s: found 601, expected 0 to 600 seconds"),
    (
        'unlock_s = 9\nrelock = "closed"',
        'relock: found "closed" at a door without a contact, expected a contact that shows when it is closed',
    ),
    ("rex_in_lockdown = 1", "rex_in_lockdown: found 1, expected true or false"),
    ("debounce_ms = 301", "debounce_ms: found 301, expected 0 to 300 milliseconds"),
    ("debounce_ms = 30.0", "debounce_ms: found 30.0, expected 0 to 300 milliseconds"),
    (
        "debounce_ms = 100\ninstability_ms = 99",
        "instability_ms: found 99, expected at least debounce_ms, which is 100 milliseconds",
    ),
    ('name = ""', 'name: found "", expected 1 to 100 printable characters'),
    ('zone = ""', 'zone: found "", expected 1 to 100 printable characters'),
    ('name = "a\\nb"', 'name: found "a\\nb", expected 1 to 100 printable characters'),
    (
        'interlock = "yard"',
        'interlock: found "yard" at this door only, expected a group of two doors or more',
    ),
    ("contact = 5", 'contact: found 5, expected a table like { driver = "gpio", ... }'),
    ("contact = { line = 5 }", "contact.driver: missing, expected the name of a driver, as in [driver.NAME]"),
    ('contact = { driver = "g" }', 'contact.driver: found "g", did you mean "gp"?'),
    ('contact = { driver = "no" }', 'contact.driver: found "no", expected "gp" or "sim"'),
    (
        'reader = { driver = "gp", line = 5 }',
        f'reader: the driver "gp" carries no reader, expected {alternatives(sorted(POINTS))}',
    ),
    ('contact = { driver = "gp" }', "contact.line: missing, expected a whole number from 0 to 511"),
    ('contact = { driver = "gp", line = "5" }', 'contact.line: found "5", expected a whole number from 0 to 511'),
    ('contact = { driver = "gp", line = 5, pul = "up" }', 'contact.pul: unknown key, did you mean "pull"?'),
    (
        'contact = { driver = "sim", debounce = 5 }',
        'contact.debounce: unknown key, did you mean "debounce_ms"?',
    ),
    ('buzzer = { driver = "sim", debounce_ms = 5 }', 'buzzer.debounce_ms: unknown key, expected "driver"'),
    (
        'tamper = { driver = "sim", debounce_ms = 300, instability_ms = 200 }',
        "tamper.instability_ms: found 200, expected at least debounce_ms, which is 300 milliseconds",
    ),
    (
        'contact = { driver = "sim", unlocks = true }',
        'contact.unlocks: unknown key, expected "debounce_ms", "driver" or "instability_ms"',
    ),
]
MQTT_WRONG = [
    ("windw = 5", 'windw: unknown key, did you mean "window"?'),
    ("window = 0", "window: found 0, expected 1 to 1000 messages"),
    ('ack = "brokr"', 'ack: found "brokr", expected "broker" or "application"'),
    ("keepalive_s = 1", "keepalive_s: found 1, expected 5 to 3600 seconds"),
    ('username = ""', 'username: found "", expected a user name'),
    (
        'prefix = "a/+"',
        'prefix: found "a/+", expected levels like doorward/v1, none of them empty, without + and #',
    ),
    (
        'prefix = "/a"',
        'prefix: found "/a", expected levels like doorward/v1, none of them empty, without + and #',
    ),
    ('password_file = "p"', "password_file: found without username, expected one as well"),
    ('key_file = "p"', "key_file: found without cert_file, expected one as well"),
    (
        'ca_file = "credential:a/b"',
        'ca_file: found "credential:a/b", expected credential:NAME as in LoadCredential=NAME:... of the service',
    ),
    ('password = "s3cret"', f"password: {PASSWORD}"),
]
URLS = [
    "http://h",
    "mqtt://",
    "h:1883",
    "mqtt://h:0",
    "mqtt://h:99999",
    "mqtt://h/topic",
    "mqtt://h:x",
    " mqtt://h",
    "",
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, says: str) -> None:
    assert problems_of(tmp_path, GOOD + text) == [says]


@pytest.mark.parametrize(("text", "says"), DOOR_WRONG)
def test_a_wrong_key_of_a_door_is_named(tmp_path: Path, text: str, says: str) -> None:
    assert problems_of(tmp_path, GOOD + text) == [f"door.front.{says}"]


@pytest.mark.parametrize(("text", "says"), MQTT_WRONG)
def test_a_wrong_key_of_the_upstream_is_named(tmp_path: Path, text: str, says: str) -> None:
    assert problems_of(tmp_path, MQTT + text) == [f"mqtt.{says}"]


@pytest.mark.parametrize("url", URLS)
def test_a_wrong_url_is_named(tmp_path: Path, url: str) -> None:
    said = problems_of(tmp_path, GOOD + f'[mqtt]\nurl = "{url}"')
    assert said == [f'mqtt.url: found "{url}", expected "mqtts://host:port" or "mqtt://host:port"']


@pytest.mark.parametrize("url", ["mqtts://u:s3cret@h", "mqtts://u:s3cret@h:99999", "s3cret@h"])
def test_a_secret_is_never_repeated(tmp_path: Path, url: str) -> None:
    said = problems_of(tmp_path, GOOD + f'[mqtt]\nurl = "{url}"\npassword = "s3cret"')
    assert len(said) == 2
    assert "s3cret" not in "".join(said)


def test_certificates_need_tls(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD + '[mqtt]\nurl = "mqtt://h"\nca_file = "ca.pem"')
    assert said == ["mqtt.ca_file: found with an mqtt:// url, which is not encrypted: expected mqtts://"]


def test_a_proxy_in_front_of_the_pages_own_tls_is_none(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD + "[web]\ntls_proxy = true")
    assert said == ["web.tls_proxy: found true with tls = true, expected tls = false: the page speaks TLS itself"]


def test_a_line_used_twice_names_both_points(tmp_path: Path) -> None:
    text = GOOD + dedent("""
        contact = { driver = "gp", line = 27 }
        [door.back]
        lock = { driver = "gp", line = 27, unlocked = "high", resting = "locked" }
        """)
    assert problems_of(tmp_path, text) == [
        'door.back.lock: line 27 of the driver "gp" is already used by door.front.contact'
    ]


def test_a_line_used_twice_is_told_beside_what_else_is_wrong_with_a_point(tmp_path: Path) -> None:
    text = GOOD + dedent("""
        contact = { driver = "gp", line = 27 }
        [door.back]
        lock = { driver = "gp", line = 27, unlocked = "high" }
        [door.side]
        lock = { driver = "gp", line = "27", unlocked = "high", resting = "locked" }
        """)
    found = problems_of(tmp_path, text)
    assert 'door.back.lock: line 27 of the driver "gp" is already used by door.front.contact' in found
    assert len(found) == 3
    assert [one.partition(":")[0] for one in found if "resting" in one] == ["door.back.lock.resting"]
    assert any(one.startswith("door.side.lock.line:") for one in found), "whose line nobody knows"


def test_the_same_line_of_two_drivers_is_two_lines(tmp_path: Path) -> None:
    text = GOOD + dedent("""
        contact = { driver = "gp", line = 27 }
        rex = { driver = "second", line = 27 }
        [driver.second]
        kind = "gpio"
        chip = 1
        """)
    assert set(settings_of(tmp_path, text).drivers["second"].points) == {"front.rex"}


def test_the_time_zone_and_the_names_of_the_controller(tmp_path: Path) -> None:
    text = """
        [controller]
        id = "HQ"
        nam = "x"
        time_zone = "Europe/Berln"
        release = { driver = "gpio" }
        """
    assert problems_of(tmp_path, text + dedent(GOOD).partition('name = "HQ"')[2]) == [
        'controller.id: found "HQ", expected 1 to 63 of a-z, 0-9 and -',
        "controller.site: missing, expected the site's id, 1 to 63 of a-z, 0-9 and -",
        "controller.name: missing, expected a name for people",
        f'controller.time_zone: found "Europe/Berln", {ZONE}',
        'controller.nam: unknown key, did you mean "name"?',
    ]


@pytest.mark.parametrize("zone", ["../../etc/passwd", "/etc/passwd", "", "Europe", "a\\u0000b"])
def test_a_time_zone_is_no_path(tmp_path: Path, zone: str) -> None:
    text = GOOD.replace('name = "HQ"', f'name = "HQ"\ntime_zone = "{zone}"')
    [said] = problems_of(tmp_path, text)
    assert said.startswith("controller.time_zone: found ")


def test_an_empty_file_says_all_that_is_missing(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "") == [
        "controller.id: missing, expected the controller's id, 1 to 63 of a-z, 0-9 and -",
        "controller.site: missing, expected the site's id, 1 to 63 of a-z, 0-9 and -",
        "controller.name: missing, expected a name for people",
    ]


def test_sections_that_are_no_tables(tmp_path: Path) -> None:
    text = 'controller = 1\nlog = "x"\nmqtt = []\ndriver = 2\ndoor = { front = 3 }\n'
    assert problems_of(tmp_path, text) == [
        "controller: found 1, expected a table",
        'log: found "x", expected a table',
        "mqtt: found a list, expected a table",
        "driver: found 2, expected tables called [driver.NAME]",
        "door.front: found 3, expected a table",
    ]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    lines = [line for line, _ in DOOR_WRONG if line.startswith(("rex_", "relock", "held_open_from", "tamper"))]
    said = problems_of(tmp_path, GOOD + "\n".join(lines) + '\n[log]\nmax_mib = 1\n[door.back]\ninterlock = "yard"\n')
    assert [problem.partition(":")[0] for problem in said] == [
        "log.max_mib",
        *sorted((f"door.front.{line.partition(' ')[0]}" for line in lines if line[0] != "t"), key=_in_order),
        "door.front.tamper.instability_ms",
        "door.back.lock",
        "door.back.interlock",
    ]


def _in_order(key: str) -> int:
    order = ["relock", "relock_delay_s", "held_open_from", "rex_shunt_s", "rex_grace_ms", "rex_level_s"]
    order += ["rex_in_lockdown"]
    return order.index(key.rpartition(".")[2])


def test_too_many_doors(tmp_path: Path) -> None:
    text = GOOD + "".join(f"[door.d{i}]\n" for i in range(MOST_DOORS))
    assert problems_of(tmp_path, text) == [f"door: found {MOST_DOORS + 1} tables, expected at most {MOST_DOORS}"]


def test_a_socket_that_the_kernel_cannot_name(tmp_path: Path) -> None:
    [said] = problems_of(tmp_path, GOOD + f'[control]\nsocket = "/run/{"x" * 103}"')
    assert said.endswith("expected at most 107 bytes for the path of a socket")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[controller]\nid = \n", "line 2, column 6: Invalid value, expected TOML"),
        (b"[controller", "end of file: Expected ']' at the end of a table declaration, expected TOML"),
        (b'[log]\npath = "a"\npath = "b"\n', "line 3, column 11: Cannot overwrite a value, expected TOML"),
        (b"[log]\n\npath = '\xff'\n", "line 3: found a byte that is not UTF-8, expected TOML"),
        (b"a = " + b"[" * 5000, "found brackets nested too deeply, expected TOML"),
        (b"#" * (LARGEST_FILE + 1), f"found more than {LARGEST_FILE} bytes, expected a configuration file"),
    ],
    ids=["value", "end", "twice", "bytes", "nested", "large"],
)
def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "doorward.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert str(refused.value) == f"{file}: {says}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "none.toml")
    assert str(refused.value) == f"{tmp_path}/none.toml: cannot be read: No such file or directory"


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Root may read everything, so root is somebody else meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "doorward.toml"
    file.write_text(GOOD)
    file.chmod(0)
    with _nobody(), pytest.raises(ConfigError) as refused:
        load(file)
    assert str(refused.value) == f"{file}: cannot be read: Permission denied"


toml_values = st.recursive(
    st.sampled_from(["1", "-1", "1.5", "nan", "true", '""', '"sim"', '"gp"', '"locked"', "2026-11-22", "'\\u0000'"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda many: f"[{', '.join(many)}]"),
        st.dictionaries(st.sampled_from(["driver", "line", "resting", "kind", "x"]), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=4,
)
KEYS = ["lock", "contact", "rex", "unlock_s", "interlock", "kind", "id", "url", "path", "keys", "release", "time_zone"]


@given(
    st.dictionaries(
        st.sampled_from(["controller", "log", "mqtt", "control", "commands", "driver.sim", "driver.gp", "door.front"]),
        st.dictionaries(st.sampled_from(KEYS), toml_values, max_size=4),
    )
)
def test_whatever_the_file_holds_it_is_refused_politely(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, dict[str, str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text(
        "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in table.items()) for name, table in tables.items())
    )
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert refused.value.problems
    assert all(problem.message for problem in refused.value.problems)


@given(
    st.dictionaries(
        st.sampled_from(
            ["contact", "rex", "tamper", "buzzer", "unlock_s", "debounce_ms", "interlock", "name", "relock"]
        ),
        st.one_of(
            toml_values,
            st.builds(
                "{{ driver = {}, line = {}, debounce_ms = {} }}".format,
                st.sampled_from(['"sim"', '"gp"', '"x"', "1"]),
                st.integers(-1, 3),
                st.sampled_from(["1", "301", "nan", "{}"]),
            ),
        ),
        max_size=5,
    )
)
def test_a_door_is_taken_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "door.toml"
    file.write_text(GOOD + "".join(f"{key} = {value}\n" for key, value in table.items()))
    try:
        settings = load(file)
    except ConfigError as refused:
        assert {problem.key.split(".")[1] for problem in refused.problems} == {"front"}  # noqa: PT017 - one of two ends
    else:
        assert settings.doors["front"].points.keys() - {"lock"} <= table.keys()


def test_what_a_terminal_would_obey_is_spelt_out(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD + '"\\u009bx" = 1\nrelock = "\\u202e"\n')
    assert said[0] == 'door.front.relock: found "\\u202e", expected "open", "close", "timer" or "closed"'
    assert said[1].startswith("door.front.\\x9bx: unknown key")


def test_problems_read_well_on_a_terminal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        settings_of(tmp_path, GOOD + "unlock_s = 0\nrelock = 7\n")
    file = tmp_path / "doorward.toml"
    assert str(refused.value).splitlines() == [
        f"{file}: door.front.unlock_s: found 0, expected 0.5 to 600 seconds",
        f'{file}: door.front.relock: found 7, expected "open", "close", "timer" or "closed"',
    ]
