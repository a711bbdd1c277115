"""Which labels go first, and chains as text: figures against a count by hand, pictures of any size."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from labelchain.agents.chain_table import chain_table
from labelchain.agents.order_figures import label_order, order_image
from labelchain.agents.projector import LARGEST, write_projector
from labelchain.envs import MultilabelDataset


def random_chains(num_rows, num_labels, seed=0):
    rng = np.random.default_rng(seed)
    labels = csr_array((rng.random((num_rows, num_labels)) < 0.3).astype(np.int8))
    chains = np.stack([rng.permutation(num_labels)[: min(6, num_labels)] for _ in range(num_rows)])
    lengths = rng.integers(0, chains.shape[1] + 1, size=num_rows)
    return labels, np.where(np.arange(chains.shape[1]) < lengths[:, None], chains, -1)


@pytest.mark.parametrize(("num_rows", "num_labels"), [(1, 1), (7, 3), (40, 12), (3, 30)])
def test_positions_and_errors_are_those_counted_by_hand(num_rows, num_labels):
    labels, chains = random_chains(num_rows, num_labels)
    order = label_order(labels, chains)
    truth = labels.toarray().astype(bool)
    held = []
    for label in range(num_labels):
        places = [chain.tolist().index(label) + 1 for chain in chains if label in chain]
        if not places:
            continue
        held.append(label)
        at = len(held) - 1
        emitted = np.array([label in chain for chain in chains])
        either = emitted | truth[:, label]
        assert order.position[at] == pytest.approx(np.mean(places))
        assert order.count[at] == len(places)
        assert order.error_rate[at] == pytest.approx((emitted ^ truth[:, label]).sum() / either.sum())
    assert order.labels.tolist() == held


@pytest.mark.parametrize("num_labels", [1, 2, 10, 60, 3_000])
def test_any_number_of_labels_can_be_drawn(num_labels):
    labels, chains = random_chains(200, num_labels)
    frequencies = np.arange(num_labels) ** 2
    image = order_image(
        label_order(labels, chains), frequencies, [f"$name_{i}$ of a label" for i in range(num_labels)]
    )
    assert image.shape == (800, 600, 3)
    assert image.dtype == np.uint8
    assert image.std() > 5


def test_chains_that_hold_nothing_can_be_drawn():
    labels = csr_array((4, 3), dtype=np.int8)
    order = label_order(labels, np.full((4, 1), -1))
    assert len(order.labels) == 0
    assert order_image(order, np.zeros(3, dtype=np.int64), ["a", "b", "c"]).shape == (800, 600, 3)


def test_the_table_marks_right_wrong_and_missed_labels_and_escapes_names():
    labels = csr_array(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=np.int8))
    chains = np.array([[2, 1], [-1, -1], [1, -1]])
    assert chain_table(np.array([0, 5, 9]), labels, chains, ["sea|sky", "a_b", "*c*\n<d>"]).splitlines() == [
        "| test row | chain | missed | true labels |",
        "|---|---|---|---|",
        r"| 0 | **\*c\* \<d\>** ✓ → a\_b ✗ | sea\|sky | sea\|sky, \*c\* \<d\> |",
        "| 5 | - | - | - |",
        r"| 9 | **a\_b** ✓ | - | a\_b |",
    ]


def test_the_projector_gets_the_most_frequent_labels_and_names_on_one_line(tmp_path):
    count = LARGEST + 3
    labels = np.zeros((8, count), dtype=np.int8)
    labels[0], labels[1, 5] = 1, 1
    data = MultilabelDataset.from_arrays(
        "many",
        np.eye(8, dtype=np.float32),
        labels,
        train_rows=[0, 1, 2],
        validation_rows=[3],
        test_rows=[4],
        label_names=[f"name\t{i}\nx" for i in range(count)],
    )
    embeddings = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    write_projector(tmp_path, embeddings, data)
    tensors = np.loadtxt(tmp_path / "label_embeddings.tsv", delimiter="\t")
    lines = (tmp_path / "label_names.tsv").read_text().splitlines()
    assert len(tensors) == LARGEST == len(lines) - 1
    assert tensors[:2].tolist() == [[10, 11], [0, 1]]
    assert lines[1:3] == ["name 5 x\t2", "name 0 x\t1"]
