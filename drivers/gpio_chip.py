"""Finds and opens a GPIO chip, and says in sentences why a chip or a line cannot be used.

One rule: whatever goes wrong here ends as a LineError whose text tells the installer what to do.
"""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import gpiod

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

DEVICES: Final = Path("/dev")


class LineError(OSError):
    """The chip or a line cannot be used; the text is a sentence that says what to do."""

    def __str__(self) -> str:
        """The sentence, without the number."""
        return str(self.strerror)


def open_chip(chip: int | str) -> gpiod.Chip:
    """Open a chip by number (0: /dev/gpiochip0), path, name or label such as `pinctrl-rp1`.

    Raises LineError when there is no such chip or it may not be opened.
    """
    if isinstance(chip, str) and not chip.startswith("/"):
        return _open_by_label(chip)
    path = DEVICES / f"gpiochip{chip}" if isinstance(chip, int) else Path(chip)
    try:
        return gpiod.Chip(str(path))
    except OSError as error:
        raise _explain_chip(error, path) from error


class ChipFinder:
    """Opens the chip that a driver is wired to, also after it has come back under another number.

    The kernel numbers chips in the order in which they appear. Once a chip has been opened by its number, it is known
    by its label: if another chip has taken the number, its relays must not be driven.
    """

    def __init__(self, chip: int | str) -> None:
        """`chip` is what the configuration says; see `open_chip`."""
        self._chip = chip
        self._label = ""

    def open(self) -> gpiod.Chip:
        """Open the chip. Raises LineError when there is none, or when it could be one of several."""
        chip = self._by_its_number() if self._label else None
        if chip is None:
            chip = open_chip(self._chip) if not self._label else _open_only(self._label, self._chip)
        if _is_a_number(self._chip):
            self._label = chip.get_info().label
        return chip

    def _by_its_number(self) -> gpiod.Chip | None:
        """The chip of the configured number, if its label is still the same."""
        try:
            chip = open_chip(self._chip)
        except LineError as error:
            if error.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
                return None
            raise
        if chip.get_info().label == self._label:
            return chip
        chip.close()
        return None


def _is_a_number(chip: int | str) -> bool:
    """Whether the kernel's numbering decides which chip is meant. A link by udev or a label always means the same."""
    return isinstance(chip, int) or re.fullmatch(r"(.*/)?gpiochip\d+", chip) is not None


def busy_lines(chip: gpiod.Chip, lines: Collection[int]) -> dict[int, str]:
    """Which of these lines are held: line -> the name that the holder gave."""
    infos = [chip.get_line_info(line) for line in lines if line < chip.get_info().num_lines]
    return {info.offset: info.consumer or "a program without a name" for info in infos if info.used}


def explain_line(
    chip: gpiod.ChipInfo, error: Exception, line: int, busy: Callable[[Collection[int]], Mapping[int, str]]
) -> LineError:
    """Why a line cannot be used; `busy` finds its holder."""
    number = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
    if line >= chip.num_lines:
        text = f"line {line} of {chip.name} does not exist: use one of 0 to {chip.num_lines - 1}"
    elif number == errno.EBUSY:
        holder = busy([line]).get(line, "a program that has just released it")
        text = f"line {line} of {chip.name} is held by {holder!r}: stop that program or overlay, or use another line"
    elif number == errno.ENODEV:
        text = f"{chip.name} ({chip.label}) has gone: look at its power and cable; line {line} does not answer"
    else:
        text = f"line {line} of {chip.name} does not work as configured: {error}"
    return LineError(number, text)


def _open_only(label: str, was: int | str) -> gpiod.Chip:
    """The one chip of this label. Raises LineError."""
    found, refused, seen = _chips()
    ours = [chip for chip in found if chip.get_info().label == label]
    for chip in found:
        if len(ours) != 1 or chip is not ours[0]:
            chip.close()
    if len(ours) == 1:
        return ours[0]
    if refused is not None:
        raise refused
    name = f"gpiochip{was}" if isinstance(was, int) else was
    if ours:
        text = f"{name} ({label}) has gone, and {len(ours)} other chips have its label: set `chip` to the path of one"
    else:
        text = (
            f"{name} ({label}) has gone, and no other chip has its label: this machine has {', '.join(seen) or 'none'}"
        )
    raise LineError(errno.ENOENT, text)


def _chips() -> tuple[list[gpiod.Chip], LineError | None, list[str]]:
    """Every chip of this machine, open; the error of a chip that could not be opened; the labels."""
    refused: LineError | None = None
    found = []
    for path in sorted(DEVICES.glob("gpiochip*")):
        try:
            found.append(gpiod.Chip(str(path)))
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EPERM}:
                refused = _explain_chip(error, path)
    return found, refused, [chip.get_info().label for chip in found]


def _open_by_label(label: str) -> gpiod.Chip:
    found, refused, seen = _chips()
    ours = next((chip for chip in found if label in {chip.get_info().label, chip.get_info().name}), None)
    for chip in found:
        if chip is not ours:
            chip.close()
    if ours is not None:
        return ours
    if refused is not None:
        raise refused
    raise LineError(errno.ENOENT, f"no GPIO chip is called {label!r}: this machine has {', '.join(seen) or 'none'}")


def _explain_chip(error: OSError, path: Path) -> LineError:
    if error.errno in {errno.EACCES, errno.EPERM}:
        text = f"{path} may not be opened: put the user that runs doord into the group gpio"
    elif error.errno == errno.ENOENT:
        present = ", ".join(found.name for found in sorted(DEVICES.glob("gpiochip*"))) or "none"
        text = f"{path} does not exist: set `chip` to one of this machine's GPIO chips ({present})"
    elif error.errno in {errno.ENOTTY, errno.ENODEV}:
        text = f"{path} is not a GPIO chip"
    else:
        text = f"{path} cannot be opened: {error.strerror}"
    return LineError(error.errno or errno.EIO, text)
