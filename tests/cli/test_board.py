"""``labelchain board``: serves a folder until Ctrl-C, refuses what it cannot show."""

import importlib
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from labelchain.agents.run_logger import RunLogger
from labelchain.cli.app import app


def test_it_serves_runs_until_ctrl_c(make_run):
    run = make_run("always-random")
    with RunLogger(run) as logger:
        logger.scalars("eval", {"P@1": 40.0}, 6)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # A process that Ctrl-C stops: the background jobs of a shell ignore it.
    board = subprocess.Popen(
        [sys.executable, "-u", "-m", "labelchain.cli", "board", str(run.directory), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        address = re.search(r"http://\S+", board.stdout.readline())[0]
        assert address == f"http://localhost:{port}/"
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert b"TensorBoard" in answer.read()
        board.send_signal(signal.SIGINT)
        out, errors = board.communicate(timeout=20)
    finally:
        board.kill()
        board.wait()
    assert board.returncode == 0
    assert out.strip().endswith("stopped")
    assert "Traceback" not in errors


def test_a_folder_without_events_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path, message in (
        (tmp_path / "nowhere", "nowhere does not exist: expected the folder of a run"),
        (tmp_path, "holds no TensorBoard events: expected the folder of a run"),
        (tmp_path / "file", "file is a file: expected the folder of a run"),
    ):
        result = CliRunner().invoke(app, ["board", str(path)])
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert message in result.stderr


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")  # TensorBoard's
def test_a_port_that_is_taken_is_refused(make_run, monkeypatch):
    program = importlib.import_module("tensorboard.program")

    class Refusing:
        def configure(self, **flags):
            assert flags["port"] == 6006

        def launch(self):
            raise program.TensorBoardPortInUseError("could not bind to port 6006")

    monkeypatch.setattr(program, "TensorBoard", Refusing)
    run = make_run("always-random")
    with RunLogger(run) as logger:
        logger.scalars("eval", {"P@1": 40.0}, 6)
    result = CliRunner().invoke(app, ["board", str(run.directory), "--port", "6006"])
    assert result.exit_code == 2
    assert result.stderr == (
        "error: TensorBoard does not start: could not bind to port 6006; choose another --port\n"
    )
