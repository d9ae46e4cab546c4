"""The conversation with a broker, over one link after another.

`sync` sends what the log has, takes acknowledgements and tries again; `queue` decides which message goes next, and so
what is sent when the broker returns: `alarm_lane`, answers, `retained`, then `records` in order (`outbox` is their
window). `limits` fits messages to the broker, `refusals` is what it refuses. `mqtt/` is the link. Commands that arrive
are passed on to `edge/commands/`. Others may use `sync`, `messages`, `home_assistant/` and `mqtt/`.
"""
