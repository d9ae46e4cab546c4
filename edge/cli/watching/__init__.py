"""`doorctl watch`: doors and events live, and what is done with keys.

`view` is what is watched and what a key makes of it, `screen` draws it: both are pure. `fullscreen` has the terminal
and gives it back, `keys` reads it, `link` asks the daemon from threads of its own. `edge.cli.watch` runs them.
"""
