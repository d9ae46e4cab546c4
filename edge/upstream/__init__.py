"""One conversation with a broker, over one link after another.

`sync` sends what the log has, hears what is acknowledged and tries again; `queue` says what goes next,
`records` which record, `limits` what a broker takes. `retained` are the messages that the broker keeps. `mqtt/`
is the link. Commands that arrive are handed on to `edge/commands/`.
"""
