"""What somebody at a desk does with the people of the directory: find, show, add, change and bar them, give cards.

`finding`, `groups` and `cards` say who or what is meant; `roll` is everybody by name, `facts` what is known of one.
`changing` and `card_changes` plan an edit, `names` makes ids for it. All of it is pure: a directory and a time come
in, values go out. What looks at every person is a generator that yields after each slice, because a directory may be
large: `slices` runs it. Others may use every module but `groups` and `names`.
"""
