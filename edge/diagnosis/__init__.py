"""Facts are gathered, and findings are drawn from them.

In: `gathering` asks the daemon, systemd, files and the log, and fills `facts`. `diagnose` turns facts into
findings; their text is in `findings`, a row for each.
"""
