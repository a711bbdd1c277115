"""Wrong values in sound files: other types, names, shapes, sizes and numbers, anywhere."""

import json

import numpy as np
import torch

PLAIN = (
    None, True, False, 0, 1, -1, 2, 3, 7, 0.5, -0.0, 1e39, 1e308, float("nan"), float("inf"), -float("inf"),
    2**31, 2**63, -(2**63), 10**30, 10**400, "", "x", "sum", "gru", "standard", "freq2rare", "../../x", "..",
    "a\nb", "x" * 5000, [], {}, [1, 2], {"a": 1}, [[[[]]]],
)  # fmt: skip


def changed(content, rng, others):
    """A copy of nested dictionaries and lists with one to three changes.

    Args:
        content: The values.
        rng: A generator of NumPy.
        others: What else the format may hold in the place of a value.
    """
    holder = [_copy(content)]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        places = list(_places(holder, 0))
        owner, key = places[rng.integers(len(places))]
        _change(owner, key, rng, others)
    return holder[0]


def _copy(value):
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _places(owner, depth):
    for key in list(owner) if isinstance(owner, dict) else range(len(owner)):
        yield owner, key
        if isinstance(owner[key], (dict, list)) and depth < 8:
            yield from _places(owner[key], depth + 1)


def _change(owner, key, rng, others):
    value = owner[key]
    if isinstance(value, (np.ndarray, torch.Tensor)) and rng.random() < 0.7:
        owner[key] = _other_array(value, rng)
    elif isinstance(value, (dict, list)) and rng.random() < 0.4:
        owner[key] = _other_collection(value, rng)
    elif rng.random() < 0.25:
        sibling = (
            list(owner)[rng.integers(len(owner))] if isinstance(owner, dict) else rng.integers(len(owner))
        )
        owner[key], owner[sibling] = owner[sibling], owner[key]
    elif rng.random() < 0.3 and isinstance(owner, dict):
        owner["another" if rng.random() < 0.5 else f"{key} "] = owner.pop(key)
    elif type(value) in (int, float) and rng.random() < 0.5:
        owner[key] = value * 3 + 1
    else:
        owner[key] = others[rng.integers(len(others))]


def _other_collection(value, rng):
    pairs = list(value.items()) if isinstance(value, dict) else list(value)
    kind = rng.integers(4)
    if kind == 0:
        pairs = pairs[:-1]
    elif kind == 1:
        pairs = pairs * int(rng.choice([2, 100]))
    elif kind == 2 and not isinstance(value, dict):
        pairs = pairs[::-1]
    elif isinstance(value, dict):
        pairs.append((["another", 3, None][rng.integers(3)], 0))
    else:
        pairs.append(None)
    return dict(pairs) if isinstance(value, dict) else pairs


def _other_array(value, rng):
    """Another shape, another type, or other numbers."""
    array = value.numpy().copy() if isinstance(value, torch.Tensor) else np.array(value)
    kind = rng.integers(10)
    if kind == 0:
        array = array.T[None] if rng.random() < 0.5 else array.reshape(-1)
    elif kind == 1:
        array = np.concatenate([array, array]) if array.ndim else np.stack([array, array])
    elif kind == 2:
        array = array[..., :-1] if array.ndim else array[None][:0]
    elif kind == 3 and array.dtype.kind != "U":
        kinds = [np.float64, np.float16, np.int64, np.int32, bool, np.complex64]
        with np.errstate(all="ignore"):
            array = array.astype(kinds[rng.integers(len(kinds))])
    elif kind == 4 and isinstance(value, torch.Tensor):
        return torch.zeros(()).expand([tuple(array.shape), (10**12,)][rng.integers(2)])
    elif kind == 5 and isinstance(value, torch.Tensor):
        return torch.as_tensor(array).to_sparse() if array.ndim else torch.zeros(3, device="meta")
    elif array.size:
        numbers = [np.nan, np.inf, -np.inf, 3e38, -1, 0, 2**31 - 1, 5]
        number = numbers[rng.integers(len(numbers))]
        array = np.array(array)
        with np.errstate(all="ignore"):
            array.reshape(-1)[rng.integers(array.size)] = (
                number if array.dtype.kind == "f" or (np.isfinite(number) and abs(number) < 1e9) else -7
            )
    if isinstance(value, torch.Tensor):
        return torch.as_tensor(np.array(array, order="C" if kind else "K"))
    return array


def change_tensors(path, other, rng):
    """Change the values in a checkpoint."""
    others = (*PLAIN, torch.zeros(()), torch.ones(3), torch.ones(2, 2, dtype=torch.int64), (1, 2))
    torch.save(changed(torch.load(path, weights_only=True), rng, others), path)


def change_arrays(path, other, rng):
    """Change the arrays of an ``.npz`` file."""
    with np.load(path) as held:
        arrays = dict(held)
    texts = (np.array("x"), np.array(["gru", ""]), np.zeros((0, 3)), np.float32(2), np.ones((2, 2), np.int64))
    found = changed(arrays, rng, texts)
    np.savez(
        path, **{str(key): np.array(each) for key, each in found.items()} if isinstance(found, dict) else {}
    )


def change_json(path, other, rng):
    """Change the values of a JSON file."""
    found = changed(json.loads(path.read_text()), rng, PLAIN)
    path.write_text(json.dumps(found))
