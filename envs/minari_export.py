"""Chains as an offline data set in the format of Minari, for algorithms that learn from recorded episodes.

It needs the extra ``minari``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import ArrayLike, NDArray

from labelchain.envs.chain_env import LabelChainEnv
from labelchain.envs.datasets import MultilabelDataset, source_name
from labelchain.envs.metrics import checked_lists

if TYPE_CHECKING:
    from minari import MinariDataset
    from minari.data_collector import EpisodeBuffer


def export_chains(
    dataset_id: str,
    env: gym.Env[Any, Any],
    chains: ArrayLike,
    rows: ArrayLike | None = None,
    **about: Any,
) -> MinariDataset:
    """Play chains in an environment, one episode each, and write what happens as a Minari data set.

    Each episode emits the labels of a chain and then stops, unless it has ended before. Recorded are
    observations, actions, rewards and ends as the environment (with its wrappers) gives them and, in the
    infos, ``action_mask`` and ``index``, the row of the split. The data set says which environment it is of,
    so that ``recover_environment()`` makes it again, from any folder; not if it was made of a data set in
    memory, which has no name, or has a wrapper whose arguments cannot be written, such as a function.

    Args:
        dataset_id: Minari's name for it, ``"labelchain/scenes-v0"``. Minari keeps it in the folder that the
            environment variable ``MINARI_DATASETS_PATH`` names.
        env: One of this package, as ``gym.make`` makes it. With ``observation="index"`` it records row
            numbers in place of features, which are repeated at every step.
        chains: ``(n, length)`` labels in the order emitted, padded with -1, as
            :class:`labelchain.envs.metrics.Predictions` has them.
        rows: ``(n,)`` the row of the environment's split of each chain; by default the first n.
        about: What Minari is told besides: ``author``, ``author_email``, ``algorithm_name``,
            ``code_permalink``, ``description``, and whatever ``minari.create_dataset_from_buffers`` takes.

    Returns:
        The data set, as ``minari.load_dataset(dataset_id)`` gives it.

    Raises:
        ImportError: If Minari is not installed.
        ValueError: If the environment is of another package, shapes disagree, or a chain has something that
            is not a label, or a gap.
    """
    try:
        import minari
        from minari.storage import get_dataset_path
    except ImportError as error:
        raise ImportError("the export needs Minari: pip install 'labelchain[minari]'") from error
    base = env.unwrapped
    if not isinstance(base, LabelChainEnv):
        raise ValueError(f"expected an environment of labelchain, got {env}")
    labels = checked_lists(chains, base.dataset.num_labels, "chains", distinct=False)
    which = np.arange(len(labels)) if rows is None else np.asarray(rows)
    if which.shape != (len(labels),):
        raise ValueError(f"expected a row for each of {len(labels)} chains, got shape {which.shape}")
    spec = _writable_spec(env.spec)
    episodes = list(_episodes(env, labels, which))
    folder = get_dataset_path(dataset_id)
    was_there = folder.exists()
    try:
        return minari.create_dataset_from_buffers(
            dataset_id,
            episodes,
            env=spec,
            eval_env=spec,
            observation_space=env.observation_space,
            action_space=env.action_space,
            **{"description": f"Chains of labels on {base.dataset.name}, {base.split} split.", **about},
        )
    except BaseException:
        if not was_there:  # half written, it would stand in the way of another try
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _writable_spec(spec: EnvSpec | None) -> EnvSpec | None:
    """What makes the environment again, if it can be written down.

    A data set in memory cannot, nor a wrapper's argument that is a function, nor arguments that a wrapper
    does not tell.
    """
    if spec is None or any(wrapper.kwargs is None for wrapper in spec.additional_wrappers):
        return None
    source = spec.kwargs.get("dataset")
    if isinstance(source, MultilabelDataset):
        return None
    kwargs = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in spec.kwargs.items()
    }
    spec = replace(spec, kwargs=kwargs if source is None else kwargs | {"dataset": source_name(source)})
    try:
        spec.to_json()
    except (TypeError, ValueError):
        return None
    return spec


def _episodes(
    env: gym.Env[Any, Any], chains: NDArray[np.int64], rows: NDArray[np.int64]
) -> Iterator[EpisodeBuffer]:
    """An episode for each chain."""
    from minari.data_collector import EpisodeBuffer

    stop = chains.dtype.type(env.unwrapped.action_space.n - 1)  # type: ignore[attr-defined]
    for number, (row, chain) in enumerate(zip(rows.tolist(), chains, strict=True)):
        options = {"index": row}
        observation, info = env.reset(options=options)
        seen, infos = [observation], [info]
        actions, rewards, terminations, truncations = [], [], [], []
        for action in (*chain[chain >= 0], stop):
            observation, reward, terminated, truncated, info = env.step(action)
            seen.append(observation)
            infos.append(info)
            actions.append(action)
            rewards.append(float(reward))
            terminations.append(terminated)
            truncations.append(truncated)
            if terminated or truncated:
                break
        yield EpisodeBuffer(
            id=number,
            options=options,
            observations=_stacked(seen, env.observation_space),
            actions=np.array(actions),
            rewards=rewards,
            terminations=terminations,
            truncations=truncations,
            infos={name: np.stack([each[name] for each in infos]) for name in ("action_mask", "index")},
        )


def _stacked(observations: list[Any], space: gym.Space[Any]) -> Any:
    """Observations of an episode as one array, or one for each name; a wrapper may have made them plain."""
    if not isinstance(space, gym.spaces.Dict):
        return np.stack(observations)
    return {name: np.stack([each[name] for each in observations]) for name in space}
