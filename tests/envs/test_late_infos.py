"""Infos that come late are like any dictionary, and are worked out once, when they are read."""

import copy
import pickle

import pytest

from labelchain.envs.late_infos import LateInfos

NOW, LATER = {"index": 3}, {"chain": [1, 2], "metrics": {"P@1": 1.0}}
FULL = NOW | LATER


@pytest.fixture
def made():
    """The infos, and a list with an entry for each time they were worked out."""
    calls = []

    def values():
        calls.append(1)
        return copy.deepcopy(LATER)

    return LateInfos(NOW, list(LATER), values), calls


def test_keys_are_known_without_work(made):
    infos, calls = made
    assert list(infos) == list(FULL)
    assert len(infos) == 3
    assert "chain" in infos
    assert "other" not in infos
    assert infos["index"] == 3
    infos["episode"] = 1
    assert not calls


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda infos: {**infos},
        lambda infos: infos.copy(),
        lambda infos: copy.copy(infos),
        copy.deepcopy,
        lambda infos: pickle.loads(pickle.dumps(infos)),
        lambda infos: infos | {},
        lambda infos: {} | infos,
        lambda infos: dict(infos.items()),
        lambda infos: dict(zip(infos, infos.values(), strict=True)),
        lambda infos: {name: infos[name] for name in infos},
        lambda infos: {name: infos.get(name) for name in infos},
        lambda infos: {name: infos.pop(name) for name in list(infos)},
        lambda infos: infos,
    ],
)
def test_however_it_is_read_everything_is_there(made, read):
    infos, calls = made
    assert read(infos) == FULL
    assert len(calls) == 1
    assert repr(infos) in (repr(FULL), "{}")


def test_what_is_set_before_it_is_read_stays(made):
    infos, calls = made
    infos["chain"] = "mine"
    assert infos["chain"] == "mine"
    assert not calls
    assert infos["metrics"] == LATER["metrics"]
    assert infos["chain"] == "mine"
    del infos["metrics"]
    assert infos == {"index": 3, "chain": "mine"}
    infos |= {"chain": 1}
    infos.update(index=4)
    assert infos == {"index": 4, "chain": 1}
    assert len(calls) == 1
