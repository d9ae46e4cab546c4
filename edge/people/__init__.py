"""What somebody at a desk does with the people of the directory: find them, and see who may pass where.

`finding` says who is meant by a name, an e-mail or an id. All of it is pure: a directory and a time come in, values go
out. What looks at every person is a generator that yields after each slice, because a directory may be large:
`slices` runs it. Others may use `finding` and `slices`.
"""
