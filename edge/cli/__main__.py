"""`python -m edge.cli` is `doorctl`."""

from edge.cli.main import run

run()
