"""Every claim of results/claims.toml, read again from its data and found on its page."""

import csv
import json
import math
import re
import tomllib
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

from cosim.diffusion.studies.figures import PROJECT_FIGURES, gallery

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = tomllib.loads((ROOT / "results" / "claims.toml").read_text(encoding="utf8"))["claim"]


def value_of(claim: dict[str, Any]) -> float:
    """The number as the data have it: the one row of a table that fits, or what `over` makes of
    many, in units of the claim `per`; or a JSON path; of a text there, the group of its pattern.
    """
    path = ROOT / claim["file"]
    if path.suffix == ".json":
        found: Any = json.loads(path.read_text(encoding="utf8"))
        for key in claim["field"].split("."):
            found = found[key]
        if "pattern" in claim:
            (found,) = re.findall(claim["pattern"], found)
        return float(found)
    with path.open(encoding="utf8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if all(row[key] == value for key, value in claim.get("row", {}).items())
        ]
    values = [float(row[claim["field"]]) for row in rows]
    if "over" in claim:
        found = {"max": max, "mean": fmean, "median": median}[claim["over"]](values)
    else:
        assert len(rows) == 1, f"{claim}: {len(rows)} rows fit"
        (found,) = values
    unit = value_of(claim["per"]) if "per" in claim else 1.0
    return float(found) * claim.get("scale", 1.0) / unit


NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


def quoted(page: str, quote: str) -> set[str]:
    """Numbers that stand on a page where the quote has {}; where it has ~ there may be any."""
    pattern = re.escape(quote).replace(r"\~", NUMBER).replace(r"\{\}", f"(?<![\\d.])({NUMBER})")
    return set(re.findall(pattern, " ".join(page.split())))


def test_a_quote_is_found_with_its_number() -> None:
    page = "takes 5 us;\nODE: 3.07x (12 seeds), SDE: -1.2e+03x (20 seeds); then 12.5x"
    assert quoted(page, "ODE: {}x (~ seeds)") == {"3.07"}
    assert quoted(page, "{}x (~ seeds)") == {"3.07", "-1.2e+03"}
    assert not quoted(page, "then ~.{}x"), "a number is taken whole"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["quote"][-50:])
def test_a_claim_is_its_data(claim: dict[str, Any]) -> None:
    """The quote stands on the page, once or always with the same number, and that is the data's,
    rounded as written.
    """
    numbers = quoted((ROOT / claim["page"]).read_text(encoding="utf8"), claim["quote"])
    assert len(numbers) == 1, f"{claim['quote']}: {sorted(numbers)} on {claim['page']}"
    (number,) = numbers
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - decimals)
    assert math.isclose(float(number), value_of(claim), abs_tol=0.5000001 * unit)


def test_the_page_of_figures_is_made_from_their_captions() -> None:
    page = ROOT / "results" / "README.md"
    assert page.read_text(encoding="utf8") == gallery(PROJECT_FIGURES, page)


def test_claims_are_of_every_page_and_of_many_numbers() -> None:
    pages = {claim["page"] for claim in CLAIMS}
    assert {"results/README.md"} <= pages
    assert len(CLAIMS) >= 20
    assert not re.search(r"\b(3\.9x|246\.6x)", (ROOT / "results" / "README.md").read_text())
