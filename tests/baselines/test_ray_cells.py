"""Cells on a Ray cluster of two nodes: the results of one after the other, also when a node is lost."""

import builtins
import re
import socket
import subprocess
import sys
from functools import partial

import pytest

from labelchain.agents.runs import RunError
from labelchain.agents.settings import Settings
from labelchain.baselines import ray_cells
from labelchain.baselines.comparison import compare
from labelchain.baselines.ray_cells import run_cells_on_ray

NAMES = ["chain-pg", "target-reordering", "composite", "popularity"]
TINY = Settings(width=8, epochs=2, batch_size=16)
LONGER = Settings(width=8, epochs=100, batch_size=4)
QUICK_TO_NOTICE = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500}
"""Settings of Ray: a dead node is known as such within seconds."""


def silent(share, note):
    """A progress callback that shows nothing."""


def serial(dataset, settings, folder):
    compare(dataset, "random", NAMES, 1, settings, folder, lambda *_: silent)
    return (folder / "results.json").read_bytes()


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes on this machine, one core each; this process is connected to it."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'labelchain[ray]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
        import ray
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node | {"_system_config": QUICK_TO_NOTICE})
        cluster.small = node
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def second_node(cluster):
    """A node that a test may kill."""
    node = cluster.add_node(**cluster.small)
    yield node
    if node in cluster.worker_nodes:
        cluster.remove_node(node, allow_graceful=False)


pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def test_a_cluster_has_the_results_of_one_after_the_other(tmp_path, dataset, second_node):
    started, told = [], []

    def progress(learner, seed):
        started.append((learner, seed))
        return lambda share, _: told.append(share)

    folder = tmp_path / "ray"
    compare(dataset, "random", NAMES, 1, TINY, folder, progress, None, run_cells_on_ray)
    assert (folder / "results.json").read_bytes() == serial(dataset, TINY, tmp_path / "one")
    assert sorted(started) == sorted((name, 0) for name in NAMES)
    assert told
    assert not list(folder.glob(".unfinished-*"))


def test_a_node_that_is_killed_changes_nothing(tmp_path, dataset, cluster, second_node):
    folder = tmp_path / "ray"
    lost = []

    def progress(learner, seed):
        def report(share, note):
            workers = writers(folder / learner / f"seed-{seed}")
            if not lost and share < 0.75 and parents_of(workers) == {raylet_of(second_node)}:
                lost.append(learner)
                cluster.remove_node(second_node, allow_graceful=False)

        return report

    compare(dataset, "random", NAMES, 1, LONGER, folder, progress, None, run_cells_on_ray)
    assert (folder / "results.json").read_bytes() == serial(dataset, LONGER, tmp_path / "one")
    assert lost == [name for name in NAMES if len(writers(folder / name / "seed-0")) > 1]


def writers(folder):
    """The processes that wrote the event files of a run."""
    return {int(re.search(r"\.(\d+)\.\d+$", path.name)[1]) for path in folder.glob("events.out.*")}


def parents_of(processes):
    """The processes that started these."""
    command = ["ps", "-o", "ppid=", "-p", ",".join(map(str, processes))]
    return set(map(int, subprocess.run(command, capture_output=True, text=True).stdout.split()))


def raylet_of(node):
    """The process that starts the workers of a node."""
    return node.all_processes["raylet"][0].process.pid


def test_an_error_names_the_cell(tmp_path, dataset, cluster):
    (tmp_path / "freq2rare" / "seed-1").mkdir(parents=True)
    (tmp_path / "freq2rare" / "seed-1" / "last.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"^freq2rare, seed 1: .*last\.pt is not a labelchain checkpoint"):
        compare(dataset, "random", ["freq2rare"], 2, TINY, tmp_path, lambda *_: silent, 1, run_cells_on_ray)
    assert (tmp_path / "freq2rare" / "seed-0" / "result.json").exists()


def test_a_folder_that_a_machine_does_not_see_is_refused(tmp_path, dataset):
    kind, message = ray_cells._train(
        ray_cells.Job(dataset, "random", TINY, tmp_path), ("popularity", 0), tmp_path / "elsewhere", None
    )
    assert kind == "refused"
    assert re.search(r"^popularity, seed 0: the machine .* does not see .*--out", message)


def test_an_address_that_does_not_answer_is_refused_in_time(tmp_path, dataset, monkeypatch):
    pytest.importorskip("ray", reason="needs Ray: pip install 'labelchain[ray]'")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr(ray_cells, "ANSWERS_WITHIN", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        engine = partial(run_cells_on_ray, address=address)
        with pytest.raises(RunError, match=f"no Ray cluster answers at '{address}' .*ray start --head"):
            compare(dataset, "random", NAMES, 1, TINY, tmp_path, lambda *_: silent, 1, engine)


def test_without_ray_it_says_what_to_install(tmp_path, dataset, monkeypatch):
    usual = builtins.__import__

    def without_ray(name, *arguments, **others):
        if name == "ray":
            raise ImportError(name)
        return usual(name, *arguments, **others)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(RunError, match=r"pip install 'labelchain\[ray\]'"):
        compare(dataset, "random", NAMES, 1, TINY, tmp_path, lambda *_: silent, 1, run_cells_on_ray)
