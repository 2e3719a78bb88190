"""Two datasheets side by side: before and after a change, two fidelities, two processes."""

from pathlib import Path

from pydantic import ValidationError
from rich.table import Table

from cosim.characterise.datasheet.judging import ParameterResult, Result
from cosim.characterise.datasheet.text import shown
from cosim.errors import ConfigurationError
from cosim.trace.tolerances import faults_of

COLUMNS = ("parameter", "", "other", "this", "change", "of sigma", "judgement")


def read_result(path: Path) -> Result:
    """A result as `cosim characterise` writes it.

    Raises:
        ConfigurationError: it cannot be read, or is none.
    """
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is no result of `cosim characterise`: {faults_of(error)[:300]}. Give the "
            "datasheet.json of its folder."
        ) from None


def comparison_rows(this: Result, other: Result) -> list[list[str]]:
    """Under `COLUMNS`: minimum, typical, maximum and draws of each parameter that changed.

    Values are equal where all their bits are.
    """
    rows = []
    for name in dict.fromkeys([*other.parameters, *this.parameters]):
        before, after = other.parameters.get(name), this.parameters.get(name)
        if before is None or after is None:
            where = "only in this" if before is None else "only in the other"
            rows.append([name, "", "", "", where, "", ""])
            continue
        judgement = str(after.judgement)
        if before.judgement is not after.judgement:
            judgement = f"{before.judgement} -> {after.judgement}"
        for what, old, new in _values(before, after):
            if old != new:
                rows.append([
                    name, what, shown(old, before.unit), shown(new, after.unit),
                    _change(old, new), _of_sigma(before, old, new), judgement,
                ])  # fmt: skip
    return rows


def _values(
    before: ParameterResult, after: ParameterResult
) -> list[tuple[str, float | None, float | None]]:
    found = [
        (what, getattr(before, what), getattr(after, what))
        for what in ("minimum", "typical", "maximum")
    ]
    for what in ("mean", "sigma"):
        if before.draws is not None and after.draws is not None:
            found.append((what, getattr(before.draws, what), getattr(after.draws, what)))
    return found


def _change(old: float | None, new: float | None) -> str:
    if old is None or new is None:
        return "" if new is None else "new"
    return f"{100 * (new - old) / abs(old):+.3g} %" if old else f"{new - old:+.3g}"


def _of_sigma(before: ParameterResult, old: float | None, new: float | None) -> str:
    """A change beside the spread of the other's draws."""
    if before.draws is None or not before.draws.sigma or old is None or new is None:
        return ""
    return f"{(new - old) / before.draws.sigma:+.2g}"


def comparison_table(this: Result, other: Result) -> Table:
    """For a terminal."""
    table = Table(title=f"{this.name} against {other.name}", box=None, pad_edge=False)
    for title in COLUMNS:
        table.add_column(title, justify="left" if title in ("parameter", "judgement") else "right")
    for row in comparison_rows(this, other):
        table.add_row(*row)
    return table
