"""`doorctl`: what a technician asks of a door controller.

`commands` has every command, `main` runs one. A command collects first and renders then, as text or as JSON; `text`
is the looks. `wiring/` is `doorctl test`. Exit codes: 0 well, 1 findings or refused, 2 could not tell. Others may
use `text` and `history`.
"""
