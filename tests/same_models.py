"""Whether two runs ended in the same model. Files may differ in how they refer to what is equal."""

import torch

from labelchain.agents.checkpoints import load_tensors


def states(run):
    """Every tensor of a trained model by name."""
    content = load_tensors(run.directory / "model.pt")
    families = [(family, content[family]) for family in ("ranking", "label_set")]
    return {
        (family, number, name): tensor
        for family, records in families
        for number, record in enumerate(records)
        for name, tensor in record["state"].items()
    }


def assert_bit_equal(one, other):
    first, second = states(one), states(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
