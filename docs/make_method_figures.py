"""Draw the figures of docs/method.md: ``python docs/make_method_figures.py`` (half a minute).

A small network is trained by target reordering on DigitScenes; the figures show what it does on scenes, the
first ones that show what is to be explained.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from labelchain.agents.checkpoints import load_chain_model
from labelchain.agents.decoding import ChainPredictor, StepModel, sample_chains
from labelchain.agents.likelihood import Batch, sort_by_keys
from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.baselines.decision_order import BLURRED
from labelchain.baselines.explanation import Explanation, explain
from labelchain.baselines.learners import fit
from labelchain.baselines.reordering import reordering_keys
from labelchain.envs import MultilabelDataset, load_dataset
from labelchain.envs.evaluation import SelectedPredictor

IMAGES = Path(__file__).parent / "images"
KEPT, CUT, ADDED, PLAIN = "#2a7d4f", "#b8442e", "#2563a8", "#8a929a"
LEARNER, EPOCHS = "target-reordering", 16


def trained(dataset: MultilabelDataset) -> ChainPredictor:
    """The network's model for label sets."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run", LEARNER, dataset.name, 0, Settings(epochs=EPOCHS))
        fit(run, dataset, lambda *_: None)
        predictor = load_chain_model(run.directory / "model.pt", dataset)
    model = predictor.label_set if isinstance(predictor, SelectedPredictor) else predictor
    assert isinstance(model, ChainPredictor)
    return model


def box(axes: Axes, x: float, y: float, text: str, colour: str, *, crossed: bool = False) -> None:
    """A label in a box, with a cross through it if it is cut out."""
    corner, style = (x - 0.32, y - 0.3), "round,pad=0.05"
    shape = FancyBboxPatch(corner, 0.64, 0.6, boxstyle=style, fc="white", ec=colour, lw=2)
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=11 if len(text) > 1 else 15, color=colour)
    if crossed:
        axes.plot([x - 0.3, x + 0.3], [y - 0.28, y + 0.28], color=colour, lw=1.5)


def telling(model: StepModel, dataset: MultilabelDataset) -> tuple[int, list[int], list[int]]:
    """A training row, its sampled chain and its target: labels that are right, wrong inside, and missing."""
    rows = dataset.rows("train")[:2000]
    batch, generator = Batch.of(dataset, rows), torch.Generator().manual_seed(0)
    chains = sample_chains(model, batch.features, 10, generator)
    keys = reordering_keys(chains, batch.labels, dataset.num_labels, generator)
    targets = sort_by_keys(batch.labels, keys)
    for row, *padded in zip(rows.tolist(), chains.tolist(), targets.tolist(), strict=True):
        sampled, target = ([label for label in labels if label >= 0] for labels in padded)
        emitted = [label for label in sampled if label < dataset.num_labels]
        kept = [label for label in emitted if label in target]
        wrong_inside = any(label not in target for label in emitted[:-1])
        if len(kept) >= 2 and kept != sorted(kept) and len(target) > len(kept) and wrong_inside:
            return row, sampled, target
    raise LookupError("no chain shows all three")


def draw_reordering(model: StepModel, dataset: MultilabelDataset) -> Figure:
    """A sampled chain, the true labels, and the target made of both."""
    row, sampled, target = telling(model, dataset)
    figure, (scene, axes) = plt.subplots(
        1, 2, figsize=(9, 3), width_ratios=[1, 2.6], layout="constrained", dpi=120
    )
    show(scene, dataset, row)
    for y, text in ((2, "sampled chain"), (1, "true labels"), (0, "new target")):
        axes.text(-0.7, y, text, ha="right", va="center", fontsize=11)
    for x, label in enumerate(sampled):
        stop, wrong = label == dataset.num_labels, label not in target
        colour = PLAIN if stop else CUT if wrong else KEPT
        box(axes, x, 2, "STOP" if stop else str(label), colour, crossed=wrong and not stop)
    for x, label in enumerate(sorted(target)):
        box(axes, x, 1, str(label), PLAIN)
    for x, label in enumerate([*target, dataset.num_labels]):
        stop = label == dataset.num_labels
        box(
            axes, x, 0, "STOP" if stop else str(label), PLAIN if stop else KEPT if label in sampled else ADDED
        )
    for x, text, colour in (
        (-0.35, "right: kept, in this order", KEPT),
        (2.35, "wrong: cut out", CUT),
        (4.1, "missing: appended", ADDED),
    ):
        axes.text(x, -0.75, text, color=colour, fontsize=10)
    axes.set(xlim=(-2.4, 6.5), ylim=(-1, 2.5))
    axes.axis("off")
    return figure


