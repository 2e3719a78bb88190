"""Op-amps that share a bias are those that have one of their own."""

import re
from collections.abc import Callable

import pytest
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.circuits import folded_cascode, opamp
from cosim.circuits.folded_cascode import (
    BiasedFoldedCascode,
    FoldedCascode,
    FoldedCascodeBias,
    FoldedCascodeOpAmp,
)
from cosim.circuits.opamp import BiasedOpAmp, OpAmpBias, OpAmpSpec, TransistorOpAmp, bias_lines
from cosim.circuits.relu import BIAS_LINES
from cosim.circuits.transimpedance import COLUMN_OP_AMP
from cosim.diffusion.netlists import solver_netlist
from cosim.engine.session import NgspiceSession
from cosim.process.gf180mcu import GF180MCU

Generator = Callable[[str, OpAmpSpec, GF180MCU], SubCircuit]


@pytest.mark.parametrize(
    ("whole", "bias", "biased", "spec"),
    [
        (TransistorOpAmp, OpAmpBias, BiasedOpAmp, COLUMN_OP_AMP),
        (FoldedCascodeOpAmp, FoldedCascodeBias, BiasedFoldedCascode, FoldedCascode.SPEC),
    ],
)
def test_followers_of_a_shared_bias_are_those_of_an_own_one(
    whole: Generator, bias: Generator, biased: Generator, spec: OpAmpSpec
) -> None:
    process = GF180MCU()
    circuit = Circuit("followers")
    process.apply(circuit)
    blocks = [
        make(name, spec, process) for name, make in zip("wbs", (whole, bias, biased), strict=True)
    ]
    for block in blocks:
        circuit.subcircuit(block)
    lines = bias_lines(blocks[2])
    assert bias_lines(blocks[0]) == () and len(lines) == len(blocks[1].external_nodes) - 2
    circuit.V("dd", "vdd", circuit.gnd, spec.supply_volt)
    circuit.X("bias", "b", *lines, "vdd", circuit.gnd)
    for number, volt in enumerate((1.2, 2.0)):
        circuit.V(f"in{number}", f"in{number}", circuit.gnd, volt)
        for kind, more in (("w", ()), ("s", lines)):
            out = f"{kind}{number}"
            circuit.X(out, kind, f"in{number}", out, out, "vdd", circuit.gnd, *more)
    found = NgspiceSession.start().analyse(f"{circuit}.op\n.end\n")
    for number in range(2):
        assert found[f"s{number}"][0] == pytest.approx(found[f"w{number}"][0], abs=1e-7)


def test_a_score_network_has_one_bias_of_each_kind() -> None:
    """Of 1,710 transistors of the ring's solver 250 were chains of 90 op-amps."""
    text = solver_netlist("circle", {"all": "transistor"})
    for name, lines in (("bias_column", ["bias"]), ("bias_relu", BIAS_LINES)):
        nodes = " ".join(f"{name}_{line}" for line in lines)
        assert text.count(f"X{name} {nodes} vdd vss {name}\n") == 1
    columns = set(re.findall(r"^\.subckt (op_amp_column_\d+) ", text, flags=re.M))
    assert len(columns) > 4  # by the units of their outputs: `column_units`
    kinds = {name: ["bias"] for name in columns} | {"op_amp_relu": folded_cascode.BIAS_LINES}
    for name, nodes in kinds.items():
        assert f".subckt {name} {' '.join([*opamp.NODES, *nodes])}\n" in text
