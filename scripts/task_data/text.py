"""Real text read out of packages, as documents with a label and the name of where they stand.

Each reader yields `Document`s. A document's `place` (a chapter, a page, a module, a message)
decides whether it is held out, so that neighbours never fall on both sides of the test split.
"""

import ast
import gettext
import html
import io
import re
import struct
import tokenize
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Document(NamedTuple):
    """A piece of text; `place` says where it stands, `label` is its class (0 without labels)."""

    text: str
    place: str
    label: int = 0


NOVELS = (  # in the order of the package's data base; label 0: first drafted in the 1790s, 1: 1810s
    ("Emma", 1),
    ("Mansfield Park", 1),
    ("Northanger Abbey", 0),
    ("Persuasion", 1),
    ("Pride and Prejudice", 0),
    ("Sense and Sensibility", 0),
)
MANUALS = (  # directories of the Python documentation by class
    ("whatsnew",),
    ("howto",),
    ("c-api", "extending"),
    ("reference", "using", "distutils"),
    ("tutorial", "faq"),
)
_TOPICS = (  # modules of the standard library by class; the last class takes the rest
    "email html http urllib xml xmlrpc wsgiref ftplib imaplib poplib smtplib socket socketserver "
    "ssl nntplib telnetlib webbrowser mailbox mimetypes cgi cgitb base64 quopri uu",
    "asyncio concurrent multiprocessing threading queue sched selectors subprocess signal asyncore "
    "asynchat contextlib contextvars",
    "distutils ensurepip importlib lib2to3 venv unittest pydoc doctest pdb bdb cProfile profile "
    "pstats trace timeit zipapp compileall py_compile inspect ast dis tokenize tracemalloc "
    "symtable",
    "collections json sqlite3 dbm ctypes csv configparser pickle pickletools shelve plistlib "
    "tarfile zipfile zipimport gzip bz2 lzma re string textwrap difflib decimal fractions "
    "statistics random datetime calendar heapq bisect copy enum dataclasses struct codecs locale "
    "_pydecimal numbers types typing",
)

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z\"'(])")
_NOT_PROSE = re.compile(r"(?is)<(script|style|pre|svg|head)\b.*?</\1>")
_BLOCK = re.compile(r"(?i)</?(p|div|h\d|li|ul|ol|dl|dt|dd|table|tr|td|th|blockquote|br)\b[^>]*>")
_SPACE = re.compile(r"\s+")


def thin(documents: Iterable[Document], one_in: int) -> Iterator[Document]:
    """One of so many documents, chosen by its text and not by where it stands."""
    for document in documents:
        if zlib.crc32(document.text.encode("utf-8")) % one_in == 0:
            yield document


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


# --- novels -------------------------------------------------------------------------------------


def _r_strings(record: bytes) -> list[str]:
    """The character vector in one serialised R object (format 3, XDR), `NA` read as empty."""
    (encoding_length,) = struct.unpack_from(">i", record, 14)
    position = 18 + encoding_length
    kind, count = struct.unpack_from(">ii", record, position)
    if record[:2] != b"X\n" or kind & 0xFF != 16:
        raise ValueError("not a serialised character vector")
    position += 8
    strings = []
    for _ in range(count):
        length = max(struct.unpack_from(">i", record, position + 4)[0], 0)
        position += 8
        strings.append(record[position : position + length].decode("utf-8"))
        position += length
    return strings


def novels(database: Path) -> Iterator[Document]:
    """Passages of about 250 characters or more from six novels, labelled by period.

    Args:
        database: `Rdata.rdb` of the R package janeaustenr: zlib streams, each after four bytes.
    """
    packed = database.read_bytes()
    for title, label in NOVELS:
        stream = zlib.decompressobj()
        lines = _r_strings(stream.decompress(packed[4:]))
        packed = stream.unused_data
        chapter, passage = 0, ""
        for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
            heading = re.match(r"(?i)(chapter|volume)\b", paragraph.strip())
            if heading or chapter == 0:
                chapter += bool(heading)
                continue
            for sentence in _SENTENCE_END.split(_one_line(paragraph)):
                passage = f"{passage} {sentence}".strip()
                if len(passage) >= 250:
                    yield Document(passage, f"{title} {chapter}", label)
                    passage = ""


# --- documentation ------------------------------------------------------------------------------


def page_sentences(folder: Path) -> Iterator[Document]:
    """Sentences of the prose of HTML pages, one document each."""
    for page in sorted(folder.rglob("*.html")):
        source = page.read_text("utf-8", "replace")
        for pattern in (_NOT_PROSE, _BLOCK):
            source = pattern.sub("\n\n", source)
        text = html.unescape(re.sub(r"(?s)<[^>]*>", "", source))
        for paragraph in re.split(r"\n\s*\n", text):
            for sentence in _SENTENCE_END.split(_one_line(paragraph)):
                words = len(re.findall(r"[A-Za-z]{2,}", sentence))
                if 5 <= words <= 90 and sentence[0].isupper() and sentence[-1] in ".!?":
                    yield Document(sentence, page.name)


