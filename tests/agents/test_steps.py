"""Steps of chains: what is out and right at each, as a plain loop finds it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_chains import emitted_before

from labelchain.agents.steps import at_each_step, drawn_steps, inputs_of, labels_before, without


def drawn(rng, num_rows, num_labels, length):
    """Actions as they are drawn: distinct labels, then STOP or the limit, then -1."""
    actions = np.stack([rng.permutation(num_labels + 1)[:length] for _ in range(num_rows)]).astype(np.int64)
    ended = (actions == num_labels).cumsum(axis=1)
    return torch.from_numpy(np.where((ended > 0) & (actions != num_labels), -1, actions))


def test_what_is_out_and_what_is_right_at_every_step_of_a_chain():
    actions, labels = torch.tensor([[2, 0, 1], [1, 3, -1]]), torch.tensor([[0, 1], [2, -1]])
    chains, kept = steps = drawn_steps(actions, 3)
    assert chains.tolist() == [[2, 0], [1, -1]]
    assert kept.tolist() == [[True, True, True], [True, True, False]]
    assert labels_before(steps, 3).tolist() == [[3, 3], [2, 3], [2, 0], [3, 3], [1, 3]]
    assert at_each_step(labels, steps).tolist() == [[0, 1]] * 3 + [[2, -1]] * 2


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
def test_logits_without_what_is_out(num_labels, length, seed):
    rng = np.random.default_rng(seed)
    actions = drawn(rng, 3, num_labels, min(length, num_labels))
    chains, kept = steps = drawn_steps(actions, num_labels)
    logits = torch.from_numpy(rng.normal(size=(int(kept.sum()), num_labels + 1)))
    logits.requires_grad_()
    found = without(logits, labels_before(steps, num_labels), -torch.inf)
    marks = emitted_before(chains, num_labels)[kept]
    assert found.isinf().equal(marks)
    assert found[~marks].equal(logits[~marks])
    (gradient,) = torch.autograd.grad(found[~marks].sum(), logits)
    assert gradient.equal((~marks).to(gradient.dtype))


def test_chains_come_by_their_inputs_in_turn():
    assert inputs_of(torch.zeros(6, 2), 3).tolist() == [0, 1, 2, 0, 1, 2]
    for chains, inputs in ((7, 3), (0, 0)):
        message = f"{chains} chains of {inputs} inputs: expected inputs, and as many of each"
        with pytest.raises(ValueError, match=message):
            inputs_of(torch.zeros(chains, 2), inputs)
