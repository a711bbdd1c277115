"""Order-free targets: against a slow reference, and as the expectation of the likelihood."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.likelihood import Batch, LikelihoodObjective, RandomOrder
from labelchain.agents.networks import build_network
from labelchain.agents.order_free import OrderFreeObjective, order_free_cross_entropy


@given(st.integers(0, 2**31))
@settings(max_examples=30)
def test_the_target_is_uniform_over_the_missing_labels_then_stop(seed):
    rng = np.random.default_rng(seed)
    num_labels, most = 6, 4
    chains = np.stack([rng.permutation(num_labels)[:most] for _ in range(5)])
    lengths = rng.integers(0, most + 1, 5)
    chains[np.arange(most) >= lengths[:, None]] = -1
    logits = torch.from_numpy(rng.normal(size=(5, most + 1, num_labels + 1)))
    expected = 0.0
    for row, length in enumerate(lengths):
        for step in range(length + 1):
            log_probs = logits[row, step].log_softmax(dim=0)
            targets = chains[row, step:length].tolist() or [num_labels]
            expected -= sum(float(log_probs[target]) for target in targets) / len(targets)
    kept = torch.from_numpy(np.arange(most + 1) <= lengths[:, None])
    found = order_free_cross_entropy(logits[kept], torch.from_numpy(chains), kept)
    assert found.item() == pytest.approx(expected / 5)


def network():
    torch.manual_seed(0)
    return build_network(3, 4, NetworkConfig(width=6, dropout=0.0, input_dropout=0.0), "none")


def test_it_is_the_mean_of_the_likelihood_over_all_orders():
    class Given:
        def __init__(self, order):
            self.order = order

        def keys(self, *_):
            return torch.tensor([self.order], dtype=torch.float32)

    net, batch, generator = network(), Batch(torch.randn(1, 3), torch.tensor([[0, 2, 3]])), torch.Generator()
    orders = list(itertools.permutations(range(3)))
    likelihood = [LikelihoodObjective(Given(order)).loss(net, batch, generator)[0].item() for order in orders]
    order_free = OrderFreeObjective()
    found = []
    for order in orders:
        order_free._order = Given(order)
        found.append(order_free.loss(net, batch, generator)[0].item())
    assert np.mean(found) == pytest.approx(np.mean(likelihood), rel=1e-5)


def test_it_counts_its_steps_and_draws_a_new_order_each_time():
    net, generator = network(), torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(2, 3), torch.tensor([[0, 1, 3], [-1, -1, -1]]))
    losses = set()
    for _ in range(20):
        loss, logs = OrderFreeObjective().loss(net, batch, generator)
        assert logs == {"order_free_loss": loss.item(), "env_steps": 5}
        losses.add(round(loss.item(), 5))
    assert len(losses) > 1
    random_order = LikelihoodObjective(RandomOrder()).loss(net, batch, generator)[1]
    assert random_order["env_steps"] == 5
