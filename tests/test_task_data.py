"""Splits, batches and options of the embedded data, at the public surface."""

import itertools
import json
import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_hplist.tasks import data
from keras_hplist.tasks.data.sizes import split_sizes
from keras_hplist.tasks.errors import TaskDataError

IMAGE_SETS = [name for name in data.names() if data.describe(name).kind == "image"]
TEXT_SETS = [name for name in data.names() if data.describe(name).kind == "text"]
PATCH = 40


def load(name, **options):
    """A data set, with a window length if it is text."""
    if data.describe(name).kind == "text":
        options.setdefault("patch_length", PATCH)
    return data.load(name, options)


def document(split, i):
    """The tokens of one document."""
    return split.tokens[split.starts[i] : split.starts[i] + split.lengths[i]]


# --- names --------------------------------------------------------------------------------------


def test_names_are_the_published_ones():
    """12 image sets and 11 corpora in two encodings."""
    assert len(IMAGE_SETS) == 12
    assert len(TEXT_SETS) == 22
    assert data.describe("sun397_32x32").classes == 397
    assert data.describe("imagenet_resized/16x16").shape == (16, 16, 3)
    assert data.describe("imdb_reviews/subwords8k").vocabulary_size == 8185


def test_unknown_name_offers_the_nearest():
    """A misspelt name is answered with names that exist."""
    with pytest.raises(TaskDataError, match="Did you mean 'cifar10'"):
        data.load("cifar_10")


