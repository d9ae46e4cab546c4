"""A directory as a document: how it is written down, read and checked.

In: `json_pieces` reads a large document piece by piece, `tables` checks each entry, `entries` makes a value of it,
`references` checks that the entries it refers to exist; `reading` runs all of this. Out: `writing` makes a document
of a directory, `forms` the parts of entries that are not plain values. Each key is described once, in `tables`:
reading, writing and the history derive from its description (`keys`).
"""
