"""Writes the published schema of the directory anew: `python -m tests.support.directory_schema`."""

from __future__ import annotations

import json

from edge.directory.document.tables import schema
from tests.support.directories import SHIPPED

if __name__ == "__main__":
    SHIPPED.with_name("directory.schema.json").write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
