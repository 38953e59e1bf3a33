"""What an installed package is: its imports, its data files, its lazy names."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

import keras_hplist


def run(code: str, **options) -> str:
    """Run Python code in a fresh process away from the checkout; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_no_heavy_library(tmp_path):
    """`import keras_hplist` loads neither TensorFlow nor Keras nor pandas."""
    code = (
        "import sys, keras_hplist; "
        "print([m for m in ('tensorflow', 'keras', 'keras_tuner', 'pandas') if m in sys.modules])"
    )
    assert run(code, cwd=tmp_path) == "[]"


@pytest.mark.parametrize("name", ["spaces", "lists", "history", "learning", "evaluation", "tasks"])
def test_tools_that_train_nothing_load_no_tensorflow(name, tmp_path):
    """The spaces, lists, history, learner and the listing of tasks work without TensorFlow."""
    code = f"import sys, keras_hplist; keras_hplist.{name}; print('tensorflow' in sys.modules)"
    assert run(code, cwd=tmp_path) == "False"


def test_saved_models_load_in_a_fresh_process(tmp_path):
    """Keras knows the optimizers where the package is imported after it."""
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras_hplist.get_optimizer("nadamw", training_steps=10), "mse")
    model.save(tmp_path / "model.keras")
    load = "print(type(keras.models.load_model('model.keras').optimizer).__name__)"
    assert run(f"import keras, keras_hplist; {load}", cwd=tmp_path) == "NAdamW"


def test_every_public_name_exists():
    """Every name that the package promises can be imported and is listed by dir()."""
    for name in keras_hplist.__all__:
        assert getattr(keras_hplist, name) is not None
    assert set(keras_hplist.__all__) <= set(dir(keras_hplist))


def test_every_public_module_is_one_that_can_be_imported(tmp_path):
    """Also in the two ways that do not ask the package for an attribute."""
    code = (
        "from keras_hplist.callbacks import TrainingSteps; "
        "from keras_hplist.evaluation import resample; "
        "import keras_hplist; "
        "from importlib import import_module as load; "
        "print(all(load(f'keras_hplist.{n}') is getattr(keras_hplist, n) "
        "for n in keras_hplist._MODULES))"
    )
    assert run(code, cwd=tmp_path) == "True"


def test_unknown_attribute_is_an_attribute_error():
    """A misspelt name fails as attributes do."""
    with pytest.raises(AttributeError, match="no attribute 'HyperparameterLst'"):
        _ = keras_hplist.HyperparameterLst


def test_no_global_module_named_tasks(tmp_path):
    """The task suite installs inside the package only."""
    code = "import importlib.util; print(importlib.util.find_spec('tasks'))"
    assert run(code, cwd=tmp_path) == "None"


@pytest.fixture
def root() -> Path:
    """The root of the checkout."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / "keras_hplist").is_dir():
        pytest.skip("the sources are not beside the tests")
    return folder


def test_every_subpackage_is_named_for_the_wheel(root):
    """Nothing else would warn: editable installs find an unnamed package, the wheel lacks it."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg")
    named = set(config["options"]["packages"].split())
    files = [*(root / "keras_hplist").rglob("__init__.py"), *(root / "tasks").rglob("__init__.py")]
    paths = {file.parent.resolve().relative_to(root).as_posix() for file in files}
    folders = {path.replace("/", ".").replace("tasks", "keras_hplist.tasks") for path in paths}
    assert named == folders


def test_imports_run_one_way(root):
    """The contract of setup.cfg on the direction of imports is kept."""
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_shipped_lists_are_found(tmp_path):
    """The shipped lists are data of the installed package and load."""
    code = (
        "import keras_hplist as khl; "
        "print(all(len(khl.HyperparameterList.load(n)) > 1 for n in khl.available_lists()), "
        "'nadamw' in khl.available_lists())"
    )
    assert run(code, cwd=tmp_path) == "True True"
