"""Files that are written beside and renamed, and what a killed process leaves of them."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from labelchain.envs.files import (
    check_folder,
    held,
    remove_unfinished,
    save_beside,
    staging_folder,
    written_beside,
)

if sys.platform != "win32":
    import fcntl

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs locks")

KILLED = """
import os, sys
from pathlib import Path
from labelchain.envs.files import staging_folder, written_beside, save_beside
folder = Path(sys.argv[1])
with written_beside(folder / "set.npz") as temporary, staging_folder(folder) as staging:
    temporary.write_text("half")
    (staging / "part").write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_leaves_is_hidden_and_removed(tmp_path):
    (tmp_path / "kept").write_text("mine")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -9
    left = {path.name for path in tmp_path.iterdir()} - {"kept"}
    assert len(left) == 2
    assert all(name.startswith(".unfinished-") for name in left)
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_is_being_written_stays(tmp_path):
    with written_beside(tmp_path / "file") as temporary, staging_folder(tmp_path) as staging:
        temporary.write_text("new")
        remove_unfinished(tmp_path)
        assert temporary.exists()
        assert staging.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "new"


HOLDER = """
import sys, time
from pathlib import Path
from labelchain.envs.files import held
with held(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    time.sleep(100)
"""


def test_a_folder_is_held_by_one_process_until_it_ends(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "True\n"
    with held(tmp_path) as ours:
        assert not ours
    holder.kill()
    holder.communicate()
    with held(tmp_path) as ours:
        assert ours


def test_a_link_stays_one_and_its_file_is_written(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "real").write_text("old")
    links = {"kept.csv": "deep/real", "begun.csv": "new/real"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
        with written_beside(tmp_path / link) as temporary:
            temporary.write_text(link)
            assert temporary.suffix == ".csv"  # by which some writers choose a format
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / target).read_text() == link
        assert [path.name for path in (tmp_path / target).parent.iterdir()] == ["real"]


def test_what_is_no_file_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name, what in (("folder", "a folder"), ("pipe", "a pipe or a device"), ("link", "a pipe or a dev")):
        with (
            pytest.raises(OSError, match=f"expected the path of a file to write, got {what}.*: .*{name}'"),
            written_beside(tmp_path / name),
        ):
            raise AssertionError
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), staging_folder(tmp_path / "deep" / "er") as staging:
        (staging / "file").write_text("half")
        raise KeyboardInterrupt
    assert list((tmp_path / "deep" / "er").iterdir()) == []


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path):
    remove_unfinished(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_saves_into_memory_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    save_beside(path, lambda file: file.write(b"old"))

    def failing(file):
        file.write(b"new")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        save_beside(path, failing)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_taken_for_one_left_over_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    made, make = [], tempfile.mkstemp

    def and_removed(*args, **kwargs):
        handle, name = make(*args, **kwargs)
        made.append(name)
        if len(made) == 1:
            remove_unfinished(tmp_path)  # as another process does
        return handle, name

    monkeypatch.setattr(tempfile, "mkstemp", and_removed)
    with written_beside(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert len(made) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_locks_files_are_written_and_nothing_is_held_or_removed(tmp_path, monkeypatch):
    def refused(handle, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refused)
    with written_beside(tmp_path / "file") as temporary, held(tmp_path) as ours:
        assert ours
        temporary.write_text("new")
        remove_unfinished(tmp_path)
    assert (tmp_path / "file").read_text() == "new"


def test_a_loop_of_links_is_refused(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match="got a loop of links"), written_beside(one):
        pass
    assert one.is_symlink()


def test_a_path_where_no_folder_can_be_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "new" / "below", tmp_path / "link" / "new", Path("new"), Path()):
        check_folder(path)
    for path in (tmp_path / "file", tmp_path / "file" / "below" / "it", Path("file"), tmp_path / "link/file"):
        with pytest.raises(NotADirectoryError, match=r"expected the path of a folder.*file'$"):
            check_folder(path)
