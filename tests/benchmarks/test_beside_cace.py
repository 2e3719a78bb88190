"""CACE and we, on the same OTA with the same models, conditions and limits.

`pip install --target FOLDER cace`, and FOLDER in CACE. Its template is a netlist already, so that
a script (cace/xschem) stands in for xschem, which would need a drawing.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cosim
from cosim.engine.library import find_library
from cosim.process.gf180mcu import GF180MCU
from tests.benchmarks.recording import record

HERE = Path(__file__).parent / "cace"
SHEET = Path(cosim.__file__).parent / "docs" / "how-to" / "datasheet"
CACE = os.environ.get("CACE")
PDK = "gf180mcuD"
NAMES = ("a0", "ugf", "pm")

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        CACE is None, reason="no CACE: pip install --target FOLDER cace; CACE=FOLDER"
    ),
]

Point = tuple[str, float, float]


def by_cace(folder: Path) -> dict[Point, dict[str, float]]:
    """Values by corner, temperature and supply."""
    technology = folder / "pdk" / PDK / "libs.tech"
    for place in ("cace/templates", "xschem", "verilog", "netlist/schematic", "bin"):
        (folder / place).mkdir(parents=True)
    for place in ("xschem/xschemrc", "ngspice/spiceinit"):
        (technology / place).parent.mkdir(parents=True)
        (technology / place).touch()
    for place in ("verilog", "netlist/schematic"):
        shutil.copy(SHEET / "ota.cir", folder / place / "ota.spice")
    (folder / "xschem" / "ota.sym").write_text("type=subcircuit\n")
    shutil.copy(HERE / "ota.yaml", folder / "cace")
    shutil.copy(HERE / "xschem", folder / "bin")
    executable = find_library().executable_path
    assert executable is not None
    (folder / "bin" / "ngspice").symlink_to(executable)
    models = GF180MCU.installed_folder()
    template = (HERE / "ac.sch").read_text().replace("MODELS", str(models))
    (folder / "cace" / "templates" / "ac.sch").write_text(template)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PDK": PDK,
        "PDK_ROOT": str(folder / "pdk"),
        "PYTHONPATH": str(CACE),
    }
    command = [sys.executable, "-m", "cace", "cace/ota.yaml", "--source", "schematic", "-j", "2"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    (summary,) = folder.glob("runs/*/parameters/ac/simulation_summary.csv")
    rows = list(csv.DictReader(summary.open(), skipinitialspace=True))
    assert rows, done.stdout
    return {
        (row["corner"], float(row["temperature"]), float(row["vdd"])): {
            name: float(row[name]) for name in NAMES
        }
        for row in rows
    }


def by_us(folder: Path) -> dict[Point, dict[str, float]]:
    for name in ("ota.toml", "ota.cir"):
        shutil.copy(SHEET / name, folder)
    command = [sys.executable, "-m", "cosim", "characterise", "ota.toml", "--monte-carlo", "0"]
    subprocess.run([*command, "-o", "ota", "--jobs", "2"], cwd=folder, check=True)
    result = json.loads((folder / "ota" / "datasheet.json").read_text())
    found: dict[Point, dict[str, float]] = {}
    for name in NAMES:
        for row in result["parameters"][name]["rows"]:
            point = row["point"]
            place = (point["corner"], point["temperature"], point["vdd"])
            found.setdefault(place, {})[name] = row["value"]
    return found


def test_the_same_values_at_every_point(tmp_path: Path) -> None:
    """CACE's come from `.meas`, which interpolates frequencies linearly: 0.4 % at 20 a decade."""
    theirs, ours = by_cace(tmp_path / "cace"), by_us(tmp_path)
    assert set(theirs) == set(ours) and len(ours) == 27
    apart = {name: max(abs(ours[at][name] / theirs[at][name] - 1) for at in ours) for name in NAMES}
    record(
        "beside_cace",
        {
            "points": len(ours),
            "largest_relative_difference": {name: round(apart[name], 6) for name in NAMES},
            **{
                f"{name}_{who}": [min(all_of), max(all_of)]
                for name in NAMES
                for who, values in (("cace", theirs), ("cosim", ours))
                for all_of in [[one[name] for one in values.values()]]
            },
        },
    )
    assert apart["a0"] < 1e-4 and apart["ugf"] < 5e-3 and apart["pm"] < 1e-3
