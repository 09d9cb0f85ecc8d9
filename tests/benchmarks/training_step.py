"""One training step on 32 clips, against the same network in PyTorch: one thread each.

Both sides compute the front end, the losses of both heads with label smoothing, the gradients, their global norm, AdamW
and the moving average of the weights. What serzoo does beside, the augmentation on the device, stands on its own line.
"""

from collections.abc import Iterator

import numpy as np

from tests.benchmarks.measure import BATCH, Figure, compare, in_turn
from tests.benchmarks.network import pair


def figures() -> Iterator[Figure]:
    """The step as ``fit`` runs it, without and with augmentation."""
    from serzoo import building, config
    from serzoo.training.graph import augmented, compiled

    settings, model, network, batch = pair()
    rng = np.random.default_rng(0)
    truth = {task: rng.integers(len(classes), size=BATCH) for task, classes in model.heads.items()}
    sides = {"PyTorch": _torch_step(network.train(), settings, batch, truth)}
    sides["Keras"] = keras_step(compiled(model, settings, 60, 36), batch, truth)
    settings = config.load("cnn_ablstm_mtl")
    wrapper = augmented(building.build(settings, model.heads, seed=0), settings, seed=0)
    mixed = np.where(rng.random(BATCH) < 0.5, rng.random(BATCH), 1.0).astype("float32")
    inputs = batch | {"partner": rng.permutation(BATCH).astype("int32"), "weight": mixed}
    sides["augmented"] = keras_step(compiled(wrapper, settings, 60, 36), inputs, truth)
    seconds = in_turn(sides, turns=12)
    yield compare("training step, Keras against PyTorch", seconds["PyTorch"], seconds["Keras"], ">= 1.0")
    yield compare("training step without augmentation against with", seconds["augmented"], seconds["Keras"])


def keras_step(trained, batch, truth):
    """What ``fit`` does in each step."""
    import tensorflow as tf

    labels = {task: np.eye(trained.output[task].shape[-1], dtype="float32")[rows] for task, rows in truth.items()}
    weights = {task: np.ones(BATCH, "float32") for task in truth}
    feed = iter(tf.data.Dataset.from_tensors((batch, labels, weights)).repeat())
    trained.make_train_function()
    return lambda: trained.train_function(feed)


def _torch_step(network, settings, batch, truth):
    import torch
    from torch.optim import swa_utils

    training = settings.training
    optimizer = torch.optim.AdamW(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    average = swa_utils.AveragedModel(network, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(training.ema_momentum))
    waveform = torch.from_numpy(batch["waveform"])
    losses = {
        task: torch.nn.CrossEntropyLoss(label_smoothing=head.label_smoothing) for task, head in settings.heads.items()
    }
    labels = {task: torch.from_numpy(rows) for task, rows in truth.items()}

    def step():
        logits = network.logits(waveform)
        loss = sum(settings.heads[task].loss_weight * losses[task](logits[task], labels[task]) for task in losses)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip_norm)
        optimizer.step()
        average.update_parameters(network)

    return step
