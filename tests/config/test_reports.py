"""`[report.NAME]`: what a good one becomes, what is said about a bad one, and what a change needs."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path

import pytest

from edge.reports.searches import Filters
from edge.settings.controller import difference
from edge.settings.reports import FILTERS, MOST_REPORTS, ReportTable
from tests.support.configs import GOOD, problems_of, settings_of

REPORT = """
[report.front-week]
every = "week"
at = "23:45"
folder = "reports"
format = "jsonl"
keep = 5
door = ["front"]
type = ["lock.forced_open"]
class = "access"
user = ["ann@example.org"]
group = ["staff"]
outcome = "refused"
code = ["unknown_card"]
text = "Tür"
"""


def test_the_page_has_every_key_and_a_good_example(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    [chapter] = re.findall(r"^## `\[report.NAME\]`\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    written = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*\|$", chapter, re.MULTILINE)}
    assert list(written) == [field.alias or key for key, field in ReportTable.model_fields.items()]
    assert all(row.endswith("| restart |") for row in written.values())
    for key, default in (("at", '"06:00"'), ("folder", "reports`"), ("keep", "30"), ("every", "must be given")):
        assert f"{default} | restart |" in written[key]
    [example] = re.findall(r"```toml\n(.*?)```", chapter, re.DOTALL)
    assert settings_of(tmp_path, GOOD + example).reports["refused"].outcome == "refused"
    assert f"There may be {MOST_REPORTS}." in chapter


def test_a_file_without_reports_has_none(tmp_path: Path) -> None:
    assert dict(settings_of(tmp_path, GOOD).reports) == {}


def test_a_report_in_full(tmp_path: Path) -> None:
    [(name, report)] = settings_of(tmp_path, GOOD + REPORT).reports.items()
    assert (name, report.every, report.at, report.format, report.keep) == (
        "front-week",
        "week",
        time(23, 45),
        "jsonl",
        5,
    )
    assert report.folder == tmp_path / "reports"
    assert set(report.filters()) == set(FILTERS)
    query = Filters.model_validate(report.filters())
    assert (query.event_class, query.text, query.group) == ("access", "Tür", ["staff"])


def test_every_filter_of_a_report_is_one_of_the_socket() -> None:
    known = {field.alias or name for name, field in Filters.model_fields.items()}
    assert known == {*FILTERS, "since_us", "until_us", "correlation"}, "of the last, one passage is no report"


def test_the_least_that_can_be_said(tmp_path: Path) -> None:
    report = settings_of(tmp_path, GOOD + '[report.all]\nevery = "day"\n').reports["all"]
    assert (report.at, report.keep, report.format, report.folder) == (
        time(6),
        30,
        "csv",
        Path("/var/lib/doorward/reports"),
    )
    assert report.filters() == {}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('every = "week"', "", 'every: missing, expected "day", "week" or "month"'),
        ('every = "week"', 'every = "year"', 'every: found "year", expected "day", "week" or "month"'),
        ('"23:45"', '"24:00"', 'at: found "24:00", expected a time of day like "06:00"'),
        ('"23:45"', "6", 'at: found 6, expected a time of day like "06:00"'),
        ("keep = 5", "keep = 0", "keep: found 0, expected 1 to 10000 files"),
        ('"jsonl"', '"xls"', 'format: found "xls", expected "csv", "spreadsheet" or "jsonl"'),
        ("lock.forced_open", "lock.forced_opn", 'type: found "lock.forced_opn", did you mean "lock.forced_open"?'),
        ('"access"', '"all"', 'class: found "all", expected "access" or "audit"'),
        ('class = "access"', 'klass = "access"', 'klass: unknown key, did you mean "class"?'),
        ('door = ["front"]', 'door = "front"', 'door: found "front", expected a list of up to 256 doors'),
        ('"refused"', '"no"', 'outcome: found "no", expected "granted" or "refused"'),
        ('"Tür"', f'"{"x" * 201}"', f'text: found "{"x" * 58}…, expected up to 200 characters'),
    ],
)
def test_a_wrong_key_of_a_report_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in REPORT
    assert problems_of(tmp_path, GOOD + REPORT.replace(old, new, 1)) == [f"report.front-week.{says}"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[report]\n", "report: missing, expected at least one table called [report.NAME]"),
        ("[report]\nx = 5\n", "report.x: found 5, expected a table"),
        ('[report."A b"]\nevery = "day"\n', 'report.A b: found "A b", expected 1 to 63 of a-z, 0-9 and -'),
        (
            "[report]\n" + "".join(f"x{n} = {{}}\n" for n in range(MOST_REPORTS + 1)),
            f"report: found {MOST_REPORTS + 1} tables, expected at most {MOST_REPORTS}",
        ),
    ],
)
def test_a_wrong_report_is_named(tmp_path: Path, text: str, says: str) -> None:
    assert problems_of(tmp_path, GOOD + text) == [says]


def test_a_changed_report_needs_a_restart(tmp_path: Path) -> None:
    without, with_it = settings_of(tmp_path, GOOD), settings_of(tmp_path, GOOD + REPORT)
    other = settings_of(tmp_path, GOOD + REPORT.replace("keep = 5", "keep = 6"))
    for old, new in ((without, with_it), (with_it, without), (with_it, other)):
        found = difference(old, new)
        assert (found.restart, found.applied) == (("report.front-week",), ())
    assert difference(with_it, with_it).restart == ()
