"""The data sets that are known by name, with their published statistics."""

from __future__ import annotations

from dataclasses import dataclass

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset

MULAN_COMMIT = "43f6389095ad71984264db4387a8074b22bc7d4a"
MULAN_URL = f"https://raw.githubusercontent.com/tsoumakas/mulan/{MULAN_COMMIT}/data/multi-label"


@dataclass(frozen=True)
class CatalogueEntry:
    """One data set.

    Attributes:
        name: What :func:`labelchain.envs.datasets.load_dataset` is given.
        title: What the inputs and the labels are, in a few words.
        num_train: Training rows of the published split; the validation tenth is among them.
        num_test: Test rows of the published split.
        num_features: Feature columns, after nominal attributes have become numbers.
        num_labels: Labels.
        cardinality: Mean number of labels per row, over all rows, to three decimals.
        citation: Whom to cite.
        note: What one should know about the set.
        folder: The folder of a Mulan set; ``None`` if the data are built in.
        files: The files of that folder.
    """

    name: str
    title: str
    num_train: int
    num_test: int
    num_features: int
    num_labels: int
    cardinality: float
    citation: str
    note: str = ""
    folder: str | None = None
    files: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the data are from: an address or, if they are built in, a sentence."""
        return f"{MULAN_URL}/{self.folder}/" if self.folder else "built in, made from scikit-learn's digits"


def verify_statistics(dataset: MultilabelDataset, entry: CatalogueEntry) -> None:
    """Check that a data set has the published statistics.

    Raises:
        DatasetError: If one differs; the message names all that do.
    """
    num_train = len(dataset.rows("train")) + len(dataset.rows("validation"))
    statistics = (
        ("training rows (with validation)", num_train, entry.num_train),
        ("test rows", len(dataset.rows("test")), entry.num_test),
        ("features", dataset.num_features, entry.num_features),
        ("labels", dataset.num_labels, entry.num_labels),
        ("labels per row on average", round(dataset.cardinality(), 3), entry.cardinality),
    )
    if differences := [
        f"{found:,} {what}, not {published:,}" for what, found, published in statistics if found != published
    ]:
        raise DatasetError(
            f"these are not the published data of {entry.name}: {'; '.join(differences)}. Get the original "
            f"files again ({entry.source}), or load a version of your own by its path"
        )


def _mulan(
    name: str,
    title: str,
    statistics: tuple[int, int, int, int, float],
    citation: str,
    note: str = "",
    *,
    folder: str = "",
    stem: str = "",
    part: str = "",
) -> CatalogueEntry:
    """An entry for a Mulan set; the names of its folder and files follow from its own unless given."""
    stem = stem or name
    files = (f"{stem}-train{part}.arff", f"{stem}-test{part}.arff", f"{stem}.xml")
    return CatalogueEntry(name, title, *statistics, citation, note, folder or name, files)


_ENTRIES = (
    CatalogueEntry(
        "digit-scenes",
        "pictures of two to four handwritten digits, by the digits present",
        *(4000, 2000, 256, 10, 2.99),
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Repository, 1998 (the scans)",
    ),
    _mulan(
        "bibtex",
        "bookmarks and publications in BibSonomy, by their tags",
        (4880, 2515, 1836, 159, 2.402),
        "I. Katakis, G. Tsoumakas, I. Vlahavas: Multilabel Text Classification for Automated Tag Suggestion. "
        "ECML PKDD Discovery Challenge, 2008",
    ),
    _mulan(
        "birds",
        "ten-second sound recordings in a forest, by the species of birds heard",
        (322, 323, 271, 19, 1.014),
        "F. Briggs et al.: The 9th Annual MLSP Competition: New Methods for Acoustic Classification of "
        "Multiple Simultaneous Bird Species in a Noisy Environment. MLSP, 2013",
        "294 of 645 rows have no label. 260 attributes; a nominal one with 12 values becomes 12 features.",
    ),
    _mulan(
        "corel5k",
        "photographs as sets of visual words, by their keywords",
        (4500, 500, 499, 374, 3.522),
        "P. Duygulu, K. Barnard, J. F. G. de Freitas, D. A. Forsyth: Object Recognition as Machine "
        "Translation: Learning a Lexicon for a Fixed Image Vocabulary. ECCV, 2002",
        stem="Corel5k",
        part="-sparse",
    ),
    _mulan(
        "delicious",
        "web pages bookmarked on del.icio.us, by their tags",
        (12920, 3185, 500, 983, 19.02),
        "G. Tsoumakas, I. Katakis, I. Vlahavas: Effective and Efficient Multilabel Classification in Domains "
        "with Large Number of Labels. ECML PKDD Workshop on Mining Multidimensional Data, 2008",
        "14 rows have no label.",
    ),
    _mulan(
        "emotions",
        "pieces of music as rhythm and timbre, by the emotions that they evoke",
        (391, 202, 72, 6, 1.868),
        "K. Trohidis, G. Tsoumakas, G. Kalliris, I. Vlahavas: Multi-label Classification of Music into "
        "Emotions. ISMIR, 2008",
    ),
    _mulan(
        "enron",
        "e-mail messages of the Enron corpus, by genre, topic and tone",
        (1123, 579, 1001, 53, 3.378),
        "B. Klimt, Y. Yang: The Enron Corpus: A New Dataset for Email Classification Research. ECML, 2004; "
        "labels: UC Berkeley Enron Email Analysis Project",
    ),
    _mulan(
        "flags",
        "countries and their flags as facts, by the colours of the flag",
        (129, 65, 43, 7, 3.392),
        "E. Corrêa Gonçalves, A. Plastino, A. A. Freitas: A Genetic Algorithm for Optimizing the Label "
        "Ordering in Multi-Label Classifier Chains. ICTAI, 2013",
        "19 attributes; the four nominal ones with more than two values become 28 features.",
    ),
    _mulan(
        "medical",
        "radiology reports, by their ICD-9-CM codes",
        (333, 645, 1449, 45, 1.245),
        "J. P. Pestian et al.: A Shared Task Involving Multi-label Classification of Clinical Free Text. "
        "BioNLP, 2007",
    ),
    _mulan(
        "scene",
        "photographs as colour statistics, by the kinds of scene",
        (1211, 1196, 294, 6, 1.074),
        "M. R. Boutell, J. Luo, X. Shen, C. M. Brown: Learning Multi-label Scene Classification. "
        "Pattern Recognition 37(9), 2004",
    ),
    _mulan(
        "tmc2007-500",
        "aviation safety reports as 500 words, by the anomalies that they describe",
        (21519, 7077, 500, 22, 2.158),
        "A. N. Srivastava, B. Zane-Ulman: Discovering Recurring Anomalies in Text Reports Regarding Complex "
        "Space Systems. IEEE Aerospace Conference, 2005",
        folder="tmc2007",
    ),
    _mulan(
        "yeast",
        "genes as expression and phylogenetic profile, by their functions",
        (1500, 917, 103, 14, 4.237),
        "A. Elisseeff, J. Weston: A Kernel Method for Multi-labelled Classification. NIPS, 2001",
    ),
)

CATALOGUE: dict[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}
"""The known data sets, by name."""
