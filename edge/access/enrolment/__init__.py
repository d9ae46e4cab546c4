"""Enrolment by presenting: somebody at a desk waits for the next card that nobody has.

`listening` is who waits at which readers, a pure value; `enrolments` keeps it with a timer and the readers' lights.
Others may use `enrolments` and `listening`.
"""