def test_listing_imports_no_tensorflow():
    """Names, facts and embedded data need neither TensorFlow nor Keras."""
    code = (
        "import sys; from keras_hplist.tasks import data; data.names();"
        "data.load('mnist').train.batch(0, 8);"
        "assert not {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_image_sets_have_published_shapes_and_all_classes(name):
    """Every split has the published shape and every class, batches are floats in [0, 1]."""
    facts, splits = data.describe(name), load(name)
    for _, split in splits.items():
        assert split.images.shape == (len(split), *facts.shape)
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int32
        np.testing.assert_array_equal(np.unique(split.labels), np.arange(facts.classes))
        assert len(split) >= 512  # the largest batch of the published tasks
    x, y = splits.train.batch(3, 16)
    assert x.shape == (16, *facts.shape)
    assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert 0 <= x.min() < x.max() <= 1


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_no_image_is_in_two_splits(name):
    """All images of all splits differ."""
    digests = [
        {blake2b(image, digest_size=16).digest() for image in np.ascontiguousarray(split.images)}
        for _, split in load(name).items()
    ]
    assert not any(a & b for a, b in itertools.combinations(digests, 2))


def test_another_seed_gives_other_examples():
    """The option seed changes which images there are, and the same seed gives the same ones."""
    for name in ("mnist", "colorectal_histology_32x32"):
        first, again, other = (load(name, seed=seed).train.images for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
    text = [load("lm1b/bytes", seed=seed).train.starts for seed in (1, 2)]
    assert not np.array_equal(*text)


def test_sets_of_one_photograph_collection_differ():
    """Sets cut from the same photographs share next to nothing: some all-black windows."""
    seen = [
        {image.tobytes() for image in load(name).train.images}
        for name in ("cifar10", "cifar100", "sun397_32x32")
    ]
    assert all(len(a & b) < 0.01 * len(a) for a, b in itertools.combinations(seen, 2))


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXT_SETS)
def test_text_sets_have_valid_ids_and_disjoint_documents(name):
    """Ids lie between padding and vocabulary size; no document is in two splits."""
    facts, splits = data.describe(name), load(name)
    assert splits.train.tokens.min() >= 1
    assert splits.train.tokens.max() < facts.vocabulary_size
    assert splits.train.tokens.dtype == np.int32
    owners = [set(split.starts.tolist()) for _, split in splits.items()]
    assert not any(a & b for a, b in itertools.combinations(owners, 2))
    assert all(len(split) >= 512 for _, split in splits.items())
    for _, split in splits.items():
        if facts.classes:
            np.testing.assert_array_equal(np.unique(split.labels), np.arange(facts.classes))
        else:
            assert split.labels is None


@pytest.mark.parametrize("corpus", sorted({data.describe(name).corpus for name in TEXT_SETS}))
def test_subwords_spell_the_bytes(corpus):
    """Both encodings hold the same documents, and the bytes are valid UTF-8."""
    by_bytes, by_subwords = (
        load(name) for name in TEXT_SETS if data.describe(name).corpus == corpus
    )
    assert by_bytes.provenance["sizes"] == by_subwords.provenance["sizes"]
    # A vocabulary learned from the text must spell it with fewer tokens than bytes.
    assert len(by_subwords.train.tokens) < 0.6 * len(by_bytes.train.tokens)
    for i in range(0, len(by_bytes.test), 97):
        text = bytes((document(by_bytes.test, i) - 1).astype(np.uint8)).decode("utf-8")
        assert text.strip()
        assert by_subwords.test.lengths[i] <= by_bytes.test.lengths[i]


def test_languages_are_what_they_say():
    """Most letters of each wikipedia stand-in belong to the alphabet of its language."""
    alphabets = {
        "zh": lambda c: "\u4e00" <= c <= "\u9fff",
        "ru": lambda c: "\u0400" <= c <= "\u04ff",
        "ja": lambda c: "\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff",
        "hsb": lambda c: c.isalpha() and ord(c) < 0x250,
        "en": lambda c: c.isascii(),
    }
    for language, belongs in alphabets.items():
        split = load(f"tokenized_wikipedia/20190301.{language}_bytes").train
        text = "".join(
            bytes((document(split, i) - 1).astype(np.uint8)).decode() for i in range(400)
        )
        letters = [c for c in text if c.isalpha()]
        assert sum(map(belongs, letters)) > 0.5 * len(letters), language
    split = load("tokenized_wikipedia/20190301.hsb_bytes").train
    text = "".join(bytes((document(split, i) - 1).astype(np.uint8)).decode() for i in range(400))
    assert set("ćěłóšž") <= set(text)


@pytest.mark.parametrize("length", [8, 160])
def test_windows_lie_inside_documents_and_short_ones_are_padded(length):
    """Windows are parts of their documents; after the end of a short one come zeros only."""
    split = load("tokenized_wikipedia/20190301.ru_bytes", patch_length=length).train
    for step in range(3):
        chosen = split.indices(step, 64, seed=5)
        starts, lengths = split.windows(step, 64, seed=5)
        x, _ = split.batch(step, 64, seed=5)
        assert x.shape == (64, length)
        assert x.dtype == np.int32
        for row, i, start, kept in zip(x, chosen, starts, lengths):
            begin, size = split.starts[i], split.lengths[i]
            assert kept == min(size, length)
            # Published rule: the last possible start is never drawn unless the text just fits.
            assert begin <= start <= begin + max(size - length - 1, 0)
            np.testing.assert_array_equal(row[:kept], split.tokens[start : start + kept])
            assert not row[kept:].any()


def test_window_starts_cover_the_document():
    """Over many steps a long document shows all its windows but the last."""
    split = load("lm1b/bytes", patch_length=10).train
    longest = split.take(np.array([split.lengths.argmax()]))
    starts = {int(longest.windows(step, 1)[0][0] - longest.starts[0]) for step in range(12_000)}
    assert starts == set(range(longest.lengths[0] - 10))


def test_text_without_labels_gives_the_window_as_target():
    """y is x where there are no labels, so that fit has a target to hand on."""
    x, y = load("lm1b/bytes").train.batch(0, 8)
    np.testing.assert_array_equal(x, y)
    _, labels = load("imdb_reviews/subwords8k").train.batch(0, 8)
    assert labels.shape == (8,)


# --- batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "imdb_reviews/subwords8k"])
def test_batches_depend_on_seed_and_step_alone(name):
    """Random access equals sequential access, and another seed gives other batches."""
    split = load(name).train
    in_order = list(itertools.islice(split.batches(32, seed=3), 80))
    for step in (79, 0, 40, 62):
        for got, expected in zip(split.batch(step, 32, seed=3), in_order[step]):
            np.testing.assert_array_equal(got, expected)
    resumed = next(split.batches(32, seed=3, start=70))
    np.testing.assert_array_equal(resumed[0], in_order[70][0])
    assert not np.array_equal(split.batch(0, 32, seed=3)[0], split.batch(0, 32, seed=4)[0])


def test_another_process_sees_the_same_batches():
    """Nothing depends on the process: neither the data nor their order."""
    code = (
        "import hashlib; from keras_hplist.tasks import data;"
        "a = data.load('colorectal_histology_32x32').train.batch(7, 32, seed=2)[0];"
        "b = data.load('imdb_reviews/bytes', {'patch_length': 40}).train.batch(7, 32, seed=2)[0];"
        "print(hashlib.blake2b(a.tobytes() + b.tobytes()).hexdigest())"
    )
    here = [
        load(name).train.batch(7, 32, seed=2)[0].tobytes()
        for name in ("colorectal_histology_32x32", "imdb_reviews/bytes")
    ]
    there = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert there.stdout.strip() == blake2b(b"".join(here)).hexdigest()


@given(batch_size=st.integers(1, 700), epoch=st.integers(0, 5), seed=st.integers(0, 2**32))
def test_an_epoch_shows_every_example_at_most_once(batch_size, epoch, seed):
    """The whole batches of an epoch are disjoint, and epochs are shuffled anew."""
    split = load("colorectal_histology_32x32").inner_valid
    per_epoch = len(split) // batch_size
    steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
    shown = np.concatenate([split.indices(step, batch_size, seed) for step in steps])
    assert len(shown) == len(np.unique(shown)) == per_epoch * batch_size
    assert shown.dtype == np.int32


def test_batches_are_gathered_from_arrays():
    """A trainer that holds the arrays and gathers by indices and windows sees the same batches."""
    images = load("mnist").train
    chosen = images.indices(9, 16, seed=1)
    x, y = images.batch(9, 16, seed=1)
    np.testing.assert_array_equal(images.arrays["images"][chosen].astype(np.float32) / 255, x)
    np.testing.assert_array_equal(images.arrays["labels"][chosen], y)
    text = load("imdb_reviews/bytes", patch_length=20).train
    starts, lengths = text.windows(9, 16, seed=1)
    columns = np.arange(20)
    gathered = text.arrays["tokens"][starts[:, None] + columns] * (columns < lengths[:, None])
    np.testing.assert_array_equal(gathered, text.batch(9, 16, seed=1)[0])


@pytest.mark.parametrize("batch_size", [0, -1, 2001])
def test_batch_must_fit_the_data(batch_size):
    """A batch larger than the split is an error that says how many examples there are."""
    with pytest.raises(TaskDataError, match="mnist, train, which has 2000 examples"):
        load("mnist").train.batch(0, batch_size)


def test_steps_count_from_zero():
    """A negative step is refused."""
    with pytest.raises(TaskDataError, match="Step -1"):
        load("mnist").train.indices(-1, 8)


# --- sizes and options --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "valid_size", "expected"),
    [
        ("cifar10", 5000, (40_000, 5000, 5000, 10_000)),
        ("mnist", 3000, (54_000, 3000, 3000, 10_000)),
        ("food101_32x32", 5000, (86_000, 5000, 5000, 5000)),
        ("coil100_32x32", 800, (4800, 800, 800, 800)),
        ("sun397_32x32", 5000, (71_128, 5000, 10_875, 21_758)),
        ("imagenet_resized/32x32", 5000, (1_271_167, 5000, 5000, 50_000)),
        ("imdb_reviews/subwords8k", 3000, (19_000, 3000, 3000, 25_000)),
    ],
)
def test_published_sizes(name, valid_size, expected):
    """On the published numbers of examples the rule gives the published splits."""
    sizes = split_sizes(name, dict(data.describe(name).published), valid_size)
    assert tuple(sizes.values()) == expected


