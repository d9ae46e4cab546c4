"""The running controller: makes all its parts, connects, starts and stops them. No other room imports this one.

`doord` is the program: it brings every lock to rest and only then loads `daemon`, which makes all parts, gives each
what it needs, and starts and stops them in order. `drivers` has the hardware, `broker` the connection to the broker,
`consumers` the other readers of the log. `status` is what `doorctl status` shows, `requests/` answers the socket.
`reloading` applies a changed configuration, `remembering` restores state from the log, and `controller_events`
records what happens to the controller itself.
"""
