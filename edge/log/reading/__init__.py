"""Reading the log: what is asked (`filters`), how it is answered (`query`), and when a record happened (`times`).

`pieces` are the parts that a query looks at, `boots` the runs of the computer. `walk` goes through all of it for a
report, `thread` reads beside the loop.
"""
