"""How well a golden trace knows its own signals: kept as events, under the content's hash.

Of each signal what thinning cost at most, at any point that was dropped, and what the run's own
steps cost, from a second run with finer ones; of each table the grid before it was thinned.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from cosim.trace.reader import Trace
from cosim.trace.record import checking

EVENT = "golden"
"""Kind of the event that says why a trace was taken."""

_BOUND, _GRID = "golden bound", "golden grid"


class Bound(BaseModel):
    """Of one signal, in its unit.

    Attributes:
        thinning: largest distance of a dropped point from the line between those kept.
        numerical: largest distance from a run with steps halved; None: not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    signal: str
    thinning: float = Field(ge=0)
    numerical: float | None = Field(ge=0)


class Grid(BaseModel):
    """Of one table, before it was thinned.

    Attributes:
        table: '' for the signals, 'coupling/' for what crossed the lockstep interface.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    table: str
    points: int = Field(ge=1)
    longest_step_second: float = Field(ge=0)


@dataclass(frozen=True)
class Bounds:
    """Of a golden trace, or of one of its members: by signal, and by table."""

    signals: dict[str, Bound]
    grids: dict[str, Grid]

    @classmethod
    def read(cls, golden: Trace) -> "Bounds":
        """What a trace keeps; nothing if it is no golden one.

        Raises:
            TraceError: what it keeps is damaged.
        """
        with checking(golden.path):
            said = golden.events
            bounds = [Bound.model_validate_json(e.message) for e in said if e.kind == _BOUND]
            grids = [Grid.model_validate_json(e.message) for e in said if e.kind == _GRID]
        return cls({one.signal: one for one in bounds}, {one.table: one for one in grids})

    def events(self) -> list[tuple[str, str]]:
        """Kinds and messages, as `read` expects them."""
        return [
            *((_GRID, grid.model_dump_json()) for grid in self.grids.values()),
            *((_BOUND, bound.model_dump_json()) for bound in self.signals.values()),
        ]
