"""Who there is, what they carry, and where and when they may pass.

`directory.Directory` is the value that decisions read; `document/` makes it from JSON, or says everything that is
wrong. `in_force` keeps the one that counts: made beside the doors (`building`), taken up at the start (`disk`,
`store`, `replaying`), replaced as a whole or by `edits/`, its `changes` recorded (`audit`). `cards` are card formats,
`pins` how PINs are kept. Others may use `directory`, `cards`, `pins`, `in_force`, `store`, `document/` and `edits/`.
"""
