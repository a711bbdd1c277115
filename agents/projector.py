"""The label embeddings of a chain network, as TensorBoard's projector reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorboard.plugins.projector import ProjectorConfig

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.rollouts import ranking_part
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor
from labelchain.envs.files import written_beside

LARGEST = 1_000
"""So many labels, at most, are written: the most frequent ones."""
CONFIG, TENSORS, METADATA = "projector_config.pbtxt", "label_embeddings.tsv", "label_names.tsv"


def label_embeddings(predictor: Predictor) -> NDArray[np.float32] | None:
    """``(num_labels, width)`` of the network that ranks.

    ``None`` for whatever is not one chain network: scores, agents without one, and composites, whose
    networks each have a space of their own (their parts' runs show them).
    """
    ranker = ranking_part(predictor)
    if not isinstance(ranker, ChainPredictor) or not isinstance(ranker.model, ChainNetwork):
        return None
    network = ranker.model
    weight: NDArray[np.float32] = network.embed.weight.detach().cpu().numpy()
    return weight[: network.num_labels]


def write_projector(folder: Path, embeddings: NDArray[np.float32], dataset: MultilabelDataset) -> None:
    """Write the embeddings with the names and training frequencies of their labels into a run's folder.

    Args:
        folder: The run's folder.
        embeddings: ``(num_labels, width)``.
        dataset: Names and counts the labels.
    """
    frequencies = dataset.label_frequencies("train")
    chosen = np.argsort(-frequencies, kind="stable")[:LARGEST]
    tensors = io.StringIO()
    np.savetxt(tensors, embeddings[chosen], fmt="%.4g", delimiter="\t")
    lines = ["label\ttraining frequency"]
    lines += [f"{' '.join(dataset.label_names[label].split())}\t{frequencies[label]}" for label in chosen]
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = "label embeddings"
    embedding.tensor_path, embedding.metadata_path = TENSORS, METADATA
    contents = {
        TENSORS: tensors.getvalue(),
        METADATA: "\n".join(lines) + "\n",
        CONFIG: text_format.MessageToString(config),
    }
    for name, content in contents.items():
        with written_beside(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
