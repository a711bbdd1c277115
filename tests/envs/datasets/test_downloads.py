"""Downloads from a server on this machine: what arrives, and what each accident leaves behind (nothing)."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pooch
import pytest

from labelchain.envs.datasets import (
    CATALOGUE,
    CatalogueEntry,
    DatasetError,
    DownloadError,
    UnknownDatasetError,
    download_dataset,
    load_dataset,
    verify_dataset,
)
from labelchain.envs.datasets.entries import DataFile
from labelchain.envs.datasets.storage import files_to_remove, remove_files

HEADER = "@relation toy\n@attribute x numeric\n@attribute y {0,1}\n@data\n"
CONTENT = {
    "toy-train.arff": HEADER + "1,1\n2,0\n" + "3,1\n" * 20000,
    "toy-test.arff": HEADER + "1,1\n",
    "toy.xml": '<labels><label name="y"/></labels>',
}
MULAN = [entry for entry in CATALOGUE.values() if entry.kind == "mulan"]


class Server:
    """Serves a folder; ``change`` alters what it sends: (path, body) to (status, body, declared length)."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.change: Callable[[str, bytes], tuple[int, bytes, int]] = lambda _, body: (200, body, len(body))
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                file = folder / self.path.lstrip("/")
                if not file.is_file():
                    self.send_error(404)
                    return
                status, body, length = outer.change(self.path, file.read_bytes())
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                if status == 302:
                    self.send_header("Location", self.path)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, empty."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LABELCHAIN_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    return folder


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """A small set in the catalogue."""
    files = tuple(
        DataFile(name, len(text), hashlib.sha256(text.encode()).hexdigest()) for name, text in CONTENT.items()
    )
    made = CatalogueEntry(
        *("toy", "a toy", 20002, 1, 1, 1, 1.0, "Nobody, 2024"),
        folder="toy-folder",
        kind="mulan",
        source="https://example.org/toy-folder/",
        downloads=files,
    )
    monkeypatch.setitem(CATALOGUE, "toy", made)
    return made


