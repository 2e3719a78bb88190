"""When waveforms of a circuit begin and how long they take, for the blocks that play them."""

from typing import Protocol


class Timing(Protocol):
    """A precharge, in which waveforms stand still, then one solve; the first value is held before.

    Attributes:
        volt_per_unit: what one unit of a waveform is.
    """

    @property
    def precharge_second(self) -> float: ...

    @property
    def solve_second(self) -> float: ...

    @property
    def volt_per_unit(self) -> float: ...

    @property
    def supply_volt(self) -> float: ...
