"""Changes to single entries of a directory, without working on all the others.

In: `shape` finds the entry that each change names, `recent` checks whether somebody else changed it meanwhile. Out:
`making` makes the next version in slices; `layered` changes an index of 100,000 entries without copying it.
"""
