"""The large training scripts: options, sizes, data order, checkpoints; training at laptop size."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_hplist.errors import FileFormatError, InvalidValueError
from keras_hplist.figures import large_models
from keras_hplist.history import History
from keras_hplist.tasks import data

LARGE = Path(__file__).resolve().parents[1] / "examples" / "large"
SCRIPTS = ("resnet50", "transformer")
TINY = ["--no-jit-compile", "--training-steps", "4", "--epoch-steps", "2", "--batch-size", "4"]


@pytest.fixture(autouse=True)
def scripts_can_be_imported(monkeypatch):
    """The scripts import their neighbours, as when they are run."""
    monkeypatch.syspath_prepend(LARGE)


def module(name):
    """A script or one of its parts."""
    return importlib.import_module(name)


def process(script, *options, out, **environment):
    """Start a script as a user does."""
    return subprocess.Popen(
        [sys.executable, str(LARGE / f"{script}.py"), "--out", str(out), *options],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(script, *options, out, **environment):
    """Run a script to its end; what it printed, and the only run of its history."""
    with process(script, *options, out=out, **environment) as running:
        printed, _ = running.communicate(timeout=280)
    assert running.returncode == 0, printed
    (row,) = History.read(out / "histories").to_frame().to_dict("records")
    return printed, row


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--entry", "1000000"], "there is no entry 1000000"),
        (["--list", "nadam"], "Did you mean 'nadamw'"),
        (["--list", "missing.json"], "missing.json"),
        (["--baseline", "adam"], "needs --learning-rate"),
        (["--baseline", "adam", "--learning-rate", "-1"], "not a positive number"),
        (["--baseline", "default-adam", "--entry", "0"], "leave out --list and --entry"),
        (["--baseline", "default-adam", "--learning-rate", "1e-3"], "belong to --baseline adam"),
        (["--schedule", "fixed"], "lists bring their own"),
        (["--warmup-steps", "5"], "belongs to --schedule"),
        (["--training-steps", "150", "--epoch-steps", "100"], "no multiple of --epoch-steps"),
        (["--batch-size", "3", "--devices", "2"], "no multiple of 2 devices"),
        (["--batch-size", "0"], "not a positive integer"),
        (["--preset", "huge"], "invalid choice"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_any_work(options, message, capsys):
    """Status 2 and the way out, whichever script."""
    for script in SCRIPTS:
        with pytest.raises(SystemExit) as caught:
            module(script).main(options)
        assert caught.value.code == 2
        assert message in capsys.readouterr().err


def test_full_presets_say_how_to_prepare_their_data(tmp_path):
    """Nothing is downloaded; the message gives the call."""
    pytest.importorskip("tensorflow_datasets")
    options = ["--preset", "full", "--data-dir", str(tmp_path), "--out", str(tmp_path / "runs")]
    for script, name in zip(SCRIPTS, ("imagenet2012", "lm1b")):
        with pytest.raises(SystemExit, match=rf"error: {name} is not prepared .*load\('{name}'"):
            module(script).main(options)


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["laptop", "full"])
def test_transformers_have_the_parameters_that_arithmetic_gives(preset):
    """The full one has 53 million."""
    transformer = module("transformer")
    design = transformer.DESIGNS[preset]
    assert design.num_parameters == transformer.NUM_PARAMETERS[preset]
    assert transformer.transformer(design).count_params() == design.num_parameters
    assert round(transformer.NUM_PARAMETERS["full"] / 1e6) == 53


@pytest.mark.parametrize("preset", ["laptop", "full"])
def test_residual_networks_have_their_parameters(preset):
    """ResNet50 has the published number with 1,000 classes."""
    resnet50 = module("resnet50")
    build = {"laptop": resnet50.small_resnet, "full": resnet50.resnet50}[preset]
    assert build().count_params() == resnet50.NUM_PARAMETERS[preset]


def test_a_model_of_another_size_is_refused():
    """The check at start-up names both numbers."""
    small = module("resnet50").small_resnet()
    with pytest.raises(InvalidValueError, match="parameters instead of 53,092,864"):
        module("driver").check_parameters(small, 53_092_864)


def test_no_window_sees_its_own_targets():
    """A later token changes no earlier prediction."""
    transformer = module("transformer")
    model = transformer.transformer(transformer.Design(11, 6, 8, 2, 2, 16))
    tokens = np.array([[1, 2, 3, 4, 5, 6]], np.int32)
    changed = np.array([[1, 2, 3, 4, 9, 6]], np.int32)
    before, after = (np.asarray(model(x)) for x in (tokens, changed))
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-4


# --- optimizers ---------------------------------------------------------------------------------


def chosen(*options):
    """The optimizer of some options, and its labels."""
    driver, script = module("driver"), module("transformer")
    arguments = driver.parse("", script.PRESETS, options)
    return *driver.make_optimizer(arguments), driver.run_name(arguments)


def rates(optimizer, steps):
    """The learning rate after each of some numbers of steps."""
    found = []
    for step in steps:
        optimizer.iterations.assign(int(step))
        found.append(float(optimizer.learning_rate))
    return found


def test_fixed_schedule_is_warm_up_and_inverse_square_root():
    """Rates of 2,000 steps with 100 of warm-up, against NumPy."""
    optimizer, labels, _ = chosen(
        "--baseline", "adam", "--learning-rate", "0.01", "--schedule", "fixed"
    )
    assert labels["values"] == {"learning_rate": 0.01, "warmup_steps": 100}
    t = np.array([1, 50, 100, 101, 400, 2000])
    expected = 0.01 * np.minimum(t / 100, np.sqrt(100 / t))
    np.testing.assert_allclose(rates(optimizer, t - 1), expected, rtol=1e-6)


def test_cosine_schedule_peaks_after_warm_up_and_ends_at_nothing():
    """0 at the start, the given rate after the warm-up, half of it half way, 0 at the end."""
    optimizer, _, _ = chosen(
        *["--baseline", "adam", "--learning-rate", "0.5", "--schedule", "cosine"],
        *["--warmup-steps", "500"],
    )
    reached = rates(optimizer, (0, 500, 1250, 2000))
    np.testing.assert_allclose(reached, [0, 0.5, 0.25, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "method", "name"),
    [
        ([], "list nadamw", "nadamw-entry0-seed0"),
        (["--list", "adam1p", "--entry", "3"], "list adam1p", "adam1p-entry3-seed0"),
        (["--baseline", "adam", "--learning-rate", "0.001"], large_models.CONSTANT, None),
        (
            ["--baseline", "adam", "--learning-rate", "1", "--schedule", "fixed"],
            large_models.FIXED,
            None,
        ),
        (
            ["--baseline", "adam", "--learning-rate", "1", "--schedule", "cosine"],
            large_models.COSINE,
            "adam-cosine-1-seed0",
        ),
        (["--baseline", "default-sgd"], "Keras default sgd", "default-sgd-seed0"),
    ],
)
def test_figures_know_the_method_of_every_run(options, method, name):
    """What a run writes into its history is what the figures read there."""
    optimizer, labels, run = chosen(*options)
    row = {
        "task": "small_transformer_prose",
        "values": {},
        "space": type(optimizer).__name__.lower(),
        "steps": [0, 1],
        "valid": [2.0, 1.0],
        **labels,
    }
    frame = large_models.compute(History.from_records([row]).to_frame())
    assert method in frame.index.unique("method")
    assert name in (None, run)


# --- data ---------------------------------------------------------------------------------------


def test_a_stream_that_starts_later_gives_the_same_batches():
    """Text windows and augmented images are functions of seed and step."""
    streams = module("streams")
    images = data.load("cifar10").train
    text = streams.packed(data.load("lm1b/subwords8k", {"patch_length": 8}).train, 8)
    for batch in (
        lambda step: streams.augmented(images, step, 4, seed=5),
        lambda step: text.batch(step, 4, seed=5),
    ):
        whole = list(streams.stream(batch, 0, 5).as_numpy_iterator())
        later = list(streams.stream(batch, 3, 5).as_numpy_iterator())
        assert (len(whole), len(later)) == (5, 2)
        for (x, y), (x_later, y_later) in zip(whole[3:], later):
            np.testing.assert_array_equal(x, x_later)
            np.testing.assert_array_equal(y, y_later)
        assert not np.array_equal(whole[0][0], whole[1][0])


def test_packed_text_is_the_documents_with_an_end_after_each():
    """Windows in their order spell the split; targets are inputs moved on by one."""
    streams = module("streams")
    split = data.load("lm1b/subwords8k", {"patch_length": 8}).outer_valid
    text = streams.packed(split, 8)
    x, y = text.at(np.arange(len(text)))
    first = split.tokens[split.starts[0] : split.starts[0] + split.lengths[0]]
    spelled = x.ravel()
    assert spelled[: len(first)].tolist() == first.tolist()
    assert spelled[len(first)] == 0
    np.testing.assert_array_equal(spelled[1:], y.ravel()[:-1])
    assert (spelled == 0).sum() <= len(split)
    assert x.dtype == y.dtype == np.int32


def test_augmented_images_are_shifted_and_mirrored_ones():
    """Every augmented image is one of the 2 x 9 x 9 shifts of its original."""
    streams = module("streams")
    split = data.load("cifar10").train
    originals, labels = split.batch(7, 6, seed=1)
    images, told = streams.augmented(split, 7, 6, seed=1)
    np.testing.assert_array_equal(labels, told)
    for original, image in zip(streams.standardized(originals), images):
        padded = np.pad(original, ((4, 4), (4, 4), (0, 0)), mode="reflect")
        shifts = [padded[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
        assert any(
            np.array_equal(image, shift) or np.array_equal(image, shift[:, ::-1])
            for shift in shifts
        )


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_writes_its_curve_once(tmp_path, capsys):
    """Points before training and after each epoch; a second call trains nothing.

    If only the history is lost, it is written again from the last checkpoint.
    """
    command = [*TINY, "--out", str(tmp_path), "--list", "nadamw", "--entry", "1"]
    module("transformer").main(command)
    (row,) = History.read(tmp_path / "histories").to_frame().to_dict("records")
    assert row["steps"].tolist() == [0, 2, 4]
    assert np.isfinite(row["train"]).all() and np.isfinite(row["valid"]).all()
    assert (row["space"], row["source"]) == ("nadamw", "list nadamw, entry 1")
    assert (row["training_steps"], row["batch_size"], row["seed"]) == (4, 4, 0)
    assert abs(row["valid"][0] - np.log(8192)) < 0.1
    module("transformer").main(command)
    assert "nothing to do" in capsys.readouterr().out
    (file,) = (tmp_path / "histories").glob("*.parquet")
    file.unlink()
    module("transformer").main(command)
    assert "steps" not in capsys.readouterr().out
    (again,) = History.read(file).to_frame().to_dict("records")
    for split in ("steps", "train", "valid"):
        np.testing.assert_array_equal(again[split], row[split])
    assert again["configuration"] == row["configuration"]


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(tmp_path):
    """The message names the setting, or the file and the way out."""
    checkpoint = module("checkpoint")
    state = checkpoint.ModelState([np.ones(2)], [np.zeros((), int)])
    path = tmp_path / "run.npz"
    record = {"steps": [0], "valid": [np.float32(1.5)]}
    checkpoint.Checkpoint(3, {"seed": 0, "batch_size": 8}, record, state).write(path)
    again = checkpoint.Checkpoint.read(path, {"seed": 0, "batch_size": 8})
    assert (again.epochs, again.record["valid"]) == (3, [1.5])
    assert again.state.model[0].tolist() == [1, 1]
    with pytest.raises(InvalidValueError, match="batch_size 8 there, 16 here"):
        checkpoint.Checkpoint.read(path, {"seed": 0, "batch_size": 16})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match=r"run.npz.*Delete it"):
        checkpoint.Checkpoint.read(path, {"seed": 0, "batch_size": 8})


@pytest.mark.slow
def test_the_comparison_plans_every_method(capsys, tmp_path):
    """5 entries, 7 rates per schedule, 3 defaults; a dry run prints commands that parse."""
    compare, driver = module("compare"), module("driver")
    options = ["--dry-run", "--out", str(tmp_path), "--", "--training-steps", "200"]
    assert compare.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("resnet50.py" in line for line in lines) == 5 + 7 + 3
    assert sum("transformer.py" in line for line in lines) == 5 + 14 + 3
    names = set()
    for line in lines:
        arguments = driver.parse("", module("transformer").PRESETS, line.split()[2:])
        assert arguments.training_steps == 200
        names.add((arguments.out, driver.run_name(arguments)))
    assert len(names) == len(lines)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_killed_run_goes_on_and_ends_with_the_same_curve(script, tmp_path):
    """Killed after its second checkpoint, the run ends as the one that nobody stopped."""
    options = ["--training-steps", "60", "--epoch-steps", "10", "--batch-size", "8"]
    _, whole = finished(script, *options, out=tmp_path / "whole")
    killed = tmp_path / "killed"
    with process(script, *options, out=killed) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("Epoch 4/6"):
                break
        running.send_signal(signal.SIGKILL)
    assert not (killed / "histories").exists()
    (checkpoint,) = (killed / "checkpoints").glob("*.npz")
    assert checkpoint.exists()
    printed, resumed = finished(script, *options, out=killed)
    assert "steps 30 to 60" in printed or "steps 20 to 60" in printed
    assert resumed["steps"].tolist() == whole["steps"].tolist()
    for split in ("train", "valid"):
        np.testing.assert_allclose(resumed[split], whole[split], rtol=1e-6)


@pytest.mark.slow
def test_a_changed_command_does_not_go_on_from_another_runs_checkpoint(tmp_path):
    """Another batch size, the same name: status 1 and the setting in the message."""
    finished("transformer", *TINY, out=tmp_path)
    for file in (tmp_path / "histories").rglob("*.parquet"):
        file.unlink()
    changed = [*TINY[:-1], "8"]
    with process("transformer", *changed, out=tmp_path) as running:
        printed, _ = running.communicate(timeout=280)
    assert running.returncode == 1
    assert "batch_size 4 there, 8 here" in printed


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_train_as_one(backend, tmp_path):
    """Each takes half of every batch; the curve is that of one device but for rounding."""
    options = ["--training-steps", "10", "--epoch-steps", "5", "--batch-size", "8"]
    environment = {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2" if backend == "jax" else "",
    }
    _, one = finished("transformer", *options, out=tmp_path / "one", **environment)
    _, two = finished(
        "transformer", *options, "--devices", "2", out=tmp_path / "two", **environment
    )
    np.testing.assert_allclose(one["valid"], two["valid"], rtol=1e-3)
    assert two["valid"][-1] < two["valid"][0]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_mixed_precision_trains(script, precision, tmp_path):
    """The loss stays finite and close to that of single precision."""
    options = [*TINY[:-1], "8", "--baseline", "adam", "--learning-rate", "1e-3"]
    _, single = finished(script, *options, out=tmp_path / "single")
    _, mixed = finished(script, *options, "--mixed-precision", precision, out=tmp_path / precision)
    np.testing.assert_allclose(mixed["valid"], single["valid"], rtol=0.05)


@pytest.mark.slow
def test_a_diverged_run_is_written_as_such(tmp_path):
    """A rate far too high ends the run early, with what was measured."""
    options = ["--training-steps", "40", "--epoch-steps", "20", "--batch-size", "8"]
    _, row = finished(
        "transformer", *options, "--baseline", "adam", "--learning-rate", "1e18", out=tmp_path
    )
    assert row["status"] == "diverged"
    assert np.isfinite(row["valid"][0])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_comparison_resumes_and_makes_one_history_per_script(tmp_path):
    """A run that is there is not made again; the figure is drawn from what is there."""
    compare = [sys.executable, str(LARGE / "compare.py"), "--scripts", "resnet50"]
    places = ["--out", str(tmp_path / "runs"), "--histories", str(tmp_path / "histories")]
    command = [*compare, *places, "--entries", "1", "--", *TINY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    history = History.read(tmp_path / "histories" / "resnet50.parquet")
    assert len(history) == 1 + 7 + 3
    frame = large_models.compute(history.to_frame())
    panel = large_models.panel(frame, "small_resnet_photographs", "trials")
    assert len(panel) == 1 + 7 + 3
    before = {file: file.stat().st_mtime for file in (tmp_path / "runs").rglob("*.npz")}
    again = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert again.stdout.count("nothing to do") == 1 + 7 + 3
    assert before == {file: file.stat().st_mtime for file in (tmp_path / "runs").rglob("*.npz")}


# --- published data -----------------------------------------------------------------------------


def store(folder, name, version, features, splits, ordered):
    """Write a data set as TensorFlow Datasets does, in the order given or in one of its own."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        data_dir=folder,
        disable_shuffling=ordered,
    )


