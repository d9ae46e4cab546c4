"""What somebody at a desk does with the people of the directory: find and show them, and see who may pass where.

`finding` says who is meant by a name, an e-mail or an id, `cards` which card by a number; `roll` is everybody by name,
`facts` what is known of one. All of it is pure: a directory and a time come in, values go out. What
looks at every person is a generator that yields after each slice, because a directory may be large: `slices` runs it.
Others may use `finding`, `cards`, `roll`, `facts` and `slices`.
"""
