"""Fit one model, epoch by epoch: the log, the validation speakers, and the state to resume from.

Works on every backend: fed by tf.data on TensorFlow, by :class:`serzoo.pipeline.ArrayFeed` elsewhere.
"""

import contextlib
import csv
import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from serzoo import metrics, pipeline, registry
from serzoo.errors import DivergedError, RunError, first_line
from serzoo.files import replace_file
from serzoo.plan import num_steps, plan_epoch
from serzoo.training.feeding import WatchedClips, plain_errors
from serzoo.training.graph import augmented, compiled
from serzoo.training.layerwise import layer_shares
from serzoo.training.watch import Watch

STATE = "state.npz"
LOG = "log.csv"


def fit(
    model,
    config,
    clips,
    targets: Mapping[str, np.ndarray],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    noise=None,
    rooms: Mapping[str, np.ndarray] | None = None,
    epochs: int,
    seed: int,
    folder: Path,
    validation: tuple | None = None,
    total_epochs: int | None = None,
    tensorboard: bool = True,
    verbose: str | int = "auto",
) -> list[dict]:
    """Train a model, or go on with a training that was cut off.

    After every epoch ``folder`` holds the log and the whole state (weights, optimiser, averages, random seeds); a
    process killed at any moment goes on from the last whole epoch as if nothing had happened.

    Args:
        model: a classifier; holds the final (averaged) weights afterwards.
        config: its config.
        clips: waveforms of the training rows, a list of arrays or :class:`serzoo.pipeline.Clips`.
        targets: one-hot labels of the training rows by name; see :func:`serzoo.plan.plan_epoch`.
        labels: class names of each of the targets; those of the model's heads if None.
        noise: recorded noise to mix in, :class:`serzoo.noises.Noises`; None for the coloured noise of the config.
        rooms: measured rooms to play clips in, as from :func:`serzoo.rooms.read`; or None.
        epochs: epochs to train.
        seed: seed of draws, augmentation and dropout.
        folder: where log and state are kept.
        validation: clips and targets of the validation speakers, or None.
        total_epochs: length of the learning-rate schedule; ``epochs`` if None.
        tensorboard: whether to write TensorBoard logs, too.
        verbose: as of ``keras.Model.fit``.

    Returns:
        One dict for each epoch: losses, learning rate, ``val_ua``; of each labelled objective the accuracy, too, and
        its chance level; and what :class:`serzoo.training.watch.Watch` sees.

    Raises:
        RunError: if the loss is no longer finite, the memory of the device is too small for a batch, or the state in
            ``folder`` is not one of this training.
        AudioError: if a clip cannot be read.
        OSError: if the disk is full or the folder read-only; the last whole epoch is kept.
    """
    steps, total_epochs = num_steps(len(targets["emotion"]), config.training), total_epochs or epochs
    graph = registry.training_graph(config.name) if config.objectives else None
    trained = graph(model, config, labels or model.heads, steps * total_epochs, seed) if graph else model
    wrapper = augmented(trained, config, seed, noise is not None, bool(rooms))
    wrapper = compiled(wrapper, config, total_epochs, steps, layer_shares(model, config))
    wrapper.optimizer.build(wrapper.trainable_variables)
    first_plan = plan_epoch(targets, 0, seed, config, None if noise is None else noise.targets)
    watch = Watch(trained, model, clips, _chances(first_plan, config))
    epoch_end = _EpochEnd(wrapper, model, folder, validation, watch, keep_best=config.training.keep == "best")
    first = epoch_end.restore()

    if first < epochs:
        callbacks = [epoch_end, keras.callbacks.TerminateOnNaN()]
        clips = WatchedClips(clips)
        if keras.backend.backend() == "tensorflow":
            feed = pipeline.dataset(clips, targets, config, seed, epoch=first, noise=noise, rooms=rooms)
            if tensorboard:
                callbacks.append(keras.callbacks.TensorBoard(Path(folder) / "tensorboard", write_graph=False))
        else:
            feed = pipeline.ArrayFeed(clips, targets, config, seed, epoch=first, noise=noise, rooms=rooms)
            callbacks.append(keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: feed.draw(epoch)))
        with plain_errors(clips, config.training.batch_size):
            wrapper.fit(
                feed,
                initial_epoch=first,
                epochs=epochs,
                steps_per_epoch=steps,
                callbacks=callbacks,
                shuffle=False,
                verbose=verbose,
            )
    if len(epoch_end.rows) < epochs:
        done = len(epoch_end.rows)
        raise DivergedError(f"{folder}: the loss was no longer finite after epoch {done}. Try a lower learning rate.")
    epoch_end.put_final_weights()
    return epoch_end.rows


def _chances(plan: Mapping[str, np.ndarray], config) -> dict[str, float]:
    """Accuracy that each labelled objective reaches by its most frequent class alone, beside which its own is read."""
    chances = {}
    for name, each in config.objectives.items():
        if each.label:
            counts = plan[f"weights/{name}"] @ plan[f"labels/{name}"]
            chances[f"{name}_chance"] = float(counts.max() / max(counts.sum(), 1e-9))
    return chances


