"""What tests of objectives share: labels that are out by a plain loop, and the policy along chains."""

import torch

from labelchain.agents.action_sums import action_sums
from labelchain.agents.steps import at_each_step, drawn_steps, labels_before


def emitted_before(chains, num_labels):
    """Labels out before each step of chains ``(n, length)``: ``(n, length + 1, L + 1)`` bool."""
    out = torch.zeros(len(chains), chains.shape[1] + 1, num_labels + 1, dtype=torch.bool)
    for row, chain in enumerate(chains.tolist()):
        for step in range(len(chain) + 1):
            out[row, step, [label for label in chain[:step] if label >= 0]] = True
    return out


def policy_along(objective, net, batch, actions):
    """What the network's policy does along chains."""
    stop = net.num_labels
    drawn = drawn_steps(actions, stop)
    logits, _ = net.at_steps(batch.features, *drawn)
    sums = action_sums(logits, labels_before(drawn, stop), at_each_step(batch.labels, drawn))
    return objective.along(sums, batch.labels, actions, stop)
