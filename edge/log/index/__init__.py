"""The index beside a log: made a segment at a time (`making`), asked by `reading/query` (`lookup`), checked (`check`).

It can be removed at any time: the log has everything that is in it.
"""
