"""RaceList: several entries in one fit, of which the best one goes on."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_steps import OwnSteps

import keras_hplist as khl
from keras_hplist.errors import InvalidValueError, UnknownNameError
from keras_hplist.tuning.errors import SetupError
from keras_hplist.tuning.validation import evaluate_apart

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = np.exp(X.sum(axis=1, keepdims=True) / 3)
RATES = [1e-6, 10.0, 0.05, 1e-4]  # nothing moves, diverges, good, slow
RATE_LIST = khl.HyperparameterList([{"learning_rate": r} for r in RATES], "adam1p", name="rates")
BASE = {**khl.spaces.get("nadamw").draw(7), "warmup_fraction": 0.0, "constant_fraction": 0.1}
NADAMW_LIST = khl.HyperparameterList(
    [{**BASE, "learning_rate": rate} for rate in (1e-5, 0.05, 1e-3)], "nadamw", name="three"
)


class Counts(keras.layers.Layer):
    """Counts how often a train step is traced through it."""

    traces = 0

    def call(self, x, training=False):
        Counts.traces += bool(training)
        return x


def compiled_model(list_=RATE_LIST, index=0, **settings):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="tanh"),
            Counts(),
            keras.layers.Dense(1, activation="exponential"),
        ]
    )
    model.compile(khl.get_optimizer(list_, index), "mse", **{"run_eagerly": True} | settings)
    return model


def fit(model, callback, **kwargs):
    """One epoch is one batch, so that every step sees the same data."""
    arguments = {"batch_size": 32, "epochs": 60, "verbose": 0} | kwargs
    return model.fit(X, Y, callbacks=[callback], **arguments)


def test_the_best_entry_wins_and_the_worse_half_of_each_round_drops_out():
    """Four entries, then the better two for twice as long; a diverged one stops at once."""
    race = khl.callbacks.RaceList(RATE_LIST, entries=4, fraction=0.8)
    fit(compiled_model(), race)
    assert race.winner == 2
    heats = [(heat["round"], heat["rank"], heat["steps"]) for heat in race.results]
    assert [*heats[:1], *heats[2:]] == [(0, 0, 6), (0, 2, 6), (0, 3, 6), (1, 2, 18), (1, 3, 18)]
    assert heats[1] < (0, 1, 6)
    assert math.isinf(race.results[1]["loss"])
    assert race.results[4]["loss"] < race.results[5]["loss"]


def test_the_winner_trains_as_if_it_had_been_alone():
    """Its weights and its schedule are those of a fit with this entry and its number of steps."""
    race = khl.callbacks.RaceList(NADAMW_LIST, entries=3, fraction=0.5)
    model = compiled_model(NADAMW_LIST)
    fit(model, race, epochs=32)
    assert race.winner == 1
    # 32 steps: rounds of 8, in heats of 2 and 4 steps; 2 + 2 + 4 of them were the losers'.
    assert model.optimizer.training_steps == 24 == int(model.optimizer.iterations)
    assert model.optimizer.hyperparameters == NADAMW_LIST[1]
    alone = compiled_model(NADAMW_LIST, index=1)
    fit(alone, khl.callbacks.TrainingSteps(), epochs=24)
    for weight, expected in zip(model.get_weights(), alone.get_weights()):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def stateful(index):
    """A model whose recurrent layer keeps its states from batch to batch, outside its variables."""
    keras.utils.set_random_seed(1)
    shape, layer = keras.layers.Reshape((3, 1)), keras.layers.SimpleRNN(2, stateful=True)
    model = keras.Sequential(
        [keras.Input(batch_shape=(32, 3)), shape, layer, keras.layers.Dense(1)]
    )
    model.compile(khl.get_optimizer(NADAMW_LIST, index), "mse", run_eagerly=True)
    return model


def test_each_entry_has_states_of_its_own_in_stateful_layers():
    """The winner's are those of a fit by itself, also if its heats are judged by other data."""
    race = khl.callbacks.RaceList(
        NADAMW_LIST,
        entries=2,
        fraction=0.5,
        validation_data=(X[::-1], Y[::-1]),
        validation_arguments={"batch_size": 32},
    )
    model = stateful(index=0)
    fit(model, race, epochs=12)
    assert race.winner == 1
    alone = stateful(index=1)
    fit(alone, khl.callbacks.TrainingSteps(), epochs=model.optimizer.training_steps)
    [states], [expected] = model.layers[1].states, alone.layers[1].states
    np.testing.assert_allclose(states, expected, rtol=1e-5, atol=1e-6)
    for weight, expected in zip(model.get_weights(), alone.get_weights()):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


