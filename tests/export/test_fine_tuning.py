"""Fine-tuning and back: a new head is trained, saved, opened in a fresh process, and exported from there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

import serzoo
from serzoo.export import open_export
from serzoo.listener import padded

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ["bored", "keen"]
EXPORT = """
import json, sys
import serzoo
from serzoo import audio
model = serzoo.load(sys.argv[1])
path = serzoo.export(model, sys.argv[2], verbose=False)
opened = serzoo.export.open_export(path)
clip = audio.read(sys.argv[3])
print(json.dumps([str(path), opened.classes, model.classify(clip, 16000), opened.classify(clip, 16000)]))
"""


def test_new_classes_to_an_export(small_model, tmp_path, clips):
    small_model.save(tmp_path / "small.keras")
    model = serzoo.load(tmp_path / "small.keras", classes=CLASSES)
    trunk = model.get_layer("conv1").conv.kernel.numpy()
    np.testing.assert_array_equal(trunk, small_model.get_layer("conv1").conv.kernel.numpy())
    heard = [serzoo.audio.read(path)[:8000] for path in clips.values()]
    model.compile(keras.optimizers.Adam(1e-2), {"emotion": "categorical_crossentropy", "gender": None})
    labels = {"emotion": np.eye(2, dtype="float32")[[0, 1, 0, 1]]}
    before = model.get_layer("emotion").kernel.numpy()
    model.train_on_batch(padded(heard), labels)
    assert not np.array_equal(before, model.get_layer("emotion").kernel.numpy())
    assert not np.array_equal(trunk, model.get_layer("conv1").conv.kernel.numpy())
    model.save(tmp_path / "tuned.keras")
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, tmp_path / "tuned.keras", tmp_path / "served", clips["anger"]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    path, classes, answer, exported = json.loads(done.stdout.splitlines()[-1])
    assert path == str(tmp_path / "served" / "1") and classes == CLASSES
    here = {each["label"]: each["score"] for each in model.classify(clips["anger"])}
    opened = open_export(path)
    for answers in (answer, exported, opened.classify(clips["anger"])):
        got = {each["label"]: each["score"] for each in answers}
        np.testing.assert_allclose([got[name] for name in CLASSES], [here[name] for name in CLASSES], atol=1e-5)
    assert opened.tag is None  # they are no longer the weights that had a name
