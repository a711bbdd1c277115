"""The work that is stopped: small trainings, comparisons, searches and downloads."""

import os
import tempfile
from pathlib import Path

import numpy as np
import torch

from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.baselines.comparison import compare
from labelchain.baselines.learners import fit
from labelchain.baselines.markdown import write_report
from labelchain.baselines.tuning import tune
from labelchain.baselines.workers import Job
from labelchain.envs import MultilabelDataset
from labelchain.envs.datasets import CATALOGUE, CatalogueEntry, download_dataset
from labelchain.envs.datasets.entries import DataFile

TINY = Settings(width=8, epochs=3, batch_size=16, sb3_steps=256)
COMPARED = ("popularity", "always-random", "target-reordering", "chain-pg", "composite")


def silent(*_):
    """A progress callback that shows nothing."""


def data():
    """Sixty rows, five labels that follow from six features."""
    features = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    return MultilabelDataset.from_arrays(
        "random", features, (features[:, :5] > 0.5).astype(int), train_rows=range(40), test_rows=range(40, 60)
    )


def train(folder, learner):
    fit(Run(Path(folder), learner, "random", 0, TINY), data(), silent)


def comparison(folder, report=False):
    """What the command ``compare`` does; the figures of the report take most of its time."""
    out = Path(folder)
    results = compare(data(), "random", COMPARED, 1, TINY, out, lambda *_: silent)
    if report:
        write_report(Job(data(), "random", TINY, out), results, {name: [1.0] for name in COMPARED})


def search(folder):
    tune(
        "chain-pg", data(), "random", 0, TINY.with_changes({"epochs": 1}), Path(folder), 3, lambda *_: silent
    )


def download(folder, address, files):
    """Download a set ``toy`` of some files, each a name, a size and a checksum, from a server."""
    os.environ |= {"LABELCHAIN_DATA": folder, "LABELCHAIN_MIRROR": address}
    CATALOGUE["toy"] = CatalogueEntry(
        *("toy", "a toy", 2000, 1, 1, 1, 1.0, "Nobody, 2024"),
        folder="toy-folder",
        kind="mulan",
        source="https://example.org/toy-folder/",
        downloads=tuple(DataFile(*file) for file in files),
    )
    Path(folder).mkdir(exist_ok=True)
    download_dataset("toy")


TASKS = {"train": train, "comparison": comparison, "search": search, "download": download}


def warm_up():
    """Do each kind of work once: what is imported late is imported then."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        comparison(f"{folder}/comparison", report=True)
        for learner in ("binary-relevance", "maskable-ppo"):
            train(f"{folder}/{learner}", learner)
        search(f"{folder}/search")
    import pooch  # noqa: F401
    import requests.exceptions  # noqa: F401
