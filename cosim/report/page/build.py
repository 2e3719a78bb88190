"""Makes the page: one self-contained HTML file, every text escaped, no script but its own.

A content security policy names the page's own scripts by their hashes; whatever else might have
got in is not run. The page asks for nothing from anywhere.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cosim.files import make_folder, replacing
from cosim.report.page.content import View

SCRIPTS = ("writing", "table", "panels", "run", "cloud", "start")
"""Of the folder `script`, each using those before it."""

BUDGET_BYTE = 5_000_000
"""Of all waveforms, before they are compressed and written as text."""


def page(views: Sequence[View], title: str, *, live: bool = False) -> str:
    """The HTML of some runs.

    Args:
        live: it asks its own server for news.
    """
    scripts = [_asset("uplot/uPlot.iife.min.js"), _script()]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            views=views,
            live=live,
            version=version("cosim"),
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            policy=_policy(scripts, live),
            style=Markup(_asset("uplot/uPlot.min.css") + _asset("page.css")),
            scripts=[Markup(script) for script in scripts],
            data=_json([view.data for view in views]),
        )
    )


def write_page(views: Sequence[View], title: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        ConfigurationError: the folder cannot be written to.
    """
    make_folder(path.parent)
    with replacing(path) as partial:
        partial.write_text(page(views, title), encoding="utf8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cosim.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return files("cosim.report.page").joinpath(name).read_text(encoding="utf8")


@cache
def _script() -> str:
    """The page's own, its files joined into one function."""
    parts = (_asset(f"script/{name}.js") for name in SCRIPTS)
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])


def _policy(scripts: Sequence[str], live: bool) -> str:
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    ]
    asks = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; "
        f"img-src data:; connect-src {asks}; base-uri 'none'; form-action 'none'"
    )


def _json(content: object) -> Markup:
    """JSON inside a script element: nothing in it can end the element."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
