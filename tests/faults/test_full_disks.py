"""Files that cannot be written to their end: one error, the old file stays, the work goes on later."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labelchain.agents.runs import Run

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("learner", ["chain-pg", "maskable-ppo"])
def test_training_on_a_disk_that_takes_no_more(host, undisturbed, tmp_path, learner, number):
    """Every file is limited to some bytes: what is written by Python, by NumPy and by torch."""
    whole = undisturbed("train", learner=learner)[0]
    largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    size = int(np.exp(np.random.default_rng(number).uniform(0, np.log(0.9 * largest))))
    told = host("train", {"write": size, "kill": False}, folder=str(tmp_path), learner=learner)
    assert told["error"].startswith("OSError: [Errno 27] File too large"), told
    assert not list(tmp_path.rglob(".unfinished*"))
    if (tmp_path / "config.json").exists():
        assert Run.open(tmp_path).result is None
    assert host("train", folder=str(tmp_path), learner=learner)["exit"] == 0
    assert Run.open(tmp_path).result == Run.open(whole).result


FULL = """
set -e
mount -t tmpfs -o size=64k tmpfs "$1"
"$2" -c '
import errno, sys
from pathlib import Path
from labelchain.agents.runs import Run
from faults.tasks import train
try:
    train(sys.argv[1] + "/run", "chain-pg")
except OSError as error:
    assert error.errno == errno.ENOSPC, error
else:
    sys.exit("it did not fail")
assert Run.open(Path(sys.argv[1]) / "run").result is None
' "$1"
mount -o remount,size=64m "$1"
"$2" -c 'import sys; from faults.tasks import train; train(sys.argv[1] + "/run", "chain-pg")' "$1"
"""


def test_a_file_system_that_is_full(tmp_path):
    """A real one of 64 kB, which is enlarged afterwards."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a file system")
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", FULL, "bash", tmp_path, sys.executable],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
