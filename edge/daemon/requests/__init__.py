"""Answers the requests at the control socket.

`service` checks a request and calls what it asks for; the other modules each serve one operation. `page_rights` says
what the local page may ask.
"""
