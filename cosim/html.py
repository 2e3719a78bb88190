"""Pieces of HTML for notebooks: headings and tables, every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape


def heading(text: str, note: str = "") -> str:
    """A line with a name in bold, and a note after it."""
    return f"<div><b>{escape(text)}</b> {escape(note)}</div>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of texts."""
    head = "".join(f"<th style='text-align:left'>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded(summary: str, content: str) -> str:
    """What is shown when its summary is clicked; `content` is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"
