"""One link to one broker over paho, driven by the asyncio loop.

`link` is the connection, `terms` what both sides agree on, `client` paho in fewer and larger steps, `intake`
how much may come in.
"""
