"""Sets of the Extreme Classification Repository, as its table gives them; the user brings the files."""

from __future__ import annotations

from labelchain.envs.datasets.entries import CatalogueEntry

XC_URL = "http://manikvarma.org/downloads/XC/XMLRepository.html"
_CITATION = (
    "K. Bhatia, K. Dahiya, H. Jain, A. Mittal, Y. Prabhu, M. Varma: The Extreme Classification "
    "Repository, 2016"
)
_LICENCE = (
    "No licence of the data is known to us. The repository asks that it be cited, and the data's own source; "
    "ask the authors of that before you pass them on."
)


def _extreme(
    name: str, title: str, statistics: tuple[int, int, int, int, float], citation: str, note: str = ""
) -> CatalogueEntry:
    return CatalogueEntry(
        name,
        title,
        *statistics,
        f"{citation}; {_CITATION}",
        note,
        kind="xc",
        source=XC_URL,
        licence=_LICENCE,
    )


EXTREME_SETS = (
    _extreme(
        "mediamill",
        "shots of television news as image statistics, by the concepts seen",
        (30993, 12914, 120, 101, 4.38),
        "C. G. M. Snoek, M. Worring, J. C. van Gemert, J.-M. Geusebroek, A. W. M. Smeulders: The Challenge "
        "Problem for Automated Detection of 101 Semantic Concepts in Multimedia. ACM Multimedia, 2006",
        "One file with split files.",
    ),
    _extreme(
        "eurlex-4k",
        "laws of the European Union as bags of words, by their EUROVOC descriptors",
        (15539, 3809, 5000, 3993, 5.31),
        "E. Loza Mencía, J. Fürnkranz: Efficient Pairwise Multilabel Classification for Large-Scale Problems "
        "in the Legal Domain. ECML PKDD, 2008",
        "Versions with other features and splits go by the same name; this is the one with 5,000 features.",
    ),
    _extreme(
        "rcv1-2k",
        "news stories of Reuters as bags of words, by sets of their categories",
        (623847, 155962, 47236, 2456, 4.79),
        "D. D. Lewis, Y. Yang, T. G. Rose, F. Li: RCV1: A New Benchmark Collection for Text Categorization "
        "Research. JMLR 5, 2004",
    ),
    _extreme(
        "wiki10-31k",
        "articles of Wikipedia as bags of words, by their tags on del.icio.us",
        (14146, 6616, 101938, 30938, 18.64),
        "A. Zubiaga: Enhancing Navigation on Wikipedia with Social Tags. Wikimania, 2009",
    ),
    _extreme(
        "amazoncat-13k",
        "products on Amazon as bags of words, by their categories",
        (1186239, 306782, 203882, 13330, 5.04),
        "J. McAuley, J. Leskovec: Hidden Factors and Hidden Topics: Understanding Rating Dimensions with "
        "Review Text. RecSys, 2013",
    ),
)
