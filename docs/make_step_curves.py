"""Draw validation scores against environment steps: ``python docs/make_step_curves.py RUNS IMAGE``.

``RUNS`` is a folder with a run per learner on one data set, as ``labelchain train ... --out RUNS/LEARNER``
writes them; ``IMAGE`` is the picture to write.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.runs import Run
from labelchain.envs.metrics import RANKING_METRICS

METRICS = (*RANKING_METRICS, "f1_example")
COLUMNS = 3


def curves(run: Run) -> dict[str, tuple[list[int], list[float]]]:
    """By metric, the environment steps of each evaluation and the validation scores."""
    events = EventAccumulator(str(run.directory))
    events.Reload()
    # Both are logged at every evaluation, under the number of inputs seen.
    steps = {event.step: round(event.value) for event in events.Scalars("time/env_steps")}
    found = {}
    for metric in METRICS:
        values = [(steps[event.step], event.value) for event in events.Scalars(f"eval/{metric}")]
        found[metric] = [step for step, _ in values], [value for _, value in values]
    return found


def main() -> None:
    """Read every run, draw one panel per metric."""
    folder, image = Path(sys.argv[1]), Path(sys.argv[2])
    runs = [Run.open(path.parent) for path in sorted(folder.glob("*/config.json"))]
    figure, axes = plt.subplots(2, COLUMNS, figsize=(12, 6.5), sharex=True, layout="constrained")
    for run in runs:
        for axis, (metric, (steps, values)) in zip(axes.flat, curves(run).items(), strict=True):
            axis.plot([step / 1000 for step in steps], values, marker=".", label=run.learner)
            axis.set_title("F1" if metric == "f1_example" else metric)
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("environment steps, thousands")
    for axis in axes[:, 0]:
        axis.set_ylabel("validation, per cent")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.savefig(image, dpi=90)


if __name__ == "__main__":
    main()
