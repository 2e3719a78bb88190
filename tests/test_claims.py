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


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["quote"][:50])
def test_a_claim_is_its_data(claim: dict[str, Any]) -> None:
    """The quote stands on the page as it is; its number is the data's, rounded as written."""
    page = " ".join((ROOT / claim["page"]).read_text(encoding="utf8").split())
    assert claim["quote"] in page
    number = claim["number"]
    assert number in claim["quote"]
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
