"""Runs on a small data set, for the tests of training."""

from pathlib import Path

import pytest

from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings

SMALL = Settings(width=8, epochs=4, batch_size=16, sb3_steps=2048)


@pytest.fixture
def make_run(tmp_path):
    """Makes runs of one learner with small settings, in folders of their own unless one is named."""
    made = []

    def make(learner, *, seed=0, name=None, **changes) -> Run:
        made.append(learner)
        directory = Path(tmp_path) / (name or f"{learner}-{len(made)}")
        return Run(directory, learner, "random", seed, SMALL.with_changes(changes))

    return make
