"""The configuration as frozen values, checked at the border.

`tables` and its neighbours are the tables of the TOML file as pydantic models: the default and the range of a setting
are there. `controller` has the result: `controller.Settings`, with a value for each driver and door, and the difference
of two such values. `edge/config/` makes them from a file. Others may use every module.
"""
