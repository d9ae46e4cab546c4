"""The wiring of a running controller. The only room that knows everybody; nobody imports from it.

`doord` is the program: it brings every lock to rest and only then loads `daemon`, which starts and stops all parts.
`service` answers at the socket, `status` is what `doorctl status` shows, `reloading` takes up a changed
configuration, `remembering` what the log had, `consumers` wires whatever reads the log.
"""
