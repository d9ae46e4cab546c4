"""Who may pass where and when, and why somebody may not.

`places` says which door, elevator or floor is meant. `passing` lists who may pass it, `overview` has groups and
schedules. `explaining` asks the function that decides at the door, `sentences` says what it answered. All is pure.
"""
