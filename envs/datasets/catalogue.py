"""The data sets that are known by name, with their published statistics."""

from __future__ import annotations

from labelchain.envs.datasets.entries import CatalogueEntry, DataFile, verify_statistics
from labelchain.envs.datasets.extreme_sets import EXTREME_SETS
from labelchain.envs.datasets.mulan_sets import MULAN_COMMIT, MULAN_SETS, MULAN_URL

__all__ = ["CATALOGUE", "MULAN_COMMIT", "MULAN_URL", "CatalogueEntry", "DataFile", "verify_statistics"]

_ENTRIES = (
    CatalogueEntry(
        "digit-scenes",
        "pictures of two to four handwritten digits, by the digits present",
        *(4000, 2000, 256, 10, 2.991),
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Repository, 1998 (the scans)",
        licence="The scans are distributed with scikit-learn; UCI states CC BY 4.0 for them.",
    ),
    *MULAN_SETS,
    *EXTREME_SETS,
)

CATALOGUE: dict[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}
"""The known data sets, by name."""
