"""`python -m edge.cli` is `doorctl`."""

from edge.cli import run

run()
