"""Changes to single entries of a directory, without working on all the others.

In: `shape` says which entry each change names, `recent` whether somebody else changed it meanwhile. Out: `making`
makes the next version of the one in force, in slices; `layered` is how an index of 100,000 entries is changed at once.
"""
