"""The process that does the work of these tests, started once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


class Host:
    """Does tasks in children of one warm process; see :mod:`faults.host`."""

    def __init__(self):
        path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.host"],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert json.loads(self._process.stdout.readline()) == "ready"

    def __call__(self, task, stop=None, **arguments):
        """Do a task, stop it as told, and say how it ended."""
        request = {"task": task, "stop": stop, "arguments": arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def host():
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    running = Host()
    yield running
    running.close()


@pytest.fixture(scope="session")
def undisturbed(host, tmp_path_factory):
    """The folder of a task that was not stopped, and what the host says of it."""
    done = {}

    def of(task, **arguments):
        key = json.dumps([task, arguments])
        if key not in done:
            folder = tmp_path_factory.mktemp("undisturbed")
            told = host(task, folder=str(folder), **arguments)
            assert told["exit"] == 0, told
            done[key] = folder, told
        return done[key]

    return of
