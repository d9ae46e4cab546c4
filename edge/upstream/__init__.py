"""The conversation with a broker, over one link after another.

`sync` sends what the log has, takes acknowledgements and tries again; `queue` decides which message goes next,
`records` which record, `limits` fits messages to the broker. `retained` are the messages that the broker keeps.
`mqtt/` is the link. Commands that arrive are passed on to `edge/commands/`.
"""
