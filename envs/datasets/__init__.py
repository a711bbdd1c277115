"""Multi-label data sets: in memory, from files, by name."""

from labelchain.envs.datasets.dataset import DatasetError, MultilabelDataset
from labelchain.envs.datasets.digit_scenes import digit_scenes


def load_dataset(name: object) -> MultilabelDataset:
    if isinstance(name, str) and name != "digit-scenes":
        import glob
        from pathlib import Path
        from labelchain.envs.datasets.npz import read_npz
        return read_npz(Path(name))
    return digit_scenes()
