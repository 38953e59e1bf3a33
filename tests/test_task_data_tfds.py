"""The published data sets, read from small folders that TensorFlow Datasets prepared itself."""

from pathlib import Path

import numpy as np
import pytest

from keras_hplist.tasks import data
from keras_hplist.tasks.errors import TaskDataError

tfds = pytest.importorskip("tensorflow_datasets")

SENTENCES = [f"It was number {k} of the many cold days, and nobody came." for k in range(60)]


def prepare(folder, name, features, splits, config=None):
    """Writes a data set as TensorFlow Datasets does; gives the folder of its files."""
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        config=config,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        data_dir=folder,
        disable_shuffling=True,
    )
    return Path(builder.data_dir)


def labelled_images(count, shape, classes, seed=0):
    """Random images of one shape, whose labels take turns."""
    rng = np.random.default_rng(seed)
    return [
        {"image": rng.integers(0, 256, shape, dtype=np.uint8), "label": k % classes}
        for k in range(count)
    ]


def image_features(shape, classes):
    """The features of a labelled image set."""
    return {
        "image": tfds.features.Image(shape=shape),
        "label": tfds.features.ClassLabel(num_classes=classes),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with five small prepared data sets."""
    root = tmp_path_factory.mktemp("tfds")
    prepare(
        root,
        "cifar10",
        image_features((32, 32, 3), 10),
        {
            "train": labelled_images(40, (32, 32, 3), 10),
            "test": labelled_images(10, (32, 32, 3), 10, 1),
        },
    )
    coil = [
        {"image": e["image"], "angle_label": k % 72, "object_id": 0}
        for k, e in enumerate(labelled_images(12, (128, 128, 3), 1))
    ]
    prepare(
        root,
        "coil100",
        {
            "image": tfds.features.Image(shape=(128, 128, 3)),
            "angle_label": tfds.features.ClassLabel(num_classes=72),
            "object_id": tfds.features.ClassLabel(num_classes=100),
        },
        {"train": coil},
    )
    reviews = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
    prepare(
        root,
        "imdb_reviews",
        reviews,
        {
            split: [{"text": text, "label": k % 2} for k, text in enumerate(SENTENCES)]
            for split in ("train", "test")
        },
        config="plain_text",
    )
    articles = [
        {"title": f"{k}", "text": f"Der {k}. Absatz, dołhi.\n\nab\n  Wšitko je w porjadku.  "}
        for k in range(40)
    ]
    prepare(
        root,
        "wikipedia",
        {"title": tfds.features.Text(), "text": tfds.features.Text()},
        {"train": articles},
        config="20190301.hsb",
    )
    prepare(
        root,
        "amazon_us_reviews",
        {"data": {"review_body": tfds.features.Text(), "star_rating": np.int32}},
        {
            "train": [
                {"data": {"review_body": s, "star_rating": k % 5 + 1}}
                for k, s in enumerate(SENTENCES)
            ]
        },
        config="Books_v1_02",
    )
    return root


def load(folder, name, **options):
    """The data set from the prepared folder."""
    return data.load(name, options, source="tfds", data_dir=folder)


def test_images_keep_file_order_and_published_rule(folder):
    """Validation examples are the first of train, in the order of the files; test is test."""
    splits = load(folder, "cifar10", valid_size=5)
    train = np.array([e["image"] for e in labelled_images(40, (32, 32, 3), 10)])
    np.testing.assert_array_equal(splits.inner_valid.images, train[:5])
    np.testing.assert_array_equal(splits.outer_valid.images, train[5:10])
    np.testing.assert_array_equal(splits.train.images, train[10:])
    assert len(splits.test) == 10
    assert splits.train.labels.tolist() == [k % 10 for k in range(10, 40)]
    assert splits.provenance["source"] == "tfds"
    assert "substitute" not in splits.provenance


def test_num_train_keeps_the_first_training_examples(folder):
    """The first num_train of what is left after validation."""
    few = load(folder, "cifar10", valid_size=5, num_train=7)
    whole = load(folder, "cifar10", valid_size=5)
    np.testing.assert_array_equal(few.train.images, whole.train.images[:7])
    np.testing.assert_array_equal(few.outer_valid.images, whole.outer_valid.images)


def test_larger_images_are_resized_and_coil_is_labelled_by_angle(folder):
    """128-pixel images become 32-pixel ones; the label is the angle, not the object."""
    splits = load(folder, "coil100_32x32", valid_size=2)
    assert splits.train.images.shape == (6, 32, 32, 3)
    assert splits.train.labels.tolist() == [6, 7, 8, 9, 10, 11]


def test_bytes_are_shifted_by_one(folder):
    """Byte b is id b + 1, one review a document, with its sentiment."""
    splits = load(folder, "imdb_reviews/bytes", valid_size=10, patch_length=200)
    x, y = splits.test.batch(0, 60)
    texts = {bytes((row[row > 0] - 1).astype(np.uint8)).decode(): label for row, label in zip(x, y)}
    assert texts == {text: k % 2 for k, text in enumerate(SENTENCES)}


def test_subword_vocabulary_is_built_once_and_spells_the_text(folder):
    """Ids start at 1, decode to the text, and the vocabulary is kept beside the data."""
    splits = load(folder, "imdb_reviews/subwords8k", valid_size=10, patch_length=200)
    kept = folder / "keras_hplist" / "imdb_reviews.subwords"
    assert kept.exists()
    encoder = tfds.deprecated.text.SubwordTextEncoder.load_from_file(str(kept.with_suffix("")))
    x, _ = splits.test.batch(0, 60)
    decoded = {encoder.decode([int(token) for token in row if token]) for row in x}
    assert decoded == set(SENTENCES)


def test_wikipedia_gives_paragraphs_of_more_than_five_characters(folder):
    """One line a document, short lines dropped, articles on one side of the split each."""
    splits = load(folder, "tokenized_wikipedia/20190301.hsb_bytes", valid_size=3, patch_length=100)
    seen = {}
    for role, split in splits.items():
        x, _ = split.batch(0, len(split))
        seen[role] = [bytes((row[row > 0] - 1).astype(np.uint8)).decode() for row in x]
    everything = [text for texts in seen.values() for text in texts]
    assert "ab" not in everything
    assert everything.count("Wšitko je w porjadku.") == 40
    numbers = {role: {t for t in texts if t.startswith("Der")} for role, texts in seen.items()}
    assert not numbers["test"] & (
        numbers["train"] | numbers["inner_valid"] | numbers["outer_valid"]
    )


def test_amazon_gives_bodies_with_stars(folder):
    """The label is the number of stars less one."""
    splits = load(
        folder, "tokenized_amazon_reviews/Books_v1_02_bytes", valid_size=3, patch_length=100
    )
    for _, split in splits.items():
        x, y = split.batch(0, len(split))
        for row, label in zip(x, y):
            text = bytes((row[row > 0] - 1).astype(np.uint8)).decode()
            assert SENTENCES.index(text) % 5 == label


def test_unprepared_set_says_how_to_prepare_it(folder):
    """Nothing is downloaded behind the user's back; the message gives the call."""
    with pytest.raises(TaskDataError, match=r"food101 is not prepared in .*load\('food101'"):
        load(folder, "food101_32x32")


def test_truncated_file_is_named(tmp_path):
    """A cut record file gives an error with its name."""
    target = prepare(
        tmp_path,
        "cifar10",
        image_features((32, 32, 3), 10),
        {split: labelled_images(8, (32, 32, 3), 10) for split in ("train", "test")},
    )
    (file,) = target.glob("*train*tfrecord*")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(TaskDataError, match=file.name):
        load(tmp_path, "cifar10", valid_size=1)


def test_missing_file_is_named(tmp_path):
    """A lost record file gives an error with its name."""
    target = prepare(
        tmp_path,
        "cifar10",
        image_features((32, 32, 3), 10),
        {split: labelled_images(8, (32, 32, 3), 10) for split in ("train", "test")},
    )
    (file,) = target.glob("*test*tfrecord*")
    file.unlink()
    with pytest.raises(TaskDataError, match=file.name):
        load(tmp_path, "cifar10", valid_size=1)


def test_wrong_image_shape_is_told(tmp_path):
    """A folder with other images than the name promises is refused."""
    prepare(
        tmp_path,
        "mnist",
        image_features((28, 28, 3), 10),
        {split: labelled_images(8, (28, 28, 3), 10) for split in ("train", "test")},
    )
    with pytest.raises(TaskDataError, match=r"mnist has images of shape \(28, 28, 3\)"):
        load(tmp_path, "mnist", valid_size=1)