@pytest.fixture
def server(tmp_path: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    folder = tmp_path / "served" / "toy-folder"
    folder.mkdir(parents=True)
    for name, text in CONTENT.items():
        (folder / name).write_text(text)
    running = Server(folder.parent)
    monkeypatch.setenv("LABELCHAIN_MIRROR", running.address + "/")
    yield running
    running.close()


def left(data: Path) -> set[str]:
    return {str(path.relative_to(data)) for path in data.rglob("*")}


def test_a_set_is_downloaded_verified_and_loaded(
    data: Path, server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 20,001 of 20,003 rows carry the label.
    monkeypatch.setitem(CATALOGUE, "toy", with_cardinality(CATALOGUE["toy"]))
    with pytest.raises(DatasetError, match="To download them, run: labelchain datasets get toy"):
        load_dataset("toy")  # never downloads by itself
    assert server.requests == []
    with caplog.at_level(logging.INFO, "labelchain"):
        folder = download_dataset("toy")
    assert folder == data / "mulan" / "toy-folder"
    assert f"downloading toy from {server.address}/toy-folder/ to {folder}" in caplog.text
    assert server.requests == [f"/toy-folder/{name}" for name in CONTENT]
    assert {name: (folder / name).read_text() for name in CONTENT} == CONTENT
    assert load_dataset("toy").num_labels == 1
    assert set(verify_dataset("toy").values()) == {"ok"}
    assert len({(folder / name).stat().st_mode for name in (*CONTENT, ".labelchain.json")}) == 1
    download_dataset("TOY")
    assert len(server.requests) == 3  # nothing is fetched twice


def with_cardinality(entry: CatalogueEntry) -> CatalogueEntry:
    from dataclasses import replace

    return replace(entry, cardinality=1.0)


def test_progress_is_reported(data: Path, server: Server) -> None:
    seen: dict[str, list[int]] = {}
    download_dataset("toy", lambda file, done: seen.setdefault(file.name, []).append(done))
    assert {name: sizes[-1] for name, sizes in seen.items()} == {n: len(t) for n, t in CONTENT.items()}
    assert len(seen["toy-train.arff"]) > 1
    assert all(sizes == sorted(sizes) for sizes in seen.values())


def test_without_the_variable_files_go_to_the_cache(
    data: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LABELCHAIN_DATA")
    folder = download_dataset("toy")
    assert folder == Path(pooch.os_cache("labelchain")) / "mulan" / "toy-folder"
    assert folder.is_relative_to(data.parent)
    loaded = load_dataset("toy")
    monkeypatch.setenv("LABELCHAIN_DATA", str(data))
    assert load_dataset("toy") is loaded  # the data folder lacks it


def test_a_stopped_download_goes_on(data: Path, server: Server) -> None:
    def stop(path: str, body: bytes) -> tuple[int, bytes, int]:
        return (200, body, len(body)) if "train" in path else (500, b"", 0)

    server.change = stop
    with pytest.raises(DownloadError, match=r"toy-test\.arff answers with the status 500; try again later"):
        download_dataset("toy")
    assert left(data) == {
        "mulan",
        "mulan/toy-folder",
        "mulan/toy-folder/toy-train.arff",
        "mulan/toy-folder/.labelchain.json",
    }
    with pytest.raises(DatasetError, match="no files for the data set toy"):
        load_dataset("toy")  # not a set yet
    server.change = lambda _, body: (200, body, len(body))
    server.requests.clear()
    download_dataset("toy")
    assert server.requests == ["/toy-folder/toy-test.arff", "/toy-folder/toy.xml"]
    assert load_dataset("toy").num_features == 1


def wrong_byte(_: str, body: bytes) -> tuple[int, bytes, int]:
    return 200, body[:10] + b"?" + body[11:], len(body)


def truncated(_: str, body: bytes) -> tuple[int, bytes, int]:
    return 200, body[:-7], len(body)


def too_long(_: str, body: bytes) -> tuple[int, bytes, int]:
    return 200, body + b"x" * 1000000, len(body) + 1000000


def cleanly_truncated(_: str, body: bytes) -> tuple[int, bytes, int]:
    return 200, body[:-7], len(body) - 7


def missing(_: str, body: bytes) -> tuple[int, bytes, int]:
    return 404, b"no", 2


ACCIDENTS = {
    "wrong byte": (wrong_byte, "is not the published file (its SHA-256 differs)"),
    "truncated": (truncated, "broke off, 3 times; try again"),
    "truncated, with the length of what is sent": (cleanly_truncated, "is not the published file"),
    "too long": (too_long, "is not the published file"),
    "missing": (missing, "answers with the status 404"),
}


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("old", [False, True], ids=["", "old file"])
def test_an_accident_leaves_what_was_there(data: Path, server: Server, accident: str, old: bool) -> None:
    change, message = ACCIDENTS[accident]
    server.change = change
    place = data / "mulan" / "toy-folder" / "toy-train.arff"
    if old:
        place.parent.mkdir(parents=True)
        place.write_text("an old file")
    with pytest.raises(DownloadError) as caught:
        download_dataset("toy")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("toy: ")
    assert "By hand: get toy-train.arff, toy-test.arff, toy.xml from https://example.org/" in str(
        caught.value
    )
    assert len(server.requests) == 3  # it tried again
    if old:
        assert left(data) == {"mulan", "mulan/toy-folder", "mulan/toy-folder/toy-train.arff"}
        assert place.read_text() == "an old file"
    else:
        assert left(data) == set()


def test_a_circle_of_addresses(data: Path, server: Server) -> None:
    server.change = lambda *_: (302, b"", 0)
    with pytest.raises(
        DownloadError, match=r"toy-train\.arff leads from one address to the next without end"
    ):
        download_dataset("toy")
    assert left(data) == set()


def test_what_a_stopped_download_left_is_verified_and_removed(data: Path, server: Server) -> None:
    server.change = lambda path, body: (200, body, len(body)) if "train" not in path else (404, b"", 0)
    with pytest.raises(DownloadError):
        download_dataset("toy")
    with pytest.raises(DatasetError, match="toy is not here"):
        verify_dataset("toy")
    for got, present in (("train", 1), ("test", 2)):
        server.change = lambda path, body, got=got: (  # type: ignore[misc]
            (200, body, len(body)) if got in path or "train" in path else (404, b"", 0)
        )
        with pytest.raises(DownloadError):
            download_dataset("toy")
        outcome = verify_dataset("toy")
        assert list(outcome.values())[:3] == ["ok"] * present + ["missing"] * (3 - present)
        assert outcome["statistics"] == "unknown until 'labelchain datasets get toy' has got what is missing"
    remove_files(files_to_remove("toy"))
    assert left(data) == {"mulan"}
    with pytest.raises(DatasetError, match="toy is not here"):
        files_to_remove("toy")


def test_a_second_attempt_can_succeed(data: Path, server: Server) -> None:
    def once(path: str, body: bytes) -> tuple[int, bytes, int]:
        return wrong_byte(path, body) if server.requests.count(path) == 1 else (200, body, len(body))

    server.change = once
    download_dataset("toy")
    assert len(server.requests) == 6


def test_damaged_files_are_replaced(data: Path, server: Server) -> None:
    place = download_dataset("toy") / "toy-test.arff"
    place.write_text("damaged")
    assert verify_dataset("toy")["toy-test.arff"] == "differs"
    download_dataset("toy")
    assert place.read_text() == CONTENT["toy-test.arff"]


def test_a_dead_server(data: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("LABELCHAIN_MIRROR", f"http://{address}")
    with pytest.raises(
        DownloadError, match=rf"^toy: cannot reach {address}; is this machine offline\? By hand"
    ):
        download_dataset("toy")
    assert left(data) == set()


def test_a_server_that_hangs_up(data: Path, entry: CatalogueEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelchain.envs.datasets.downloads.TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("LABELCHAIN_MIRROR", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DownloadError, match="cannot reach 127"):
            download_dataset("toy")
    assert left(data) == set()


@pytest.mark.parametrize("old", [False, True], ids=["", "old file"])
def test_a_full_disk(data: Path, server: Server, monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    class FullDisk(io.FileIO):
        def write(self, content: Any) -> int:
            super().write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place = data / "mulan" / "toy-folder" / "toy-train.arff"
    if old:
        place.parent.mkdir(parents=True)
        place.write_text("an old file")
    monkeypatch.setattr("labelchain.envs.datasets.downloads.open_binary", lambda path: FullDisk(path, "w"))
    with pytest.raises(
        DownloadError, match=r"toy: cannot write .*\(80,0\d\d bytes\): the disk is full; nothing"
    ):
        download_dataset("toy")
    if old:
        assert place.read_text() == "an old file"
        assert left(data) == {"mulan", "mulan/toy-folder", "mulan/toy-folder/toy-train.arff"}
    else:
        assert left(data) == set()


def test_a_place_that_cannot_be_written(data: Path, server: Server) -> None:
    (data / "mulan").write_text("a file")
    with pytest.raises(DownloadError, match=r"cannot write .*toy-train\.arff"):
        download_dataset("toy")
    assert left(data) == {"mulan"}


def test_what_cannot_be_downloaded(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="digit-scenes is built in; there is nothing to get"):
        download_dataset("digit-scenes")
    with pytest.raises(
        DownloadError, match=r"no address to download from\. Get the files from http.*datasets add"
    ):
        download_dataset("wiki10-31k")
    with pytest.raises(UnknownDatasetError, match=r"unknown data set 'bibtx'\. Did you mean bibtex"):
        download_dataset("bibtx")
    for wrong in ("/a/folder", "http://[::1", "http://", "https:///folder", "http://host:port", "ftp://host"):
        monkeypatch.setenv("LABELCHAIN_MIRROR", wrong)
        with pytest.raises(DownloadError, match="LABELCHAIN_MIRROR must be an address such as https://"):
            download_dataset("bibtex")
    assert left(data) == set()


def test_without_pooch(data: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(DownloadError, match=r"downloads need pooch: pip install 'labelchain\[train\]'"):
        download_dataset("toy")
    monkeypatch.delenv("LABELCHAIN_DATA")
    with pytest.raises(DatasetError, match="no place for data sets: set LABELCHAIN_DATA to a folder, or"):
        download_dataset("toy")


@pytest.mark.data
@pytest.mark.parametrize("entry", MULAN, ids=lambda entry: entry.name)
def test_every_mulan_set_downloads_verifies_and_loads(
    entry: CatalogueEntry, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (data_folder / "mulan" / str(entry.folder)).is_dir():
        pytest.skip(f"{data_folder} has no Mulan folder of {entry.name}")
    server = Server(data_folder / "mulan")
    try:
        monkeypatch.setenv("LABELCHAIN_MIRROR", server.address)
        monkeypatch.setenv("LABELCHAIN_DATA", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        download_dataset(entry.name)
    finally:
        server.close()
    assert set(verify_dataset(entry.name).values()) == {"ok"}
    data = load_dataset(entry.name)
    assert (data.num_features, data.num_labels) == (entry.num_features, entry.num_labels)
