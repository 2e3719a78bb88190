"""Tables for the terminal."""

from collections.abc import Sequence

from quantiphy import Quantity
from rich.table import Table

from cosim.experiments.bench import OpAmpSheet

COLUMNS = (
    ("dc_gain_decibel", "gain", "dB"),
    ("gbw_hertz", "GBW", "Hz"),
    ("phase_margin_degree", "margin", "deg"),
    ("slew_rise_volt_per_second", "slew up", "V/s"),
    ("slew_fall_volt_per_second", "slew down", "V/s"),
    ("settling_second", "settle 0.1 %", "s"),
    ("output_low_volt", "out low", "V"),
    ("output_high_volt", "out high", "V"),
    ("input_high_volt", "in high", "V"),
    ("offset_volt", "offset", "V"),
    ("cmrr_decibel", "CMRR", "dB"),
    ("psrr_decibel", "PSRR", "dB"),
    ("input_noise_volt_per_root_hertz", "noise/rtHz", "V"),
    ("supply_ampere", "supply", "A"),
)


def spec_table(sheets: Sequence[OpAmpSheet], design: dict[str, float]) -> Table:
    """Measured values, a row each condition, under the design's own."""
    table = Table(title=f"op-amp, {sheets[0].condition.fidelity}", box=None, pad_edge=False)
    table.add_column("corner")
    table.add_column("C", justify="right")
    for _, title, _ in COLUMNS:
        table.add_column(title, justify="right")
    table.add_row(
        "design",
        "",
        *(_shown(design[name], unit) if name in design else "" for name, _, unit in COLUMNS),
    )
    for sheet in sheets:
        values = sheet.measured.as_dict()
        table.add_row(
            sheet.condition.corner,
            f"{sheet.condition.temperature_celsius:g}",
            *(_shown(values[name], unit) for name, _, unit in COLUMNS),
        )
    return table


def _shown(value: float, unit: str) -> str:
    if unit in ("dB", "deg"):
        return f"{value:.0f}"
    return Quantity(value, unit).render(prec=2)
