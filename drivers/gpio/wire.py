"""A line in use: what the GPIO driver knows about it while it is open; and the time of its edges.

One rule: nothing is decided here; it keeps what was last driven or reported, and converts times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.model.messages import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.gpio.points import Input, Output

SUSPENDED_NS: Final = 1_000_000
"""The two clocks drift apart only while the machine is suspended; less than this is noise."""


class Wire:
    """A point and its gpiozero device while the driver is open."""

    def __init__(self, name: str, point: Output | Input, device: Any) -> None:  # noqa: ANN401 -- gpiozero has no types
        """Of an output that was claimed at rest, or of an input that has not been read."""
        self.name = name
        self.point = point
        self.device = device
        self.asserted: bool | None = None
        """Inputs: as last reported. Outputs: as last driven."""
        self.ticks: Any = None
        """When an input was last reported, on the factory's clock."""
        self.lost = 0
        """Inputs: how many edges of the pin were lost before the last report."""
        self.confirmed = True
        """Outputs: whether nothing is left to confirm, as at the resting level with which `open` claims the line."""
        self.wrong = 0
        """Outputs: read-backs in a row that disagreed."""
        self.edge: Callable[[Any, Any], None] | None = None
        """Kept here because gpiozero holds it only weakly."""

    def read(self) -> bool:
        """Whether the line shows the point's active level now."""
        return bool(self.device.pin.state) == self.point.active_high


class BootTime:
    """Turns the factory's ticks (CLOCK_MONOTONIC) into nanoseconds of the boot clock."""

    def __init__(self, factory: Any, now_ns: Callable[[], int]) -> None:  # noqa: ANN401 -- gpiozero has no types
        """Compare the clocks for the first time."""
        self._factory = factory
        self._now_ns = now_ns
        self._ticks, self._boot_ns, _ = self._compare()

    def at_ns(self, ticks: Any) -> int:  # noqa: ANN401 -- opaque by gpiozero's contract
        """The boot clock at these ticks."""
        since_s: float = self._factory.ticks_diff(ticks, self._ticks)
        return self._boot_ns + round(since_s * NS_PER_S)

    def sync(self) -> None:
        """Compare the clocks, by the narrowest of three tries, and follow if they have parted."""
        ticks, boot_ns, width_ns = self._compare()
        if abs(boot_ns - self.at_ns(ticks)) > SUSPENDED_NS + width_ns:
            self._ticks, self._boot_ns = ticks, boot_ns

    def _compare(self) -> tuple[Any, int, int]:
        tries = []
        for _ in range(3):
            before, boot_ns, after = self._factory.ticks(), self._now_ns(), self._factory.ticks()
            tries.append((round(self._factory.ticks_diff(after, before) * NS_PER_S), before, boot_ns))
        width_ns, ticks, boot_ns = min(tries, key=lambda a_try: a_try[0])
        return ticks, boot_ns, width_ns
