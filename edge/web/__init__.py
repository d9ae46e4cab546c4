"""The local page: a service of its own (`doorweb`) that shows doors and history in a browser.

One rule: it knows only what doord tells it at its socket; it opens no log, no hardware and no line outside. `server`
is the program, `app` has every path, `pages/` what each answers. `guard` stands before all of them with headers and
the session; `page` believes a form only with the token of its session (CSRF). `accounts` are who may sign in. Others
may use `accounts`.
"""
