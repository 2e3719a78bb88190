"""Numbers as users give them: floats in SI units, or text as in a netlist ('50u', '1.2meg')."""

import math

from cosim.errors import ConfigurationError
from cosim.netlist.numbers import number


def si(value: float | str, what: str) -> float:
    """A finite number in SI units.

    Args:
        value: SPICE's suffixes are those of text: 'm' is milli, 'meg' mega; letters after them
            are a unit, and ignored ('50us').
        what: names it in the error.

    Raises:
        ConfigurationError: it is no finite number.
    """
    found = number(value.strip()) if isinstance(value, str) else float(value)
    if found is None or not math.isfinite(found):
        raise ConfigurationError(
            f"{what} is {value!r}, which is no finite number. Give a float in SI units, or text "
            "with a SPICE suffix such as '50u' or '1.2meg'."
        )
    return found
