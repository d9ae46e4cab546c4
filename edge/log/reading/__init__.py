"""Reading the log: what is asked (`filters`), how it is answered (`query`), and when a record happened (`times`)."""
