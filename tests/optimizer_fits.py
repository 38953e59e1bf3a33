"""Checks of the optimizers inside `model.fit`, on every backend of Keras."""

import os
import tempfile

import keras
import numpy as np
from keras import ops
from optimizer_formulas import BACKEND, START, fit_function

from keras_hplist import optimizers, spaces
from keras_hplist.errors import InvalidValueError

X = np.random.default_rng(3).normal(size=(64, 4)).astype("float32")
Y = np.sin(X.sum(axis=1, keepdims=True)).astype("float32")
MODES = (False,) if BACKEND == "torch" else (False, True)
# The cheaper mode for small models: compiling on TensorFlow, running uncompiled on JAX, takes long.
FAST = BACKEND == "jax"


def make_model(optimizer, jit=FAST, policy=None, **kwargs):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="tanh", dtype=policy),
            keras.layers.Dense(1, dtype=policy),
        ]
    )
    model.compile(optimizer, "mse", jit_compile=jit, **kwargs)
    return model


def fit(model, epochs=1, initial_epoch=0, callbacks=()):
    return model.fit(
        X,
        Y,
        batch_size=8,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )


def flat(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def moved(model):
    before = flat(model)
    fit(model)
    return np.abs(flat(model) - before).max()


def nadamw(**changes):
    values = {
        "learning_rate": 1e-2,
        "use_nesterov": True,
        "adamw_weight_decay": 1e-2,
        "l2_weight_decay": 1e-3,
        "warmup_fraction": 0.05,
        "constant_fraction": 0.3,
        "training_steps": 32,
    }
    return optimizers.NAdamW(**values | changes)


def check_live_changes():
    """Learning rate, training steps and schedule start act on a train step already compiled."""
    for jit in MODES:
        optimizer = nadamw(constant_fraction=0.0, warmup_fraction=0.0)
        model = make_model(optimizer, jit)
        assert moved(model) > 1e-3
        optimizer.set_hyperparameters({"learning_rate": 0.0})
        assert moved(model) == 0
        optimizer.learning_rate = 1e-2
        assert moved(model) > 1e-3
        optimizer.training_steps = 8  # long over: the cosine is at its end
        assert moved(model) < 1e-8
        optimizer.schedule_start = int(ops.convert_to_numpy(optimizer.iterations))
        assert moved(model) > 1e-3
        optimizer.set_hyperparameters({"min_learning_rate_mult": 1.0})
        assert moved(model) > 1e-3


def check_new_hyperparameters_equal_a_fresh_optimizer():
    """A compiled step with new hyperparameters does what a fresh optimizer does."""
    changed = {"learning_rate": 3e-3, "beta1": 0.5, "use_nesterov": False, "l2_weight_decay": 0.1}
    for jit in MODES:
        fresh = make_model(nadamw(**changed), jit)
        start = fresh.get_weights()
        fit(fresh)

        optimizer = nadamw()
        reused = make_model(optimizer, jit)
        optimizer.build(reused.trainable_variables)
        initial = [ops.convert_to_numpy(v) for v in optimizer.variables]
        fit(reused)
        reused.set_weights(start)
        optimizer.set_weights(initial)
        optimizer.set_hyperparameters(changed)
        fit(reused)
        np.testing.assert_allclose(flat(reused), flat(fresh), rtol=0, atol=1e-6)


def check_training_steps_are_required():
    """Without training steps fit fails before anything has changed; setting them mends it."""
    for jit in MODES:
        model = make_model(optimizers.NAdamW(), jit)
        before = flat(model)
        try:
            fit(model)
        except InvalidValueError as error:
            assert "training_steps" in str(error)
            assert "TrainingSteps" in str(error)
        else:
            raise AssertionError("fit went on without training steps")
        if BACKEND != "jax":  # where Keras has taken the weights out of a model whose fit failed
            assert np.array_equal(flat(model), before)
        model = make_model(optimizers.NAdamW(), jit)
        model.optimizer.training_steps = 8
        assert moved(model) > 1e-4
    for cls in (optimizers.Adam4p, optimizers.Adam1p):
        assert moved(make_model(cls(1e-2))) > 1e-3


def check_same_as_keras_adam():
    """Adam4p is Keras's Adam, under every option that the base class offers."""
    options = (
        {},
        {"clipnorm": 0.1},
        {"clipvalue": 0.05},
        {"global_clipnorm": 0.1},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 4, "clipnorm": 0.1},
        {"loss_scale_factor": 64.0},
    )
    for kwargs in options:
        ends = []
        for cls in (optimizers.Adam4p, keras.optimizers.Adam):
            variable = keras.Variable(START, dtype=keras.config.floatx())
            optimizer = cls(1e-2, epsilon=1e-7, **kwargs)
            optimizer.build([variable])
            fit_function(optimizer, variable, jit=False)()
            optimizer.finalize_variable_values([variable])
            ends.append(ops.convert_to_numpy(variable))
        np.testing.assert_allclose(*ends, rtol=0, atol=1e-5, err_msg=str(kwargs))
    models = [
        make_model(cls(1e-2, epsilon=1e-7, use_ema=True, ema_momentum=0.5))
        for cls in (optimizers.Adam4p, keras.optimizers.Adam)
    ]
    for model in models:
        fit(model, epochs=2)
    np.testing.assert_allclose(*map(flat, models), rtol=0, atol=2e-6)


