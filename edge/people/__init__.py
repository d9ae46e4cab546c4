"""What somebody at a desk does with the people of the directory: find, show, add, change and bar them, give cards.

`finding`, `groups` and `cards` say who or what is meant; `roll` is everybody by name, `facts` what is known of one.
`changing`, `card_changes` and `visitors` plan an edit, `names` makes ids for it. `access/` says who may pass where,
`words` and `times` are schedules and moments for reading, `exchange/` is the directory as a file. All is pure; what
looks at everybody is a generator, and `slices` runs it. Others may use every module.
"""
