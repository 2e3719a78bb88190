"""What the transistors of an ensemble's member are."""

from typing import NamedTuple


class Variant(NamedTuple):
    """What a member's transistors are: their corner, or a draw around the typical one."""

    corner: str
    monte_carlo_seed: int | None

    @property
    def description(self) -> str:
        """In words."""
        if self.monte_carlo_seed is None:
            return f"corner {self.corner}"
        return f"Monte Carlo seed {self.monte_carlo_seed}"
