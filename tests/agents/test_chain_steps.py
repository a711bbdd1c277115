"""The steps of greedy chains: the same chains as elsewhere, and the distributions they came from."""

import numpy as np
import pytest
import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.chain_steps import chain_steps
from labelchain.agents.decoding import decode_greedily
from labelchain.agents.networks import build_network


def network(cell="sum", seed=0):
    torch.manual_seed(seed)
    net = build_network(3, 5, NetworkConfig(cell=cell, width=6, embedding=5, hidden=5), "none").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3.0)  # far from uniform
    return net


@pytest.mark.parametrize("limit", [1, 3, 9])
@pytest.mark.parametrize("model", [network(), network("gru"), AveragedModel([network(), network("gru", 1)])])
def test_chains_are_the_greedy_ones_and_shares_those_of_their_steps(model, limit):
    features = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    steps = chain_steps(model, features, limit, most=3)
    chains = decode_greedily(model, features, limit).chains
    labels = np.where(steps.actions < 5, steps.actions, -1)
    for row in range(40):
        assert labels[row][labels[row] >= 0].tolist() == chains[row][chains[row] >= 0].tolist()
        state, emitted = model.start(features[[row]]), torch.zeros(1, 5, dtype=torch.bool)
        for step, action in enumerate(steps.actions[row].tolist()):
            if action < 0:
                assert (steps.candidates[row, step] == -1).all()
                continue
            with torch.no_grad():
                shares = model.log_probs(state, emitted).exp()[0].numpy()
            assert steps.candidates[row, step, 0] == action
            np.testing.assert_allclose(steps.probabilities[row, step], shares[action], atol=1e-6)
            np.testing.assert_allclose(
                steps.candidate_probabilities[row, step], np.sort(shares)[:-4:-1], atol=1e-6
            )
            np.testing.assert_allclose(
                steps.candidate_probabilities[row, step], shares[steps.candidates[row, step]], atol=1e-6
            )
            if action < 5:
                state = model.advance(state, torch.tensor([action]))
                emitted = emitted.clone()
                emitted[0, action] = True


def test_candidates_are_at_most_all_actions_and_a_chain_ends_with_stop_or_at_its_limit():
    features = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    steps = chain_steps(network(), features, 3, most=99)
    assert steps.candidates.shape[2] == 6
    np.testing.assert_allclose(steps.candidate_probabilities[:, 0].sum(axis=1), 1, atol=1e-5)
    for actions in steps.actions:
        taken = actions[actions >= 0]
        assert (taken[:-1] < 5).all()
        assert taken[-1] == 5 or len(taken) == 3
