"""Where label sets end: what is added to the logit of STOP, chosen on the validation rows.

What a threshold is to independent classifiers. A chain stops where STOP is more probable than each missing
label, which suits the most probable label set, and F1 less. The choice follows the one-standard-error rule
(Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), with what was learned as the
simplest: validation rows may be few.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from labelchain.agents.decoding import RunningChains, StepModel, numbers
from labelchain.agents.network_records import Record, network_of
from labelchain.envs import MultilabelDataset
from labelchain.envs.metrics import label_set_scores, pooled_f1

OFFSETS = np.arange(-12, 13) / 4
"""What may be added, in nats; negative numbers make chains longer."""
ROWS_AT_A_TIME = 1024


def stopping_record(
    record: Record, dataset: MultilabelDataset, limit: int, metric: str, device: torch.device
) -> Record:
    """A record with an offset of STOP (``stop``) that gives good label sets on the validation rows.

    Of the offsets that are within a standard error of the best, that nearest to zero is taken. (The error is
    that of the difference over the rows; a metric that pools all rows has none.)

    Args:
        record: The network, unchanged.
        dataset: The data.
        limit: Chain limit.
        metric: What is best, of label sets.
        device: Where the network computes.
    """
    network = network_of(record).to(device)
    rows = dataset.rows("validation")
    parts = [
        _chains_and_margins(network, torch.from_numpy(dataset.dense_features(batch)).to(device), limit)
        for batch in np.split(rows, range(ROWS_AT_A_TIME, len(rows), ROWS_AT_A_TIME))
    ]
    chains, margins = (np.concatenate(each) for each in zip(*parts, strict=True))
    labels = dataset.labels[rows]
    scores = []
    for offset in OFFSETS:
        stops = np.cumsum(margins + offset > 0, axis=1) > 0
        sets = np.where(stops, -1, chains)
        pooled = pooled_f1(labels, sets)
        scores.append([pooled[metric]] if metric in pooled else label_set_scores(labels, sets)[metric])
    return record | {"stop": nearly_best(np.array(scores))}


def nearly_best(scores: NDArray[np.float64]) -> float:
    """The offset nearest to zero of those within a standard error of the best.

    Args:
        scores: Of each of :data:`OFFSETS`, the more the better, for the same rows, ``(len(OFFSETS), n)``.
    """
    losses = scores[scores.mean(axis=1).argmax()] - scores
    errors = losses.std(axis=1) / scores.shape[1] ** 0.5
    alike = OFFSETS[losses.mean(axis=1) <= errors]
    return float(alike[np.abs(alike).argmin()])


@torch.no_grad()
def _chains_and_margins(
    model: StepModel, features: torch.Tensor, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Greedy chains that do not stop, and how far STOP is above each label of them; both ``(n, length)``."""
    length = min(limit, model.num_labels)
    labels = torch.empty(len(features), length, dtype=torch.int64, device=features.device)
    margins = torch.empty(len(features), length, device=features.device)
    running = RunningChains(model, features)
    for step in range(length):
        log_probs = numbers(running.log_probs())
        best, labels[:, step] = log_probs[:, : model.num_labels].max(dim=1)
        margins[:, step] = log_probs[:, model.num_labels] - best
        if step + 1 < length:
            running.emit(labels[:, step])
    return labels.cpu().numpy(), margins.double().cpu().numpy()
