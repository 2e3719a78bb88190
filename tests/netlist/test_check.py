"""Electrical rules: broken netlists are named with the right rule, sound ones not at all."""

import itertools
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySpice.Spice.Netlist import Circuit

from cosim.diffusion.circuit.mapping import ConductanceWindow, MappedNetwork, map_layer
from cosim.diffusion.circuit.score_network import ScoreNetworkCircuit, score_blocks
from cosim.diffusion.config import RunConfig
from cosim.diffusion.fidelities import BlockFidelities
from cosim.diffusion.golden import PROJECT_NETLISTS
from cosim.diffusion.netlists import generated
from cosim.diffusion.run import Run
from cosim.diffusion.scaling import Scaling
from cosim.engine.session import NgspiceSession
from cosim.netlist.check import check, check_parsed
from cosim.netlist.parse import parse, read_netlist

OP_AMP = """.subckt amp non_inverting inverting out vdd vss
E1 out vss non_inverting inverting 1e5
.ends amp
"""

BROKEN = {
    "floating-node": [
        "V1 a 0 1\nR1 a b 1k\nR2 a 0 1k",
        "V1 in 0 1\nR1 in out 1k\nC1 outt 0 1n\nR2 out 0 1k\nR3 out 0 1k",
        ".subckt s p\nR1 p inner 1k\nR2 p 0 1k\n.ends\nV1 a 0 1\nX1 a s",
    ],
    "no-dc-path": [
        "V1 a 0 1\nC1 a b 1n\nC2 b 0 1n",
        "V1 a 0 1\nR0 a 0 1k\nR1 b c 1k\nR2 b c 2k",
        "V1 a 0 1\nC1 a g 1p\nM1 a g 0 0 n\n.model n nmos",
        "V1 p 0 ac 1\nR0 p 0 1\nL1 p 0 1m\nL2 s t 1m\nR1 s t 50\nK1 L1 L2 0.9",
        ".subckt s p q\nC1 p m 1n\nC2 m q 1n\n.ends\nV1 a 0 1\nX1 a 0 s\nR1 a 0 1k",
    ],
    "current-source-cut-set": [
        "I1 0 a 1m\nC1 a 0 1n",
        "I1 0 a 1m\nI2 a 0 1m",
        "V1 in 0 1\nR1 in 0 1k\nG1 0 a in 0 1m\nC1 a 0 1n",
        "V1 in 0 1\nR1 in 0 1k\nF1 0 a V1 2\nC1 a 0 1p",
    ],
    "voltage-loop": [
        "V1 a 0 1\nV2 a 0 2\nR1 a 0 1k",
        "V1 a 0 1\nL1 a 0 1m\nR1 a 0 1k",
        "V1 a b 1\nV2 b c 1\nV3 a c 2\nR1 a 0 1k\nR2 c 0 1k",
        "L1 a 0 1m\nL2 a 0 1m\nR1 a b 1k\nV1 b 0 1",
        "V1 a 0 1\nE1 a 0 b 0 2\nR1 b a 1k\nR2 b 0 1k",
        "V1 a 0 1\nB1 a 0 v=2*v(b)\nR1 b a 1k\nR2 b 0 1k",
        ".subckt s p\nV1 p 0 1\n.ends\nV2 a 0 2\nX1 a s\nR1 a 0 1k",
    ],
    "shorted-device": [
        "V1 a 0 1\nR1 a 0 1k\nR2 a a 1k",
        "V1 a 0 1\nR1 a 0 1k\nV2 a a 0",
        "V1 a 0 1\nR1 a 0 1k\nM1 a a a a n\n.model n nmos",
        ".subckt s p q\nC1 p q 1n\nR1 p 0 1k\n.ends\nV1 a 0 1\nX1 a a s",
    ],
    "unknown-model": [
        "V1 a 0 1\nD1 a 0 missing",
        "V1 a 0 1\nM1 a a 0 0 nch w=1u l=1u",
        "V1 a 0 1\nQ1 a a 0 bjt",
        ".subckt s p\n.model d1 d\nD1 p 0 d1\n.ends\nV1 a 0 1\nX1 a s\nD2 a 0 d1",
    ],
    "unknown-subcircuit": ["V1 a 0 1\nX1 a 0 nowhere", "V1 d 0 1\nX1 d d 0 0 nfet_03v4 w=1u l=1u"],
    "port-count": [
        ".subckt s p q\nR1 p q 1k\n.ends\nV1 a 0 1\nX1 a s",
        OP_AMP + "V1 a 0 1\nX1 a b b 0 amp\nR1 b 0 1k",
    ],
    "duplicate-name": [
        "V1 a 0 1\nR1 a 0 1k\nR1 a 0 2k",
        "V1 a 0 1\nD1 a 0 m\n.model m d\n.model m d",
        ".subckt s p\nR1 p 0 1k\n.ends\n.subckt s p\nR1 p 0 2k\n.ends\nV1 a 0 1\nX1 a s",
        "V1 a 0 1\nR1 a 0 1k\nr1 a 0 2k",
    ],
    "bad-value": [
        "V1 a 0 1\nR1 a 0 0",
        "V1 a 0 1\nR1 a 0 -5k",
        "V1 a 0 1\nR1 a 0 1k\nC1 a 0 -1p",
        "V1 a 0 1\nR1 a 0 nan",
        "V1 a 0 1\nR1 a b 1k\nL1 b 0 0",
        '.include "{models}/design.ngspice"\n.lib "{models}/sm141064.ngspice" typical\n'
        "V1 a 0 1\nX1 a a 0 0 nfet_03v3 w=0.1u l=1u",
        '.lib "{models}/sm141064.ngspice" typical\nV1 a 0 1\nX1 a a 0 0 nfet_03v3 w=1u l=0.18u',
        ".subckt s p\nR1 p 0 1k\n.ends\nV1 a 0 1\nX1 a s m=0",
    ],
    "unknown-parameter": [
        '.lib "{models}/sm141064.ngspice" typical\n'
        "V1 a 0 1\nX1 a a 0 0 nfet_03v3 w=1u l=1u fingers=2",
    ],
    "dangling-feedback": [
        OP_AMP + "V1 p 0 1\nX1 p n o vdd 0 amp\nV2 vdd 0 3\nR1 n 0 1k\nR2 o 0 1k\nR3 p 0 1k",
        OP_AMP + "V1 p 0 1\nX1 p vdd o vdd 0 amp\nV2 vdd 0 3\nR2 o vdd 1k\nR3 o 0 1k",
    ],
    "no-ground": ["V1 a b 1\nR1 a b 1k"],
    "recursion": [".subckt s p\nX1 p s\nR1 p 0 1\n.ends\nV1 a 0 1\nX1 a s"],
    "wrong-count": ["V1 a 0 1\nR1 a"],
    "syntax": [
        "V1 a 0 1\nR1 a 0 1k\n.ends",
        "V1 a 0 1\nR1 a 0 1k\n?what is this",
        "V1 a 0 1\nR1 a 0 1k\n.model m",
    ],
    "unclosed-subcircuit": [".subckt s p\nR1 p 0 1k\nV1 a 0 1\nX1 a s"],
    "unknown-file": ['.include "nowhere.inc"\nV1 a 0 1\nR1 a 0 1k'],
    "refused": [
        "V1 a 0 1\nR1 a 0 1k\n.control\nshell rm -rf x\n.endc",
        "V1 a 0 1\nR1 a 0 1k\nshell echo",
        "V1 a 0 1\nR1 a 0 1k\nsystem(echo)",
        '.include "/etc/passwd"\nV1 a 0 1\nR1 a 0 1k',
        '.include "../outside.inc"\nV1 a 0 1\nR1 a 0 1k',
        "V1 a 0 1\nR1 a 0 1k\n.exec touch x",
        'A1 a %v(a) source\n.model source filesource (file="secret.txt")\nR1 a 0 1k',
        "V1 a 0 1\nR1 a 0 `id`",
    ],
}  # fmt: skip


