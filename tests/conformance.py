"""What every layer and every model must hold, whatever it computes.

A layer's own test calls :func:`run_layer_conformance` and adds an oracle; a model's own test calls
:func:`run_model_conformance`. Both look at inference: nothing of the batch, of the padding or of the way in which a
shape was declared may reach a clip's answer, and what is written to disk answers as before.

Conventions: the first axis of every input and output is the batch; the second axis of the padded input is time; one
input holds the valid lengths. An output whose second axis follows the padding must be zero where the other run has
no such position (``zero_padding=False`` lifts that for layers that pass their input on).
"""

import inspect
import json
import tempfile
from pathlib import Path

import keras
import numpy as np

TOLERANCE = 1e-5
HOP = 160  # samples from one frame to the next, in every model


def run_layer_conformance(layer, x, lengths, *extra, tolerance=TOLERANCE, zero_padding=True, mixed_float16=True):
    """Check a layer that is called as ``layer(x, lengths, *extra)``, or ``layer(x)`` where ``lengths`` is None.

    Args:
        layer: the layer; it is built and its weights stay as they are.
        x: padded input, shape ``(batch, time, ...)``.
        lengths: valid lengths, int32 of shape ``(batch,)``, which should differ, or ``None``.
        *extra: further inputs, each with the batch first.
        tolerance: greatest difference, absolute and relative, that counts as equal.
        zero_padding: whether outputs must be zero in the padding.
        mixed_float16: whether the layer must give finite values under that policy.
    """
    inputs = {"x": x, "lengths": lengths} if lengths is not None else {"x": x}
    inputs |= {f"extra_{i}": array for i, array in enumerate(extra)}

    options = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}

    def call(inputs, layer=layer):
        return layer(*[keras.ops.convert_to_tensor(array) for array in inputs.values()], **options)

    outputs = to_numpy(call(inputs))
    assert all(np.isfinite(output).all() for output in outputs)
    check_config_round_trip(layer)
    check_frozen(layer, call, inputs)
    check_image_data_format(layer, call, inputs, tolerance)
    check_batch_invariance(call, inputs, tolerance)
    if lengths is not None:
        check_padding_invariance(call, inputs, "x", "lengths", tolerance, zero_padding)
    check_shapes(layer, inputs, outputs)
    check_keras_file(functional(layer, inputs), inputs, tolerance)
    if mixed_float16:
        config = layer.get_config() | {"dtype": "mixed_float16"}
        mixed = to_numpy(call(inputs, type(layer).from_config(config)))
        assert all(np.isfinite(output).all() for output in mixed), "not finite under mixed_float16"
        assert [a.shape for a in mixed] == [a.shape for a in outputs]


def run_model_conformance(
    model, inputs, *, padded="waveform", lengths="num_samples", tolerance=TOLERANCE, rebuild=None
):
    """Check a model that is called with a dict of inputs and answers with a tensor or a dict of tensors.

    Args:
        model: the model, with dynamic batch and time.
        inputs: its inputs, a dict of arrays with at least two clips of different lengths.
        padded: name of the padded input.
        lengths: name of the input with the valid lengths.
        tolerance: greatest difference that counts as equal.
        rebuild: function without arguments that builds the model anew; if given, it is also run under mixed_float16,
            and where JAX compiles for a CPU, which has no attention in float16, under mixed_bfloat16.
    """

    call = caller(model)
    assert all(np.isfinite(output).all() for output in to_numpy(call(inputs)))
    check_batch_invariance(call, inputs, tolerance)
    # Numbers of frames differ by one: odd and even. The first size is that of the inputs: one shape less to compile.
    longest = inputs[padded].shape[1]
    check_padding_invariance(call, inputs, padded, lengths, tolerance, sizes=(longest, longest + HOP))
    check_keras_file(model, inputs, tolerance)
    if rebuild is not None:
        policy = keras.config.dtype_policy()
        half = "mixed_bfloat16" if keras.backend.backend() == "jax" else "mixed_float16"
        keras.config.set_dtype_policy(half)
        try:
            mixed = to_numpy(caller(rebuild())(inputs))
        finally:
            keras.config.set_dtype_policy(policy)
        assert all(np.isfinite(output).all() for output in mixed), f"not finite under {half}"


def check_config_round_trip(layer):
    """A config holds every argument, and a layer made from it, by way of JSON, has the same; Keras knows its class."""
    config = json.loads(json.dumps(layer.get_config()))
    assert {*inspect.signature(type(layer)).parameters} - {"kwargs"} <= {*config}
    assert json.loads(json.dumps(type(layer).from_config(dict(config)).get_config())) == config
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert keras.saving.get_registered_name(type(layer)).startswith("serzoo>")


def check_frozen(layer, call, inputs):
    """A frozen layer that is made anew from its config has no weight that a training moves."""
    frozen = type(layer).from_config({**layer.get_config(), "trainable": False})
    call(inputs, frozen)
    assert [weight.path for weight in frozen.variables if weight.trainable] == []


