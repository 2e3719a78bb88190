"""Measurements go to results/benchmarks.json, one entry a name."""

import json
import time
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results" / "benchmarks.json"


def record(name: str, measured: dict[str, object]) -> None:
    """Put one measurement into results/benchmarks.json, and print it."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = {**measured, "measured": time.strftime("%Y-%m-%d")}
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    print(name, json.dumps(measured, indent=2))