def show(axes: Axes, dataset: MultilabelDataset, row: int) -> None:
    """The picture of a row."""
    assert dataset.image_shape is not None
    axes.imshow(dataset.dense_features(np.array([row]))[0].reshape(dataset.image_shape), cmap="gray")
    axes.set(xticks=[], yticks=[])


def contrasting(model: ChainPredictor, dataset: MultilabelDataset) -> tuple[int, int]:
    """Two test scenes of the same digits, all found; the blurred ones differ, and come last in both."""
    rows = dataset.rows("test")
    chains = model.label_sets(dataset.dense_features(rows))
    by_digits: dict[tuple[int, ...], list[tuple[int, frozenset[int]]]] = {}
    for index, (row, padded) in enumerate(zip(rows.tolist(), chains.tolist(), strict=True)):
        chain = [label for label in padded if label >= 0]
        digits = tuple(stored(dataset.labels, row))
        blurred = frozenset(stored(dataset.annotations[BLURRED], row))
        last = set(chain[len(chain) - len(blurred) :]) == blurred
        if sorted(chain) == list(digits) and len(digits) == 4 and last and 0 < len(blurred) < 4:
            by_digits.setdefault(digits, []).append((index, blurred))
    pairs = itertools.chain.from_iterable(itertools.combinations(found, 2) for found in by_digits.values())
    for (one, blurred), (other, others) in pairs:
        if not blurred & others:
            return one, other
    raise RuntimeError("no two test scenes of the same digits are decided as wanted; train for more epochs")


def stored(matrix: object, row: int) -> list[int]:
    """The columns of a CSR matrix that a row has."""
    indices: NDArray[np.int64] = matrix[[row]].indices  # type: ignore[index]
    return sorted(indices.tolist())


def draw_orders(model: ChainPredictor, dataset: MultilabelDataset) -> Figure:
    """The steps on two scenes of the same digits."""
    scenes = contrasting(model, dataset)
    figure = plt.figure(figsize=(10, 5), layout="constrained", dpi=120)
    axes = figure.subplots(2, 6)
    for scene, places in zip(scenes, axes, strict=True):
        explanation = explain(model, dataset, "test", scene, 4, LEARNER)
        row = int(dataset.rows("test")[scene])
        blurred = {str(label) for label in stored(dataset.annotations[BLURRED], row)}
        show(places[0], dataset, row)
        places[0].set_title(f"test scene {scene}\nblurred: {', '.join(sorted(blurred))}", fontsize=10)
        draw_steps(places[1:], explanation, blurred)
    return figure


def draw_steps(places: NDArray[np.object_], explanation: Explanation, blurred: set[str]) -> None:
    """Bars of the most probable actions of each step."""
    for number, (place, step) in enumerate(zip(places, explanation.steps, strict=True), start=1):
        taken = step[0]
        colour = PLAIN if taken.is_stop else "#c77f16" if taken.name in blurred else KEPT
        shares = [candidate.probability for candidate in step]
        place.barh(range(len(step)), shares, color=[colour, *["#d5dade"] * (len(step) - 1)])
        place.set_yticks(range(len(step)), [candidate.name for candidate in step])
        place.set(xlim=(0, 1.3), ylim=(3.6, -0.6), xticks=[])
        place.text(shares[0] + 0.04, 0, f"{shares[0]:.0%}", va="center", fontsize=9)
        kind = "" if taken.is_stop else ", blurred" if taken.name in blurred else ", clear"
        place.set_title(f"step {number}:\n{taken.name}{kind}", fontsize=10, color=colour)
        place.spines[["top", "right", "bottom"]].set_visible(False)
        place.tick_params(length=0)


def main() -> None:
    """Train, draw, and save."""
    torch.set_num_threads(1)
    dataset = load_dataset("digit-scenes")
    model = trained(dataset)
    draw_reordering(model.model, dataset).savefig(IMAGES / "reordering.png")
    draw_orders(model, dataset).savefig(IMAGES / "dynamic-order.png")


if __name__ == "__main__":
    main()
