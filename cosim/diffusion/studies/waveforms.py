"""Waveforms of the solver: states, hidden nodes, supplies, embedding, and the score as a field."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from cosim.circuits.dac import embedding_nodes
from cosim.diffusion.calibration import score_on_grid
from cosim.diffusion.run import Run
from cosim.diffusion.studies.generation import MACRO
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.engine.isolated import analysed
from cosim.engine.session import saved
from cosim.netlist.netlist import Netlist
from cosim.report.figures import MICRO
from cosim.trace import Trace

WHOLE = {"task": "circle", "score": "analog", "fidelity": {"all": "transistor"}}
LIMIT_UNIT = 1.5
"""What hidden nodes are meant to stay below: fact sheet, section 3."""

CURVE_POINTS, CHANNEL_POINTS = 600, 200


def _whole(workspace: Workspace) -> tuple[Run, Trace, str]:
    """One solve with everything of transistors; for a quick look everything macro."""
    tables = {"task": "circle", **MACRO} if workspace.quick else WHOLE
    run, trace = workspace.trace("solver_waveforms", tables)
    return run, trace, "macro" if workspace.quick else "transistor (GF180MCU)"


def _hidden(run: Run, trace: Trace, kind: str) -> dict[str, np.ndarray]:
    """Hidden nodes in units against the analog ground, by name."""
    ground = trace["reference.out"].values
    return {
        name: (trace[name].values - ground) / run.config.scaling.volt_per_unit
        for name in trace.match(f"{kind}_*")
    }


def solver_waveforms(workspace: Workspace) -> Finding:
    """States, scores, hidden nodes and supply current of one solve, analog against torch."""
    run, trace, level = _whole(workspace)
    scaling, time = run.config.scaling, trace.time_second
    tau = scaling.tau(time)
    values = np.stack([trace[name].values for name in trace.names], axis=1)
    state, raw = run.plan.units(values), run.plan.units(values, "score.{}")
    reference = run.problem.reference(0, tau)
    with torch.inference_mode():
        score = run.problem.network.raw_output(
            torch.from_numpy(state), torch.from_numpy(1 - tau)
        ).numpy()
    figure, axes = plt.subplots(4, 1, figsize=(9, 11), sharex=True, layout="constrained")
    for index in range(run.problem.network.states):
        colour = f"C{index}"
        axes[0].plot(MICRO * time, state[:, index], color=colour, label=f"x{index + 1} circuit")
        axes[0].plot(MICRO * time, reference[:, index], "k--", lw=0.8)
        axes[1].plot(MICRO * time, raw[:, index], color=colour, label=f"raw score {index + 1}")
        axes[1].plot(MICRO * time, score[:, index], "k--", lw=0.8)
    for name, units in _hidden(run, trace, "activation").items():
        axes[2].plot(MICRO * time, units, lw=0.7, label=name)
    current = -1e3 * trace["supply.vdd"].values
    axes[3].plot(MICRO * time, current)
    labels = (
        "state (units);\ndashed: float64", "raw score (units);\ndashed: torch, same state",
        "activations (units)", "supply current (mA)",
    )  # fmt: skip
    for axis, label in zip(axes, labels, strict=True):
        axis.axvspan(0, MICRO * scaling.precharge_second, color="0.9", lw=0)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    for axis in axes[:2]:
        axis.legend(fontsize="small")
    axes[-1].set_xlabel("circuit time (us); precharge shaded")
    running = time >= scaling.precharge_second
    error = np.abs(state - reference)[running].max() / np.ptp(reference[running])
    kept = np.unique(np.linspace(0, len(time) - 1, min(CURVE_POINTS, len(time))).astype(int))
    rows = [
        {
            "time_second": time[k],
            **{f"x{i + 1}": state[k, i] for i in range(state.shape[1])},
            **{f"x{i + 1}_reference": reference[k, i] for i in range(state.shape[1])},
            **{f"raw_{i + 1}": raw[k, i] for i in range(state.shape[1])},
            **{f"raw_{i + 1}_torch": score[k, i] for i in range(state.shape[1])},
            "supply_ampere": current[k] / 1e3,
        }
        for k in kept
    ]
    caption = (
        f"One solve of the ring in {scaling.solve_second * MICRO:g} us, the whole solver in the "
        f"netlist, all blocks {level}: {run.plan.netlist.size}. Largest error of the state "
        f"{100 * error:.2f} % of its range; mean supply current {current.mean():.1f} mA"
    )
    return Finding(figure, rows, caption)


def hidden_nodes(workspace: Workspace) -> Finding:
    """Hidden nodes over tau, and their histogram against the limit of 1.5 units."""
    count = workspace.size(40, 6)
    tables = {"task": "circle", **MACRO, "ensemble": {"samples": count}}
    run, trace = workspace.trace("hidden_nodes", tables)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    rows: list[dict[str, Any]] = []
    everything = []
    grid = np.linspace(0, 1, 201)
    for number in range(count):
        member = trace.member(number)
        tau = run.config.scaling.tau(member.time_second)
        solving = member.time_second >= run.config.scaling.precharge_second
        for name, units in _hidden(run, member, "activation").items():
            at = np.interp(grid, tau[solving], units[solving])
            everything.append(at)
            if number == 0:
                axes[0].plot(grid, at, lw=0.8)
            beyond = float((at > LIMIT_UNIT).mean())
            rows.append({"sample": number, "node": name, "mean_unit": at.mean(),
                         "largest_unit": at.max(), "beyond_limit": beyond})  # fmt: skip
    values = np.concatenate(everything)
    beyond = float((values > LIMIT_UNIT).mean())
    axes[0].axhline(LIMIT_UNIT, color="black", ls="--", label="1.5 units")
    axes[0].set(xlabel="tau", ylabel="activation (units)", title="28 hidden nodes of one solve")
    axes[1].hist(values, bins=80, log=True)
    axes[1].axvline(LIMIT_UNIT, color="black", ls="--", label="1.5 units")
    axes[1].set(
        xlabel="activation (units)", ylabel="count over samples and tau",
        title=f"{count} solves: {100 * beyond:.1f} % of the time beyond the limit",
    )  # fmt: skip
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    caption = (
        f"Activations of the hidden nodes over {count} solves of the ring, whole solver of macro "
        f"blocks; largest {values.max():.2f} units ({values.max() * 0.1:.2f} V), beyond 1.5 units "
        f"{100 * beyond:.1f} % of the time"
    )
    return Finding(figure, rows, caption, [
        Beside("hidden nodes", "meant to stay within 1.5 units by a penalty in training",
               f"largest {values.max():.1f} units",
               "the published penalty's weight of 1e-7 hardly binds; what it does to the cells is "
               "in array_lifetime, and 50 mV a unit the remedy"),
    ])  # fmt: skip


def embedding_waveforms(workspace: Workspace) -> Finding:
    """The 14 channels of the time embedding as held by converters, and beta, over tau."""
    tables = {
        "task": "circle", "score": "analog", "fidelity": {"all": "ideal", "dac": "macro"},
    }  # fmt: skip
    run = workspace.run("embedding_waveforms", tables)
    channels = embedding_nodes(len(run.problem.network.parts[0][1].frequencies))
    vectors = {node: f"xscore_network.{node}" for node in channels}
    vectors |= {"half_beta": "half_beta", "analog_ground": "analog_ground"}
    found = recorded(run.plan.netlist, vectors.values())
    scaling = run.config.scaling
    tau, ground = scaling.tau(found["time"]), found["analog_ground"]
    figure, axes = plt.subplots(3, 1, figsize=(9, 10), sharex=True, layout="constrained")
    rows: list[dict[str, Any]] = []
    solving = found["time"] >= scaling.precharge_second
    network = run.problem.network.parts[0][1]
    exact = network.embedding(torch.from_numpy(1 - tau)).detach().numpy()
    worst = 0.0
    each = len(channels) // 2
    shown = np.flatnonzero(solving)[:: max(1, int(solving.sum()) // CHANNEL_POINTS)]
    for index, node in enumerate(channels):
        units = (found[vectors[node]] - ground) / scaling.volt_per_unit
        axis = axes[index // each]
        axis.plot(tau[solving], units[solving], lw=0.9, label=f"{node.removeprefix('embedding_')}")
        axis.plot(tau[solving], exact[solving, index], "k--", lw=0.5)
        worst = max(worst, float(np.abs(units - exact[:, index])[solving].max()))
        for k in np.flatnonzero(solving)[:: max(1, int(solving.sum()) // 200)]:
            rows.append(
                {"tau": tau[k], "channel": node, "unit": units[k], "exact": exact[k, index]}
            )
    half_beta = found["half_beta"] - ground
    axes[2].plot(tau[solving], half_beta[solving], label="g^2/2 = beta/2, score path")
    axes[2].plot(tau[solving], -half_beta[solving], label="f = -beta/2, state path")
    for k in shown:
        half = float(run.problem.circuit_sde.beta(torch.tensor(1 - tau[k]))) / 2
        rows.append({"tau": tau[k], "channel": "half_beta", "unit": half_beta[k], "exact": half})
    for axis, label in zip(axes, ("sin channels (units)", "cos channels (units)", "V, 1 V for 1"),
                           strict=True):  # fmt: skip
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="xx-small", ncols=2)
    axes[-1].set_xlabel("tau")
    updates = run.config.noise.updates
    caption = (
        f"The 14 embedding channels (ring frequencies of the published bench) and beta as held by "
        f"12-bit converters (macro) with {updates} updates in a solve; dashed: exact. A held value "
        f"differs by at most {worst:.4f} units, most of it half an update"
    )
    return Finding(figure, rows, caption, [
        Beside("DAC updates in a solve, bits", "200, 12 (MAX5742)", f"{updates}, 12", "the same"),
    ])  # fmt: skip


def recorded(netlist: Netlist, vectors: Iterable[str]) -> dict[str, np.ndarray]:
    """Vectors of a netlist's own transient, others than those that a run records."""
    body = [line for line in str(netlist).splitlines() if not line.startswith(".save ")]
    return analysed("\n".join([*body[:-1], saved(vectors), body[-1], ""]))