class Subclassed(keras.Model):
    """Is built by its first batch, whose inputs are named."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Dense(4), keras.layers.BatchNormalization()]
        self.out = keras.layers.Dense(1, activation="exponential")

    def call(self, inputs, training=False):
        x = inputs["x"]
        for part in self.parts:
            x = part(x, training=training)
        return self.out(x)


def unbuilt(subclassed=False, list_=RATE_LIST):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(4), keras.layers.Dense(1, activation="exponential")]
    model = Subclassed() if subclassed else keras.Sequential(layers)
    model.compile(khl.get_optimizer(list_, 0), "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("subclassed", [False, True])
def test_a_model_without_an_input_races_from_its_initial_state(subclassed):
    """On TensorFlow its variables come with the first batch only."""
    x = {"x": X} if subclassed else X
    settings = {"batch_size": 32, "epochs": 15, "verbose": 0}
    model, race = unbuilt(subclassed), khl.callbacks.RaceList(RATE_LIST, entries=2)
    model.fit(x, Y, callbacks=[race], **settings)
    assert race.winner == 0 and math.isinf(race.results[1]["loss"])
    alone = unbuilt(subclassed)
    settings["epochs"] = model.optimizer.training_steps
    alone.fit(x, Y, callbacks=[khl.callbacks.TrainingSteps()], **settings)
    for weight, expected in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)


def test_a_model_that_cannot_be_built_is_refused():
    """What only a train step of its own can call must have its variables before."""

    class Parts(keras.Model):
        def __init__(self, part):
            super().__init__()
            self.part = part

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                loss = keras.ops.mean((self.part(x) - y) ** 2)
            variables = self.part.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return {"loss": loss}

    def raced(part):
        model, race = Parts(part), khl.callbacks.RaceList(RATE_LIST, entries=2)
        model.compile(khl.get_optimizer(RATE_LIST, 0), "mse")
        fit(model, race, epochs=15)
        return race

    with pytest.raises(SetupError, match=r"keras\.Input"):
        raced(keras.layers.Dense(1))
    part = keras.layers.Dense(1)
    part.build((None, 3))
    assert raced(part).winner is not None


def test_a_fit_that_broke_off_before_its_first_batch_leaves_no_race_behind():
    """A model that is still to be built trains as if there had been none."""

    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise KeyboardInterrupt

    list_ = NADAMW_LIST[1:]

    def raced(model):
        race = khl.callbacks.RaceList(list_, entries=2)
        fit(model, race, batch_size=8, epochs=10, shuffle=False)
        return race.results

    model = unbuilt(list_=list_)
    broken = [khl.callbacks.RaceList(list_, entries=2), Interrupts()]
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=1, callbacks=broken, verbose=0)
    assert raced(model) == raced(unbuilt(list_=list_))


def test_one_train_step_is_compiled_for_all():
    """Entries are swapped by assigning variables; losses of a NaN-free kind are measured after."""
    Counts.traces = 0
    race = khl.callbacks.RaceList(
        RATE_LIST, entries=4, validation_data=(X, Y), validation_arguments={"batch_size": 32}
    )
    model = compiled_model(run_eagerly=False, steps_per_execution=2)
    fit(model, race, batch_size=8, epochs=20)
    assert race.winner == 2
    once = Counts.traces
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    assert Counts.traces == once <= 2


def test_a_field_without_a_finisher_ends_the_fit():
    """If all diverge there is nobody to go on with."""
    wild = khl.HyperparameterList([{"learning_rate": r} for r in (9.0, 10.0)], "adam1p")
    model = compiled_model(wild)
    with pytest.warns(UserWarning, match="diverged"):
        history = fit(model, race := khl.callbacks.RaceList(wild, entries=2))
    assert len(history.epoch) < 60
    assert race.winner is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"entries": 1},
        {"entries": 5},
        {"entries": True},
        {"entries": 2.5},
        {"fraction": 0.0},
        {"fraction": 1.0},
        {"fraction": "a"},
        {"fraction": None},
        {"validation_arguments": 5},
        {"validation_arguments": {"verbose": 0}},
        pytest.param({"validation_arguments": {"sample_weight": Y}}, id="sample_weight"),
        pytest.param({"validation_data": iter([(X, Y)])}, id="iterator"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_at_once(arguments):
    """Two entries at least, no more than there are, and a part of the fit."""
    with pytest.raises(InvalidValueError, match=next(iter(arguments))):
        khl.callbacks.RaceList(RATE_LIST, **{"entries": 2} | arguments)


def test_unknown_lists_are_refused():
    """As everywhere, a list is an object, a shipped name or a path."""
    with pytest.raises(UnknownNameError):
        khl.callbacks.RaceList("nosuchlist")


@pytest.mark.parametrize(("family", "beyond"), [("", "learning_rate, "), ("adam1p", "")])
def test_lists_that_set_more_than_an_optimizer_are_refused(family, beyond):
    """At once: one model cannot have two rates of dropout."""
    rows = [
        {"name": "learning_rate", "type": "number", "low": 1e-3, "high": 1.0},
        {"name": "dropout", "type": "number", "low": 0.0, "high": 1.0},
    ]
    space = khl.spaces.SearchSpace.from_config(
        {"name": "mine", "family": family, "hyperparameters": rows}
    )
    entries = [{"learning_rate": 0.1, "dropout": share} for share in (0.1, 0.2)]
    list_ = khl.HyperparameterList(entries, space, name="both")
    with pytest.raises(InvalidValueError, match=f"'both' cannot race: .*'mine', {beyond}dropout"):
        khl.callbacks.RaceList(list_, entries=2)
    with pytest.raises(InvalidValueError, match=r"'mine'.*build_model"):
        khl.get_optimizer(list_, 0)


def test_models_of_another_family_are_refused():
    """The list's values must have a place in the model's optimizer."""
    with pytest.raises(SetupError, match="adam1p"):
        fit(compiled_model(NADAMW_LIST), khl.callbacks.RaceList(RATE_LIST, entries=2))


def test_fits_of_unknown_length_are_refused():
    """Also without a schedule: a race is planned by the steps of the fit."""
    batches = ((X, Y) for _ in range(60))
    with pytest.raises(SetupError, match=r"cannot be known .* with RaceList\(training_steps"):
        compiled_model().fit(batches, callbacks=[khl.callbacks.RaceList(RATE_LIST, entries=2)])


def test_fits_that_are_too_short_are_refused():
    """The error says how many steps would do; nothing is trained."""
    model = compiled_model()
    with pytest.raises(SetupError, match="at least 27"):
        fit(model, khl.callbacks.RaceList(RATE_LIST, entries=4, fraction=0.3), epochs=20)
    assert int(model.optimizer.iterations) == 0


def test_heats_are_whole_executions():
    """Entries change between executions only: too few of these are refused, enough are not."""
    race = khl.callbacks.RaceList(RATE_LIST, entries=4, fraction=0.5)
    many = {"batch_size": 1, "shuffle": False}
    with pytest.raises(SetupError, match="at least 512 with steps_per_execution=32"):
        fit(compiled_model(steps_per_execution=32, run_eagerly=False), race, epochs=15, **many)
    fit(compiled_model(steps_per_execution=8, run_eagerly=False), race, epochs=15, **many)
    assert race.winner == 2
    assert {heat["steps"] % 8 for heat in race.results} == {0}
    assert sum(heat["steps"] for heat in race.results if heat["round"] == 0) <= 120


def test_a_fit_that_ends_before_the_race_keeps_the_best_entry_and_says_so():
    """For example because training_steps was overstated."""
    model = compiled_model()
    race = khl.callbacks.RaceList(RATE_LIST, entries=4, training_steps=400)
    with pytest.warns(UserWarning, match="before the race was over.* entry 2, the best so far"):
        fit(model, race, epochs=50)
    assert race.winner == 2
    assert model.optimizer.hyperparameters == RATE_LIST[2]


def test_a_fit_that_ends_before_the_race_leaves_the_averaged_weights():
    """As every fit does with `use_ema`."""
    optimizer = khl.get_optimizer(RATE_LIST, 0, use_ema=True, ema_momentum=0.9)
    model = compiled_model()
    model.compile(optimizer, "mse", run_eagerly=True)
    race = khl.callbacks.RaceList(RATE_LIST, entries=4, training_steps=400)
    with pytest.warns(UserWarning, match="before the race was over"):
        fit(model, race, epochs=50)
    for weight, mean in zip(model.trainable_weights, optimizer._model_variables_moving_average):
        np.testing.assert_array_equal(weight.numpy(), mean.numpy())


def test_the_log_of_an_epoch_at_whose_end_the_race_ends_is_a_loss():
    """Keras's running means are not reset before it has logged them."""
    race = khl.callbacks.RaceList(RATE_LIST[2:], entries=2, fraction=0.25)
    history = fit(compiled_model(), race, batch_size=4, epochs=8)  # 64 steps: the race takes 16
    assert race.winner is not None
    assert min(history.history["loss"]) > 0.0


