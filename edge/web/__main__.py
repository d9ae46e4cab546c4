"""`python -m edge.web` is `doorweb`."""

import sys

from edge.web.server import main

sys.exit(main())
