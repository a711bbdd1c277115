"""``chain-q``: the value of every action along sampled chains, by regression.

The labels of a training input are known, and with them whether an action would be right: a label that is
missing, or STOP once none is. So nothing has to be explored or bootstrapped: the network learns, for each
action at each step of chains that it draws, the probability that it is right, by the binary cross-entropy.
That is Q-learning with the reward 1 for a right action, discount 0, and the feedback of all actions; the
greedy chain takes the action of the largest value.

A softmax shares one unit of probability among the labels of an input, however many they are; here each has
its own. Where inputs have many labels, lower ranks gain by it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labelchain.agents.action_sums import IMPOSSIBLE
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch, Logs
from labelchain.agents.policy_gradient import Rollout
from labelchain.agents.runs import Progress, Run
from labelchain.agents.steps import at_each_step, drawn_steps, labels_before, without
from labelchain.agents.training import Phase, train
from labelchain.agents.whole_batch import rows_of_all
from labelchain.envs import MultilabelDataset
from labelchain.envs.rewards import make_reward


class ActionValueObjective:
    """The binary cross-entropy of every action at every step of chains that the network samples.

    Summed over the actions that are possible and the steps of a chain, mean over the inputs; divided by the
    steps that a chain may have, so that the size of the loss does not depend on the limit. A logit is the
    log-odds that an action is right; actions are drawn in proportion to their odds.

    Args:
        max_labels: Chain limit.
        min_labels: STOP is not drawn until so many labels are out.
    """

    def __init__(self, max_labels: int, min_labels: int = 0) -> None:
        self.max_labels = max_labels
        self.min_labels = min_labels

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """Sample a chain per input, and judge every action at each of its steps."""
        return self.loss_on(network, batch, self.draw(network, batch, generator), generator)

    def draw(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Rollout:
        """Sample a chain per input."""
        network.eval()  # chains are drawn from the values that will be used, without dropout
        actions = sample_chains(network, batch.features, self.max_labels, generator, self.min_labels)
        return Rollout(actions, int((actions >= 0).sum()))

    def loss_on(
        self, network: ChainNetwork, batch: Batch, rollout: Rollout, generator: torch.Generator
    ) -> tuple[Tensor, Logs]:
        """The loss of chains drawn before."""
        del generator
        network.train()
        actions, stop = rollout.actions, network.num_labels
        drawn = drawn_steps(actions, stop)
        logits, _ = network.at_steps(batch.features, *drawn)
        logits = without(logits, labels_before(drawn, stop), IMPOSSIBLE)
        true = at_each_step(batch.labels, drawn)
        of_true = logits.gather(1, true.clamp(min=0)).masked_fill(true < 0, IMPOSSIBLE)
        missing = of_true > 0.5 * IMPOSSIBLE  # neither padding nor out
        done = ~missing.any(dim=1)
        # Of the log-odds z of a right action, softplus(-z) = softplus(z) - z.
        right = torch.where(missing, of_true, 0.0).sum(dim=1) + torch.where(done, logits[:, -1], 0.0)
        entropies = torch.nn.functional.softplus(logits).sum(dim=1) - right
        most = min(self.max_labels, network.num_labels)
        loss = entropies.sum() / (rows_of_all(len(actions)) * most)
        return loss, {"action_value_loss": loss.item(), "env_steps": rollout.env_steps}


def begin_at_frequencies(network: ChainNetwork, dataset: MultilabelDataset) -> None:
    """Set the bias of each label's logit to the log-odds of its frequency in the training rows.

    All values would be one half at first, and what is rare would take much of a short training to come down
    (as in Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, section 3.3).
    """
    with_label = torch.from_numpy(dataset.label_frequencies()) + 0.5  # none is certain
    without_label = len(dataset.rows("train")) + 1 - with_label
    with torch.no_grad():
        network.output.bias[:-1] = (with_label / without_label).log()


def train_chain_q(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train ``chain-q`` into a run's directory; return the number of inputs seen."""
    settings = run.settings
    ranks = make_reward(settings.reward, dataset.num_labels).ranks
    limit = settings.chain_limit(dataset)
    objective = ActionValueObjective(limit) if ranks is None else ActionValueObjective(ranks, ranks)
    phase = Phase("action values", objective, settings.epochs, settings.learning_rate)
    return train(run, dataset, [phase], progress, begin_at_frequencies)
