"""What a receiver is sent, and how: a webhook, a syslog server, a mail server.

`webhook` posts a signed event, or a message in a `chat` format, by `posting`; `syslog_sink` keeps a connection for
messages of `syslog`; `mail_conversation` hands one message to a mail server.
"""
