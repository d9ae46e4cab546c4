"""Pictures of what happened at doors.

`pictures` decides which records have one and has a task for each camera; `fetch` asks the camera (`auth`), `store`
keeps files within a quota. Others may use `pictures`.
"""
