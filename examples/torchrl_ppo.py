"""PPO by TorchRL: GymWrapper reads the mask of each step, and MaskedCategorical keeps to it.

It needs the extra ``torchrl``.
"""

import argparse

import gymnasium as gym
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.collectors import Collector
from torchrl.data import Binary, Composite
from torchrl.envs import (
    Compose,
    DTypeCastTransform,
    GymWrapper,
    RewardSum,
    TransformedEnv,
    set_exploration_type,
)
from torchrl.envs.libs.gym import default_info_dict_reader
from torchrl.envs.utils import ExplorationType
from torchrl.modules import MaskedCategorical, ProbabilisticActor
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import labelchain.envs  # noqa: F401  (registers the ids)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
steps = parser.parse_args().steps
FRAMES, EPOCHS, MINIBATCH = 1024, 4, 256
torch.set_num_threads(1)
torch.manual_seed(0)


def make(split: str) -> TransformedEnv:
    """An environment whose observations hold the mask, as ``action_mask``."""
    base = gym.make("labelchain/DigitScenes-v0", reward="f1", split=split)
    env = GymWrapper(base, categorical_action_encoding=True, device="cpu")
    mask = Composite(action_mask=Binary(int(base.action_space.n), dtype=torch.int8))
    env.set_info_dict_reader(default_info_dict_reader(["action_mask"], spec=mask))
    as_bool = DTypeCastTransform(torch.int8, torch.bool, in_keys=["action_mask"])
    return TransformedEnv(env, Compose(RewardSum(), as_bool))


class Network(nn.Module):
    """A perceptron on the picture and the labels emitted so far."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        hidden = nn.LazyLinear(256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()
        self.layers = nn.Sequential(*hidden, nn.Linear(256, outputs))

    def forward(self, features: torch.Tensor, emitted: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([features, emitted.float()], dim=-1))


env = make("train")
observed = ["features", "emitted"]
actor = ProbabilisticActor(
    TensorDictModule(Network(env.action_spec.space.n), in_keys=observed, out_keys=["logits"]),
    in_keys={"logits": "logits", "mask": "action_mask"},
    distribution_class=MaskedCategorical,
    return_log_prob=True,
)
critic = TensorDictModule(Network(1), in_keys=observed, out_keys=["state_value"])
with torch.no_grad():  # lazy layers take their sizes
    critic(actor(env.reset()))
advantage = GAE(gamma=0.9, lmbda=0.95, value_network=critic)
loss_module = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coeff=0.01)
optimiser = torch.optim.Adam(loss_module.parameters(), lr=1e-3)
total = max(FRAMES, steps // FRAMES * FRAMES)
collector = Collector(
    env, actor, frames_per_batch=FRAMES, total_frames=total, auto_register_policy_transforms=False
)

masked_taken = 0
for batch in collector:
    taken = batch["action_mask"].gather(-1, batch["action"][..., None])
    masked_taken += int((~taken).sum())
    for _ in range(EPOCHS):
        with torch.no_grad():
            advantage(batch)
        for rows in torch.randperm(FRAMES).split(MINIBATCH):
            losses = loss_module(batch[rows])
            loss = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(loss_module.parameters(), 0.5)
            optimiser.step()
collector.shutdown()

# The return of an episode is its F1.
test, returns = make("test"), []
with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
    for _ in range(100):
        episode = test.rollout(max_steps=20, policy=actor)
        returns.append(episode["next", "episode_reward"][-1].item())
mean = sum(returns) / len(returns)
print(f"masked actions taken: {masked_taken}; test F1 of {len(returns)} episodes: {mean:.3f}")
