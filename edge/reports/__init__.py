"""Searches in the history, and event reports.

`searches` checks a search and `search_words` turns it into a query of the log. `file` writes a report as CSV or JSON
Lines. `scheduled` says when one is due, `runner` writes it, `exports` records who asked. Others may use `searches`,
`search_words`, `file`, `runner` and `exports`.
"""
