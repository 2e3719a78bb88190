"""Letters: class-conditional latents from the circuit, decoded and judged by a classifier."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.score.codec import load_codec
from cosim.diffusion.score.metrics import HistogramKl
from cosim.diffusion.score.model_files import PROJECT_MODELS
from cosim.diffusion.studies.baselines import samples_of
from cosim.diffusion.studies.generation import CIRCUIT, members_at, metrics
from cosim.diffusion.studies.study import Beside, Finding, Workspace
from cosim.report.figures import draw_points

SHOWN_IMAGES = 10


def letters_generation(workspace: Workspace) -> Finding:
    """Latents of each class, circuit over the data, decoded images, KL and class accuracy."""
    count = workspace.size(200, 12)
    codec = load_codec("letters", PROJECT_MODELS)
    classes = workspace.run("letters", {"task": "letters"}).problem.task.classes
    figure = plt.figure(figsize=(13, 9.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    upper, lower = parts
    planes = upper.subplots(1, len(classes))
    pictures = lower.subplots(2 * len(classes), SHOWN_IMAGES)
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(classes):
        tables = CIRCUIT | {"task": "letters", "condition": {"label": name},
                            "ensemble": {"samples": count}}  # fmt: skip
        run, trace = workspace.trace(f"letters_{name}", tables)
        found = {"circuit": members_at(run, trace, 1.0), "software": run.problem.software_samples()}
        draw_points(planes[number], found["circuit"], run.problem.true_samples()[:1500], 1.0)
        for place, (who, samples) in enumerate(found.items()):
            images = codec.decode(samples)
            accuracy = float(np.mean(codec.classify(images) == number))
            rows.append({"class": name, "solver": who, "samples": count, **metrics(samples, run),
                         "class_accuracy": accuracy})  # fmt: skip
            for axis, image in zip(pictures[2 * number + place], images, strict=False):
                axis.imshow(image, cmap="gray_r", vmin=0, vmax=1)
                axis.axis("off")
            pictures[2 * number + place][0].set_title(
                f"{name}, {who}", fontsize="small", loc="left"
            )
        own = rows[-2]
        planes[number].set_title(
            f"{name}: KL {own['kl_2d_nat']:.2f} (software {rows[-1]['kl_2d_nat']:.2f}), "
            f"{100 * own['class_accuracy']:.1f} % seen as {name}", fontsize="small",
        )  # fmt: skip
    seen = {
        who: float(np.mean([row["class_accuracy"] for row in rows if row["solver"] == who]))
        for who in ("circuit", "software")
    }
    caption = (
        f"Letters: {count} latents of each class by the circuit (transistor op-amps, score in "
        f"lockstep, ODE, no guidance, started from a deviation of "
        f"{run.problem.task.start_deviation:.3g}) over those of the data ({codec.card.source}), "
        f"and decoded images. Class accuracy of an independent classifier: circuit "
        f"{100 * seen['circuit']:.1f} %, software {100 * seen['software']:.1f} %; on "
        f"images held out {100 * codec.card.held_out_accuracy:.1f} %"
    )
    return Finding(figure, rows, caption, [
        Beside("data", "EMNIST byclass, H, K, U: 18,222 images", codec.card.source,
               "EMNIST has to be downloaded: `cosim train letters --data FOLDER` takes it"),
        Beside("guidance", "w = 0 in the shipped sampler", "0", "as the hardware's demonstration"),
    ])  # fmt: skip


STARTS = {"N(0, I), as published": {"prior_deviation": 1.0}, "the marginal's deviation": {}}
STEPS, SAMPLES = 100, 500


def letters_start(workspace: Workspace) -> Finding:
    """The tail of the letters' latents: what the start makes of them, in software."""
    seeds = workspace.size(20, 3)
    classes = workspace.run("letters", {"task": "letters"}).problem.task.classes
    figure, axes = plt.subplots(
        len(STARTS), len(classes), figsize=(4 * len(classes), 8), layout="constrained"
    )
    rows: list[dict[str, Any]] = []
    for across, (start, ensemble) in zip(axes, STARTS.items(), strict=True):
        for axis, name in zip(across, classes, strict=True):
            workspace.on_progress(f"letters_start: {name}, {start}")
            problem = workspace.run("letters", {
                "task": "letters", "condition": {"label": name}, "ensemble": ensemble,
            }).problem  # fmt: skip
            true = problem.true_samples()
            distance = HistogramKl(true, problem.task.plot_limit)
            clouds = [samples_of(problem, STEPS, SAMPLES, seed) for seed in range(seeds)]
            floors = [true[SAMPLES * seed : SAMPLES * (seed + 1)] for seed in range(seeds)]
            kl, floor = ([distance(cloud) for cloud in which] for which in (clouds, floors))
            rows.append({
                "class": name, "start": start, "deviation_unit": problem.task.start_deviation,
                "samples": SAMPLES, "seeds": seeds, "kl_mean_nat": float(np.mean(kl)),
                "kl_deviation_nat": float(np.std(kl, ddof=1)),
                "floor_mean_nat": float(np.mean(floor)),
            })  # fmt: skip
            draw_points(axis, clouds[0], true[:1500], 1.0)
            axis.set_title(f"{name}, {start}\nKL {np.mean(kl):.2f} +- {np.std(kl, ddof=1):.2f}",
                           fontsize="small")  # fmt: skip
    means = {
        start: float(np.mean([row["kl_mean_nat"] for row in rows if row["start"] == start]))
        for start in STARTS
    }
    published, marginal = means.values()
    caption = (
        f"Letters, software (float32, Heun, {STEPS} steps), {SAMPLES} latents of each class, mean "
        f"and deviation of {seeds} seeds. Above: started from N(0, I), as published; below: from "
        f"the deviation that the noised latents have at t = 1, {rows[-1]['deviation_unit']:.3f}. "
        f"Mean KL {published:.2f} and {marginal:.2f} nats, floor "
        f"{np.mean([row['floor_mean_nat'] for row in rows]):.2f}"
    )
    return Finding(figure, rows, caption, [
        Beside("KL of the letters' latents, ODE", f"not given; from its start {published:.2f}",
               f"{marginal:.2f} nats from the marginal's deviation",
               "the diffusion leaves latents a deviation of 0.575 at t = 1, not 1: what starts "
               "further out ends as a tail. `ensemble.prior_deviation = 1` is the published start"),
    ])  # fmt: skip
