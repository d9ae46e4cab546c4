"""The configuration as frozen values, checked at the border.

`tables` and its neighbours are the tables of the TOML file as pydantic models; a default of a setting is found there.
`controller` has what comes out: `Settings`, with a value for each driver and door, and how two of them differ.
`edge/config/` makes them from a file. Everybody above may import every module of this room.
"""
