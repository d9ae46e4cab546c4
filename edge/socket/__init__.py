"""The control socket, a Unix socket: one JSON object a line, for users whom the kernel identifies.

`server` takes connections (`lines`) and calls the operations that it is given; `peers` says who asks, `limits` how
much at once, `allowances` how many records a user may cause. `watchers` get the live stream. `edge/daemon/requests/`
has the answers. Others may use `server`, `peers`, `watchers` and `allowances`.
"""
