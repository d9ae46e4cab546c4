"""`doorctl test DOOR`: `check` guides through the wires, `live` asks doord, `offline` opens the drivers itself."""
