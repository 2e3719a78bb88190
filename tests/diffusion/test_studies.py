"""Studies: they keep what they simulate, and say what they found; their physics against torch."""

import csv
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.image import imread

from cosim.diffusion.config import merge, parse
from cosim.diffusion.run import Run
from cosim.diffusion.score.compiled import CompiledScore
from cosim.diffusion.studies import circuit_quality, whole_solver
from cosim.diffusion.studies.chips import (
    CHIPS,
    OFFSETS_VOLT,
    WRITE_ERRORS,
    chip_tables,
    solves,
)
from cosim.diffusion.studies.chips import SAMPLES as CHIP_SAMPLES
from cosim.diffusion.studies.digital import digital_energy, operations
from cosim.diffusion.studies.figures import FIGURES, STUDIES, find_figures, gallery
from cosim.diffusion.studies.generation import bootstrap_interval
from cosim.diffusion.studies.kept import PROJECT_DATA, kept_key, kept_states
from cosim.diffusion.studies.quality import SAMPLES, true_ring
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.diffusion.studies.whole_solver import paired_interval
from cosim.diffusion.trimming import INSTANTS
from cosim.engine.worker import WorkerPool
from cosim.errors import ConfigurationError
from cosim.netlist.metering import metered

TABLES = {"task": "circle", "fidelity": {"all": "ideal"}, "coupling": {"step_second": 2e-7}}


def workspace(folder: Path) -> Workspace:
    return Workspace(folder, 1, True, lambda doing: None)


def run_of(**tables: object) -> Run:
    return Run(parse({"name": "test", **TABLES, **tables}, "the test"))


def test_the_paper_s_figures_are_all_there() -> None:
    """Those named in the fact sheet."""
    named = {
        "cell_iv", "cell_levels", "programming", "opamp_bode", "opamp_step", "mvm_accuracy",
        "relu_transfer", "multiplier_transfer", "integrator_waveform", "score_field",
        "solver_waveforms", "circle_generation", "kl_vs_steps", "letters_generation",
        "noise_robustness", "speed_energy", "coupling_order", "embedding_waveforms", "hidden_nodes",
    }  # fmt: skip
    assert named <= {*FIGURES, *STUDIES}
    assert {*FIGURES, *STUDIES} == set(find_figures([]))
    assert named <= set(find_figures([], quick=True))
    assert "macro_prediction" not in find_figures([], quick=True)
    assert find_figures(["macro_prediction"], quick=True) == ["macro_prediction"]


def test_final_states_are_kept_sample_by_sample(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    first = space.final_states({"a": {**TABLES, "ensemble": {"samples": 2}}})["a"]
    (kept,) = tmp_path.glob("*.csv")
    assert len(kept.read_text().splitlines()) == 2
    with kept.open("a") as file:
        file.write("2,0.12")  # a kill in the middle of a line
    more = space.final_states({"b": {**TABLES, "ensemble": {"samples": 4}}})["b"]
    np.testing.assert_array_equal(more[:2], first)
    assert len(kept.read_text().splitlines()) == 4
    np.testing.assert_allclose(
        more, run_of(ensemble={"samples": 4}).problem.software_samples(), atol=2e-3
    )
    first_line, *lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join([first_line, "1,9.5,0.0\n", *lines[1:]]))
    again = space.final_states({"c": {**TABLES, "ensemble": {"samples": 4}}})["c"]
    assert again[1, 0] == 9.5, "what is kept is not simulated again"
    other = space.final_states({"d": {**TABLES, "ensemble": {"samples": 1, "seed": 1}}})["d"]
    assert not np.allclose(other[0], more[0])


