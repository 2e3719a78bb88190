"""A datasheet's result as text: terminal, Markdown, CSV, JUnit."""

import csv
import io
from xml.etree import ElementTree

from quantiphy import Quantity
from rich.table import Table
from rich.text import Text

from cosim.characterise.datasheet.judging import Judgement, ParameterResult, Result, Row
from cosim.characterise.datasheet.tasks import described

PLAIN_UNITS = ("", "dB", "deg", "%")
SHOWN_FAILURES = 10
COLUMNS = ("parameter", "unit", "limits", "minimum", "typical", "maximum", "draws", "yield", "")
_STYLES = {
    Judgement.PASSED: "green",
    Judgement.WARNED: "yellow",
    Judgement.CANNOT_TELL: "magenta",
    Judgement.FAILED: "bold red",
}


def shown(value: float | None, unit: str) -> str:
    """A value with its unit, four digits."""
    if value is None:
        return "-"
    if unit in PLAIN_UNITS:
        return f"{value:.4g} {unit}".strip()
    return Quantity(value, unit).render(prec=3)


def limits_text(of: ParameterResult) -> str:
    """Such as `60 dB .. 90 dB`; a `?` after those that only warn."""
    low, typical, high = of.limits.minimum, of.limits.typical, of.limits.maximum
    parts = []
    if low is not None:
        parts.append(f"≥ {shown(low.value, of.unit)}{'?' * (low.severity == 'warn')}")
    if typical is not None:
        off = f"± {100 * typical.tolerance:g} %"
        parts.append(f"{shown(typical.value, of.unit)} {off}{'?' * (typical.severity == 'warn')}")
    if high is not None:
        parts.append(f"≤ {shown(high.value, of.unit)}{'?' * (high.severity == 'warn')}")
    return ", ".join(parts)


def summary_rows(result: Result) -> list[list[str]]:
    """A row for each parameter, under `COLUMNS`."""
    return [
        [
            one.title,
            one.unit,
            limits_text(one),
            *(shown(value, one.unit) for value in (one.minimum, one.typical, one.maximum)),
            "" if one.draws is None else _spread(one),
            "" if one.draws is None else _yield(one),
            str(one.judgement),
        ]
        for one in result.parameters.values()
    ]


def _spread(of: ParameterResult) -> str:
    assert of.draws is not None
    return f"{shown(of.draws.mean, of.unit)} ± {shown(of.draws.sigma, of.unit)}"


def _yield(of: ParameterResult) -> str:
    assert of.draws is not None
    low, high = (100 * end for end in of.draws.interval)
    return f"{100 * of.draws.yielded:.3g} % ({low:.3g} .. {high:.3g})"


def terminal_table(result: Result) -> Table:
    """The summary for a terminal."""
    table = Table(title=result.title, box=None, pad_edge=False)
    for title in COLUMNS:
        table.add_column(title, justify="left" if title in ("parameter", "") else "right")
    for one, row in zip(result.parameters.values(), summary_rows(result), strict=True):
        table.add_row(*row[:-1], Text(row[-1], _STYLES[one.judgement]))
    return table


def failing_lines(result: Result, most: int = SHOWN_FAILURES) -> list[str]:
    """Failing conditions and seeds, the worst of each parameter first, with their commands."""
    lines = []
    for name, one in result.parameters.items():
        for row in one.failing[:most]:
            what = row.fault if row.value is None else shown(row.value, one.unit)
            lines.append(f"{name} at {described(row.point)}: {row.beyond or 'cannot tell'}, {what}")
            lines.append(f"    {result.repeating} {row.key}")
        if len(one.failing) > most:
            lines.append(f"{name}: {len(one.failing) - most} more in the CSV and JSON files")
    return lines


def influence_lines(result: Result) -> list[str]:
    """Which condition moves each parameter most."""
    return [
        f"{name}: "
        + ", ".join(f"{what} {100 * abs(share):.0f} %{'↓' if share < 0 else ''}"
                    for what, share in one.influence.items())
        for name, one in result.parameters.items()
        if one.influence
    ]  # fmt: skip


def markdown(result: Result) -> str:
    """For a repository's page: the table, what fails, what moves what."""
    head = [
        f"# {_cell(result.title)}: {result.judgement}",
        "",
        "; ".join(
            [
                f"{result.done} of {result.wanted} points",
                *(f"{name}: {_cell(values)}" for name, values in result.conditions.items()),
            ]
        )
        + f". {', '.join(f'{name} {one}' for name, one in result.software.items())}.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    rows = ["| " + " | ".join(map(_cell, row)) + " |" for row in summary_rows(result)]
    parts = [*head, *rows, "", *(f"{_cell(note)}\n" for note in result.trusted)]
    if failing := failing_lines(result):
        parts += ["## Beyond limits, or not known", "", "```text", *failing, "```", ""]
    if moved := influence_lines(result):
        parts += [
            "## What moves what",
            "",
            "Share of the variance over the conditions; ↓: falls with it.",
            "",
            *(f"- {_cell(line)}" for line in moved),
            "",
        ]
    return "\n".join(parts)


def _cell(text: str) -> str:
    for character in "\\|<>`*_[]":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def as_csv(result: Result) -> str:
    """A line for each parameter at each point."""
    names = list(
        dict.fromkeys(
            name for one in result.parameters.values() for row in one.rows for name in row.point
        )
    )
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["parameter", "unit", *names, "value", "beyond", "fault", "key"])
    for name, one in result.parameters.items():
        for row in one.rows:
            value = "" if row.value is None else repr(row.value)
            point = [_plain(row.point.get(what, "")) for what in names]
            lines.writerow([name, one.unit, *point, value, row.beyond, row.fault, row.key])
    return out.getvalue()


def _plain(value: object) -> object:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value


def junit(result: Result) -> str:
    """JUnit XML: a test case for each parameter; what cannot be told is an error."""
    suite = ElementTree.Element("testsuite", name=result.name, tests=str(len(result.parameters)))
    failures = errors = 0
    for name, one in result.parameters.items():
        case = ElementTree.SubElement(suite, "testcase", classname=result.name, name=name)
        if one.judgement in (Judgement.PASSED, Judgement.WARNED):
            continue
        failed = one.judgement is Judgement.FAILED
        failures, errors = failures + failed, errors + (not failed)
        said = "\n".join(_said(result, one, row) for row in one.failing[:SHOWN_FAILURES])
        kind = "failure" if failed else "error"
        ElementTree.SubElement(case, kind, message=f"{one.title}: {one.judgement}").text = said
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _said(result: Result, of: ParameterResult, row: Row) -> str:
    value = row.fault if row.value is None else shown(row.value, of.unit)
    return f"{described(row.point)}: {value}; {result.repeating} {row.key}"