FIELD_TIMES = (1.0, 0.5, 0.1)
FIELD_LIMIT_UNIT = 1.4


def score_field(workspace: Workspace) -> Finding:
    """The score as a vector field at several t: torch, and the circuit's operating points."""
    run = workspace.run("score_field", {"task": "circle", "score": "analog",
                                        "fidelity": {"all": "macro"}})  # fmt: skip
    points = workspace.size(13, 7)
    grid = np.linspace(-FIELD_LIMIT_UNIT, FIELD_LIMIT_UNIT, points)
    figure, axes = plt.subplots(
        2, len(FIELD_TIMES), figsize=(4.2 * len(FIELD_TIMES), 8), layout="constrained"
    )
    rows: list[dict[str, Any]] = []
    largest = 0.0
    for column, t in enumerate(FIELD_TIMES):
        workspace.on_progress(f"score_field: t = {t:g}")
        circuit, exact = score_on_grid(run, grid, t)
        x = np.stack(np.meshgrid(grid, grid, indexing="xy"), axis=-1).reshape(-1, 2)
        error = circuit - exact
        largest = max(largest, float(np.abs(error).max() / np.ptp(exact)))
        scale = 8 * float(np.abs(exact).max())
        wide = {"color": "0.75", "width": 0.012, "label": "torch", "scale": scale}
        axes[0, column].quiver(*x.T, *exact.T, **wide)
        axes[0, column].quiver(*x.T, *circuit.T, color="C0", scale=scale, label="circuit")
        axes[0, column].set_title(f"t = {t:g} (tau = {1 - t:g})")
        size = np.linalg.norm(error, axis=1).reshape(points, points)
        drawn = axes[1, column].pcolormesh(grid, grid, size, shading="nearest")
        figure.colorbar(drawn, ax=axes[1, column], label="|circuit - torch| (raw units)")
        for axis in axes[:, column]:
            axis.set_aspect("equal")
            axis.set(xlabel="x1", ylabel="x2")
        rows += [
            {"t": t, "x1": x[k, 0], "x2": x[k, 1], "raw_1": circuit[k, 0], "raw_2": circuit[k, 1],
             "torch_1": exact[k, 0], "torch_2": exact[k, 1]}
            for k in range(len(x))
        ]  # fmt: skip
    axes[0, 0].legend(fontsize="small", loc="upper right")
    caption = (
        f"The ring's raw score on {points} x {points} states: torch, and operating points of the "
        "network in the netlist, all blocks macro. Largest error "
        f"{100 * largest:.2f} % of the score's range at its t"
    )
    return Finding(figure, rows, caption)
