"""The orders in which labels are learned: permutations of the true labels, as each order says."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch, RandomOrder, label_lists, sort_by_keys
from labelchain.agents.networks import build_network, make_network
from labelchain.baselines.orders import FixedOrder, frequent_first, rare_first, shuffled
from labelchain.baselines.reordering import SampledOrder, reordering_keys


def reordered(chain, true, missing_order):
    """The target by its definition: right labels as sampled, then the missing ones."""
    return [label for label in chain if label in true] + [
        label for label in missing_order if label not in chain
    ]


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=80)
def test_reordered_targets_of_a_batch_are_those_of_the_definition(num_labels, num_rows, seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, num_labels + 1))
    chains = np.full((num_rows, length), -1)
    truths = [np.flatnonzero(rng.random(num_labels) < rng.random()) for _ in range(num_rows)]
    labels = np.full((num_rows, max(1, *map(len, truths), 1)), -1)
    for row, true in enumerate(truths):
        size = rng.integers(0, length + 1)
        chains[row, :size] = rng.permutation(num_labels)[:size]
        if size < length:
            chains[row, size] = num_labels
        labels[row, : len(true)] = true
    generator = torch.Generator().manual_seed(seed)
    keys = reordering_keys(torch.from_numpy(chains), torch.from_numpy(labels), num_labels, generator)
    targets = sort_by_keys(torch.from_numpy(labels), keys).tolist()
    for row, true in enumerate(truths):
        chain = [label for label in chains[row].tolist() if 0 <= label < num_labels]
        target = targets[row][: len(true)]
        assert sorted(target) == true.tolist()
        assert target == reordered(chain, true.tolist(), target)
        assert targets[row][len(true) :] == [-1] * (labels.shape[1] - len(true))


def test_missing_labels_come_in_uniformly_random_order():
    labels = torch.tensor([[0, 1, 2]]).expand(6000, -1)
    chains = torch.tensor([[3, 4]]).expand(6000, -1)  # a wrong label, then STOP
    keys = reordering_keys(chains, labels, 4, torch.Generator().manual_seed(0))
    orders, counts = np.unique(sort_by_keys(labels, keys).numpy(), axis=0, return_counts=True)
    assert len(orders) == 6
    assert counts.min() > 850


def test_the_sampled_order_is_that_of_a_chain_sampled_without_dropout(dataset):
    torch.manual_seed(0)
    net = make_network(dataset, NetworkConfig(width=8, dropout=0.9, input_dropout=0.9)).train()
    rows = torch.from_numpy(dataset.rows("train"))
    batch = Batch(torch.from_numpy(dataset.dense_features(rows.numpy())), label_lists(dataset, rows))
    keys = SampledOrder(4).keys(net, batch, torch.Generator().manual_seed(3))
    assert net.training
    generator = torch.Generator().manual_seed(3)
    chains = sample_chains(net.eval(), batch.features, 4, generator)
    expected = reordering_keys(chains, batch.labels, dataset.num_labels, generator)
    assert torch.equal(keys, expected)


def test_frequent_and_rare_first_are_reverses_and_follow_the_training_rows(make_dataset):
    for seed in range(5):
        data = make_dataset(num_labels=7, seed=seed)
        frequency = data.labels.toarray()[data.rows("train")].sum(axis=0)
        order = frequent_first(data)
        assert order.tolist() == sorted(range(7), key=lambda label, f=frequency: (-f[label], label))
        assert rare_first(data).tolist() == order[::-1].tolist()
        assert (np.diff(frequency[rare_first(data)]) >= 0).all()


def test_one_random_permutation_for_a_seed_another_for_another(make_dataset):
    data = make_dataset(num_labels=12)
    orders = [tuple(shuffled(data, seed).tolist()) for seed in range(20)]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert len(set(orders)) == 20
    assert tuple(shuffled(data, 4).tolist()) == orders[4]


@given(st.integers(1, 9), st.integers(0, 2**31))
@settings(max_examples=40)
def test_a_fixed_order_sorts_every_input_the_same_way(num_labels, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(num_labels)
    truths = [np.flatnonzero(rng.random(num_labels) < 0.5).tolist() for _ in range(4)]
    labels = torch.tensor([true + [-1] * (num_labels - len(true)) for true in truths])
    net = build_network(1, num_labels, NetworkConfig(width=2), "none")
    keys = FixedOrder(order).keys(net, Batch(torch.zeros(4, 1), labels), torch.Generator())
    for row, true in zip(sort_by_keys(labels, keys).tolist(), truths, strict=True):
        assert [label for label in row if label >= 0] == [label for label in order.tolist() if label in true]


def test_random_orders_are_uniform_and_new_at_every_draw():
    net = build_network(1, 3, NetworkConfig(width=2), "none")
    batch = Batch(torch.zeros(6000, 1), torch.tensor([[0, 1, 2]]).expand(6000, -1))
    generator = torch.Generator().manual_seed(0)
    draws = [sort_by_keys(batch.labels, RandomOrder().keys(net, batch, generator)) for _ in range(2)]
    assert not torch.equal(*draws)
    _, counts = np.unique(draws[0].numpy(), axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 850
