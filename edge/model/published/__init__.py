"""The published documents about the state of doors and controller: every field with its type and meaning.

`doors.DoorStateJson` is retained on `doors/<door>/state`, `controller.ControllerStateJson` on `status`;
`status.StatusJson` is what `doorctl status --json` prints. The tables of docs/mqtt.md and docs/doorctl.md are
written from here. Types only: doord never imports it, and a test holds what a running daemon says against it.
"""
