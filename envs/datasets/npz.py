"""Read and write data sets as ``.npz`` files: features and labels as CSR arrays, splits and names.

Keys: ``x_data`` (numbers), ``x_indices``, ``x_indptr``, ``x_shape``; ``y_indices``, ``y_indptr``,
``y_shape``; ``train_rows``, ``test_rows``. May be left out: ``y_data`` (0 and 1; without, all labels are 1),
``valid_rows``, ``y_names``, ``x_names``, ``name``, ``image_shape``, ``x_sparse`` (see :func:`read_npz`),
``zero_based`` (see :class:`MultilabelDataset`) and, for annotations, ``annotation_names`` and
``annotation_<i>_data``, ``annotation_<i>_indices``, ``annotation_<i>_indptr``. Any other is an error, lest a
misspelt one be passed over.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.datasets.checks import DatasetError, check_names
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.npz_archive import Arrays, load_arrays, save_arrays

MAX_COLUMNS = 10_000_000
"""A shape with more features or labels is taken for damage."""
_REQUIRED = (
    *("x_data", "x_indices", "x_indptr", "x_shape"),
    *("y_indices", "y_indptr", "y_shape"),
    *("train_rows", "test_rows"),
)
_OPTIONAL = (
    *("y_data", "valid_rows", "y_names", "x_names", "name", "image_shape", "x_sparse", "zero_based"),
    "annotation_names",
)
_PARTS = ("data", "indices", "indptr")


def read_npz(path: Path, name: str | None = None) -> MultilabelDataset:
    """Read a data set from an ``.npz`` file; the module says which keys it has.

    If more than half of the features' numbers are stored, they become a dense array, unless the file has a
    true ``x_sparse``. (:func:`write_npz` stores *all* numbers of dense features: they come back dense.)

    Args:
        path: The file.
        name: The data set's name; by default the one in the file or else the file's own.

    Raises:
        DatasetError: If the file is damaged: not a zip archive, a key missing or unknown, arrays that
            contradict each other or the declared shape, objects in place of numbers.
    """
    path = Path(path)
    try:
        arrays = load_arrays(path)
        if missing := [key for key in _REQUIRED if key not in arrays]:
            raise DatasetError(f"missing {', '.join(missing)}; expected the keys {', '.join(_REQUIRED)}")
        _check_known(arrays)
        stored_name = arrays.get("name", np.array(path.stem))
        if stored_name.shape != () or stored_name.dtype.kind != "U":
            raise DatasetError(f"name must be a text, got {stored_name.shape} of {stored_name.dtype}")
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, which is refused
            return _from_arrays(str(stored_name) if name is None else name, arrays)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def read_npz_features(path: Path) -> tuple[sparse.csr_array, list[str] | None]:
    """The features in an ``.npz`` file, which needs no other keys than theirs (``x_data`` and so on); names.

    Raises:
        DatasetError: As :func:`read_npz`.
    """
    try:
        arrays = load_arrays(path)
        if missing := [key for key in _REQUIRED if key[0] == "x" and key not in arrays]:
            raise DatasetError(f"missing {', '.join(missing)}, the features of its rows")
        _check_known({key: array for key, array in arrays.items() if key.startswith("x")})
        features, names = _csr(arrays, "x", arrays["x_shape"], arrays["x_data"]), _names(arrays, "x_names")
        if names is not None:
            check_names("x_names", "feature", tuple(names), features.shape[1], unique=False)
        return features, names
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def write_npz(dataset: MultilabelDataset, path: Path) -> None:
    """Write a data set, all splits included, so that :func:`read_npz` gives an equal one.

    Args:
        dataset: The data set.
        path: The file, with the suffix ``.npz``; replaced if it exists, and never left half written.

    Raises:
        DatasetError: If the suffix is another or the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise DatasetError(f"{path}: expected a file name that ends with .npz")
    try:
        save_arrays(path, _to_arrays(dataset))
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _to_arrays(dataset: MultilabelDataset) -> dict[str, NDArray[Any]]:
    features: Any = dataset.features
    labels = dataset.labels
    arrays = {
        "name": np.array(dataset.name),
        "x_shape": np.array(features.shape),
        "y_indices": labels.indices,
        "y_indptr": labels.indptr,
        "y_shape": np.array(labels.shape),
        "y_names": np.array(dataset.label_names),
        "train_rows": dataset.rows("train"),
        "valid_rows": dataset.rows("validation"),
        "test_rows": dataset.rows("test"),
    }
    if dataset.is_sparse:
        arrays |= {"x_data": features.data, "x_indices": features.indices, "x_indptr": features.indptr}
        arrays["x_sparse"] = np.array(True)
    else:
        num_rows, num_columns = features.shape
        arrays["x_data"] = np.ravel(features)
        arrays["x_indices"] = np.tile(np.arange(num_columns, dtype=np.int32), num_rows)
        arrays["x_indptr"] = np.arange(num_rows + 1, dtype=np.int64) * num_columns
    if dataset.feature_names is not None:
        arrays["x_names"] = np.array(dataset.feature_names)
    if dataset.image_shape is not None:
        arrays["image_shape"] = np.array(dataset.image_shape)
    if dataset.zero_based is not None:
        arrays["zero_based"] = np.array(dataset.zero_based)
    if dataset.annotations:
        arrays["annotation_names"] = np.array(list(dataset.annotations))
    for i, annotation in enumerate(dataset.annotations.values()):
        for part in _PARTS:
            arrays[f"annotation_{i}_{part}"] = getattr(annotation, part)
    return arrays


