"""One sink for each receiver: what was committed goes to it in order, until it has it.

`sink` reads the log with a cursor of its own and hands records to a receiver (`webhook`, `syslog_sink`); a
failure is tried again there. `integrations` keeps a sink for each integration of the directory. `network`
connects only to addresses that `address` allows; `errors` says whose fault a failure is. Alerts and cameras use
`network`, `errors` and `http_answer`.
"""
