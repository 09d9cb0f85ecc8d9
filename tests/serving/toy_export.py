"""A small SavedModel with the four signatures of an export, so that the client is tested without a network."""

import tensorflow as tf

CLASSES = ["anger", "happiness", "neutral", "sadness"]
WINDOW, HOP = 16000, 8000


class ToyExport(tf.Module):
    """Judges by the loudness, its square and the roughness of the valid samples of each row."""

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float32, name="waveform")])
    def serving_default(self, waveform):
        return _judged(waveform, tf.fill([tf.shape(waveform)[0]], tf.shape(waveform)[1]))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.float32, name="waveform"),
            tf.TensorSpec((None,), tf.int32, name="num_samples"),
        ]
    )
    def padded(self, waveform, num_samples):
        return _judged(waveform, num_samples)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="audio")])
    def wav_bytes(self, audio):
        is_wav = tf.strings.substr(audio, 0, 4) == b"RIFF"
        ragged = tf.map_fn(
            lambda one: tf.audio.decode_wav(one, desired_channels=1)[0][:, 0],
            tf.where(is_wav, audio, tf.audio.encode_wav(tf.zeros((1, 1)), 16000)),
            fn_output_signature=tf.RaggedTensorSpec((None,), tf.float32, ragged_rank=0),
        )
        lengths = tf.where(is_wav, tf.cast(ragged.row_lengths(), tf.int32), 0)
        return _judged(ragged.to_tensor(), lengths)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.float32, name="waveform"),
            tf.TensorSpec((None,), tf.int32, name="num_samples"),
        ]
    )
    def segments(self, waveform, num_samples):
        count = tf.maximum(1, 1 + (num_samples - WINDOW) // HOP)
        starts = tf.range(tf.reduce_max(count))[None] * HOP / 16000
        valid = tf.sequence_mask(count)
        starts = tf.where(valid, tf.cast(starts, tf.float32), 0.0)
        return {
            "starts": starts,
            "ends": tf.where(valid, starts + WINDOW / 16000, 0.0),
            "emotion": tf.repeat(_judged(waveform, num_samples)["emotion"][:, None], tf.reduce_max(count), axis=1),
            "num_segments": count,
        }


def save(folder: str) -> str:
    """Save the toy as version 1 below ``folder``, as an export does; answers with ``folder``."""
    toy = ToyExport()
    names = ("serving_default", "padded", "wav_bytes", "segments")
    tf.saved_model.save(toy, f"{folder}/1", signatures={name: getattr(toy, name) for name in names})
    return folder


def _judged(waveform, num_samples):
    batch, samples = tf.shape(waveform)[0], tf.shape(waveform)[1]
    good = (num_samples > 0) & (num_samples <= samples)
    mask = tf.sequence_mask(tf.clip_by_value(num_samples, 0, samples), samples, tf.float32)
    x = waveform * mask
    count = tf.cast(tf.maximum(num_samples, 1), tf.float32)[:, None]
    rough = tf.reduce_sum(tf.abs(x[:, 1:] - x[:, :-1]) * mask[:, 1:], axis=1, keepdims=True) / count
    loud = tf.reduce_sum(tf.abs(x), axis=1, keepdims=True) / count
    power = tf.reduce_sum(tf.square(x), axis=1, keepdims=True) / count
    features = tf.concat([10 * loud, 100 * power, 20 * rough, -5 * loud], axis=1)
    features = tf.where(good[:, None], features, float("nan"))
    return {
        "emotion": tf.nn.softmax(features),
        "classes": tf.tile(tf.constant([CLASSES]), [batch, 1]),
        "embedding": features,
        "status": tf.where(good, "ok", "num_samples must be 1 to the length of the row"),
    }
