"""Letters: class-conditional latents from the circuit, decoded and judged by a classifier."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from cosim.diffusion.score.codec import load_codec
from cosim.diffusion.score.model_files import PROJECT_MODELS
from cosim.diffusion.studies.generation import CIRCUIT, metrics, states_at
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
        found = {"circuit": states_at(run, trace, 1.0), "software": run.problem.software_samples()}
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
        f"lockstep, ODE, no guidance) over those of the data ({codec.card.source}), and decoded "
        f"images. Class accuracy of an independent classifier: circuit "
        f"{100 * seen['circuit']:.1f} %, software {100 * seen['software']:.1f} %; on "
        f"images held out {100 * codec.card.held_out_accuracy:.1f} %"
    )
    return Finding(figure, rows, caption, [
        Beside("data", "EMNIST byclass, H, K, U: 18,222 images", codec.card.source,
               "EMNIST has to be downloaded: `cosim train letters --data FOLDER` takes it"),
        Beside("guidance", "w = 0 in the shipped sampler", "0", "as the hardware's demonstration"),
    ])  # fmt: skip