@given(
    train=st.integers(6, 10**6),
    validation=st.none() | st.integers(1, 1000),
    test=st.none() | st.integers(1, 1000),
    valid_size=st.integers(1, 10**6),
)
def test_half_of_train_stays_for_training(train, validation, test, valid_size):
    """However few the data, at least half of the training examples remain, and none is lost."""
    held_out = {"validation": validation, "test": test}
    offered = {"train": train} | {k: v for k, v in held_out.items() if v is not None}
    sizes = split_sizes("a set", offered, valid_size)
    assert sizes["train"] >= train / 2
    assert sum(sizes.values()) == sum(offered.values())
    assert 1 <= sizes["inner_valid"] <= valid_size


def test_too_few_examples_to_cut():
    """A set that cannot be cut at all says so."""
    with pytest.raises(TaskDataError, match="a set has 3 training examples; at least 4"):
        split_sizes("a set", {"train": 3, "test": 1}, 5)


def test_num_train_keeps_the_first_examples():
    """num_train cuts the training split only, and more than there is means all."""
    whole, few = load("cifar10"), load("cifar10", num_train=1000)
    np.testing.assert_array_equal(few.train.images, whole.train.images[:1000])
    assert len(few.test) == len(whole.test)
    assert len(load("cifar10", num_train=10**6).train) == len(whole.train)
    assert few.provenance["sizes"]["train"] == 1000


