"""The wiring of a running controller. The only room that knows everybody; nobody imports from it.

`doord` is the program: it brings every lock to rest and only then loads `daemon`, which makes all parts, gives each
what it needs, and starts and stops them in order. `drivers` carries wires, `broker` the upstream, `consumers`
whatever else reads the log; `status` is what `doorctl status` shows, `requests/` what the socket is answered.
`reloading` takes up a changed configuration, `remembering` what the log had, `controller_events` are the
controller's own records.
"""
