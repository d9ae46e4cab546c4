"""What the control socket is answered.

`service` checks a request and calls what it asks for; the other modules each serve one operation. `page_rights` is what
the local page may ask.
"""
