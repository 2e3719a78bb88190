"""The table of parameters against ngspice's own: none that it knows is called unknown."""

import re
import subprocess
from pathlib import Path

import pytest

from cosim.engine.library import find_library
from cosim.netlist.rules.parameters import known

DEVICES = (
    "resistor", "capacitor", "inductor", "diode", "bjt", "vbic", "jfet", "jfet2", "mes", "switch",
    "cswitch", "mos1", "mos2", "mos3", "mos6", "mos9", "bsim3", "bsim4", "vdmos",
)  # fmt: skip


def test_every_parameter_of_ngspice_is_known(tmp_path: Path) -> None:
    library = find_library()
    if library.executable_path is None:
        pytest.skip("no plain ngspice beside the library; `make setup` installs one")
    asked = "".join(f"devhelp -csv {device}\n" for device in DEVICES)
    netlist = tmp_path / "help.cir"
    netlist.write_text(f"title\nV1 a 0 1\nR1 a 0 1\n.control\n{asked}.endc\n.end\n")
    said = subprocess.run(
        [str(library.executable_path), "-b", str(netlist)],
        capture_output=True, text=True, timeout=60, check=False,
    ).stdout  # fmt: skip
    device = what = ""
    seen = 0
    for line in said.splitlines():
        if match := re.match(r"(\w+) - ", line):
            device = match[1].lower()
        elif match := re.match(r"(Model|Instance) Parameters", line):
            what = match[1].lower()
        elif match := re.match(r"\d+,\s*(\w+),\s*(?:in|inout),", line):
            name = match[1].lower()
            assert name.startswith("sens_") or name in known(device, what), (device, what, name)
            seen += 1
    assert seen > 1500