def check_gradient_accumulation_reaches_the_end():
    """The horizon is in batches: the last update of the fit is made at the schedule's end."""
    optimizer = nadamw(gradient_accumulation_steps=4, constant_fraction=0.0, warmup_fraction=0.0)
    rates = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(optimizer.scheduled_learning_rate)

    fit(make_model(optimizer), epochs=4, callbacks=[Watch()])  # 32 batches, 8 updates
    np.testing.assert_allclose(
        rates, 1e-2 * (0.5 + 0.5 * np.cos(np.pi * np.arange(1, 5) / 4)), atol=1e-8
    )
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 8

    # The same eight averaged gradients, one a batch: only the steps of the schedule differ.
    averaged = nadamw(training_steps=8, constant_fraction=1.0, warmup_fraction=0.0)
    accumulated = nadamw(gradient_accumulation_steps=4, constant_fraction=1.0, warmup_fraction=0.0)
    whole, parts = make_model(averaged), make_model(accumulated)
    whole.fit(X, Y, batch_size=32, epochs=4, shuffle=False, verbose=0)
    fit(parts, epochs=4)
    np.testing.assert_allclose(flat(parts), flat(whole), rtol=0, atol=2e-6)


def check_mixed_float16():
    """Under mixed_float16, in a LossScaleOptimizer, hyperparameters stay live."""
    optimizer = nadamw(constant_fraction=1.0)
    model = make_model(keras.optimizers.LossScaleOptimizer(optimizer), policy="mixed_float16")
    assert moved(model) > 1e-3
    model.optimizer.inner_optimizer.set_hyperparameters({"learning_rate": 0.0})
    assert moved(model) == 0


def check_bfloat16_variables():
    """The moments of bfloat16 variables are float32: small updates are not lost in them."""
    optimizer = optimizers.Adam4p(1e-2, beta2=0.9999)
    model = make_model(optimizer, policy="bfloat16")
    start = [w.astype("float32") for w in model.get_weights()]
    fit(model, epochs=2)
    assert {v.dtype for v in model.trainable_variables} == {"bfloat16"}
    assert {v.dtype for slots in optimizer._slots for v in slots} == {"float32"}
    exact = make_model(optimizers.Adam4p(1e-2, beta2=0.9999))
    exact.set_weights(start)
    fit(exact, epochs=2)
    np.testing.assert_allclose(flat(model).astype("float32"), flat(exact), atol=0.03)


def check_bfloat16_as_the_default():
    """Under floatx bfloat16 the scalars of a step keep their digits, those near 1 above all."""
    ends = []
    for floatx in ("float32", "bfloat16"):
        keras.config.set_floatx(floatx)
        try:
            # A learning rate that bfloat16 holds exactly.
            optimizer = nadamw(learning_rate=2**-7)
            variable = keras.Variable(START, dtype="float32")
            optimizer.build([variable])
            for number in range(1, 6):
                optimizer.apply([ops.convert_to_tensor(START / number, "float32")])
            ends.append([ops.convert_to_numpy(variable), optimizer.scheduled_learning_rate])
            assert type(optimizer).from_config(optimizer.get_config()).get_config()
        finally:
            keras.config.set_floatx("float32")
    for one, other in zip(*ends):
        np.testing.assert_array_equal(one, other)


