"""Run every physical mutation and write results/golden_mutations.csv and .md.

    python -m tests.diffusion.golden_mutations_table [BLOCK...]

Each is run by plain `ngspice -b` in the netlists of its block, one after the other, until a golden
trace notices it. What an earlier run of this command has found is kept, as long as the netlists are
the same; remove the .csv to begin anew.
"""

import csv
import hashlib
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from cosim.diffusion.golden import (
    PROJECT_GOLDEN,
    PROJECT_NETLISTS,
    golden_names,
    read_netlist,
    record,
    tolerances,
    with_points,
)
from cosim.engine.library import find_library
from cosim.trace.compare import Comparison, Verdict
from cosim.trace.golden import check_golden, golden_path
from tests.diffusion.golden_mutations import harmless, mutations
from tests.diffusion.mutating import Mutation, NotThereError
from tests.plain_ngspice import read_raw

RESULTS = PROJECT_GOLDEN.parent
SISTERS = {"integrator": ("opamp",)}
"""Blocks that hold the very subcircuit of another one, whose golden traces guard it too."""
STIMULI = frozenset(
    {"small_step", "large_step", "follower", "step", "response", "precharge", "handover"}
    | {"line", "bits", "reference"}
)
"""What a bench's further netlists end with."""
LONGEST_SECOND = 300
FAILED = "ngspice gives no answer"


@dataclass(frozen=True)
class Found:
    """What became of a mutation: a row of the table."""

    block: str
    mutation: str
    harmless: str
    caught_by: str
    signal: str
    tolerances: str
    netlist_sha256: str

    @property
    def good(self) -> bool:
        """A mutation is caught, a harmless change is not."""
        return bool(self.caught_by) is not bool(self.harmless)


def sisters(block: str) -> list[str]:
    """Netlists of a block, quick ones first."""
    names = [
        name
        for family in (block, *SISTERS.get(block, ()))
        for name in golden_names()
        if name == family or name.removeprefix(f"{family}_") in STIMULI
    ]
    return sorted(names, key=lambda name: (not name.startswith(block), len(name)))


def plain(netlist: str) -> dict[str, np.ndarray] | None:
    """Vectors by the engine's names; None if ngspice fails."""
    library = find_library()
    with tempfile.NamedTemporaryFile("w", suffix=".mutated", dir=PROJECT_NETLISTS) as file:
        file.write(netlist)
        file.flush()
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "out.raw"
            command = [str(library.executable_path), "-b", "-r", str(raw), file.name]
            try:
                ended = subprocess.run(command, capture_output=True, timeout=LONGEST_SECOND)
            except subprocess.TimeoutExpired:
                return None
            if ended.returncode or not raw.exists():
                return None
            return {_own_name(name): values for name, values in read_raw(raw).items()}


def _own_name(name: str) -> str:
    if name.startswith("i(") and name.endswith(")"):
        return f"{name[2:-1]}#branch"
    return name[2:-1] if name.startswith("v(") and name.endswith(")") else name


def held_against(name: str, netlist: str) -> Comparison | None:
    """A variant of a netlist against the golden trace; None if ngspice gives no answer."""
    for again in (False, True):
        vectors = plain(netlist)
        if vectors is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            run = record(vectors, Path(folder) / "run.h5", netlist, "mutation")
            found = check_golden(run, golden_path(PROJECT_GOLDEN, name), tolerances(name))
        if again or found.verdict is not Verdict.CANNOT_TELL or not len(found.wanted_times):
            break
        netlist = with_points(netlist, found.wanted_times)
    return found


def tried(mutation: Mutation) -> Found:
    """Run a mutation in its block's netlists until one notices.

    Raises:
        NotThereError: none of them has the line.
    """
    texts = {name: read_netlist(name) for name in sisters(mutation.block)}
    found = Found(
        mutation.block, mutation.what, "yes" if mutation.harmless else "", "", "", "",
        fingerprint(mutation.block),
    )  # fmt: skip
    there = False
    for name, text in texts.items():
        try:
            changed = mutation.edit(text)
        except NotThereError:
            continue
        there = True
        row = _row(found, name, held_against(name, changed))
        if row.caught_by:
            return row
        found = row
    if not there and not mutation.harmless:
        raise NotThereError(f"{mutation.block}: {mutation.what}")
    return found


