"""Fidelity: how much of a block's physics its netlist holds."""

from enum import StrEnum

from cosim.errors import ConfigurationError


class Fidelity(StrEnum):
    """Every block can be asked for at each of these; see `require` for those it has."""

    IDEAL = "ideal"
    MACRO = "macro"
    TRANSISTOR = "transistor"


def require(block: str, asked: Fidelity, *available: Fidelity) -> None:
    """Refuse a fidelity that a block does not have.

    Raises:
        ConfigurationError: `asked` is not among `available`.
    """
    if asked not in available:
        raise ConfigurationError(
            f"Block '{block}' has no fidelity '{asked}' yet; it has "
            f"{', '.join(repr(str(level)) for level in available)}. Choose one of these."
        )