def test_a_trace_is_made_once(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    _, trace = space.trace("one", TABLES)
    made = trace.provenance.started
    trace.close()
    assert space.trace("one", TABLES)[1].provenance.started == made
    changed = space.trace("one", {**TABLES, "ensemble": {"seed": 3}})[1]
    assert changed.provenance.started != made
    (tmp_path / "one" / "trace.h5").write_text("damaged")
    assert space.trace("one", TABLES)[1].complete


def test_a_finding_is_figure_data_and_caption(tmp_path: Path) -> None:
    figure, axis = plt.subplots()
    axis.plot([1, 2])
    beside = [Beside("speed", "1x", "2x", "other task")]
    finding = Finding(figure, [{"x": 0.1, "y": None}, {"x": 1 / 3, "y": "a"}], "It shows", beside)
    finding.save(tmp_path, "score_field")
    rows = list(csv.DictReader((tmp_path / "score_field.csv").open()))
    assert rows[1] == {"x": "0.3333333", "y": "a"}
    assert imread(tmp_path / "score_field.png").shape[2] == 4
    assert json.loads((tmp_path / "score_field.json").read_text())["caption"] == "It shows"
    page = gallery(tmp_path, tmp_path / "README.md")
    assert "It shows" in page and "| speed | 1x | 2x | other task |" in page


def test_quick_blocks_say_what_they_leave_out(tmp_path: Path) -> None:
    for name, figure in FIGURES.items():
        assert figure.quick.corners == ("typical",)
        assert set(figure.quick.fidelities) <= set(figure.fidelities), name
    (tmp_path / "opamp_bode.png").touch()
    (tmp_path / "relu_transfer.png").touch()
    page = gallery(tmp_path, tmp_path / "README.md", quick=True)
    assert "(transistor; GF180MCU typical; 27 C; 3.3 V)" in page
    assert "(ideal, macro; GF180MCU typical; 27 C; 3.3 V)" in page


def test_bench_of_the_score_is_torch_s(tmp_path: Path) -> None:
    """Operating point of the ideal network in a netlist, its embedding frozen at t."""
    from cosim.engine.isolated import analysed

    run, x, t = run_of(score="analog"), np.array([0.4, -0.9]), 0.3
    volts = {f"vstate_{k}": 0.1 * value for k, value in enumerate(x)}
    bench = "\n".join(
        f"{line.rsplit(maxsplit=1)[0]} {volts[line.split()[0].lower()]}"
        if line.split()[:1] and line.split()[0].lower() in volts
        else line
        for line in run.plan.design.score_bench(t).splitlines()
    )
    found = analysed(f"{bench}\n.op\n.end\n")
    raw = [(found[f"score_{k}"][0] - found["analog_ground"][0]) / 0.1 for k in range(2)]
    with torch.inference_mode():
        exact = run.problem.network.raw_output(
            torch.from_numpy(x), torch.tensor(t).double()
        ).numpy()
    np.testing.assert_allclose(raw, exact, rtol=1e-5, atol=1e-6)


def test_written_and_read_cells_count_in_torch() -> None:
    exact = CompiledScore.of(run_of().problem.network)
    point = np.array([0.3, 0.6])
    value = exact.value_and_tangents(point, 0.4)[0]
    for window, moves in (({}, False), ({"write_error": 0.1}, True), ({"levels": 8}, True)):
        function = run_of(window=window).plan.blocks[0].function.value
        volts = function(0.5e-6 + 0.6 * 20e-6, 1.65 + 0.1 * point)
        assert np.allclose((volts - 1.65) / 0.1, value, rtol=1e-9) is not moves


def test_read_noise_is_held_and_repeats() -> None:
    run = run_of(window={"read_noise": 0.05}, noise={"updates": 10}, ensemble={"samples": 2})
    volts = np.array([1.7, 1.6])
    blocks = [run.plan.blocks_of(sample)[0].function.value for sample in (0, 0, 1)]
    first, later, after = (0.5e-6 + tau * 20e-6 for tau in (0.01, 0.09, 0.11))
    assert np.allclose(blocks[0](first, volts), blocks[0](later, volts), atol=0.02)
    np.testing.assert_array_equal(blocks[0](after, volts), blocks[1](after, volts))
    assert not np.array_equal(blocks[0](after, volts), blocks[2](after, volts))
    # The cells' mean is the network: many draws come near it.
    exact = CompiledScore.of(run.problem.network).value_and_tangents((volts - 1.65) / 0.1, 0.5)[0]
    drawn = [
        (run_of(window={"read_noise": 0.01}, ensemble={"seed": seed}).plan.blocks[0].function.value(
            0.5e-6 + 0.5 * 20e-6, volts) - 1.65) / 0.1
        for seed in range(40)
    ]  # fmt: skip
    assert np.abs(np.mean(drawn, axis=0) - exact).max() < 4 * np.std(drawn, axis=0).max() / 40**0.5


def test_offsets_are_the_seed_s() -> None:
    """Each integrator has the offset that its seed draws, and without one there is no source."""
    assert "offset_0" not in str(run_of().plan.netlist)
    netlist = str(run_of(op_amp={"offset_volt": 5e-3, "offset_seed": 1}).plan.netlist)
    drawn = 5e-3 * np.random.default_rng(1).standard_normal(2)
    for index, volt in enumerate(drawn):
        line = next(x for x in netlist.splitlines() if x.startswith(f"Voffset_{index}"))
        assert float(line.split()[3]) == pytest.approx(volt)


def test_operations_are_counted_from_the_shape() -> None:
    counts = operations(run_of())
    assert counts["multiply"] == 252 + 8  # 2-14-14-2, and the update of two states
    assert digital_energy(counts, "low") < digital_energy(counts, "value")


def test_bootstrap_interval_holds_its_own_kl() -> None:
    run = run_of(ensemble={"samples": 100})
    samples = run.problem.task.sample(300, torch.Generator().manual_seed(1)).double().numpy()
    low, high = bootstrap_interval(samples, run)
    assert low < high < low + 1


def test_pairs_tell_a_difference_that_intervals_cannot() -> None:
    """Samples moved by a tenth of a cell: of each KL the interval is far wider than of both."""
    ring = true_ring(300, 1)
    low, high = paired_interval(ring * 1.2, ring)
    assert 0 < low < high
    same, none = paired_interval(ring, ring)
    assert same == none == 0
    alone = bootstrap_interval(ring, run_of(ensemble={"samples": 2}))
    near = paired_interval(ring + 0.001, ring)
    assert near[1] - near[0] < (alone[1] - alone[0]) / 2


def test_meters_of_a_solver_add_up(tmp_path: Path) -> None:
    """Of macro blocks they find every kind, and the netlist stays one that ngspice takes."""
    run = run_of(score="analog", fidelity={"all": "macro"})
    netlist, vectors = metered(str(run.plan.netlist), frozenset({"xscore_network"}))
    assert {"transimpedance", "relu", "driver", "integrator", "multiplier_score"} <= set(vectors)
    assert netlist.count("Vmeter_") == len(vectors)


def test_kept_states_are_added_to_and_are_of_one_circuit(tmp_path: Path) -> None:
    """A second seed leaves the first as it is; another circuit's samples are refused."""
    runs = [{**TABLES, "ensemble": {"samples": 2, "seed": seed}} for seed in range(2)]
    space = workspace(tmp_path / "runs")
    (first,) = kept_states(space, "ring", runs[:1], tmp_path)
    kept = tmp_path / "ring" / "seed_0.csv"
    kept.write_text(kept.read_text().replace(repr(float(first[1, 0])), "9.5"))
    both = kept_states(space, "ring", runs, tmp_path)
    assert both[0][1, 0] == 9.5, "what is kept is not simulated again"
    assert not np.allclose(both[1], first)
    about = json.loads((tmp_path / "ring" / "provenance.json").read_text())
    assert "seed = 0" in about["configuration_toml"] and about["software"]["ngspice"]
    other = [{**run, "equation": "ode", "sampling_scale": 1.7} for run in runs]
    with pytest.raises(ConfigurationError, match="another circuit or model"):
        kept_states(space, "ring", other, tmp_path)


def test_solves_of_a_chip_are_the_equation_s(tmp_path: Path) -> None:
    """An ideal chip's states and column sums at all instants, against float64."""
    run = run_of(score="analog", fidelity={"all": "ideal"}, ensemble={"samples": 2})
    with WorkerPool(1, 60.0) as pool:
        seen = solves(run, pool)
    for sample, path in enumerate(seen.states):
        np.testing.assert_allclose(path, run.problem.reference(sample, INSTANTS), atol=5e-3)
    with torch.no_grad():
        hidden, raw = run.problem.network.hidden_and_raw(
            torch.from_numpy(seen.states), torch.from_numpy(1 - INSTANTS)
        )
    for sums, wanted in zip(seen.sums, hidden, strict=False):
        np.testing.assert_allclose(np.maximum(sums, 0), wanted.numpy(), atol=0.02)
    np.testing.assert_allclose(seen.sums[-1], raw.numpy(), atol=0.02)


def test_every_op_amp_of_a_score_network_has_an_offset_of_its_own() -> None:
    """Two in each of 30 columns, one in each of 2 row drivers and 28 ReLUs; ideal blocks none; the
    draws are the seed's and the place's.
    """

    def sources(**tables: object) -> list[str]:
        netlist = str(run_of(score="analog", **tables).plan.netlist)
        return [line.split()[3] for line in netlist.splitlines() if "Voffset_" in line]

    off = {"offset_volt": 5e-3, "offset_seed": 3}
    found = sources(fidelity={"all": "macro"}, op_amp=off)
    assert len(found) == 2 + 2 * 30 + 2 + 28 == len(set(found))
    assert np.std([float(volt) for volt in found]) == pytest.approx(5e-3, rel=0.2)
    assert sources(fidelity={"all": "macro"}, op_amp=off | {"offset_seed": 4}) != found
    assert not sources(fidelity={"all": "macro"})
    assert len(sources(fidelity={"all": "ideal"}, op_amp=off)) == 2  # the integrators'


def test_chips_cover_both_ranges() -> None:
    chips = [chip_tables(number, "macro") for number in range(CHIPS["macro"])]
    for table, key, (low, high) in (
        ("window", "write_error", WRITE_ERRORS), ("op_amp", "offset_volt", OFFSETS_VOLT)
    ):  # fmt: skip
        values = sorted(chip[table][key] for chip in chips)
        np.testing.assert_allclose(values, np.linspace(low, high, len(chips)))


KEPT = {
    circuit_quality.name_of(equation, op_amp):
        (circuit_quality.tables_of(equation, op_amp, 0, SAMPLES), seeds, SAMPLES)
    for (equation, op_amp), seeds in circuit_quality.SIMULATED.items()
} | {
    whole_solver.name_of(case, level): (whole_solver.tables_of(case, level, samples), 1, samples)
    for case, (_, samples) in whole_solver.CASES.items()
    for level in whole_solver.LEVELS
} | {
    f"chips/{level}_0_before":
        (merge(chip_tables(0, level), {"ensemble": {"samples": CHIP_SAMPLES}}), 1, CHIP_SAMPLES)
    for level in CHIPS
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_committed_samples_are_all_there_and_of_this_circuit(name: str, tmp_path: Path) -> None:
    """Of each seed as many as its study says: a seed was once committed while it was simulated."""
    tables, seeds, samples = KEPT[name]
    place = PROJECT_DATA / name
    for seed in range(seeds):
        lines = (place / f"seed_{seed}.csv").read_text(encoding="utf8").splitlines()
        assert sorted(int(line.split(",")[0]) for line in lines) == list(range(samples)), seed
    key = json.loads((place / "provenance.json").read_text(encoding="utf8"))["key"]
    assert key == kept_key(workspace(tmp_path), place.name, tables)
