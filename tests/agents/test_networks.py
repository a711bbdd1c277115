"""The chain network: steps agree with teacher forcing, dropout keeps the mean, padding has no influence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.agents.chain_network import NetworkConfig, Steps, chain_dropout
from labelchain.agents.networks import build_network, make_network
from labelchain.agents.scaling import InputScaler, scaling_for
from labelchain.envs import load_dataset

CELLS = ("sum", "gru")
NUM_FEATURES, NUM_LABELS = 7, 6


def network(cell, *, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    config = NetworkConfig(cell=cell, width=8, embedding=5, hidden=9, dropout=dropout, input_dropout=dropout)
    return build_network(NUM_FEATURES, NUM_LABELS, config, "none")


@st.composite
def chains(draw):
    """Distinct labels (n, length), padded with -1."""
    num_rows, length = draw(st.integers(1, 4)), draw(st.integers(1, NUM_LABELS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = np.stack([rng.permutation(NUM_LABELS)[:length] for _ in range(num_rows)])
    rows[np.arange(length) >= rng.integers(0, length + 1, num_rows)[:, None]] = -1
    return torch.from_numpy(rows), torch.from_numpy(
        rng.normal(size=(num_rows, NUM_FEATURES)).astype(np.float32)
    )


@pytest.mark.parametrize("cell", CELLS)
@given(case=chains())
@settings(max_examples=30)
def test_teacher_forced_steps_equal_single_steps(cell, case):
    rows, features = case
    net = network(cell).eval()
    with torch.no_grad():
        together, hidden = net(features, rows)
        state = net.start(features)
        assert len(state) == net.state_parts
        for step in range(rows.shape[1] + 1):
            valid = (rows[:, :step] >= 0).all(dim=1)
            torch.testing.assert_close(together[valid, step], net.logits(state)[valid], atol=1e-5, rtol=1e-5)
            if step < rows.shape[1]:
                state = net.advance(state, rows[:, step].clamp(min=0))
    assert hidden.shape == (*together.shape[:2], 8)


@pytest.mark.parametrize(("cell", "same"), [("sum", True), ("gru", False)])
def test_only_the_sum_cell_forgets_the_order_of_the_prefix(cell, same):
    net = network(cell).eval()
    features = torch.randn(1, NUM_FEATURES)
    one, _ = net(features, torch.tensor([[0, 1, 2]]))
    other, _ = net(features, torch.tensor([[2, 0, 1]]))
    assert torch.allclose(one[0, 3], other[0, 3], atol=1e-6) == same


def test_dropout_draws_one_mask_per_chain_and_keeps_the_mean():
    torch.manual_seed(0)
    values, of_chain = torch.ones(6000, 4), torch.arange(2000).repeat_interleave(3)
    dropped = chain_dropout(values, of_chain, 1000, 2, 0.3, training=True)
    assert (dropped.view(2000, 3, 4) == dropped.view(2000, 3, 4)[:, :1]).all()
    assert dropped.mean() == pytest.approx(1.0, abs=0.03)
    first, second = dropped[:3000], dropped[3000:]  # of each input
    assert 0.5 < (first == second).float().mean() < 0.65  # 0.7 * 0.7 + 0.3 * 0.3
    assert chain_dropout(values, of_chain, 1000, 2, 0.3, training=False).eq(1).all()


@pytest.mark.parametrize("cell", CELLS)
def test_values_send_no_gradient_into_the_body(cell):
    net = network(cell)
    _, hidden = net(torch.randn(3, NUM_FEATURES), torch.tensor([[0, 1], [2, -1], [3, 4]]))
    net.values(hidden).sum().backward()
    with_gradient = {name for name, p in net.named_parameters() if p.grad is not None}
    assert with_gradient == {"value_head.weight", "value_head.bias"}


@pytest.mark.parametrize("cell", CELLS)
def test_log_probs_forbid_emitted_labels_and_sum_to_one(cell):
    net = network(cell).eval()
    emitted = torch.tensor([[True, False, True, False, False, False], [True] * 6])
    with torch.no_grad():
        log_probs = net.log_probs(net.start(torch.randn(2, NUM_FEATURES)), emitted)
    assert log_probs[:, :NUM_LABELS].isinf().equal(emitted)
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(2))
    assert log_probs[1, NUM_LABELS] == 0


def test_scaling_suits_the_data(make_dataset):
    assert scaling_for(load_dataset("digit-scenes")) == "none"
    assert scaling_for(make_dataset(sparse=True)) == "unit-rows"
    dense = make_dataset()
    assert scaling_for(dense) == "standard"
    scaler = make_network(dense, NetworkConfig(width=4)).scaler
    scaled = scaler(torch.from_numpy(dense.dense_features(dense.rows("train"))))
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std(dim=0, correction=0), torch.ones(6), atol=1e-5, rtol=0)


def test_scaling_of_zero_rows_and_constant_columns_is_finite():
    assert InputScaler(3, "unit-rows")(torch.zeros(1, 3)).isfinite().all()
    from labelchain.envs import MultilabelDataset

    data = MultilabelDataset.from_arrays(
        "constant", np.ones((6, 2)), np.eye(6, 2), train_rows=[0, 1, 2, 3], test_rows=[4, 5]
    )
    scaler = InputScaler(2, "standard")
    scaler.fit(data)
    assert scaler(torch.ones(1, 2)).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "lstm"}, "cell must be 'sum' or 'gru', got 'lstm'"),
        ({"width": 0}, "width must be from 1 to 65536"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"input_dropout": -0.1}, r"input_dropout must be in \[0, 1\)"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**change)


@pytest.mark.parametrize("cell", CELLS)
@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_some_steps_alone_are_those_of_whole_chains(cell, seed):
    rng = np.random.default_rng(seed)
    net = network(cell).eval()
    features = torch.from_numpy(rng.normal(size=(4, NUM_FEATURES)).astype(np.float32))
    chains = np.stack([rng.permutation(NUM_LABELS)[:3] for _ in range(4)])
    kept = torch.from_numpy(rng.random((4, 4)) < 0.5)
    with torch.no_grad():
        logits, hidden = net(features, torch.from_numpy(chains))
        some_logits, some_hidden = net.at_steps(features, torch.from_numpy(chains), kept)
    torch.testing.assert_close(some_logits, logits[kept])
    torch.testing.assert_close(some_hidden, hidden[kept])


@pytest.mark.parametrize("cell", CELLS)
@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_several_chains_of_an_input_in_one_pass_are_those_of_a_pass_each(cell, seed):
    rng = np.random.default_rng(seed)
    net = network(cell).eval()
    features = torch.from_numpy(rng.normal(size=(4, NUM_FEATURES)).astype(np.float32))
    wanted = []
    for length in rng.integers(1, NUM_LABELS, 3):
        chains = np.stack([rng.permutation(NUM_LABELS)[:length] for _ in range(4)])
        chains[np.arange(length) >= rng.integers(0, length + 1, 4)[:, None]] = -1
        kept = torch.from_numpy(rng.random((4, length + 1)) < 0.5)
        wanted.append(Steps(torch.from_numpy(chains), kept))
    with torch.no_grad():
        together = net.at_steps_of(features, wanted)
        apart = [net.at_steps(features, *steps)[0] for steps in wanted]
    torch.testing.assert_close(together, torch.cat(apart))