def check_image_data_format(layer, call, inputs, tolerance=TOLERANCE):
    """What a user's ``keras.json`` says of images changes nothing: features are (batch, frames, bands, channels)."""
    usual = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        again = type(layer).from_config(layer.get_config())
        call(inputs, again)
        again.set_weights(layer.get_weights())
        told = to_numpy(call(inputs, again))
    finally:
        keras.config.set_image_data_format(usual)
    for a, b in zip(to_numpy(call(inputs)), told, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg="with channels_first")


def check_batch_invariance(call, inputs, tolerance=TOLERANCE):
    """A clip's answer is the same alone and beside others: ``f(batch)[i] == f(batch[i])``."""
    together = to_numpy(call(inputs))
    for i in range(len(next(iter(inputs.values())))):
        alone = to_numpy(call({name: array[i : i + 1] for name, array in inputs.items()}))
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[i], b[0], tolerance, tolerance, err_msg=f"clip {i} beside others and alone")


def check_padding_invariance(call, inputs, padded, lengths, tolerance=TOLERANCE, zero_padding=True, sizes=None):
    """A clip's answer is the same alone without padding and beside others with padding, garbage in it.

    That is ``f(pad(x))[i] == f(x_i)``. Odd and even lengths differ where a stride or a pool is near, so there are two
    ``sizes`` to pad to, by default one and two more than the longest.
    """
    rng = np.random.default_rng(0)
    lengths = np.asarray(inputs[lengths])
    exact = []
    for i, length in enumerate(lengths):
        clip = {name: array[i : i + 1] for name, array in inputs.items()}
        exact.append(to_numpy(call(clip | {padded: clip[padded][:, :length]})))
    for size in sizes or (lengths.max() + 1, lengths.max() + 2):
        x = inputs[padded]
        longer = 1e3 * rng.standard_normal((len(x), size, *x.shape[2:])).astype("float32")
        for i, length in enumerate(lengths):
            longer[i, :length] = x[i, :length]
        together = to_numpy(call(inputs | {padded: longer}))
        for i, length in enumerate(lengths):
            for a, b in zip(exact[i], together, strict=True):
                _check_prefix(a[0], b[i], tolerance, zero_padding, f"clip {i}, {length} samples or frames in {size}")


def check_shapes(layer, inputs, outputs):
    """Shapes and dtypes are announced as they come, with all of them static and with batch and time unknown."""
    specs = [[keras.KerasTensor(np.shape(a), dtype=np.asarray(a).dtype.name) for a in inputs.values()]]
    first = np.shape(inputs["x"])
    specs.append([keras.KerasTensor((None, None, *first[2:]), dtype="float32"), *specs[0][1:]])
    specs[1][1:] = [keras.KerasTensor((None, *spec.shape[1:]), dtype=spec.dtype) for spec in specs[0][1:]]
    for spec in specs:
        announced = keras.tree.flatten(layer.compute_output_spec(*spec))
        assert len(announced) == len(outputs)
        for tensor, output in zip(announced, outputs, strict=True):
            assert len(tensor.shape) == output.ndim
            assert all(a in (None, b) for a, b in zip(tensor.shape, output.shape, strict=True))
            assert keras.backend.standardize_dtype(tensor.dtype) == output.dtype.name
    static = [tuple(t.shape) for t in keras.tree.flatten(layer.compute_output_spec(*specs[0]))]
    assert static == [output.shape for output in outputs]


def check_keras_file(model, inputs, tolerance=TOLERANCE):
    """A model that was written to a ``.keras`` file and read again answers as before, under another batch size too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.saving.load_model(path)
    for a, b in zip(to_numpy(caller(model)(inputs)), to_numpy(caller(again)(inputs)), strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance, err_msg="after a .keras file")


def caller(model):
    """A function of a model's inputs, as arrays: what is soonest done, one step after the other or compiled as a whole.

    JAX compiles each step by itself for each new shape, which takes it longer than all of them in one.
    """
    if keras.backend.backend() == "jax":
        return model.predict_on_batch
    return lambda inputs: model(
        {name: keras.ops.convert_to_tensor(array) for name, array in inputs.items()}, training=False
    )


def functional(layer, inputs):
    """Put a layer into a functional model with unknown batch and time."""
    tensors = {}
    for name, array in inputs.items():
        shape = (None, *array.shape[2:]) if name == "x" else array.shape[1:]
        tensors[name] = keras.Input(shape, name=name, dtype=array.dtype.name)
    return keras.Model(tensors, layer(*tensors.values()))


def to_numpy(outputs):
    """Flatten a nest of tensors, dicts by sorted key, into a list of arrays."""
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]


def _check_prefix(exact, longer, tolerance, zero_padding, message):
    if exact.shape == longer.shape:
        np.testing.assert_allclose(exact, longer, tolerance, tolerance, err_msg=message)
        return
    assert exact.shape[1:] == longer.shape[1:], f"padding changed the shape: {exact.shape}, {longer.shape}; {message}"
    shorter = min(len(exact), len(longer))
    np.testing.assert_allclose(exact[:shorter], longer[:shorter], tolerance, tolerance, err_msg=message)
    if zero_padding:
        assert not np.any(exact[shorter:]) and not np.any(longer[shorter:]), f"padding is not zero: {message}"
