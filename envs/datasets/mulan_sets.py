"""The Mulan sets: sources, checksums, published statistics, whom to cite."""

from __future__ import annotations

from labelchain.envs.datasets.entries import CatalogueEntry, DataFile
from labelchain.envs.datasets.mulan_files import FILES

MULAN_COMMIT = "43f6389095ad71984264db4387a8074b22bc7d4a"
MULAN_URL = f"https://raw.githubusercontent.com/tsoumakas/mulan/{MULAN_COMMIT}/data/multi-label"
_LICENCE = (
    "No licence of the data is known to us. They are published by the Mulan project for research; ask the "
    "authors of the cited source before you pass them on."
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
    folder = folder or name
    files = (f"{stem}-train{part}.arff", f"{stem}-test{part}.arff", f"{stem}.xml")
    return CatalogueEntry(
        name,
        title,
        *statistics,
        citation,
        note,
        folder,
        kind="mulan",
        source=f"{MULAN_URL}/{folder}/",
        licence=_LICENCE,
        downloads=tuple(DataFile(file, *FILES[f"{folder}/{file}"]) for file in files),
    )


MULAN_SETS = (
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
