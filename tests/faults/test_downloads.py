"""Downloads that are killed anywhere: no file takes its place before it is whole; the next goes on."""

import contextlib
import hashlib
import http.server
import signal
import threading

import numpy as np
import pytest

pytestmark = pytest.mark.faults

HEADER = "@relation toy\n@attribute x numeric\n@attribute y {0,1}\n@data\n"
CONTENT = {
    "toy-train.arff": HEADER + "3,1\n" * 200_000,
    "toy-test.arff": HEADER + "1,1\n" * 10_000,
    "toy.xml": '<labels><label name="y"/></labels>',
}
FILES = [(name, len(text), hashlib.sha256(text.encode()).hexdigest()) for name, text in CONTENT.items()]


@pytest.fixture(scope="module")
def address():
    """A server on this machine that has the files."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = CONTENT[self.path.rpartition("/")[2]].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the client was killed
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def assert_whole(folder):
    for path in folder.rglob("toy*.*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            assert path.read_text() == CONTENT[path.name]


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGTERM", "SIGINT", "write"])
@pytest.mark.parametrize("number", range(6))
def test_a_download(host, address, tmp_path, number, kind):
    rng = np.random.default_rng(number)
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    told = host("download", folder=str(whole), address=address, files=FILES)
    assert told["exit"] == 0, told
    if kind == "write":
        stop = {"write": int(rng.integers(len(CONTENT["toy-train.arff"]))), "kill": True}
    else:
        place = int(rng.integers(1, told["operations"] + 1))
        stop = {"operation": place, "signal": getattr(signal, kind)}
    stopped = host("download", stop, folder=str(folder), address=address, files=FILES)
    assert stopped["exit"] != 0
    assert_whole(folder)
    resumed = host("download", folder=str(folder), address=address, files=FILES)
    assert resumed["exit"] == 0, resumed
    assert {path.name: path.read_text() for path in folder.rglob("toy*.*")} == CONTENT
    left = {path.relative_to(folder) for path in folder.rglob("*")}
    assert left == {path.relative_to(whole) for path in whole.rglob("*")}


@pytest.mark.parametrize("size", [0, 100, 70_000, 799_000])
def test_a_download_to_a_disk_that_takes_no_more(host, address, tmp_path, size):
    told = host(
        "download", {"write": size, "kill": False}, folder=str(tmp_path), address=address, files=FILES
    )
    assert told["error"].startswith("DownloadError: toy: cannot write"), told
    assert told["error"].endswith("File too large; nothing was left half written")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
