"""Numbers as SPICE writes them. Source: ngspice manual, section 2.1.3 (scale factors)."""

import re

SCALES = {
    "t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6, "n": 1e-9,
    "p": 1e-12, "f": 1e-15, "a": 1e-18, "µ": 1e-6, "μ": 1e-6,
}  # fmt: skip
_NUMBER = re.compile(
    r"^(?P<digits>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(?P<scale>meg|mil|[tgkmunpfaµμ])?"
    r"(?P<rest>[a-zΩ]*)$",
    re.IGNORECASE,
)


def number(text: str) -> float | None:
    """A number with its scale factor; None for an expression or a word; NaN as it stands."""
    if text.strip("+-").lower() in ("nan", "inf", "infinity"):
        return float(text)
    match = _NUMBER.match(text)
    if match is None:
        return None
    return float(match["digits"]) * SCALES.get((match["scale"] or "").lower(), 1.0)


def scale_and_rest(text: str) -> tuple[str, str]:
    """The letters after the digits as they are written, `("M", "Ohm")`; empty where none are."""
    match = _NUMBER.match(text)
    return ((match["scale"] or ""), match["rest"]) if match else ("", "")