def test_a_fit_that_goes_on_after_the_race_ends_the_winners_schedule():
    """With `initial_epoch`; the epochs so far were not all the winner's."""
    race = khl.callbacks.RaceList(NADAMW_LIST, entries=3, fraction=0.5)
    model = compiled_model(NADAMW_LIST)
    fit(model, race, epochs=32)
    winners = int(model.optimizer.iterations)
    assert winners < 32
    fit(model, khl.callbacks.TrainingSteps(), epochs=40, initial_epoch=32)
    optimizer = model.optimizer
    assert (optimizer.schedule_start, optimizer.training_steps) == (0, winners + 8)
    assert int(optimizer.iterations) == winners + 8


class Dies(keras.callbacks.Callback):
    """Ends a fit as it begins an epoch, as a kill would."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            raise KeyboardInterrupt


def halved_at(epoch):
    """A callback that halves the learning rate once, as when a plateau is reached."""
    return keras.callbacks.LearningRateScheduler(lambda e, rate: rate / 2 if e == epoch else rate)


@pytest.mark.parametrize(
    ("stated", "others"),
    [(None, []), (32, []), (None, [halved_at(18)])],
    ids=["worked out", "stated", "halved rate"],
)
def test_a_fit_that_is_restored_after_its_race_ends_as_if_uninterrupted(tmp_path, stated, others):
    """It does not race again: the winner goes on in its schedule and at its present rate."""

    def raced(folder, *callbacks):
        race = khl.callbacks.RaceList(NADAMW_LIST, entries=3, fraction=0.5, training_steps=stated)
        model = compiled_model(NADAMW_LIST)
        backup = keras.callbacks.BackupAndRestore(tmp_path / folder)
        callbacks = [backup, race, *others, *callbacks]
        model.fit(X, Y, batch_size=32, epochs=32, verbose=0, callbacks=callbacks)
        return model, race

    whole, _ = raced("whole")
    with pytest.raises(KeyboardInterrupt):
        raced("broken", Dies(20))
    resumed, race = raced("broken")
    assert (race.winner, race.results) == (1, [])
    for name in ("training_steps", "schedule_start", "hyperparameters", "iterations"):
        assert getattr(resumed.optimizer, name) == getattr(whole.optimizer, name), name
    for weight, expected in zip(resumed.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-6)

    with pytest.raises(KeyboardInterrupt):
        raced("within", Dies(10))
    with pytest.raises(
        SetupError, match=r"epoch 10 with entry \d after \d+ steps.*delete the backup"
    ):
        raced("within")


@pytest.mark.parametrize("race_first", [True, False])
def test_the_callback_that_plans_a_fit_does_not_plan_the_first_heat(race_first):
    """Beside a race, TrainingSteps makes no difference, wherever it stands."""

    def raced(*others):
        race = khl.callbacks.RaceList(NADAMW_LIST, entries=2, fraction=0.6)
        callbacks = [race, *others] if race_first else [*others, race]
        model = compiled_model(NADAMW_LIST)
        model.fit(X, Y, batch_size=32, epochs=20, callbacks=callbacks, verbose=0)
        return race.results, model.optimizer.training_steps

    assert raced(khl.callbacks.TrainingSteps()) == raced()


def test_a_list_over_a_part_of_its_familys_hyperparameters_does_not_race_again(tmp_path):
    """What it does not set is no matter to whose fit goes on."""
    rates = khl.spaces.SearchSpace("rates", (khl.spaces.get("adam1p").rows[0],), family="nadamw")
    list_ = khl.HyperparameterList([{"learning_rate": r} for r in (1e-5, 0.05)], rates)

    def raced(*callbacks):
        race = khl.callbacks.RaceList(list_, 2, fraction=0.6)
        backup = keras.callbacks.BackupAndRestore(tmp_path)
        model = compiled_model(list_)
        model.fit(X, Y, epochs=10, verbose=0, callbacks=[backup, race, *callbacks])
        return race

    with pytest.raises(KeyboardInterrupt):
        raced(Dies(8))
    resumed = raced()
    assert (resumed.winner, resumed.results) == (1, [])


def test_a_raced_fit_can_be_extended_by_far():
    """The race that the whole would have had tells nothing of the one that was."""
    model, race = compiled_model(), khl.callbacks.RaceList(RATE_LIST[2:], entries=2)
    fit(model, race, epochs=10)
    assert race.winner == 0
    winners = int(model.optimizer.iterations)
    fit(model, race, epochs=100, initial_epoch=10)
    assert (race.winner, race.results) == (0, [])
    assert model.optimizer.training_steps == winners + 90


@pytest.mark.parametrize("entries", [2, 3])
def test_no_epoch_of_unknown_length_is_logged_as_zero(entries):
    """Where a heat ends with an epoch, whose end nobody foresees, its means are logged first."""
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).filter(lambda *_: True)
    race = khl.callbacks.RaceList(RATE_LIST[1:], entries, fraction=0.5, training_steps=64)
    history = compiled_model().fit(data, epochs=16, callbacks=[race], verbose=0)
    assert race.winner is not None
    assert 0.0 not in history.history["loss"]


def own_steps(**report):
    model = OwnSteps([keras.Input((3,)), keras.layers.Dense(1, activation="exponential")], **report)
    model.compile(khl.get_optimizer(RATE_LIST, 0), "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize("mean", [False, True], ids=["of the batch", "mean"])
def test_heats_are_judged_by_the_losses_of_their_batches_whatever_a_train_step_reports(mean):
    """The batch's loss as it is, or a mean that is no metric of Keras's own."""
    model, race = own_steps(mean=mean), khl.callbacks.RaceList(RATE_LIST[2:], entries=2)
    fit(model, race, batch_size=8, epochs=15)
    assert [heat["steps"] for heat in race.results] == [9, 9]
    for number, heat in enumerate(race.results):
        second_half = model.true_losses[9 * number + 4 : 9 * number + 9]
        assert heat["loss"] == pytest.approx(np.mean(second_half), rel=1e-4)


def test_batches_of_different_sizes_give_no_impossible_losses():
    """Where every sample has the same loss, so has every heat."""
    sizes = [1, 31] * 32
    data = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((size, 3)), np.full((size, 1), 3.0)) for size in sizes),
        output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
    )
    still = khl.HyperparameterList([{"learning_rate": r} for r in (1e-8, 2e-8)], "adam1p")
    race = khl.callbacks.RaceList(still, entries=2, training_steps=64)
    compiled_model(still).fit(data, callbacks=[race], verbose=0)
    assert len(race.results) == 2
    assert [heat["loss"] for heat in race.results] == pytest.approx([4.0] * 2)


def test_without_a_training_loss_the_validation_data_judge():
    """A train step may report nothing of the name; then nothing but these can judge a heat."""
    race = khl.callbacks.RaceList(RATE_LIST, entries=4, validation_data=(X, Y))
    fit(own_steps(name="total"), race, epochs=30)
    assert race.winner == 2
    with pytest.raises(SetupError, match=r"reports total, and no 'loss'.*validation_data"):
        fit(own_steps(name="total"), khl.callbacks.RaceList(RATE_LIST, entries=4))


@pytest.mark.parametrize("mean", [False, True], ids=["of the batch", "mean"])
def test_validation_losses_are_those_of_the_batches_whatever_a_test_step_reports(mean):
    """For a loss that its metrics do not know, `model.evaluate` gives zero."""
    model = own_steps(mean=mean)
    predicted = np.asarray(model(X))
    loss = evaluate_apart(model, (X, Y), {"batch_size": 8})
    assert loss == pytest.approx(np.mean((predicted - Y) ** 2), rel=1e-4)


def test_validation_without_a_loss_is_refused():
    """It is no divergence of all entries."""
    model = own_steps(tested="error")
    with pytest.raises(SetupError, match=r"no 'loss' on validation_data.*test_step"):
        fit(model, khl.callbacks.RaceList(RATE_LIST, entries=4, validation_data=(X, Y)))
