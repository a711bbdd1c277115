"""Beam search for the most probable label set, whatever the order of its chain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from labelchain.agents.chain_network import State
from labelchain.agents.decoding import StepModel, numbers, trimmed

CANDIDATES = 4
"""How many continuations are looked at for each place in the beam: several may be of one set."""


@dataclass
class _Beams:
    """The best label sets so far of the rows that are still searched, ``width`` for each row."""

    rows: Tensor
    """``(n,)`` the numbers of the rows."""
    scores: Tensor
    """``(n, width)`` log-probability of the set's chains, falling; minus infinity where there is no set."""
    chains: Tensor
    """``(n, width, max_labels)`` labels in the order they were added, padded with -1."""
    stopped: Tensor
    """``(n, width)`` whether the chains have their STOP."""
    emitted: Tensor
    """``(n, width, num_labels)``."""
    keys: Tensor
    """``(n, width)`` int64: equal sets have equal keys."""


@torch.no_grad()
def search_beam(model: StepModel, features: Tensor, max_labels: int, width: int) -> Tensor:
    """The most probable label set that a beam search finds.

    A set is as probable as its chains in all orders together. Beams of the same labels are merged at every
    step, which loses nothing where the model sees the labels so far as a set (the ``sum`` cell); of ``gru``,
    the state that goes on is that of the most probable way to the set. Unmerged, sets with one good order
    would pass for more probable than others.

    Args:
        model: Gives the step distributions.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        width: How many sets are kept at each step; 1 is greedy, but for ties.

    Returns:
        ``(n, length)`` int64 labels, each where the most probable way to the set adds it, padded with -1.
    """
    num_rows, num_labels, device = len(features), model.num_labels, features.device
    length = min(max_labels, num_labels)
    best = torch.full((num_rows, length), -1, dtype=torch.int64, device=device)
    scores = torch.full((num_rows, width), -torch.inf, device=device)
    scores[:, 0] = 0.0  # one empty chain
    beams = _Beams(
        torch.arange(num_rows, device=device),
        scores,
        torch.full((num_rows, width, length), -1, dtype=torch.int64, device=device),
        torch.zeros(num_rows, width, dtype=torch.bool, device=device),
        torch.zeros(num_rows, width, num_labels, dtype=torch.bool, device=device),
        torch.zeros(num_rows, width, dtype=torch.int64, device=device),
    )
    keys = _keys(num_labels).to(device)
    state = tuple(tensor.repeat_interleave(width, dim=0) for tensor in model.start(features))
    for step in range(length):
        parent, action = _grow(model, state, beams, keys, step)
        running = beams.scores.masked_fill(beams.stopped, -torch.inf).logsumexp(dim=1)
        done = beams.stopped[:, 0] & (beams.scores[:, 0] >= running)  # the others may add up to one set
        best[beams.rows[done]] = beams.chains[done, 0]
        if done.all() or step + 1 == length:
            break
        going = ~done
        flat = (torch.arange(len(parent), device=device)[:, None] * width + parent)[going].flatten()
        beams = _Beams(*(part[going] for part in vars(beams).values()))
        # A chain that has stopped goes on with any label; what comes of it is not looked at.
        state = model.advance(
            tuple(t[flat] for t in state), action[going].flatten().clamp(max=num_labels - 1)
        )
    best[beams.rows] = beams.chains[:, 0]
    return trimmed(best)


def _keys(num_labels: int) -> Tensor:
    """A random number for each label, whose sums tell sets apart (Zobrist 1970), and 0 for STOP.

    At one step the sets that have their STOP have fewer labels than the others, and so other keys.
    """
    generator = torch.Generator().manual_seed(0)
    keys = torch.randint(-(2**63), 2**63 - 1, (num_labels + 1,), generator=generator)
    keys[num_labels] = 0
    return keys


def _grow(model: StepModel, state: State, beams: _Beams, keys: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Put the best continuations in place of the beams; the parent and action of each, ``(n, width)``."""
    num_rows, width, num_labels = beams.emitted.shape
    log_probs = numbers(model.log_probs(state, beams.emitted.flatten(0, 1))).view(
        num_rows, width, num_labels + 1
    )
    at_stop = torch.arange(num_labels + 1, device=log_probs.device) == num_labels
    kept = torch.where(at_stop, 0.0, -torch.inf)  # a chain that has stopped stays as it is
    log_probs = torch.where(beams.stopped[..., None], kept, log_probs)
    candidates = (beams.scores[..., None] + log_probs).flatten(1).float()
    scores, index = candidates.topk(min(CANDIDATES * width, candidates.shape[1]), dim=1)
    parent, action = index // (num_labels + 1), index % (num_labels + 1)
    of_sets = beams.keys.gather(1, parent) + keys[action]
    beams.scores, place = _merged(scores, of_sets).topk(width, dim=1)
    parent, action = parent.gather(1, place), action.gather(1, place)
    beams.keys = of_sets.gather(1, place)
    is_label = action < num_labels
    beams.stopped = ~is_label
    beams.chains = beams.chains.gather(1, parent[..., None].expand_as(beams.chains))
    beams.chains[:, :, step] = torch.where(is_label, action, -1)
    beams.emitted = beams.emitted.gather(1, parent[..., None].expand_as(beams.emitted))
    taken = action.clamp(max=num_labels - 1)[..., None]
    beams.emitted.scatter_(2, taken, beams.emitted.gather(2, taken) | is_label[..., None])
    return parent, action


def _merged(scores: Tensor, keys: Tensor) -> Tensor:
    """Add up the probabilities of equal sets.

    Args:
        scores: ``(n, m)`` log-probabilities, falling.
        keys: ``(n, m)``, equal for equal sets.

    Returns:
        ``(n, m)``: at the first of equal sets the logarithm of their sum, at the others minus infinity, as
        where float32 cannot hold the sum beside the best of the row.
    """
    together, order = keys.sort(dim=1, stable=True)
    first = torch.ones_like(together, dtype=torch.bool)
    first[:, 1:] = together[:, 1:] != together[:, :-1]
    group = first.cumsum(dim=1) - 1
    top = scores[:, :1].clamp(min=torch.finfo(scores.dtype).min)  # finite where nothing is possible
    each = (scores.gather(1, order) - top).exp()
    sums = torch.zeros_like(each).scatter_add_(1, group, each).log() + top
    merged = torch.where(first, sums.gather(1, group), -torch.inf)
    return torch.empty_like(scores).scatter_(1, order, merged)
