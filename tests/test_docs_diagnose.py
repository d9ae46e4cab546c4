"""The page about `doorctl diagnose` lists what the code knows."""

from __future__ import annotations

from edge.diagnosis.findings import KINDS
from tests.support.findings_page import COMMAND, PAGE, written


def test_the_table_of_findings_is_written_from_the_code() -> None:
    page = PAGE.read_text()
    assert page == written(page), f"docs/diagnose.md is behind edge/diagnosis/findings.py: renew it with {COMMAND}"
    assert all(f"| `{code}` |" in page for code in KINDS)
