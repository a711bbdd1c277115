"""Stable-Baselines3's policies as step models: what is decoded is what the agent does, playing greedily."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import CombinedExtractor

from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.decoding import ChainPredictor, sample_chains
from labelchain.agents.sb3 import ALGORITHMS, make_agent
from labelchain.agents.sb3_policies import PolicyStepModel, policy_predictor
from labelchain.agents.zoo_hyperparameters import zoo_entry
from labelchain.envs import LabelChainEnv


def agent(learner, dataset, seed=0):
    """An agent whose weights are large enough to have opinions."""
    made = make_agent(learner, dataset, zoo_entry(learner, "another"), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.policy.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return made


def greedy_actions(model, observation, masks, memory):
    """What the agent thinks of each action in one environment, best allowed one, and its memory after."""
    policy = model.policy
    tensors, _ = policy.obs_to_tensor({name: values[None] for name, values in observation.items()})
    with torch.no_grad():
        if memory is not None:
            distribution, memory = policy.get_distribution(tensors, memory, torch.zeros(1))
            scores = distribution.distribution.logits
        elif hasattr(policy, "q_net"):
            scores = policy.q_net(tensors)
        elif hasattr(policy, "quantile_net"):
            scores = policy.quantile_net(tensors).mean(dim=1)
        else:
            scores = policy.get_distribution(tensors).distribution.logits
    scores = scores[0].numpy().copy()
    scores[~masks] = -np.inf
    return int(scores.argmax()), memory


@pytest.mark.parametrize("learner", sorted(ALGORITHMS))
def test_decoding_an_agent_is_playing_it_greedily_with_masks(dataset, learner):
    model = agent(learner, dataset)
    game = LabelChainEnv(dataset, split="test")
    predictions = policy_predictor(model, game.max_labels).predict(
        dataset.dense_features(game.dataset.rows("test"))
    )
    lengths = set()
    for index in range(len(dataset.rows("test"))):
        observation, _ = game.reset(options={"index": index})
        memory = None
        if learner == "recurrent-ppo":
            layers, _, width = model.policy.lstm_hidden_state_shape
            memory = (torch.zeros(layers, 1, width),) * 2
        ended = False
        while not ended:
            action, memory = greedy_actions(model, observation, game.action_masks(), memory)
            observation, _, terminated, truncated, info = game.step(action)
            ended = terminated or truncated
        chain = predictions.chains[index]
        assert chain[chain >= 0].tolist() == info["chain"]
        lengths.add(len(info["chain"]))
    assert max(lengths) > 1


def test_sb3s_own_predict_agrees(dataset):
    model = agent("maskable-ppo", dataset)
    rows = dataset.rows("test")
    observation = {
        "features": dataset.dense_features(rows),
        "emitted": np.zeros((len(rows), dataset.num_labels), dtype=np.int8),
    }
    actions, _ = model.predict(observation, deterministic=True)
    step_model = PolicyStepModel(model.policy)
    state = step_model.start(torch.from_numpy(observation["features"]))
    with torch.no_grad():
        ours = step_model.log_probs(state, torch.zeros(len(rows), dataset.num_labels, dtype=torch.bool))
    np.testing.assert_array_equal(ours.argmax(dim=1), actions)


@pytest.mark.parametrize("learner", sorted(ALGORITHMS))
def test_step_models_give_distributions_over_labels_not_out(dataset, learner):
    step_model = policy_predictor(agent(learner, dataset), 3).model
    features = torch.from_numpy(dataset.dense_features(dataset.rows("test")))
    state, prefix = step_model.start(features), [3, 0]
    emitted = torch.zeros(len(features), dataset.num_labels, dtype=torch.bool)
    for label in prefix:
        emitted[:, label] = True
        with torch.no_grad():
            state = step_model.advance(state, torch.full((len(features),), label))
    assert len(state) == step_model.state_parts
    assert all(len(part) == len(features) for part in state)
    with torch.no_grad():
        log_probs = step_model.log_probs(state, emitted)
    assert log_probs[:, prefix].isneginf().all()
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(len(features)))
    chains = sample_chains(step_model, features, 4, torch.Generator().manual_seed(0))
    assert chains.shape[0] == len(features)


def test_a_policy_may_bring_its_own_step_model(dataset):
    class Own(ActorCriticPolicy):
        def step_model(self):
            return "its own"

    env = ChainVecEnv(dataset)
    model = ALGORITHMS["ppo"](
        Own, env, policy_kwargs={"features_extractor_class": CombinedExtractor}, device="cpu"
    )
    predictor = policy_predictor(model, 3)
    assert isinstance(predictor, ChainPredictor)
    assert predictor.model == "its own"
