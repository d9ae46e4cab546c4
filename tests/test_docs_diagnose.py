"""The page about `doorctl diagnose` lists what the code knows."""

from __future__ import annotations

from edge.diagnosis.findings import KINDS
from tests.support.findings_page import PAGE, written


def test_the_table_of_findings_is_written_from_the_code() -> None:
    page = PAGE.read_text()
    assert page == written(page), "renew it with: python -m tests.support.findings_page"
    assert all(f"| `{code}` |" in page for code in KINDS)