class _EpochEnd(keras.callbacks.Callback):
    """Judge the validation speakers with the averaged weights, then write the log and the state."""

    def __init__(self, wrapper, inner, folder: Path, validation, watch, keep_best: bool):
        super().__init__()
        self._watch = watch
        self._wrapper, self._inner, self._folder = wrapper, inner, Path(folder)
        self._validation, self._keep_best = validation, keep_best and validation is not None
        self.rows: list[dict] = []
        self._best: list[np.ndarray] | None = None

    # --- Keras calls this ---------------------------------------------------------------------------------------

    def on_epoch_end(self, epoch, logs=None):
        logs = logs if logs is not None else {}
        row = {"epoch": epoch + 1, "learning_rate": _number(self._wrapper.optimizer.learning_rate)}
        row |= {key: float(value) for key, value in logs.items() if not key.startswith("val_")}
        if not math.isfinite(row["loss"]):
            return  # TerminateOnNaN ends the run; the last good state stays
        seen = self._watch.columns()
        row |= seen
        logs.update(seen)  # for TensorBoard, which reads them next
        if self._validation is not None:
            with averaged_weights(self._wrapper):
                row["val_ua"] = logs["val_ua"] = self._judge()
                if self._keep_best and row["val_ua"] > max((r["val_ua"] for r in self.rows), default=-1):
                    self._best = [_copy(variable) for variable in self._inner.variables]
        self.rows.append(row)
        self._save()

    # --- fit() calls these --------------------------------------------------------------------------------------

    def restore(self) -> int:
        """Load the state of the last whole epoch; returns how many epochs are done."""
        path = self._folder / STATE
        if not path.exists():
            return 0
        try:
            with np.load(path, allow_pickle=False) as state:
                for i, variable in enumerate(self._variables()):
                    variable.assign(state[f"variable{i}"])
                if "best0" in state:
                    self._best = [state[f"best{i}"] for i in range(len(self._inner.variables))]
                done = int(state["epochs"])
            with open(self._folder / LOG, newline="") as file:
                self.rows = [_typed(row) for row in csv.DictReader(file)][:done]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{path} and {LOG} are not the state of this training: {first_line(error)}. "
                f"Delete {self._folder} to train this fold anew."
            ) from error
        return done

    def put_final_weights(self):
        """Leave the weights to keep in the model: the averaged ones of the last epoch, or of the best one."""
        if self._best is not None:
            for variable, value in zip(self._inner.variables, self._best, strict=True):
                variable.assign(value)
            return
        for variable, average in _averages(self._wrapper.optimizer):
            variable.assign(_copy(average))

    # --- own ----------------------------------------------------------------------------------------------------

    def _judge(self) -> float:
        clips, targets = self._validation
        truth = targets["emotion"].argmax(axis=1)
        guess = pipeline.predict(self._inner, clips)["emotion"].argmax(axis=1)
        return float(metrics.ua(metrics.confusion(truth, guess, list(range(targets["emotion"].shape[1])))))

    def _variables(self):
        return [*self._wrapper.variables, *self._wrapper.optimizer.variables]

    def _save(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]))
        writer.writeheader()
        writer.writerows(self.rows)
        replace_file(self._folder / LOG, text.getvalue().encode())
        arrays = {f"variable{i}": _copy(variable) for i, variable in enumerate(self._variables())}
        arrays |= {f"best{i}": value for i, value in enumerate(self._best or [])}
        packed = io.BytesIO()
        np.savez(packed, epochs=len(self.rows), **arrays)
        replace_file(self._folder / STATE, packed.getvalue())  # last: the state says how much of the log counts


@contextlib.contextmanager
def averaged_weights(wrapper: keras.Model):
    """Put the moving averages in the place of the weights for a while."""
    pairs = list(_averages(wrapper.optimizer))
    raw = [_copy(variable) for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(_copy(average))  # JAX would share the buffer, and delete it under the other one
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, raw, strict=True):
            variable.assign(value)


def adapt(model, clips) -> None:
    """Fill the mean and deviation of a front end with ``standardize: global`` from the training clips.

    Args:
        model: a classifier.
        clips: waveforms of the training rows.
    """
    _, num_frames = model.get_layer("log_mel").output
    reader = keras.Model(model.input, {"features": model.get_layer("deltas").output, "num_frames": num_frames})

    def features():
        for _, inputs in pipeline.evaluation_batches(clips):
            read = reader.predict_on_batch(inputs)
            yield from (clip[:valid] for clip, valid in zip(read["features"], read["num_frames"], strict=True))

    model.get_layer("standardize").adapt(features())


@contextlib.contextmanager
def precision(name: str):
    """Build models in a precision: ``auto`` is mixed_float16 where there is a GPU and float32 elsewhere."""
    if name == "auto":
        name = "mixed_float16" if _has_gpu() else "float32"
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def clear_session() -> None:
    """Let Keras forget the models that were built, and not the dtype policy and the distribution of whoever trains."""
    policy, distribution = keras.mixed_precision.dtype_policy(), keras.distribution.distribution()
    keras.backend.clear_session()
    keras.mixed_precision.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)


def _has_gpu() -> bool:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return any(device.startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())


def _averages(optimizer):
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # under loss scaling
    if optimizer.use_ema:
        # Keras has no public reader of the averages; its own SwapEMAWeights uses this attribute, too
        yield from zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)


def _copy(variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def _number(value) -> float:
    return float(np.asarray(keras.ops.convert_to_numpy(value)))


def _typed(row: Mapping[str, str]) -> dict:
    return {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
