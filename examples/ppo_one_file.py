"""PPO with action masks in one file, in CleanRL's style: PyTorch and Gymnasium, nothing else to learn from.

The environments are one native vector environment; the mask of each step is in its infos.
"""

import argparse

import gymnasium as gym
import torch
from torch import nn
from torch.distributions import Categorical

import labelchain.envs  # noqa: F401  (registers the ids)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200_000, help="environment steps")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
NUM_ENVS, ROLLOUT, EPOCHS, MINIBATCHES = 32, 64, 4, 4
GAMMA, LAMBDA, CLIP, ENTROPY, VALUE, LEARNING_RATE = 0.9, 0.95, 0.2, 0.01, 0.5, 1e-3
torch.set_num_threads(1)
torch.manual_seed(args.seed)


class Agent(nn.Module):
    """Logits of the actions, and the value of the state."""

    def __init__(self, num_inputs: int, num_actions: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(num_inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
        self.actor, self.critic = nn.Linear(256, num_actions), nn.Linear(256, 1)

    def forward(self, inputs: torch.Tensor, mask: torch.Tensor) -> tuple[Categorical, torch.Tensor]:
        hidden = self.body(inputs)
        logits = self.actor(hidden).masked_fill(~mask, -1e8)
        return Categorical(logits=logits), self.critic(hidden).squeeze(-1)


def tensors(observation: dict, infos: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs ``(n, features + labels)`` and masks ``(n, labels + 1)`` of all environments."""
    parts = (torch.as_tensor(observation[key]).float() for key in ("features", "emitted"))
    return torch.cat([*parts], dim=1), torch.as_tensor(infos["action_mask"]).bool()


def make(split: str) -> gym.vector.VectorEnv:
    """Environments that show the first observation of the next episode where one ends."""
    return gym.make_vec(
        "labelchain/DigitScenes-v0",
        num_envs=NUM_ENVS,
        vectorization_mode="vector_entry_point",
        reward="f1",
        split=split,
        autoreset_mode="SameStep",
    )


envs = make("train")
num_actions = int(envs.single_action_space.n)
agent = Agent(envs.single_observation_space["features"].shape[0] + num_actions - 1, num_actions)
optimiser = torch.optim.Adam(agent.parameters(), lr=LEARNING_RATE, eps=1e-5)
inputs, mask = tensors(*envs.reset(seed=args.seed))
updates = max(1, args.steps // (NUM_ENVS * ROLLOUT))
masked_taken = 0

for update in range(updates):
    optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 - update / updates)
    steps: dict[str, list[torch.Tensor]] = {}
    for _ in range(ROLLOUT):
        with torch.no_grad():
            policy, value = agent(inputs, mask)
        action = policy.sample()
        masked_taken += int((~mask.gather(1, action[:, None])).sum())
        observation, reward, terminated, truncated, infos = envs.step(action.numpy())
        done = torch.as_tensor(terminated | truncated).float()
        kept = {"inputs": inputs, "mask": mask, "action": action, "log_prob": policy.log_prob(action)}
        kept |= {"value": value, "reward": torch.as_tensor(reward).float(), "done": done}
        for name, tensor in kept.items():
            steps.setdefault(name, []).append(tensor)
        inputs, mask = tensors(observation, infos)
    rollout = {name: torch.stack(parts) for name, parts in steps.items()}  # (ROLLOUT, NUM_ENVS, ...)

    with torch.no_grad():  # generalised advantage estimation
        next_value, advantage = agent(inputs, mask)[1], torch.zeros(NUM_ENVS)
        advantages = torch.zeros(ROLLOUT, NUM_ENVS)
        for t in reversed(range(ROLLOUT)):
            going = 1 - rollout["done"][t]
            error = rollout["reward"][t] + GAMMA * next_value * going - rollout["value"][t]
            advantages[t] = advantage = error + GAMMA * LAMBDA * going * advantage
            next_value = rollout["value"][t]
    rollout |= {"advantage": advantages, "return": advantages + rollout["value"]}
    flat = {name: tensor.flatten(0, 1) for name, tensor in rollout.items()}

    for _ in range(EPOCHS):
        for rows in torch.randperm(NUM_ENVS * ROLLOUT).chunk(MINIBATCHES):
            part = {name: tensor[rows] for name, tensor in flat.items()}
            policy, value = agent(part["inputs"], part["mask"])
            ratio = (policy.log_prob(part["action"]) - part["log_prob"]).exp()
            gain = (part["advantage"] - part["advantage"].mean()) / (part["advantage"].std() + 1e-8)
            surrogate = torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            error = (value - part["return"]).square().mean()
            loss = VALUE * error - surrogate - ENTROPY * policy.entropy().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimiser.step()
    if update % max(1, updates // 10) == 0:
        episodes = rollout["done"].sum()
        print(f"{(update + 1) * NUM_ENVS * ROLLOUT:>8} steps: F1 {rollout['reward'].sum() / episodes:.3f}")

# The return of an episode is its F1: play episodes of the test split greedily.
test, returns = make("test"), []
inputs, mask = tensors(*test.reset(seed=args.seed))
while len(returns) < 500:
    with torch.no_grad():
        action = agent(inputs, mask)[0].logits.argmax(dim=1)
    observation, _, terminated, truncated, infos = test.step(action.numpy())
    ended = terminated | truncated
    returns += infos["episode"]["r"][ended].tolist() if "episode" in infos else []
    inputs, mask = tensors(observation, infos)
mean = sum(returns) / len(returns)
print(f"masked actions taken: {masked_taken}; test F1 of {len(returns)} episodes: {mean:.3f}")
