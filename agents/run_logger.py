"""A run's TensorBoard events, under the same tags for every learner."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict

from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from labelchain.agents.runs import Run
from labelchain.envs.metrics import CHAIN_METRICS

LAYOUT = {
    category: {tag: ["Multiline", [f"^{tag}$"]] for tag in tags}
    for category, tags in {
        "Which learner is better": ("eval/nDCG@5", "eval/P@1", "eval/f1_example", "eval/subset_accuracy"),
        "How its chains are": ("chain/length", "chain/first_error", "rollout/ep_rew_mean"),
    }.items()
}
"""The curves that matter most, side by side in TensorBoard's tab of custom scalars."""


class RunLogger:
    """Writes a run's TensorBoard events, under the same tags for every learner.

    ``eval/<metric>`` are validation metrics while learning, ``chain/<metric>`` those of the chain itself (its
    length, repeats, first error), ``test/<metric>`` the final ones, ``train/<figure>`` what the learner says
    of itself, ``rollout/<figure>`` how it acts, ``time/<figure>`` what it took. The step is the number of
    inputs seen, so that curves compare.

    Args:
        run: Whose events they are.
        purge_step: Of a run that goes on: what was logged from this step on does not count.
        seconds: How long the run had taken before this logger was made.

    Attributes:
        writer: What scalars are not enough for.
    """

    def __init__(self, run: Run, purge_step: int | None = None, seconds: float = 0.0) -> None:
        self._run = run
        self._begun = time.perf_counter() - seconds
        self.writer = SummaryWriter(str(run.directory), purge_step=purge_step)

    def __enter__(self) -> RunLogger:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.writer.close()

    def scalars(self, prefix: str, values: Mapping[str, float], step: int) -> None:
        """Write ``prefix/name`` for each value.

        With the metrics of an evaluation (``eval``), those of the chain itself go under ``chain/``, and the
        time goes beside them, ``time/seconds``.
        """
        for name, value in values.items():
            group = "chain" if prefix == "eval" and name in CHAIN_METRICS else prefix
            self.writer.add_scalar(f"{group}/{name}", value, step)
        if prefix == "eval":
            self.writer.add_scalar("time/seconds", self.seconds, step)

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.perf_counter() - self._begun

    def final(self, metrics: Mapping[str, float], step: int) -> None:
        """Write the final test metrics and the hyperparameters that go with them."""
        self.scalars("test", metrics, step)
        chosen = {"learner": self._run.learner, "dataset": self._run.dataset, "seed": self._run.seed}
        values = {
            name: str(value) if value is None else value for name, value in asdict(self._run.settings).items()
        }
        # SummaryWriter.add_hparams would open a second run in a sub-folder.
        parts = hparams(  # type: ignore[no-untyped-call]
            chosen | values, {f"test/{name}": value for name, value in metrics.items()}
        )
        # TensorBoard shows those marked as different first, and a run does not know the others: name them.
        of_experiment = parts[0].value[0].metadata.plugin_data
        content = HParamsPluginData.FromString(of_experiment.content)
        for info in content.experiment.hparam_infos:
            info.differs = info.name in chosen
        of_experiment.content = content.SerializeToString()
        for part in parts:
            self.writer._get_file_writer().add_summary(part)  # type: ignore[no-untyped-call]
        self.writer.add_custom_scalars(LAYOUT)
        self.writer.add_text("config", f"```json\n{json.dumps(self._run.config(), indent=2)}\n```", step)
