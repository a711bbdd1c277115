"""Orders and target reordering: permutations of the true labels, in the order they should have."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labelchain.agents.likelihood import Batch, RandomOrder, sort_by_keys
from labelchain.baselines.orders import FixedOrder, frequent_first, rare_first, shuffled
from labelchain.baselines.reordering import reordering_keys


@st.composite
def samples(draw):
    """True labels of an input, and a sampled chain with right, wrong and missing labels."""
    num_labels = draw(st.integers(1, 9))
    true = draw(st.sets(st.integers(0, num_labels - 1), min_size=1))
    chain = draw(st.permutations(range(num_labels)))[: draw(st.integers(0, num_labels))]
    return num_labels, sorted(true), chain, draw(st.integers(0, 2**31))


@given(samples())
def test_reordering_keeps_right_labels_in_order_drops_wrong_ones_and_appends_the_missing(sample):
    num_labels, true, chain, seed = sample
    actions = torch.tensor([[*chain, num_labels, -1]])
    labels = torch.tensor([[*true, -1]])
    keys = reordering_keys(actions, labels, num_labels, torch.Generator().manual_seed(seed))
    target = sort_by_keys(labels, keys)[0].tolist()
    right = [label for label in chain if label in true]
    assert target[: len(right)] == right
    assert sorted(target[: len(true)]) == true
    assert target[len(true) :] == [-1]


def test_missing_labels_come_in_every_order_equally_often():
    labels = torch.tensor([[0, 1, 2]]).expand(6000, -1)
    chains = torch.full((6000, 1), 3)
    keys = reordering_keys(chains, labels, 3, torch.Generator().manual_seed(0))
    orders = Counter(tuple(row) for row in sort_by_keys(labels, keys).tolist())
    assert len(orders) == 6
    assert all(abs(count - 1000) < 150 for count in orders.values())


def test_fixed_orders(dataset):
    frequency = dataset.label_frequencies("train")
    assert (np.diff(frequency[frequent_first(dataset)]) <= 0).all()
    assert (np.diff(frequency[rare_first(dataset)]) >= 0).all()
    for order in (frequent_first(dataset), rare_first(dataset), shuffled(dataset, 0)):
        assert sorted(order) == list(range(dataset.num_labels))
    assert shuffled(dataset, 1).tolist() == shuffled(dataset, 1).tolist()
    order = np.array([3, 0, 4, 1, 2])
    batch = Batch(torch.zeros(1, 6), torch.tensor([[0, 1, 2, 3, 4, -1]]))
    keys = FixedOrder(order).keys(None, batch, torch.Generator())
    assert sort_by_keys(batch.labels, keys).tolist() == [[*order.tolist(), -1]]


def test_a_random_order_is_another_each_time():
    batch = Batch(torch.zeros(1, 6), torch.arange(20)[None])
    generator = torch.Generator().manual_seed(0)
    one, other = (sort_by_keys(batch.labels, RandomOrder().keys(None, batch, generator)) for _ in range(2))
    assert not torch.equal(one, other)
    assert sorted(one[0].tolist()) == list(range(20))


@pytest.mark.parametrize("make", [frequent_first, rare_first])
def test_ties_do_not_depend_on_chance(dataset, make):
    assert make(dataset).tolist() == make(dataset).tolist()
