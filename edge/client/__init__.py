"""Asking a running doord: for the tool and the page alike. Below `config`, because its check asks the daemon too.

`connection` asks at the socket, `sockets` finds it, `sources` reads history from doord or from a file, `times` are
times as people write them, `importing` sends a file of people, `conditions` puts into words what is wrong with a door.
Others may use every module.
"""
