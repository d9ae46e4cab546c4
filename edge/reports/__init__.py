"""Searches in the history, and event reports.

`searches` checks a search and `search_words` turns it into a query of the log. `file` writes a report as CSV or JSON
Lines. `scheduled` says when one is due, `runner` writes it, `exports` records who asked. `passages` makes one row of
the records of a passage. Others may use `searches`, `search_words`, `file`, `runner`, `exports` and `passages`.
"""
