"""The index beside a log: made a segment at a time (`making`), asked by `edge/log/reading/query.py` (`lookup`).

`indexer` keeps it up beside service. `check` compares it with the log. It can be removed at any time: the log has
everything that is in it.
"""
