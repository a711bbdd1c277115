"""The chain network while it learns: dropout masks, padding, what the value head may change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.networks import build_network, make_network
from labelchain.agents.scaling import InputScaler
from labelchain.agents.steps import Steps
from labelchain.envs import MultilabelDataset

CELLS = ["sum", "gru"]
NUM_FEATURES, NUM_LABELS = 5, 6


def network(cell, seed=0, width=12, **shape):
    torch.manual_seed(seed)
    config = NetworkConfig(cell=cell, width=width, embedding=7, hidden=9, **{"dropout": 0.0, **shape})
    return build_network(NUM_FEATURES, NUM_LABELS, config, "none")


@pytest.mark.parametrize("cell", CELLS)
@given(seed=st.integers(0, 2**31), length=st.integers(0, NUM_LABELS), padding=st.integers(1, 3))
@settings(max_examples=25)
def test_what_follows_a_prefix_has_no_influence_on_it(cell, seed, length, padding):
    net = network(cell).eval()
    rng = np.random.default_rng(seed)
    chain = torch.from_numpy(rng.permutation(NUM_LABELS)[None])
    features = torch.from_numpy(rng.normal(size=(1, NUM_FEATURES)).astype(np.float32))
    padded = torch.cat([chain[:, :length], torch.full((1, padding), -1)], dim=1)
    with torch.no_grad():
        whole, hidden = net(features, chain)
        alone, alone_hidden = net(features, chain[:, :length])
        with_padding, _ = net(features, padded)
    assert alone.shape == (1, length + 1, NUM_LABELS + 1)
    for other in (whole, with_padding):
        torch.testing.assert_close(other[:, : length + 1], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(hidden[:, : length + 1], alone_hidden, atol=1e-5, rtol=1e-5)


def masks_at(net, layer, features, chains):
    """Which inputs of a layer are zero in one pass over chains with dropout, one array per call."""
    seen = []
    hook = getattr(net, layer).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0] == 0))
    net.train()(features, chains)
    hook.remove()
    return seen


@pytest.mark.parametrize(("cell", "layer"), [("sum", "output"), ("gru", "from_label")])
def test_one_mask_serves_all_steps_of_a_chain_and_no_other_chain(cell, layer):
    # With slope 0, units would be zero that dropout leaves alone.
    net = network(cell, width=64, slope=0.3, dropout=0.5, input_dropout=0.0)
    features = torch.randn(1, NUM_FEATURES).expand(8, -1)
    chains = torch.tensor([[0, 1, 2, 3]]).expand(8, -1)
    (mask,) = masks_at(net, layer, features, chains)
    # (8, 5, width); the gru cell has all chains of a step together
    mask = mask.unflatten(0, (8, 5)) if cell == "sum" else mask.unflatten(0, (5, 8)).transpose(0, 1)
    assert mask.equal(mask[:, :1].expand_as(mask))
    assert 0.3 < mask.float().mean() < 0.7
    assert len({tuple(row.flatten().tolist()) for row in mask}) > 1


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_chains_of_an_input_share_what_is_left_of_it_and_no_other_mask(cell, dropout):
    net = network(cell, width=16, dropout=dropout, input_dropout=0.5).train()
    features, chains = torch.randn(6, NUM_FEATURES), torch.tensor([[0, 1, 2]]).expand(6, -1)
    steps = Steps(chains, torch.ones(6, 4, dtype=torch.bool))
    with torch.no_grad():
        one, other = net.at_steps_of(features, [steps, steps]).chunk(2)
    assert one.allclose(other, atol=1e-5) == (dropout == 0.0)


@pytest.mark.parametrize("cell", CELLS)
def test_logits_are_float32_whatever_the_precision(cell):
    net = network(cell)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = net(torch.randn(2, NUM_FEATURES), torch.tensor([[0], [1]]))
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("cell", CELLS)
def test_without_dropout_training_and_evaluation_are_the_same_function(cell):
    net = network(cell, input_dropout=0.0)
    features, chains = torch.randn(3, NUM_FEATURES), torch.tensor([[0, 1], [2, -1], [-1, -1]])
    with torch.no_grad():
        learning, evaluating = net.train()(features, chains), net.eval()(features, chains)
    assert torch.equal(learning[0], evaluating[0])
    assert torch.equal(learning[1], evaluating[1])


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_of_the_inputs_keeps_their_mean(cell):
    net = network(cell, input_dropout=0.4).train()
    features = torch.ones(4000, NUM_FEATURES)
    with torch.no_grad():
        dropped = net._scaled(features)
    assert dropped.mean() == pytest.approx(1.0, abs=0.03)
    assert sorted(dropped.unique().tolist()) == pytest.approx([0.0, 1 / 0.6])


@pytest.mark.parametrize("cell", CELLS)
def test_the_value_head_does_not_change_the_policy(cell):
    net = network(cell).eval()
    features, chains = torch.randn(3, NUM_FEATURES), torch.tensor([[0, 1], [2, -1], [-1, -1]])
    with torch.no_grad():
        before, hidden = net(features, chains)
        assert net.values(hidden).shape == (3, 3)
        net.value_head.weight.fill_(100.0)
        after, _ = net(features, chains)
    assert torch.equal(before, after)


@pytest.mark.parametrize("cell", CELLS)
def test_masking_does_not_change_the_state(cell):
    net = network(cell).eval()
    emitted = torch.ones(2, NUM_LABELS, dtype=torch.bool)
    with torch.no_grad():
        state = net.start(torch.randn(2, NUM_FEATURES))
        before = [tensor.clone() for tensor in state]
        logits = net.logits(state).clone()
        net.log_probs(state, emitted)
        assert torch.equal(net.logits(state), logits)
    assert all(torch.equal(one, other) for one, other in zip(before, state, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_of_padding_alone_is_the_start_of_a_chain(cell):
    net = network(cell).eval()
    features = torch.randn(4, NUM_FEATURES)
    with torch.no_grad():
        logits, _ = net(features, torch.full((4, 3), -1))
        torch.testing.assert_close(logits[:, 0], net.logits(net.start(features)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("constant", [0.1, -7.7, 1e6, 123456789.0, 3e20])
def test_a_constant_column_becomes_zero_and_its_neighbour_standard(constant):
    features = np.column_stack([np.full(30, constant), np.arange(30)]).astype(np.float32)
    data = MultilabelDataset.from_arrays(
        "constant", features, np.eye(30, 2), train_rows=range(20), test_rows=range(20, 30)
    )
    scaler = InputScaler(2, "standard")
    scaler.fit(data)
    scaled = scaler(torch.from_numpy(data.dense_features(data.rows("train"))))
    assert scaled[:, 0].eq(0).all()
    assert scaled[:, 1].mean().item() == pytest.approx(0.0, abs=1e-5)
    assert scaled[:, 1].std(correction=0).item() == pytest.approx(1.0, abs=1e-4)


def test_extreme_rows_leave_the_others_as_they_are():
    rows = torch.randn(5, 4)
    alone = InputScaler(4, "unit-rows")(rows)
    torch.testing.assert_close(alone, torch.nn.functional.normalize(rows), rtol=0, atol=0)
    beside = torch.cat([torch.full((1, 4), 1e30), rows, torch.full((1, 4), 1e-30), torch.zeros(1, 4)])
    scaled = InputScaler(4, "unit-rows")(beside)
    torch.testing.assert_close(scaled[1:6], alone, rtol=0, atol=0)
    torch.testing.assert_close(scaled[[0, 6]], torch.full((2, 4), 0.5))
    assert scaled[7].eq(0).all()


@pytest.mark.parametrize("factor", [1e-9, 1e-20, 1e-36, 1e30])
def test_features_become_standard_whatever_their_unit(make_dataset, factor):
    data = make_dataset()
    scaled = []
    for features in (data.features, (data.features.astype(np.float64) * factor).astype(np.float32)):
        scaler = InputScaler(6, "standard")
        scaler.fit(replace(data, features=features))
        scaled.append(scaler(torch.from_numpy(features)))
    torch.testing.assert_close(*scaled, atol=1e-5, rtol=1e-5)


def test_features_too_small_for_a_finite_scale_count_as_constant(make_dataset):
    data = make_dataset()
    scaler = InputScaler(6, "standard")
    scaler.fit(replace(data, features=data.features * np.float32(1e-40)))
    assert scaler.scale.eq(1).all()
    assert scaler(torch.from_numpy(data.features)).isfinite().all()


def test_only_training_rows_decide_the_scaling(make_dataset):
    data = make_dataset()
    far = data.features.copy()
    far[data.rows("test")] += 1000
    far[data.rows("validation")] -= 1000
    moved = MultilabelDataset("moved", far, data.labels, data.splits, data.label_names)
    one, other = (make_network(each, NetworkConfig(width=2)).scaler for each in (data, moved))
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.scale, other.scale)


def test_unit_rows_have_unit_length_whatever_their_size():
    sizes = torch.tensor([1.0, 1e-3, 1e-13, 1e-30, 1e-37, 1e20, 8e37])
    scaled = InputScaler(3, "unit-rows")(torch.outer(sizes, torch.tensor([3.0, 0.0, 4.0])))
    torch.testing.assert_close(scaled, torch.tensor([[0.6, 0.0, 0.8]]).expand(len(sizes), -1))
    features = torch.randn(2, 3)
    assert InputScaler(3, "none")(features) is features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding": 0}, "embedding must be from 1 to 65536, got 0"),
        ({"hidden": -3}, "hidden must be from 1 to 65536, got -3"),
        ({"dropout": float("nan")}, r"dropout must be in \[0, 1\), got nan"),
        ({"input_dropout": 1}, r"input_dropout must be in \[0, 1\), got 1"),
        ({"slope": 1.5}, r"slope must be in \[0, 1\], got 1.5"),
        ({"slope": float("nan")}, r"slope must be in \[0, 1\], got nan"),
        ({"cell": None}, "cell must be 'sum' or 'gru', got None"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**change)


def test_slope_is_that_of_the_units_below_zero():
    features, chains = torch.randn(5, NUM_FEATURES), torch.tensor([[0, 1]]).expand(5, -1)
    for slope, negative in ((0.0, False), (0.3, True), (1.0, True)):
        net = network("sum", slope=slope).eval()
        _, hidden = net(features, chains)
        assert bool((hidden < 0).any()) == negative
    torch.testing.assert_close(hidden.mean(dim=-1), torch.zeros(5, 3), atol=1e-5, rtol=0.0)
