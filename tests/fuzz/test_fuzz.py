"""A small part of ``python -m fuzz.run``; and that the fuzzer itself sees what it is there to see."""

import os
import time

import pytest
from fuzz.data_files import DATA_FILES
from fuzz.format import Format
from fuzz.formats import FORMATS
from fuzz.run import fuzz

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused(name):
    inputs = 60 if name in DATA_FILES else 20
    counts, bad = fuzz(FORMATS[name], inputs, seed=1)
    assert bad == []
    assert sum(counts.values()) == inputs


def made(read, error=ValueError, exact=False):
    def write(folder, seed):
        (folder / "file").write_bytes(b"content of a file")
        return ["file"]

    return Format(write, read, error, exact)


def test_the_fuzzer_sees_what_goes_wrong(monkeypatch):
    def take_memory(folder):
        return bytes(8 << 30)

    def hang(folder):
        time.sleep(5)

    def accept(folder):
        raise AssertionError("not valid")

    def fail(folder):
        raise KeyError("another type")

    def two_lines(folder):
        raise ValueError("two\nlines")

    monkeypatch.setattr("fuzz.run.SECONDS", 1)
    for read, kind in (
        (take_memory, "crashes"),
        (hang, "hangs"),
        (accept, "silent acceptances"),
        (fail, "crashes"),
        (two_lines, "crashes"),
        (lambda _: os._exit(3), "crashes"),
    ):
        counts, bad = fuzz(made(read), 2 if read is not hang else 1)
        assert counts[kind] == len(bad) == sum(counts.values())
    counts, _ = fuzz(made(lambda folder: (folder / "file").read_bytes(), exact=True), 20)
    assert counts["silent acceptances"] > 15
