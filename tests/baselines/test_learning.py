"""Every network learner learns an easy problem within seconds."""

import numpy as np
import pytest
import torch

from labelchain.agents.sb3 import ALGORITHMS
from labelchain.agents.settings import Settings
from labelchain.baselines.learners import LEARNERS, fit
from labelchain.envs import MultilabelDataset

LEARN = Settings(
    width=32,
    embedding=16,
    hidden=32,
    epochs=16,
    batch_size=32,
    learning_rate=1e-2,
    rl_learning_rate=2e-3,
    dropout=0.0,
    input_dropout=0.0,
)
CLASSICAL = (
    "popularity",
    "binary-relevance",
    "tuned-binary-relevance",
    "classifier-chain",
    "ensemble-of-chains",
)
# Ten times what is trained here once, twice and three times.
TENS = ("ten-always-random", "ten-composite", "ten-chain-pg", "ten-chain-q")
# Stable-Baselines3's agents have tests of their own.
NETWORKS = [name for name in LEARNERS if name not in (*CLASSICAL, *ALGORITHMS, *TENS)]


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def identity():
    """The labels are the features that are on: two of six, beside a little noise."""
    rng = np.random.default_rng(0)
    labels = np.argsort(rng.random((480, 6)), axis=1) < 2
    features = labels + 0.1 * rng.normal(size=labels.shape)
    return MultilabelDataset.from_arrays(
        "identity", features, labels.astype(int), train_rows=range(360), test_rows=range(360, 480)
    )


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize("learner", NETWORKS)
def test_every_network_learner_finds_the_features_that_are_on(make_run, identity, learner, cell):
    run = make_run(learner)
    run.settings = LEARN.with_changes({"cell": cell})
    metrics = fit(run, identity, silent)
    assert metrics["P@1"] > 90
    assert metrics["nDCG@5"] > 90
    assert metrics["f1_example"] > 90  # it has learned when to stop, too
