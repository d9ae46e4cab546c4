"""Records on their way to webhooks and syslog servers: one sink for each receiver, in order.

`sink` reads the log with a cursor of its own, hands records to a receiver (`receivers/`: webhook, syslog) and tries
again what failed; `memory` is what outlives it, `health` how well it does. `integrations` keeps a sink for each
integration of the directory. `network` connects only to addresses that `address` allows; `errors` says whose fault a
failure is. Alerts and cameras go through `network` too. Others may use `sink`, `ports`, `integrations`, `network`,
`address`, `errors`, `http_answer`, `secrets` and `receivers/`.
"""