def _row(found: Found, name: str, compared: Comparison | None) -> Found:
    values = asdict(found)
    if compared is None:  # says nothing of the golden trace of a circuit that is the same
        caught = "" if found.harmless else name
        return Found(**values | {"caught_by": caught, "signal": FAILED})
    worst = max(compared.signals, key=lambda one: one.largest / one.tolerance)
    caught = name if compared.verdict is Verdict.DIFFERS else ""
    if found.harmless and compared.verdict is not Verdict.PASSED:
        caught = name
    largest = worst.largest / worst.tolerance
    if not caught and found.tolerances and float(found.tolerances) >= largest:
        return found
    return Found(
        **values | {"caught_by": caught, "signal": worst.name, "tolerances": f"{largest:.3g}"}
    )


def fingerprint(block: str) -> str:
    """Of a block's netlists and golden traces: what was found holds for these alone."""
    digest = hashlib.sha256()
    for name in sisters(block):
        digest.update(read_netlist(name).encode())
        digest.update(golden_path(PROJECT_GOLDEN, name).read_bytes())
    return digest.hexdigest()[:12]


def main(blocks: list[str]) -> None:
    """Run what is not in the table yet, and write it."""
    path = RESULTS / "golden_mutations.csv"
    rows: dict[tuple[str, str], Found] = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {(row["block"], row["mutation"]): Found(**row) for row in csv.DictReader(file)}
    wanted = list(mutations())
    wanted += [change for block in dict.fromkeys(one.block for one in wanted)
               for change in harmless(block)]  # fmt: skip
    known = {(one.block, one.what) for one in wanted}
    prints = {block: fingerprint(block) for block in {one.block for one in wanted}}
    rows = {
        key: row
        for key, row in rows.items()
        if key in known and row.netlist_sha256 == prints[row.block]
    }
    waiting = [
        one
        for one in wanted
        if (one.block, one.what) not in rows and (not blocks or one.block in blocks)
    ]
    for one in waiting:
        found = rows[one.block, one.what] = tried(one)
        if not found.good:
            print(f"{found.block:18} {found.mutation:45} {found}", flush=True)
        write(path, [rows[key] for key in _ordered(wanted) if key in rows])


def _ordered(wanted: list[Mutation]) -> list[tuple[str, str]]:
    return [(one.block, one.what) for one in wanted]


def write(path: Path, rows: list[Found]) -> None:
    """The table, for programs and for readers."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Found)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    changes = [row for row in rows if not row.harmless]
    nothing = [row for row in rows if row.harmless]
    failing, unanswered = (sum(row.signal == FAILED for row in some) for some in (changes, nothing))
    lines = [
        "# Physical mutations of the golden netlists",
        "",
        f"{sum(row.good for row in changes)} of {len(changes)} mutations are noticed, "
        f"{failing} of them as ngspice gives no answer; {len(list(mutations())) - len(changes)} "
        "more are listed and not run yet. "
        f"{sum(row.good for row in nothing) - unanswered} of {len(nothing)} changes that are none "
        f"pass; {unanswered} get no answer of ngspice.",
        "Made by `python -m tests.diffusion.golden_mutations_table`: each is run by plain `ngspice "
        "-b` in the netlists of its block until a golden trace notices. *Tolerances*: largest "
        "difference over the signal's tolerance.",
        "",
        "| block | mutation | caught by | signal | tolerances |",
        "|---|---|---|---|---:|",
        *(
            f"| {row.block} | {row.mutation} | {row.caught_by or '**nothing**'} | "
            f"{row.signal} | {row.tolerances} |"
            for row in changes
        ),
        "",
        "## Changes that are none",
        "",
        "| block | change | verdict | signal | tolerances |",
        "|---|---|---|---|---:|",
        *(
            f"| {row.block} | {row.mutation} | {_said(row)} | {row.signal} | {row.tolerances} |"
            for row in nothing
        ),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))


def _said(row: Found) -> str:
    """Of a change that is none."""
    if row.signal == FAILED:
        return "none"
    return f"**{row.caught_by}**" if row.caught_by else "ok"


if __name__ == "__main__":
    main(sys.argv[1:])
