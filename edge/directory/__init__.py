"""People, their cards and PINs, and where and when they may pass.

`directory.Directory` is the value that decisions read; `document/` makes it from JSON, or reports all problems.
`in_force` keeps the directory in force: built in the background (`building`), loaded at the start (`disk`, `store`,
`replaying`), replaced as a whole or changed by `edits/`, its `changes` recorded (`audit`). `cards` are card formats,
`pins` how PINs are hashed. Others may use `directory`, `cards`, `pins`, `in_force`, `store`, `document/` and `edits/`.
"""