def _check_known(arrays: Arrays) -> None:
    count = arrays["annotation_names"].size if "annotation_names" in arrays else 0
    annotations = {f"annotation_{i}_{part}" for i in range(count) for part in _PARTS}
    if unknown := sorted(arrays.keys() - {*_REQUIRED, *_OPTIONAL} - annotations):
        raise DatasetError(
            f"unknown keys {', '.join(unknown[:5])!r:.200}; rename or remove them: expected only "
            f"{', '.join((*_REQUIRED, *_OPTIONAL))} and the arrays of annotations"
        )


def _from_arrays(name: str, arrays: Arrays) -> MultilabelDataset:
    features = _csr(arrays, "x", arrays["x_shape"], arrays["x_data"])
    ones = np.ones(arrays["y_indices"].shape, dtype=np.int8)
    labels = _csr(arrays, "y", arrays["y_shape"], arrays.get("y_data", ones))
    num_rows, num_columns = features.shape
    if not _truth(arrays, "x_sparse") and 2 * features.nnz > num_rows * num_columns:
        features = features.toarray()
    annotations = {}
    for i, annotation in enumerate(_names(arrays, "annotation_names") or ()):
        key = f"annotation_{i}"
        if missing := [f"{key}_{part}" for part in _PARTS if f"{key}_{part}" not in arrays]:
            raise DatasetError(f"missing {', '.join(missing)} of annotation {annotation!r}")
        annotations[annotation] = _csr(arrays, key, arrays["y_shape"], arrays[f"{key}_data"])
    image_shape = None
    if "image_shape" in arrays:
        height, width = _integers(arrays, "image_shape", 2)
        image_shape = (int(height), int(width))
    dataset = MultilabelDataset.from_arrays(
        name,
        features,
        labels,
        train_rows=arrays["train_rows"],
        test_rows=arrays["test_rows"],
        validation_rows=arrays.get("valid_rows"),
        label_names=_names(arrays, "y_names"),
        feature_names=_names(arrays, "x_names"),
        image_shape=image_shape,
        annotations=annotations,
    )
    return replace(dataset, zero_based=_truth(arrays, "zero_based"))


def _csr(arrays: Arrays, key: str, shape: NDArray[Any], data: NDArray[Any]) -> sparse.csr_array:
    """The CSR array of three arrays and a shape, once they are known to agree."""
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise DatasetError(f"the shape of {key} must be two integers, got {shape.shape} of {shape.dtype}")
    num_rows, num_columns = (int(size) for size in shape)
    indptr, indices = _integers(arrays, f"{key}_indptr"), _integers(arrays, f"{key}_indices")
    if indptr.size != num_rows + 1:
        raise DatasetError(f"{key} declares {num_rows:,} rows, but {key}_indptr has {indptr.size:,} numbers")
    if not 0 < num_columns <= MAX_COLUMNS:
        raise DatasetError(f"{key} declares {num_columns:,} columns; expected 1 to {MAX_COLUMNS:,}")
    if indptr[0] != 0 or indptr[-1] != indices.size or (np.diff(indptr) < 0).any():
        raise DatasetError(
            f"{key}_indptr must ascend from 0 to the length of {key}_indices, {indices.size:,}"
        )
    if data.shape != indices.shape or data.dtype.kind not in "biuf":
        raise DatasetError(f"{key}_data must be {indices.size:,} numbers, got {data.shape} of {data.dtype}")
    if indices.size and not 0 <= indices.min() <= indices.max() < num_columns:
        raise DatasetError(
            f"{key}_indices must be within 0..{num_columns - 1}, got {indices.min()}..{indices.max()}"
        )
    index_type = np.int32 if indices.size < 2**31 else np.int64
    matrix = sparse.csr_array(
        (data, indices.astype(index_type), indptr.astype(index_type)), shape=(num_rows, num_columns)
    )
    matrix.sum_duplicates()
    if matrix.nnz != indices.size:
        raise DatasetError(f"{key}_indices names {indices.size - matrix.nnz:,} columns twice in a row")
    return matrix


def _integers(arrays: Arrays, key: str, size: int | None = None) -> NDArray[np.int64]:
    values = arrays[key]
    if values.ndim != 1 or values.dtype.kind not in "iu" or size not in (None, values.size):
        expected = "integers" if size is None else f"{size} integers"
        raise DatasetError(f"{key} must be a row of {expected}, got shape {values.shape} of {values.dtype}")
    return values.astype(np.int64)


def _truth(arrays: Arrays, key: str) -> bool | None:
    value = arrays.get(key)
    if value is not None and (value.shape != () or value.dtype.kind != "b"):
        raise DatasetError(f"{key} must be True or False, got shape {value.shape} of {value.dtype}")
    return None if value is None else bool(value)


def _names(arrays: Arrays, key: str) -> list[str] | None:
    if key not in arrays:
        return None
    if arrays[key].ndim != 1 or arrays[key].dtype.kind != "U":
        raise DatasetError(
            f"{key} must be a row of text, got shape {arrays[key].shape} of {arrays[key].dtype}"
        )
    return [str(name) for name in arrays[key]]