@pytest.mark.slow
def test_imagenet_batches_are_a_function_of_seed_and_step(tmp_path):
    """Started at any step, over the end of epochs, the stream goes on the same; all sizes fit."""
    tfds = pytest.importorskip("tensorflow_datasets")
    rng = np.random.default_rng(0)
    rows = [
        {
            "image": rng.integers(0, 256, (40 + 7 * k, 90 - 3 * k, 3), dtype=np.uint8),
            "label": k,
        }
        for k in range(10)
    ]
    features = {
        "image": tfds.features.Image(encoding_format="jpeg"),
        "label": tfds.features.ClassLabel(num_classes=1000),
    }
    splits = {"train": rows, "validation": rows[:5]}
    store(tmp_path, "imagenet2012", "5.1.0", features, splits, ordered=False)
    imagenet = module("imagenet")
    builder = imagenet.prepared(str(tmp_path))
    whole = list(imagenet.train(builder, 3, 1, 0, 8, 32).as_numpy_iterator())
    later = list(imagenet.train(builder, 3, 1, 4, 8, 32).as_numpy_iterator())
    assert len(whole) == 8
    for (x, y), (x_later, y_later) in zip(whole[4:], later, strict=True):
        assert x.shape == (3, 32, 32, 3)
        np.testing.assert_array_equal(x, x_later)
        np.testing.assert_array_equal(y, y_later)
    for epoch in (whole[:3], whole[3:6]):
        labels = np.concatenate([y for _, y in epoch])
        assert len(set(labels)) == 9
    other = next(iter(imagenet.train(builder, 3, 2, 0, 1, 32)))
    assert not np.array_equal(other[0], whole[0][0])
    held_out = list(imagenet.valid(builder, 4, 32).as_numpy_iterator())
    assert [x.shape[0] for x, _ in held_out] == [4, 1]
    assert sorted(np.concatenate([y for _, y in held_out])) == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_lm1b_is_encoded_once_by_pieces(tmp_path):
    """The tokens spell the sentences in order; a missing piece is made, the rest kept."""
    tfds = pytest.importorskip("tensorflow_datasets")
    sentences = [f"It was number {k} of the many cold days , and nobody came ." for k in range(70)]
    rows = [{"text": sentence} for sentence in sentences]
    store(
        tmp_path,
        "lm1b",
        "1.1.0",
        {"text": tfds.features.Text()},
        {"train": rows, "test": rows[:3]},
        ordered=True,
    )
    lm1b = module("lm1b")
    made = lm1b.tokens("train", str(tmp_path), 33_280, processes=1)
    assert made.dtype == np.uint16
    vocabulary = tmp_path / "keras_hplist" / "lm1b32k"
    encoder = tfds.deprecated.text.SubwordTextEncoder.load_from_file(str(vocabulary))
    ends = np.flatnonzero(made == 0)
    spelled = [encoder.decode(part[part > 0].tolist()) for part in np.split(made, ends + 1)[:-1]]
    assert spelled == sentences
    before = (vocabulary / "train.npy").stat().st_mtime_ns
    lm1b.tokens("train", str(tmp_path), 33_280, processes=1)
    assert (vocabulary / "train.npy").stat().st_mtime_ns == before
    with pytest.raises(InvalidValueError, match="the model takes 5"):
        lm1b.tokens("train", str(tmp_path), 5)
