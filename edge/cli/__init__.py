"""`doorctl`: the command line tool of a door controller.

`commands` has every command, `main` runs one. A command first collects its answer, then prints it as text or as JSON;
`text` has what the output shares, `meant` finds what a name means. `wiring/` is `doorctl test`. Exit codes: 0 well,
1 findings or a refusal, 2 the command could not tell. Others may use `text`, `event_lines` and `pages`.
"""