def manual_paragraphs(folder: Path) -> Iterator[Document]:
    """Prose paragraphs of the Python documentation's sources, labelled by the manual."""
    for label, manuals in enumerate(MANUALS):
        for manual in manuals:
            for page in sorted((folder / manual).glob("*.rst.txt")):
                for paragraph in re.split(r"\n\s*\n", page.read_text("utf-8")):
                    if paragraph.lstrip().startswith((">>>", "..", "$", "#", "+-", "==", "::")):
                        continue
                    text = _one_line(paragraph)
                    if len(re.findall(r"[A-Za-z]{2,}", text)) >= 8:
                        yield Document(text, f"{manual}/{page.name}", label)


def glosses(data_file: Path) -> Iterator[Document]:
    """Entries of a WordNet data file: the words, a colon, and their definition with examples."""
    for line in data_file.read_text("ascii").splitlines():
        if line.startswith("  "):
            continue
        entry, gloss = line.split(" | ", 1)
        offset, _, _, count, *rest = entry.split(" ")
        words = [word.replace("_", " ") for word in rest[: 2 * int(count, 16) : 2]]
        yield Document(f"{', '.join(words)}: {gloss.strip()}", offset)


# --- source code --------------------------------------------------------------------------------


def _topic(module: str) -> int:
    top = module.split("/")[0].removesuffix(".py")
    return next((k for k, names in enumerate(_TOPICS) if top in names.split()), len(_TOPICS))


def _modules(folders: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Name and source of every module of the standard library, in order of name.

    The tables of character encodings are left out: they are generated, and all alike.
    """
    found = {
        path.relative_to(folder).as_posix(): path
        for folder in folders
        for path in folder.rglob("*.py")
        if path.is_file()
    }
    for name in sorted(found):
        if not name.startswith("encodings/"):
            yield name, found[name].read_text("utf-8", "replace")


def doc_strings(*folders: Path) -> Iterator[Document]:
    """Documentation strings of modules, classes and functions."""
    for name, source in _modules(folders):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text and len(text) >= 40:
                    yield Document(text, name, _topic(name))


def comments(*folders: Path) -> Iterator[Document]:
    """Comments of at least three words; those on consecutive lines make one document."""
    for name, source in _modules(folders):
        blocks: list[list[str]] = []
        last = -1
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                if token.start[0] != last + 1:
                    blocks.append([])
                blocks[-1].append(token.string.lstrip("#").rstrip().removeprefix(" "))
                last = token.start[0]
        for block in blocks:
            text = "\n".join(block).strip()
            if len(re.findall(r"[A-Za-z]{2,}", text)) >= 3:
                yield Document(text, name, _topic(name))


def functions(*folders: Path) -> Iterator[Document]:
    """Functions and methods as written, their documentation strings left out."""
    for name, source in _modules(folders):
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                head = lines[node.lineno - 1 : node.body[0].lineno - 1]
                tail = lines[body[0].lineno - 1 : node.end_lineno]
                indent = " " * node.col_offset
                code = "\n".join(line.removeprefix(indent) for line in head + tail)
                yield Document(code, name, _topic(name))


# --- message catalogues -------------------------------------------------------------------------


def messages(*catalogues: Path) -> Iterator[Document]:
    """Lines of more than five characters of the translations in compiled message catalogues."""
    for path in catalogues:
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for key, translation in sorted(catalogue.items(), key=lambda item: str(item[0])):
            original = key[0] if isinstance(key, tuple) else key
            if original:
                for line in translation.splitlines():
                    if len(line.strip()) > 5 and line.strip() != original:
                        yield Document(line.strip(), original)


def locale_names(data: Mapping[str, Any]) -> Iterator[Document]:
    """Names and patterns of more than five characters in the CLDR data of one language.

    Args:
        data: nested mappings as `babel.localedata.load(..., merge_inherited=False)` gives them.
    """
    for path, value in _leaves(data, ""):
        if len(value) > 5:
            yield Document(value, path)


def _leaves(node: object, path: str) -> Iterator[tuple[str, str]]:
    """Every string below a node of CLDR data, with the keys that lead there."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key in sorted(node, key=str):
            yield from _leaves(node[key], f"{path}/{key}")
    elif isinstance(node, list | tuple):
        for number, child in enumerate(node):
            yield from _leaves(child, f"{path}/{number}")
