"""The configuration as frozen values, checked at the border.

`tables` and its neighbours are the tables of the TOML file as pydantic models: the default and the range of a setting
are there. `controller` has what comes out: `controller.Settings`, with a value for each driver and door, and how two
of them differ. `edge/config/` makes them from a file. Others may use every module.
"""
