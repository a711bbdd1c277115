"""What tests share: a hypothesis profile without timing, a small data set, runs with small settings."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.envs import MultilabelDataset

SMALL = Settings(width=8, epochs=4, batch_size=16, sb3_steps=2048)

torch.set_num_threads(1)  # tests run side by side

settings.register_profile("labelchain", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labelchain")


@pytest.fixture
def make_dataset():
    """Makes small synthetic data sets, see :func:`random_dataset`."""
    return random_dataset


def random_dataset(num_rows=60, num_features=6, num_labels=5, seed=0, sparse=False):
    """A synthetic data set: label ``i`` is there if feature ``i % num_features`` is large, or by chance."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_rows, num_features)).astype(np.float32)
    labels = features[:, np.arange(num_labels) % num_features] > 0.5
    labels ^= rng.random(labels.shape) < 0.05
    if sparse:
        features = csr_array(np.where(np.abs(features) > 1, features, 0))
    third = num_rows // 3
    return MultilabelDataset.from_arrays(
        "random",
        features,
        labels.astype(int),
        train_rows=np.arange(2 * third),
        test_rows=np.arange(2 * third, num_rows),
        label_names=[f"label {i}" for i in range(num_labels)],
    )


@pytest.fixture
def dataset():
    """A small synthetic data set with dense features."""
    return random_dataset()


@pytest.fixture
def data_folder():
    """The folder with real data sets; tests that need it are skipped without."""
    folder = os.environ.get("LABELCHAIN_DATA")
    if not folder:
        pytest.skip("needs real data sets: set LABELCHAIN_DATA to their folder")
    return Path(folder)


@pytest.fixture
def pretended(monkeypatch):
    """A device that is none but as strict as a GPU, see :mod:`pretended_device`; its ``.device`` names it."""
    from pretended_device import pretended_device

    with pretended_device(monkeypatch) as there:
        yield there


@pytest.fixture
def make_run(tmp_path):
    """Makes runs of one learner with small settings, in folders of their own unless one is named."""
    made = []

    def make(learner, *, seed=0, name=None, **changes) -> Run:
        made.append(learner)
        directory = Path(tmp_path) / (name or f"{learner}-{len(made)}")
        return Run(directory, learner, "random", seed, SMALL.with_changes(changes))

    return make
