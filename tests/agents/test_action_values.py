"""What ``chain-q`` learns: of every action, the probability that it is right."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from labelchain.agents.action_values import ActionValueObjective, begin_at_frequencies
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.likelihood import Batch
from labelchain.agents.networks import build_network, make_network
from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.baselines.learners import LEARNERS, fit
from labelchain.envs import MultilabelDataset, evaluate


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network(2, 4, NetworkConfig(width=8, dropout=0.0, input_dropout=0.0), "none")


def batch():
    labels = torch.tensor([[1, 3, -1], [-1, -1, -1], [0, 1, 2]])
    return Batch(torch.randn(3, 2, generator=torch.Generator().manual_seed(1)), labels)


@pytest.mark.parametrize("min_labels", [0, 3])
def test_the_loss_is_the_cross_entropy_of_each_action_in_turn(network, min_labels):
    data = batch()
    objective = ActionValueObjective(3, min_labels)
    rollout = objective.draw(network, data, torch.Generator().manual_seed(2))
    loss, logs = objective.loss_on(network, data, rollout, torch.Generator())
    total = 0.0
    for row, chain in enumerate(rollout.actions.tolist()):
        truth, out = set(data.labels[row].tolist()) - {-1}, []
        for action in filter(lambda action: action >= 0, chain):
            state = network.start(data.features[[row]])
            for label in out:
                state = network.advance(state, torch.tensor([label]))
            values = torch.sigmoid(network.logits(state))[0].tolist()
            missing = truth - set(out)
            for other in set(range(5)) - set(out):
                right = other in missing if other < 4 else not missing
                total -= np.log(values[other] if right else 1.0 - values[other])
            out.append(action)
    assert loss.item() == pytest.approx(total / rollout.actions.numel(), rel=1e-5)
    assert logs["env_steps"] == int((rollout.actions >= 0).sum())


def test_stop_is_not_drawn_before_its_time(network):
    data = Batch(torch.zeros(200, 2), torch.full((200, 1), -1))
    actions = ActionValueObjective(3, 2).draw(network, data, torch.Generator().manual_seed(0)).actions
    assert (actions[:, :2] < 4).all()
    assert (actions[:, 2] == 4).any()


def test_values_become_the_share_of_inputs_for_which_an_action_is_right(tmp_path):
    """Inputs that look alike: 60 have label 0, 30 of them label 1 as well, the others none."""
    labels = np.zeros((100, 2), dtype=np.int8)
    labels[:60, 0], labels[:30, 1] = 1, 1
    data = Batch(torch.ones(100, 1), torch.tensor([[0, 1]] * 30 + [[0, -1]] * 30 + [[-1, -1]] * 40))
    torch.manual_seed(0)
    network = build_network(1, 2, NetworkConfig(width=8, dropout=0.0, input_dropout=0.0), "none")
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    objective = ActionValueObjective(2)
    for _ in range(300):
        optimiser.zero_grad()
        objective.loss(network, data, generator)[0].backward()
        optimiser.step()
    with torch.no_grad():
        start = network.start(torch.ones(1, 1))
        first = torch.sigmoid(network.logits(start))[0]
        after = torch.sigmoid(network.logits(network.advance(start, torch.tensor([0]))))[0]
    np.testing.assert_allclose(first, [0.6, 0.3, 0.4], atol=0.03)
    assert after[1] == pytest.approx(0.3, abs=0.03)  # of all, not of those for which label 0 was right


def test_it_learns_and_is_loaded(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 6)).astype(np.float32)
    labels = csr_array((features[:, :4] > 0.3).astype(np.int8))
    data = MultilabelDataset.from_arrays(
        "small",
        csr_array(features).toarray(),
        labels,
        train_rows=np.arange(200),
        test_rows=np.arange(200, 300),
    )
    settings = Settings(width=32, epochs=4, batch_size=16, learning_rate=0.01)
    run = Run(tmp_path / "chain-q", "chain-q", "small", 0, settings)
    metrics = fit(run, data, lambda _share, _note: None, tmp_path)
    assert metrics["P@1"] > 70.0  # at most 82, the share of rows with a label; 38 by chance
    model = LEARNERS["chain-q"].load(run, data)
    assert evaluate(model, data, "test").metrics == pytest.approx(metrics)


@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_values_begin_at_the_frequencies(cell):
    features = np.ones((8, 2), dtype=np.float32)
    labels = csr_array(np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0]] * 2))
    data = MultilabelDataset.from_arrays(
        "small", features, labels, train_rows=np.arange(4), validation_rows=[4, 5], test_rows=[6, 7]
    )
    network = make_network(data, NetworkConfig(cell=cell, width=4, embedding=4, hidden=4))
    stop = network.output.bias[-1].item()
    begin_at_frequencies(network, data)
    probabilities = network.output.bias.detach().sigmoid()
    assert probabilities[:-1].tolist() == pytest.approx([4.5 / 5, 0.5 / 5, 1.5 / 5])
    assert network.output.bias[-1].item() == stop
