"""`python -m edge.cli` is `doorctl`."""

import sys

from edge.cli import main

sys.exit(main())
