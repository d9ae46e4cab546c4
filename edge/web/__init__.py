"""The local page: a service of its own (`doorweb`) that shows doors and history in a browser.

One rule: it knows only what doord tells it at its socket; it opens no log, no hardware and no line outside.
"""
