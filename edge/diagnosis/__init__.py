"""Facts are gathered, and findings are drawn from them.

In: `gathering` asks the daemon, systemd, files and the log, and fills `facts`. `diagnose` turns facts into findings;
the text of each is a row of `findings`. Others may use `gathering`, `diagnose`, `facts`, `findings`, `history` and
`machine`.
"""
