"""`[elevator.ID]`: what a good one becomes, what is said about a bad one, and what a change needs."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from drivers.gpio.points import POINTS
from edge.config.reading import MOST_ELEVATORS, MOST_FLOORS
from edge.model.policy import Timing
from edge.model.problems import alternatives
from edge.settings.controller import FloorSettings, difference
from tests.support.configs import GOOD, problems_of, settings_of

if TYPE_CHECKING:
    from pathlib import Path

RELAY = '{ driver = "gp", line = 5, unlocked = "high", resting = "locked" }'
LIFT = f"""
[elevator.lift]
name = "Lift"
reader = {{ driver = "sim" }}
[elevator.lift.floor.ground]
relay = {RELAY}
button = {{ driver = "gp", line = 6, active = "low", pull = "up" }}
[elevator.lift.floor.roof]
relay = {{ driver = "sim", resting = "unlocked" }}
"""


def test_a_file_without_elevators_has_none(tmp_path: Path) -> None:
    assert dict(settings_of(tmp_path, GOOD).elevators) == {}


def test_an_elevator_in_full(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, GOOD + LIFT)
    [lift] = settings.elevators.values()
    assert (lift.id, lift.name, lift.reader) == ("lift", "Lift", "sim")
    assert list(lift.floors.items()) == [
        ("ground", FloorSettings("gp", "gp", Timing())),
        ("roof", FloorSettings("sim")),
    ]
    assert set(settings.drivers["gp"].points) == {"lift/ground.lock", "lift/ground.rex"}
    assert set(settings.drivers["sim"].points) == {"front.lock", "lift.reader", "lift/roof.lock"}
    points = settings.drivers["gp"].points | settings.drivers["sim"].points
    assert points[lift.relay_point("ground")].line == 5
    assert points[lift.button_point("ground")].line == 6
    assert points[lift.relay_point("roof")].resting == "unlocked"
    assert lift.reader_point in points
    assert set(settings.doors) == {"front"}, "an elevator is no door"


def test_an_elevator_without_a_name_has_its_id_and_a_button_its_own_debounce(tmp_path: Path) -> None:
    text = LIFT.replace('name = "Lift"\n', "").replace('pull = "up"', 'pull = "up", debounce_ms = 80')
    lift = settings_of(tmp_path, GOOD + text).elevators["lift"]
    assert (lift.name, lift.floors["ground"].timing) == ("lift", Timing(80, 1000))


WIRES = 'expected a table like { driver = "gpio", ... }'
WRONG = [
    ('name = "Lift"', "nam = 1", 'nam: unknown key, did you mean "name"?'),
    ('name = "Lift"', 'name = ""', 'name: found "", expected 1 to 100 printable characters'),
    ('reader = { driver = "sim" }', "", f"reader: missing, {WIRES}"),
    ('reader = { driver = "sim" }', "reader = 7", f"reader: found 7, {WIRES}"),
    (
        'reader = { driver = "sim" }',
        'reader = { driver = "gp", line = 7 }',
        f'reader: the driver "gp" carries no reader, expected {alternatives(sorted(POINTS))}',
    ),
    ('reader = { driver = "sim" }', 'reader = { driver = "smi" }', 'reader.driver: found "smi", did you mean "sim"?'),
    (
        f"relay = {RELAY}",
        "",
        (
            "floor.ground.relay: missing, expected a table like a lock's: "
            '{ driver = "gpio", line = 5, unlocked = "high", resting = "locked" }'
        ),
    ),
    (', unlocked = "high"', "", 'floor.ground.relay.unlocked: missing, expected "high" or "low"'),
    (
        'pull = "up"',
        "unlocks = true",
        (
            'floor.ground.button.unlocks: unknown key, expected "active", "debounce_ms", "driver", "instability_ms", '
            '"line" or "pull"'
        ),
    ),
    (
        'pull = "up"',
        "debounce_ms = 200, instability_ms = 100",
        "floor.ground.button.instability_ms: found 100, expected at least debounce_ms, which is 200 milliseconds",
    ),
    ("button =", "buton =", 'floor.ground.buton: unknown key, did you mean "button"?'),
    ("floor.roof", 'floor."Roof 1"', 'floor.Roof 1: found "Roof 1", expected 1 to 63 of a-z, 0-9 and -'),
    (
        'line = 6, active = "low"',
        "line = 5",
        'floor.ground.button: line 5 of the driver "gp" is already used by elevator.lift.floor.ground.relay',
    ),
]


@pytest.mark.parametrize(("old", "new", "says"), WRONG)
def test_a_wrong_key_of_an_elevator_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in LIFT
    assert problems_of(tmp_path, GOOD + LIFT.replace(old, new, 1)) == [f"elevator.lift.{says}"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[elevator]\n", ["elevator: missing, expected at least one table called [elevator.NAME]"]),
        ("[elevator]\nlift = 5\n", ["elevator.lift: found 5, expected a table"]),
        ("[[elevator]]\n", ["elevator: found a list, expected tables called [elevator.NAME]"]),
        (
            '[elevator.lift]\nreader = { driver = "sim" }\n',
            ["elevator.lift.floor: missing, expected at least one table called [elevator.lift.floor.NAME]"],
        ),
        (
            '[elevator.lift]\nreader = { driver = "sim" }\nfloor = 5\n',
            ["elevator.lift.floor: found 5, expected tables called [elevator.NAME.floor.NAME]"],
        ),
        (
            '[elevator.lift]\nreader = { driver = "sim" }\nfloor.roof = 5\n',
            ["elevator.lift.floor.roof: found 5, expected a table"],
        ),
        (LIFT.replace("elevator.lift", "elevator.front"), ["elevator.front: found the id of a door, expected another"]),
        (
            LIFT.replace("elevator.lift", "elevator.controller"),
            ["elevator.controller: found a name that the controller itself has, expected another"],
        ),
        (
            "[elevator]\n" + "".join(f"x{n} = {{}}\n" for n in range(MOST_ELEVATORS + 1)),
            [f"elevator: found {MOST_ELEVATORS + 1} tables, expected at most {MOST_ELEVATORS}"],
        ),
        (
            '[elevator.lift]\nreader = { driver = "sim" }\n'
            + "".join(f'floor.x{n} = {{ relay = {{ driver = "sim" }} }}\n' for n in range(MOST_FLOORS + 1)),
            [f"elevator.lift.floor: found {MOST_FLOORS + 1} tables, expected at most {MOST_FLOORS}"],
        ),
    ],
)
def test_a_wrong_elevator_is_named(tmp_path: Path, text: str, says: list[str]) -> None:
    assert problems_of(tmp_path, GOOD + text) == says


def test_a_line_used_by_a_door_and_an_elevator_names_both(tmp_path: Path) -> None:
    text = GOOD + 'contact = { driver = "gp", line = 6 }\n' + LIFT
    assert problems_of(tmp_path, text) == [
        'elevator.lift.floor.ground.button: line 6 of the driver "gp" is already used by door.front.contact'
    ]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = """
        unlock_s = 0
        [elevator.front]
        nme = "x"
        reader = { driver = "no" }
        [elevator.front.floor.a]
        relay = { driver = "gp", line = 600, unlocked = "high", resting = "locked" }
        [elevator.front.floor.b]
        """
    said = [one.partition(":")[0] for one in problems_of(tmp_path, GOOD + dedent(text))]
    own = "elevator.front"
    assert sorted(said) == sorted(
        [
            "door.front.unlock_s",
            own,
            f"{own}.nme",
            f"{own}.reader.driver",
            f"{own}.floor.a.relay.line",
            f"{own}.floor.b.relay",
        ]
    )


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ('name = "Lift"', 'name = "Goods lift"', ["name"]),
        ('reader = { driver = "sim" }', 'reader = { driver = "two" }', ["reader"]),
        ("line = 5", "line = 7", ["floor.ground.relay"]),
        ('resting = "locked" }\nbutton', 'resting = "unlocked" }\nbutton', ["floor.ground.relay"]),
        ("line = 6", "line = 8", ["floor.ground.button"]),
        ('pull = "up"', "debounce_ms = 50", ["floor.ground.button"]),
        ("floor.roof", "floor.attic", ["floor.attic", "floor.roof"]),
        ("floor.roof]\n", 'floor.roof]\nbutton = { driver = "sim" }\n', ["floor.roof.button"]),
    ],
)
def test_what_changes_in_an_elevator_needs_a_restart(tmp_path: Path, old: str, new: str, keys: list[str]) -> None:
    text = GOOD + '[driver.two]\nkind = "simulated"\n' + LIFT
    assert old in text
    before = settings_of(tmp_path, text)
    found = difference(before, settings_of(tmp_path, text.replace(old, new, 1)))
    assert found.restart == tuple(f"elevator.lift.{key}" for key in keys)
    assert (found.applied, found.settings.elevators) == ((), before.elevators)


def test_an_elevator_that_comes_or_goes_needs_a_restart(tmp_path: Path) -> None:
    without, having = settings_of(tmp_path, GOOD), settings_of(tmp_path, GOOD + LIFT)
    assert difference(without, having).restart == ("elevator.lift",)
    assert difference(having, without).restart == ("elevator.lift",)
    assert difference(having, having).restart == ()
