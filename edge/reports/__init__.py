"""What may be asked of the history; event reports, and who asked for one.

`searches` checks what was asked and `search_words` says what its words mean. `file` writes a report as CSV or JSON
Lines. `scheduled` says when one is due, `runner` writes it, `exports` records who asked. Others may use `searches`,
`search_words`, `file`, `runner` and `exports`.
"""
