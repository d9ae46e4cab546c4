"""Enrolment: somebody at a desk waits for the next card that nobody has, or takes an unknown one from the history.

`listening` is who waits at which readers, a pure value; `enrolments` keeps it with a timer and the readers' lights.
`keeping` says which unknown cards are kept, a pure value; `unknown_cards` keeps them over a restart, `store` in a file.
Others may use `enrolments`, `listening`, `keeping` and `unknown_cards`.
"""
