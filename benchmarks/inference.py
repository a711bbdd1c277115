"""Label sets per second on Bibtex against scikit-learn's chain: ``python -m benchmarks.inference``.

``ClassifierChain(LogisticRegression())``, scikit-learn's defaults throughout, is fitted on the training and
validation rows; chain-pg is trained on the training rows with labelchain's settings, its model selected on
the validation rows. Both answer the test rows, from the features as they are stored to label sets; in another
row of the table, ours gives a ranking too, which scikit-learn's chain does not have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multioutput import ClassifierChain

from benchmarks.measuring import Work, compare, options, report
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import load_chain_model
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.rollouts import label_set_part
from labelchain.agents.runs import Run
from labelchain.agents.settings import settings_for
from labelchain.envs import MultilabelDataset, evaluate, load_dataset

BATCH = 1_024


def trained(dataset: MultilabelDataset, folder: Path, **changes: Any) -> ChainPredictor:
    """The network for label sets of what ``labelchain train chain-pg`` gives; trained once per folder."""
    run = Run(folder, "chain-pg", dataset.name, 0, settings_for(dataset).with_changes(changes))
    train_chain_pg(run, dataset, lambda _share, _what: None)
    predictor = label_set_part(load_chain_model(folder / "model.pt", dataset))
    assert isinstance(predictor, ChainPredictor)
    return predictor


def fitted(dataset: MultilabelDataset) -> ClassifierChain:
    """scikit-learn's chain."""
    rows = np.union1d(dataset.rows("train"), dataset.rows("validation"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the defaults are what is measured
        chain = ClassifierChain(LogisticRegression())
        return chain.fit(dataset.features[rows], dataset.labels[rows].toarray())


def answering(answer: Callable[[NDArray[np.float32]], object], dataset: MultilabelDataset) -> Work:
    """What a predictor answers for the test rows."""
    rows = dataset.rows("test")

    def work() -> int:
        for start in range(0, len(rows), BATCH):
            answer(dataset.dense_features(rows[start : start + BATCH]))
        return len(rows)

    return work


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both, measure both."""
    chosen = options(__doc__, arguments)
    dataset = load_dataset("digit-scenes" if chosen.tiny else "bibtex")
    changes = {"epochs": 2, "width": 8} if chosen.tiny else {}
    predictor = trained(dataset, chosen.out / f"{dataset.name}-chain-pg", **changes)
    chain = fitted(dataset)
    rows = dataset.rows("test")
    features, truth = dataset.features[rows], dataset.labels[rows].toarray()

    def predict() -> int:
        chain.predict(features)
        return len(rows)

    peer = ("ClassifierChain(LogisticRegression())", predict)
    what = f"the {len(rows):,} test rows of {dataset.name}"
    ours = ("chain-pg", answering(predictor.label_sets, dataset))
    result = compare(f"label sets of {what}", "rows", ours, peer, 5.0, chosen)
    ours = ("chain-pg", answering(predictor.predict, dataset))
    both = compare(f"label sets and rankings of {what}", "rows", ours, peer, None, chosen)
    result.notes = {
        "example F1, chain-pg": evaluate(predictor, dataset).metrics["f1_example"],
        "example F1, ClassifierChain": 100.0
        * f1_score(truth, chain.predict(features), average="samples", zero_division=1.0),
    }
    report("inference", [result, both], chosen)


if __name__ == "__main__":
    main()