def models() -> str:
    from cosim.process.gf180mcu import GF180MCU

    return str(GF180MCU.installed_folder())


@pytest.mark.parametrize(
    ("rule", "body"), [(rule, body) for rule, bodies in BROKEN.items() for body in bodies]
)
def test_broken_netlist_is_named(rule: str, body: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.cir"
    findings = check("title\n" + body.replace("{models}", models()) + "\n.op\n.end\n", file)
    assert rule in {finding.rule for finding in findings}, findings
    for finding in findings:
        assert finding.message and finding.remedy


def test_there_are_enough_broken_netlists() -> None:
    """Asked for: at least 30."""
    assert sum(map(len, BROKEN.values())) >= 30


def test_finding_names_line_element_and_node() -> None:
    (finding,) = check("title\nV1 in 0 1\n\n* comment\nR1 in 0 1k\n+ tc1=0\nR2 in dangling 1k\n")
    assert (finding.line, finding.element, finding.node) == (7, "r2", "dangling")


@pytest.mark.parametrize("name", sorted(generated()))
def test_no_false_alarm_on_committed_netlists(name: str) -> None:
    assert check_parsed(read_netlist(PROJECT_NETLISTS / name)) == []


@pytest.mark.parametrize("scheme", ["explicit", "linearised"])
@pytest.mark.parametrize("equation", ["ode", "sde"])
def test_no_false_alarm_on_lockstep_netlists(scheme: str, equation: str) -> None:
    config = RunConfig.model_validate(
        {"name": "x", "task": "circle", "coupling": {"scheme": scheme}, "equation": equation}
    )
    assert check(str(Run(config).plan.netlist), PROJECT_NETLISTS / "x.cir") == []


@pytest.mark.parametrize(
    "sound",
    [
        "V1 a 0 1\nR1 a b 1k\nL1 b 0 1m",
        "I1 0 a 1m\nD1 a 0 m\n.model m d",
        "V1 a 0 1\nB1 a b i=v(a,b)*1m\nC1 b 0 1n",
        OP_AMP + "V1 p 0 1\nX1 p o o vdd 0 amp\nV2 vdd 0 3\nR1 o 0 1k",
        OP_AMP + "V1 i 0 1\nX1 0 n o vdd 0 amp\nV2 vdd 0 3\nR1 i n 1k\nR2 n o 1k\nR3 o 0 1k",
        "* all comments ; $\nV1 a 0 DC 1 AC 1\nR1 a 0 {1k*2}\n.param x=1",
        "Vone A GND 1\nrload a 0 1MEG $ a comment",
    ],
)
def test_sound_netlist(sound: str) -> None:
    assert check("title\n" + sound + "\n.op\n.end\n") == []


def random_network(draw: st.DrawFn, states: int, channels: int, outputs: int) -> MappedNetwork:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    widths = [states, 2 * channels, 2 * channels, outputs]
    scale = draw(st.sampled_from([1e-3, 1.0, 30.0]))
    return MappedNetwork(
        tuple(
            map_layer(
                scale * generator.standard_normal((rows, columns)),
                scale * generator.standard_normal(rows),
                ConductanceWindow(),
            )
            for columns, rows in itertools.pairwise(widths)
        ),
        generator.standard_normal(channels),
        generator.standard_normal(2 * channels),
    )


@st.composite
def networks(draw: st.DrawFn) -> MappedNetwork:
    return random_network(
        draw, draw(st.integers(1, 8)), draw(st.integers(1, 16)), draw(st.integers(1, 8))
    )


@settings(deadline=None, max_examples=25)
@given(networks(), st.integers(0, 2**32 - 1))
def test_any_network_makes_a_sound_netlist_that_is_the_mapped_product(
    network: MappedNetwork, seed: int
) -> None:
    """Up to 32 x 32; its DC output against numpy on the mapped conductances."""
    scaling = Scaling()
    states, outputs = network.layers[0].inputs, network.layers[-1].outputs
    x = np.random.default_rng(seed).uniform(-1, 1, states)
    blocks = score_blocks(BlockFidelities.model_validate({"all": "ideal"}), 3.3, None)
    circuit = Circuit("network")
    block = ScoreNetworkCircuit("network", network, scaling, blocks)
    circuit.subcircuit(block)
    circuit.V("dd", "vdd", circuit.gnd, 3.3)
    circuit.V("analog_ground", "analog_ground", circuit.gnd, 1.65)
    for index, value in enumerate(x):
        circuit.V(f"x{index}", f"x{index}", "analog_ground", scaling.volt_per_unit * float(value))
    nodes = [f"x{index}" for index in range(states)] + [f"out{index}" for index in range(outputs)]
    circuit.X("network", block.name, *nodes, "analog_ground", "vdd", circuit.gnd)
    saved = " ".join(f"v({node})" for node in nodes)
    text = f"{circuit}.save {saved}\n.op\n.end\n"
    assert check(text) == []
    vectors = NgspiceSession.start().analyse(text)
    found = np.array([vectors[f"out{index}"][0] for index in range(outputs)]) - 1.65
    expected = scaling.volt_per_unit * product(network, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * (1 + np.abs(found).max()))


def product(network: MappedNetwork, x: np.ndarray) -> np.ndarray:
    """The network from its conductances, at tau = 0 (t = 1)."""
    angle = 2 * np.pi * network.frequencies
    embedding = np.concatenate([np.sin(angle), np.cos(angle)]) + network.offsets
    for number, layer in enumerate(network.layers):
        weights = (layer.plus_siemens - layer.minus_siemens) / layer.siemens_per_weight
        x = np.append(x, 1.0) @ weights
        if number < len(network.layers) - 1:
            x = np.maximum(x + embedding, 0)
    return x


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="RVXCLMKEB.{}()='\"+*; \n019kuabsgnd=-$", max_size=300))
def test_any_text_is_checked_without_a_crash(text: str) -> None:
    check("title\n" + text)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_mutated_netlist_is_checked_without_a_crash(data: st.DataObject) -> None:
    text = (PROJECT_NETLISTS / "solver_circle.cir").read_text()[:6000]
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 40))
    check(text[:at] + data.draw(st.text(max_size=10)) + text[at + cut :], PROJECT_NETLISTS / "x")


def test_graph_joins_what_devices_join() -> None:
    graph = parse("title\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n").graph()
    assert nx.is_connected(graph)
    assert set(graph) == {"a", "b", "0"}
    assert graph.number_of_edges() == 3
