"""Alerts: who is notified at once of what happened, and how.

`rules` decides from committed records what is an alert, what repeats it and when it escalates: values only. `untold`
are the alarms that no policy tells, `facts` what others see of open ones. `runner` reads the log with a cursor of its
own; `sender` has a task for each channel, `channels` sends on each of them, two are `mail` and `ntfy`; `trial` tests a
policy. `memory` keeps the `state`, `directory_view` asks the directory. Others may use `runner`, `channels`, `mail`,
`ntfy`, `directory_view` and `untold`.
"""
