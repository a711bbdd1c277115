"""Agents of other libraries train on the environments for a few iterations and keep to the masks.

The libraries are optional, and RLlib wants a release of Gymnasium of its own: ``.ci/run_other_libraries``
installs each beside labelchain in an environment of its own, and runs these tests there.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("example", "packages", "wanted"),
    # Ray alone, the extra of comparisons, has RLlib's modules, but not the package tree that they need.
    [
        ("rllib_ppo", ["ray", "tree"], "ray[rllib]"),
        ("torchrl_ppo", ["torchrl"], "labelchain[torchrl]"),
    ],
    ids=["rllib", "torchrl"],
)
def test_no_masked_action_is_taken(example, packages, wanted, tmp_path):
    for package in packages:
        pytest.importorskip(package, reason=f"needs pip install '{wanted}'")
    # A process of its own, since these libraries warn of themselves and start others.
    command = [sys.executable, str(EXAMPLES / f"{example}.py"), "--steps", "3000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"masked actions taken: (\d+); test F1 of \d+ episodes: (\d\.\d+)", done.stdout)
    assert found, done.stdout
    assert int(found[1]) == 0
    assert 0.2 < float(found[2]) < 1.0
