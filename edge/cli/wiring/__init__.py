"""`doorctl test DOOR`: a guided check of a door's wiring.

`check` is the guide. It sees the `door` through a running doord (`live`), or opens the drivers itself (`offline`).
"""
