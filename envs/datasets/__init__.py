"""Multi-label data sets: one class, readers for the usual formats, a catalogue of public sets.

:func:`load_dataset` takes a name (``"digit-scenes"`` is built in) or a path; :func:`download_dataset` gets a
set of the catalogue, :func:`add_dataset` files that you have; :class:`MultilabelDataset` takes arrays, data
frames and lists of labels from memory. Whatever is wrong with data is a :class:`DatasetError` that says where
and why.
"""

from labelchain.envs.datasets.adding import add_dataset
from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.digit_scenes import digit_scenes
from labelchain.envs.datasets.downloads import DownloadError, download_dataset
from labelchain.envs.datasets.libsvm import read_libsvm
from labelchain.envs.datasets.loading import (
    UnknownDatasetError,
    dataset_names,
    load_dataset,
    source_name,
)
from labelchain.envs.datasets.meka import read_meka
from labelchain.envs.datasets.mulan import read_mulan
from labelchain.envs.datasets.npz import read_npz, write_npz
from labelchain.envs.datasets.openml import read_openml
from labelchain.envs.datasets.storage import verify_dataset
from labelchain.envs.datasets.xc import read_xc

__all__ = [
    "CATALOGUE",
    "CatalogueEntry",
    "DatasetError",
    "DownloadError",
    "MultilabelDataset",
    "UnknownDatasetError",
    "add_dataset",
    "dataset_names",
    "digit_scenes",
    "download_dataset",
    "load_dataset",
    "read_libsvm",
    "read_meka",
    "read_mulan",
    "read_npz",
    "read_openml",
    "read_xc",
    "source_name",
    "verify_dataset",
    "write_npz",
]
