"""What the machine provides: clocks, systemd, threads, TLS, memory, metrics.

`clock` is the only reader of the calendar and of the boot clock. `background` and `tasks` run work beside the loop and
log when it fails; `isolation` keeps a fault in one part from the others; `flood_counter` counts what is refused for
being too much. Others may use every module.
"""
