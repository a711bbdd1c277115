"""Multi-label data sets: one class, readers for the usual formats, a catalogue of public sets.

:func:`load_dataset` takes a name (``"digit-scenes"`` is built in) or a path; :class:`MultilabelDataset` also
takes arrays from memory. Whatever is wrong with data is a :class:`DatasetError` that says where and why.
"""

from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.digit_scenes import digit_scenes
from labelchain.envs.datasets.loading import UnknownDatasetError, dataset_names, load_dataset
from labelchain.envs.datasets.mulan import read_mulan
from labelchain.envs.datasets.npz import read_npz, write_npz

__all__ = [
    "CATALOGUE",
    "CatalogueEntry",
    "DatasetError",
    "MultilabelDataset",
    "UnknownDatasetError",
    "dataset_names",
    "digit_scenes",
    "load_dataset",
    "read_mulan",
    "read_npz",
    "write_npz",
]