def test_just_train_makes_all_splits_the_training_split():
    """Effective in the language models of the suite."""
    splits = load("lm1b/bytes", just_train=True, num_train=700)
    assert all(split is splits.train for _, split in splits.items())
    assert len(splits.test) == 700


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnist", {"batch_size": 8}, "Unknown option 'batch_size'.*num_train"),
        ("mnist", {"num_train": 0}, "num_train is 0; give a whole number, at least 1"),
        ("mnist", {"num_train": 10.5}, "num_train is 10.5"),
        ("mnist", {"num_train": True}, "num_train is True"),
        ("mnist", {"seed": -1}, "seed is -1; give a whole number, at least 0"),
        ("mnist", {"seed": None}, "seed is None"),
        ("mnist", {"just_train": 1}, "just_train is 1; it must be True or False"),
        ("mnist", {"patch_length": 8}, "mnist has images: it takes no option patch_length"),
        ("lm1b/bytes", {}, "lm1b/bytes is text: the option patch_length"),
        ("lm1b/bytes", {"patch_length": 0}, "patch_length is 0"),
    ],
)
def test_bad_options(name, options, message):
    """Each wrong option is named with what is allowed."""
    with pytest.raises(TaskDataError, match=message):
        data.load(name, options)


def test_unknown_source():
    """A source that does not exist is answered with those that do."""
    with pytest.raises(TaskDataError, match="Unknown source 'web'"):
        data.load("mnist", source="web")


def test_provenance_says_what_stands_in_for_what():
    """Every account is JSON and names substitute, origin, licence, options and sizes."""
    for name in data.names():
        if name in ("food101_64x64", "imagenet_resized/32x32"):
            continue  # the same recipe at another size
        account = json.loads(json.dumps(load(name).provenance))
        assert account["data_set"] == name
        assert account["source"] == "embedded"
        assert account["substitute"] and account["origin"] and account["licence"]
        assert "GPL" not in account["licence"]
        assert set(account["sizes"]) == {"train", "inner_valid", "outer_valid", "test"}


def test_shared_arrays_cannot_be_written():
    """Photographs are cut once and shared, so a task cannot spoil the data of another."""
    with pytest.raises(ValueError, match="read-only"):
        load("cifar10").train.images[0] = 0
