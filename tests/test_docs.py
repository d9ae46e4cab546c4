"""What the documentation draws from the code is what the code says."""

from __future__ import annotations

from tests.support.diagram import PAGE, drawn


def test_the_diagram_in_the_architecture_page_is_drawn_from_the_table() -> None:
    page = PAGE.read_text()
    assert page == drawn(page), "renew it with: python -m tests.support.diagram"
