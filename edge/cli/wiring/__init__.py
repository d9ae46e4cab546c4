"""`doorctl test DOOR`: `check` guides through the wires of a `door`.

`live` asks a running doord, `offline` opens the drivers itself.
"""
