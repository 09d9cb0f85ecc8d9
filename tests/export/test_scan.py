"""Operations that no stock TensorFlow Serving on a CPU could run, forced into a graph."""

import keras
import numpy as np
import pytest
import small
import tensorflow as tf

from serzoo import layers
from serzoo.errors import ExportError
from serzoo.export.inference import inference_model
from serzoo.export.savedmodel import write
from serzoo.export.scan import scan_graph
from serzoo.models import Classifier


def saved(function, folder, signature):
    module = tf.Module()
    module.f = tf.function(function, input_signature=signature, autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.f})
    return folder


FLOATS = [tf.TensorSpec([None, 3], tf.float32)]


def cudnn(x):
    zeros = tf.zeros([1, 1, 3])
    return tf.raw_ops.CudnnRNNV3(
        input=x[:, None], input_h=zeros, input_c=zeros, params=tf.zeros([100]), sequence_lengths=[1]
    ).output


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (cudnn, "CudnnRNNV3 needs a GPU with cuDNN"),
        (lambda x: tf.numpy_function(np.sin, [x], tf.float32), "PyFunc calls back into the Python process"),
        (lambda x: tf.map_fn(lambda row: tf.py_function(lambda y: y, [row], tf.float32), x), "EagerPyFunc calls back"),
    ],
    ids=["cudnn", "numpy_function", "inside a loop"],
)
def test_forced_operations_are_found(function, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        scan_graph(saved(function, tmp_path / "m", FLOATS))


def test_an_operation_of_another_library(tmp_path):
    folder = saved(lambda x: x + 1, tmp_path / "m", FLOATS)
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = folder / "saved_model.pb"
    proto = SavedModel.FromString(path.read_bytes())
    proto.meta_graphs[0].graph_def.node.add(name="a", op="IO>AudioReadable")
    proto.meta_graphs[0].graph_def.node.add(name="b", op="FlexRFFT")
    proto.meta_graphs[0].graph_def.node.add(name="c", op="Identity", device="/device:GPU:0")
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ExportError, match="IO>AudioReadable is no .*FlexRFFT is no .*Identity is pinned to a GPU"):
        scan_graph(folder)


@keras.saving.register_keras_serializable("tests")
class CallsPython(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(np.copy, [x], tf.float32), x.shape)


def with_layer(layer):
    model = small.model("cnn_ablstm")
    emotion = layer(model.output["emotion"])
    return Classifier(inputs=model.input, outputs={"emotion": emotion}, heads=model.heads, card=model.card, name="odd")


def test_such_a_model_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ExportError, match="PyFunc"):
        write(with_layer(CallsPython(name="odd")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_gradient_reversal_before_the_emotion_is_refused():
    with pytest.raises(ExportError, match="must not depend on the gradient reversal 'grl'"):
        inference_model(with_layer(layers.GradientReversal(name="grl")))


def test_a_model_without_embedding_is_refused():
    waveform, num_samples = keras.Input((None,), name="waveform"), keras.Input((), dtype="int32", name="num_samples")
    x = keras.ops.expand_dims(keras.ops.cast(num_samples, "float32"), -1)
    inputs = {"waveform": waveform, "num_samples": num_samples}
    model = Classifier(
        inputs=inputs, outputs={"emotion": keras.layers.Dense(2, "softmax")(x)}, heads={"emotion": ["a", "b"]}
    )
    with pytest.raises(ExportError, match="needs a layer 'embedding'"):
        inference_model(model)