def check_steps_per_execution():
    """Several steps in one execution make the same steps."""
    if BACKEND == "torch":
        return  # Keras does not offer it there
    one, four = make_model(nadamw()), make_model(nadamw(), steps_per_execution=4)
    fit(one, epochs=2)
    fit(four, epochs=2)
    np.testing.assert_allclose(flat(four), flat(one), rtol=0, atol=1e-6)


def check_save_and_load():
    """A model saved in the middle of its schedule goes on from the file as if never saved."""
    for family in ("nadamw", "adam8p"):
        configuration = spaces.get(family).draw(3) | {"learning_rate": 1e-2}
        optimizer = spaces.get(family).optimizer(configuration, training_steps=24)
        model = make_model(optimizer)
        fit(model, epochs=1)
        optimizer.schedule_start = 2
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            model.save(path)
            loaded = keras.models.load_model(path)
        assert type(loaded.optimizer) is type(optimizer)
        assert loaded.optimizer.get_config() == optimizer.get_config()
        assert loaded.optimizer.hyperparameters == configuration
        assert loaded.optimizer.training_steps == 24
        fit(model, epochs=2)
        fit(loaded, epochs=2)
        assert np.array_equal(flat(loaded), flat(model))


def check_unset_training_steps_survive_saving():
    """Not set stays not set in the file."""
    model = make_model(optimizers.Adam8p())
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
    assert loaded.optimizer.training_steps is None
    loaded.optimizer.training_steps = 8
    assert moved(loaded) > 1e-4


def check_embedding():
    """Gradients of embeddings, sparse on TensorFlow, act as dense ones."""
    ids = np.random.default_rng(0).integers(0, 20, size=(64, 3))

    def trained(dense, **kwargs):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((3,), dtype="int32")
        if dense:
            one_hot = ops.one_hot(inputs, 20)
            x = keras.layers.Dense(4, use_bias=False, kernel_initializer="ones")(one_hot)
        else:
            x = keras.layers.Embedding(20, 4, embeddings_initializer="ones")(inputs)
        outputs = keras.layers.Dense(1)(keras.layers.Flatten()(x))
        model = keras.Model(inputs, outputs)
        model.layers[-1].kernel.assign(np.linspace(-1, 1, 12).reshape(12, 1))
        model.compile(nadamw(**kwargs), "mse", jit_compile=FAST)
        model.fit(ids, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return flat(model)

    for kwargs in ({}, {"clipnorm": 0.1}, {"gradient_accumulation_steps": 2}):
        np.testing.assert_allclose(
            trained(dense=False, **kwargs), trained(dense=True, **kwargs), atol=1e-5
        )


def check_exclusion_from_weight_decay():
    """Excluded variables get no decay of any kind, the others all of it."""
    for strong, none in (
        (
            nadamw(adamw_weight_decay=1.0, l2_weight_decay=1.0),
            nadamw(adamw_weight_decay=0.0, l2_weight_decay=0.0),
        ),
        (
            optimizers.Adam8p(1e-2, l1=1.0, l2=1.0, training_steps=32),
            optimizers.Adam8p(1e-2, l1=0.0, l2=0.0, training_steps=32),
        ),
    ):
        variables = [keras.Variable(np.ones((2, 2)), name="kernel"), keras.Variable([1.0, 2.0])]
        twins = [keras.Variable(v.numpy()) for v in variables]
        strong.exclude_from_weight_decay(var_list=[variables[1]])
        for step in range(5):
            gradients = [np.full((2, 2), -0.1, "float32"), np.full((2,), 0.1 * step, "float32")]
            gradients = [ops.convert_to_tensor(g) for g in gradients]
            strong.apply(gradients, variables)
            none.apply(gradients, twins)
        kernels, biases = zip(variables, twins)
        assert np.abs(ops.convert_to_numpy(kernels[0] - kernels[1])).max() > 1e-4
        assert np.array_equal(*map(ops.convert_to_numpy, biases))


def check_learning_rate_callbacks():
    """Keras's learning-rate callbacks read and set the peak learning rate."""
    optimizer = nadamw(training_steps=40)
    model = make_model(optimizer)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.1, patience=0, min_delta=9)
    fit(model, epochs=2, callbacks=[halve, plateau])
    rate = float(ops.convert_to_numpy(model.optimizer.learning_rate))
    np.testing.assert_allclose(rate, 1e-2 / 4 * 0.1, rtol=1e-5)
    np.testing.assert_allclose(optimizer.hyperparameters["learning_rate"], rate, rtol=1e-6)
