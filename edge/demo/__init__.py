"""`make demo`: doord, its page and a broker of its own in one temporary folder, a little traffic, and the outcome.

`__main__` starts and ends the programs, `story` is what happens and what is said of it. Nobody imports it.
"""
