"""MQTT discovery for Home Assistant: a retained message for each device.

`discovery` says which devices there are, and when their messages leave; `entities` what each device has, with the
templates that read our topics. Others may use `discovery`.
"""
