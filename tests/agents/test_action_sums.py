"""The sums of logits: the same as by torch's own operations, and so are their gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labelchain.agents.action_sums import IMPOSSIBLE, _Sums, action_sums
from labelchain.agents.steps import at_each_step, drawn_steps, labels_before


def plainly(logits, labels, chains):
    """The three sums, label by label."""
    stop = logits.shape[2] - 1
    out = torch.zeros_like(logits, dtype=torch.bool)
    for row, chain in enumerate(chains.tolist()):
        for step in range(logits.shape[1]):
            out[row, step, [label for label in chain[:step] if 0 <= label < stop]] = True
    logits = logits.masked_fill(out, IMPOSSIBLE)
    true = labels[:, None].expand(-1, logits.shape[1], -1)
    of_true = logits.gather(2, true.clamp(min=0)).masked_fill(true < 0, IMPOSSIBLE)
    return logits[..., :stop].logsumexp(dim=2), logits[..., stop], of_true


@given(
    seed=st.integers(0, 999),
    num_labels=st.integers(1, 6),
    size=st.sampled_from([0.1, 3.0, 200.0]),
    stop=st.sampled_from([0.0, 500.0, -500.0]),
)
def test_sums_and_gradients_are_those_of_plain_operations(seed, num_labels, size, stop):
    torch.manual_seed(seed)
    num_rows, length = 4, min(3, num_labels)
    logits = size * torch.randn(num_rows, length, num_labels + 1)
    logits[..., -1] += stop  # exp of it has no float32, or is 0
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    actions = torch.stack([torch.randperm(num_labels + 1)[:length] for _ in range(num_rows)])
    ended = (actions == num_labels).cumsum(dim=1)
    actions[(ended > 0) & (actions != num_labels)] = -1
    labels = torch.stack([torch.randperm(num_labels).clone() for _ in range(num_rows)])
    labels[torch.rand(labels.shape) < 0.4] = -1

    drawn = drawn_steps(actions, num_labels)
    found = action_sums(ours[actions >= 0], labels_before(drawn, num_labels), at_each_step(labels, drawn))
    expected = [part[actions >= 0] for part in plainly(theirs, labels, actions)]
    for value, other in zip(found, expected, strict=True):
        torch.testing.assert_close(value, other)
    weights = [torch.randn(other.shape) for other in expected]
    for value, sums, own in ((ours, found, weights), (theirs, expected, weights)):
        sum((weight * part).sum() for weight, part in zip(own, sums, strict=True)).backward()
        assert value.grad.isfinite().all()
    # Where everything true is out there is nothing to learn: torch's gradient of a filled value is 0 too.
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


def weighted(logits):
    """Some sums of six steps, weighted and added up."""
    out = torch.tensor([[4, 4], [0, 4], [0, 2], [4, 4], [3, 4], [3, 4]])
    wanted = torch.tensor([[1, 3]] * 3 + [[0, 1]] * 3)
    of_labels, of_stop, of_right = _Sums.apply(logits.clone(), out, wanted)
    weights = torch.arange(1.0, 25.0, dtype=torch.float64)
    return weights @ torch.cat([of_labels, of_stop, of_right.reshape(-1)])


def test_the_gradient_is_the_derivative():
    torch.manual_seed(0)
    logits = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    # Not gradcheck, which goes back more than once.
    gradient = torch.autograd.grad(weighted(logits), logits)[0]
    assert not gradient.requires_grad
    for place in range(30):
        move = torch.zeros(30, dtype=torch.float64)
        move[place] = 1e-6
        move = move.view(6, 5)
        slope = (weighted(logits.detach() + move) - weighted(logits.detach() - move)) / 2e-6
        assert gradient.view(-1)[place].item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-6)


def test_a_second_gradient_is_refused():
    """Its memory went into the first one."""
    logits = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    total = weighted(logits)
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_a_label_that_is_out_counts_for_nothing():
    logits = torch.zeros(2, 3, requires_grad=True)
    out, right = torch.tensor([[2], [0]]), torch.tensor([[0, -1], [0, -1]])
    of_labels, of_stop, of_right = action_sums(logits, out, right)
    assert of_labels.tolist() == [pytest.approx(0.6931472), 0.0]
    assert of_stop.tolist() == [0.0, 0.0]
    assert of_right[:, 0].tolist() == [0.0, pytest.approx(IMPOSSIBLE)]
    assert (of_right[:, 1] == IMPOSSIBLE).all()
    of_right.sum().backward()
    assert logits.grad.nonzero().tolist() == [[0, 0]]
