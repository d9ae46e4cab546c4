"""A TOML file becomes frozen settings, or everything that is wrong with it.

In: `reading.load` goes through the document; `files`, `interlock_groups` and `warnings` look at what it names.
`source` keeps the last configuration that was in force. `checking` is `doorctl check`, `provision` what the installer
asks. Others may use `reading`, `source`, `checking`, `files`, `warnings` and `provision`.
"""
