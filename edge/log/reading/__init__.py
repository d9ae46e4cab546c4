"""Reading the log: what is asked (`filters`), how it is answered (`query`), and when a record happened (`times`).

`walk` goes through all of it for a report, `thread` reads beside the loop, `boots` knows the runs of the computer.
"""
