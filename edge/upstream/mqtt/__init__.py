"""One link to one broker over paho, driven by the asyncio loop.

`link` is the connection, `terms` what both sides announce, `client` a quicker subclass of paho's client, `publish`
reads a packet of the broker's, `intake` limits how much is read.
"""
