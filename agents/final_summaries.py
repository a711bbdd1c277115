"""What TensorBoard shows of a finished run: metrics, chains, orders, precision-recall, embeddings."""

from __future__ import annotations

import numpy as np

from labelchain.agents.chain_table import chain_table
from labelchain.agents.label_scores import label_scores
from labelchain.agents.order_figures import label_order, order_image
from labelchain.agents.projector import label_embeddings, write_projector
from labelchain.agents.rollouts import evenly_spaced
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Run
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Evaluation, Predictor

SHOWN_CHAINS = 12
"""Test inputs whose chains are shown as text."""
CURVE_ROWS, CURVE_ENTRIES = 1_000, 500_000
"""Test inputs that precision-recall curves are drawn from, and rows x labels of them, at most."""
CURVE_LABELS = 5
"""The most frequent labels, which have a curve of their own."""


def log_final(
    run: Run, dataset: MultilabelDataset, predictor: Predictor, evaluation: Evaluation, seen: int
) -> None:
    """Write the final metrics and hyperparameters of a run, and what explains them.

    All is computed before any is written, so that a run that is stopped here writes nothing twice.

    Args:
        run: The run.
        dataset: The data.
        predictor: What was trained.
        evaluation: Of the test split.
        seen: Inputs seen in training: the step.
    """
    labels, chains = evaluation.labels, evaluation.predictions.chains
    shown = evenly_spaced(np.arange(len(chains)), SHOWN_CHAINS)
    table = chain_table(shown, labels[shown], chains[shown], dataset.label_names)
    frequencies = dataset.label_frequencies("train")
    image = order_image(label_order(labels, chains), frequencies, dataset.label_names)
    curves = _curves(dataset, predictor)
    embeddings = label_embeddings(predictor)
    with RunLogger(run) as logger:
        logger.final(evaluation.metrics, seen)
        logger.writer.add_text("chains", table, seen)
        logger.writer.add_image("which labels go first", image, seen, dataformats="HWC")
        for name, (truth, scores) in curves.items():
            logger.writer.add_pr_curve(f"precision-recall/{name}", truth, scores, seen)
    if embeddings is not None:
        write_projector(run.directory, embeddings, dataset)


def _curves(dataset: MultilabelDataset, predictor: Predictor) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Truth (bool) and scores of all labels together, and of the most frequent ones, by name, flat."""
    most = min(CURVE_ROWS, max(1, CURVE_ENTRIES // dataset.num_labels))
    rows = evenly_spaced(dataset.rows("test"), most)
    scores = label_scores(predictor, dataset.dense_features(rows), dataset.num_labels)
    truth = dataset.dense_labels(rows)
    frequent = np.argsort(-dataset.label_frequencies("train"), kind="stable")[:CURVE_LABELS]
    curves = {"all labels": (truth.ravel(), scores.ravel())}
    for label in frequent:
        curves[f"label {dataset.label_names[label]}"] = truth[:, label], scores[:, label]
    return curves
