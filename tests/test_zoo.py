"""load(): names, tags, folders and files; and everything that is refused."""

import hashlib
import json
import shutil

import h5py
import keras
import numpy as np
import pytest
from conformance import caller

import serzoo
from serzoo import building, config, registry, zoo
from serzoo.errors import ConfigError, MissingFileError, RunError, UnknownNameError, WeightsError

CONFIGS = registry.configs_folder()
NAME = "cnn_ablstm_mtl"
CLASSES = ["anger", "neutral", "sadness"]
SMALL = {"model.conv_filters": [4, 4, 6, 6, 6], "model.lstm_units": 5, "frontend.floor": 1.0e-5}
RNG = np.random.default_rng(5)
INPUTS = {
    "waveform": (0.1 * RNG.standard_normal((2, 8000))).astype("float32"),
    "num_samples": np.array([8000, 5000], "int32"),
}


def trained(name=NAME, card=None, seed=1):
    """A small model with weights of its own, and the config that it was made from."""
    settings = config.load(name, SMALL)
    return building.build(settings, building.heads_of(settings, CLASSES), card, seed=seed), settings


def answer(model):
    return {task: np.asarray(values) for task, values in caller(model)(INPUTS).items()}


def assert_same(a, b, tolerance=1e-6):
    for (task, one), (other, two) in zip(answer(a).items(), answer(b).items(), strict=True):
        assert task == other
        np.testing.assert_allclose(one, two, atol=tolerance)


def halved(path):
    """Rewrite every array of a weights file as float16."""
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            value, attributes = file[name][()].astype("float16"), dict(file[name].attrs)
            del file[name]
            file.create_dataset(name, data=value).attrs.update(attributes)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A folder with the YAML files and two sets of weights of one model: the default, in float16, and one of a fold."""
    folder, models, entries = tmp_path_factory.mktemp("installation"), {}, []
    for name in registry.names():
        shutil.copy(CONFIGS / f"{name}.yaml", folder)
        config.replace_sections(folder / f"{name}.yaml", weights=[], reported=[])
    for tag, fold, licence in (("toy-fold0", 0, "CC0-1.0"), ("toy", None, "CC-BY-NC-SA-4.0")):
        models[tag], _ = trained(seed=len(models))
        file = folder / f"{NAME}.{tag}.weights.h5"
        models[tag].save_weights(file)
        if fold is None:
            halved(file)
        about = {"tag": tag, "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        about |= {"classes": CLASSES, "corpora": {"emodb": ["03", "08"]}, "overrides": SMALL}
        about |= {"licence": licence, "commercial": licence == "CC0-1.0", "protocol": "emodb4-loso", "fold": fold}
        entries.append(about | {"seed": 0, "epochs": 1, "command": "serzoo train", "serzoo_version": "0.1.0"})
    config.replace_sections(folder / f"{NAME}.yaml", weights=entries, reported=[])
    return folder, models


@pytest.fixture
def shipped(installation, tmp_path, monkeypatch):
    """A copy of the installation, in the place of the real one, and the models whose weights it holds."""
    folder, models = installation
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(registry, "configs_folder", lambda: tmp_path)
    monkeypatch.setattr(registry, "weights_folder", lambda: tmp_path)
    monkeypatch.setattr(zoo, "_warned", set())
    return tmp_path, models


@pytest.fixture
def run(tmp_path):
    """A run with one trained fold."""
    model, settings = trained()
    fold = tmp_path / "run" / "seed0-fold0"
    fold.mkdir(parents=True)
    (fold.parent / "config.yaml").write_text(config.dump(settings))
    model.save_weights(fold / zoo.FINAL_WEIGHTS)
    card = {"model": NAME, "heads": model.heads, "licence": "CC0-1.0", "commercial": True, "corpora": {"emodb": ["03"]}}
    (fold / zoo.CARD).write_text(json.dumps(card))
    return fold, model


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*not for commercial use")
def test_names_and_tags(shipped):
    _, models = shipped
    default = serzoo.load(NAME)
    # In float16 the weights move by 5e-4 of their size.
    assert_same(default, models["toy"], tolerance=1e-3)
    assert all(weight.dtype == "float32" for weight in default.weights)
    assert (default.name, default.tag, default.full_name) == (NAME, "toy", f"{NAME}.toy")
    assert default.classes == CLASSES
    assert (default.licence, default.training_speakers) == ("CC-BY-NC-SA-4.0", {"emodb": ["03", "08"]})
    for fold in (serzoo.load(f"{NAME}.toy-fold0"), serzoo.load(NAME, weights="toy-fold0")):
        assert fold.tag == "toy-fold0"
        assert_same(fold, models["toy-fold0"])


def test_weights_that_are_not_for_commercial_use_say_so_once(shipped, recwarn):
    for name in (NAME, NAME, f"{NAME}.toy-fold0"):
        serzoo.load(name)
    told = [str(each.message) for each in recwarn if "commercial" in str(each.message)]
    assert told == [f"{NAME}: weights under CC-BY-NC-SA-4.0, not for commercial use."]


def test_fresh_weights(shipped):
    model = serzoo.load(NAME, weights=None)
    assert model.classes == CLASSES and model.tag is model.licence is None and model.training_speakers == {}
    assert len(serzoo.load("cnn_ablstm", weights=None).classes) == 8


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (
            {"source": "cnn_abltsm_mtl"},
            UnknownNameError,
            "Unknown model 'cnn_abltsm_mtl'. Did you mean 'cnn_ablstm_mtl'",
        ),
        ({"source": f"{NAME}.toi"}, UnknownNameError, f"Unknown weights of {NAME} 'toi'. Did you mean 'toy'"),
        ({"source": NAME, "weights": "toi"}, UnknownNameError, f"Unknown weights of {NAME} 'toi'. Did you mean 'toy'"),
        ({"source": f"{NAME}.toy", "weights": "toy-fold0"}, WeightsError, "Name the weights once"),
        ({"source": f"{NAME}.toy", "weights": None}, WeightsError, "Name the weights once"),
        ({"source": "cnn_ablstm"}, WeightsError, "No trained weights ship with cnn_ablstm; load('cnn_ablstm', weights"),
        ({"source": "./nowhere"}, MissingFileError, "There is no file or folder nowhere."),
        ({"source": f"{NAME}.onnx"}, MissingFileError, f"There is no file or folder {NAME}.onnx."),
        ({"source": "nowhere.keras"}, MissingFileError, "There is no file nowhere.keras."),
        ({"source": "nowhere.keras", "weights": None}, WeightsError, "weights is for registered names"),
        ({"source": NAME, "weights": None, "classes": ["a"]}, WeightsError, "two or more different names"),
        ({"source": NAME, "weights": None, "classes": ["a", "a"]}, WeightsError, "two or more different names"),
        ({"source": NAME, "weights": None, "classes": "ab"}, WeightsError, "two or more different names"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_refused(shipped, arguments, error, message):
    with pytest.raises(error) as caught:
        serzoo.load(**arguments)
    assert message in str(caught.value)


def test_a_folder_does_not_hide_a_model(shipped, tmp_path, monkeypatch):
    (tmp_path / "cnn_ablstm").mkdir()
    monkeypatch.chdir(tmp_path)
    assert serzoo.load("cnn_ablstm", weights=None).name == "cnn_ablstm"
    with pytest.raises(RunError, match="Received: none"):
        serzoo.load("./cnn_ablstm")


def test_config_that_does_not_fit_its_builder():
    for overrides in ({"model.conv_filters": [4, 4]}, {"model.pooling": "most"}):
        settings = config.load(NAME, overrides)
        with pytest.raises(ConfigError, match=f"{NAME}: model does not fit its builder"):
            building.build(settings, building.heads_of(settings, CLASSES))


# --- a new head -----------------------------------------------------------------------------------------------------


def test_new_classes_keep_the_trunk(shipped, tmp_path):
    _, models = shipped
    # Their architecture and front end differ from those of the YAML: the weights must stay with their own.
    old, new = models["toy-fold0"], serzoo.load(f"{NAME}.toy-fold0", classes=["happy", "sad"])
    old.card["temperature"] = 0.5
    assert building.with_classes(old, ["happy", "sad"]).card["temperature"] is None
    assert new.heads == {"emotion": ["happy", "sad"], "gender": ["female", "male"]}
    assert new.tag is None and new.licence == "CC0-1.0" and new.training_speakers == {"emodb": ["03", "08"]}
    np.testing.assert_array_equal(answer(new)["gender"], answer(old)["gender"])
    assert answer(new)["emotion"].shape == (2, 2)
    clip = INPUTS["waveform"][0]
    np.testing.assert_array_equal(new.embed(clip, 16000), old.embed(clip, 16000))
    new.save(tmp_path / "new.keras")
    again = serzoo.load(tmp_path / "new.keras")
    assert again.classes == ["happy", "sad"]
    assert_same(again, new)


def test_copied_weights(shipped):
    _, models = shipped
    other, _ = trained(seed=9)
    building.copy_weights(models["toy"], other)
    assert_same(models["toy"], other)
    with pytest.raises(WeightsError, match="cannot start from"):
        building.copy_weights(models["toy"], building.build(config.load(NAME), models["toy"].heads))


def test_copied_weights_are_those_of_all_layers_that_have_some():
    small, settings = trained(seed=9)
    deeper = config.override(settings, {"model.conv_filters": [4, 4, 6, 6, 6, 6]})
    with pytest.raises(WeightsError, match="cannot start from .*: their layers .*conv6"):
        building.copy_weights(building.build(deeper, small.heads), small)
    quiet = config.override(settings, {"frontend.denoise": "spectral_subtraction"})
    denoised = building.build(quiet, small.heads, seed=1)
    building.copy_weights(small, denoised)
    for one, other in zip(small.get_weights(), denoised.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# --- weights that are not right -------------------------------------------------------------------------------------


def test_changed_cut_and_lost_weights(shipped):
    folder, _ = shipped
    path = folder / f"{NAME}.toy-fold0.weights.h5"
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    for data in (bytes(changed), whole[:-1], b""):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="was cut or changed: its sha256 must be"):
            serzoo.load(f"{NAME}.toy-fold0")
    path.unlink()
    with pytest.raises(MissingFileError, match="missing from this installation"):
        serzoo.load(f"{NAME}.toy-fold0")


def test_files_that_are_not_the_weights_of_the_model(tmp_path):
    path = tmp_path / "x.weights.h5"
    model, _ = trained()
    model.save_weights(path)
    whole = path.read_bytes()
    single, _ = trained("cnn_ablstm")
    others = [single, building.build(config.load(NAME), model.heads)]
    for other in others:  # a task fewer in the model, other shapes
        with pytest.raises(WeightsError, match="must hold .* values"):
            zoo.load_weights(other, path)
    single.save_weights(path)
    with pytest.raises(WeightsError, match="must hold .* values"):
        zoo.load_weights(model, path)
    for data in (whole[: len(whole) // 2], b"", b"no weights at all"):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="does not hold the weights of"):
            zoo.load_weights(model, path)
    path.unlink()
    with pytest.raises(WeightsError, match="does not hold the weights of"):
        zoo.load_weights(model, path)


# --- runs and files -------------------------------------------------------------------------------------------------


def test_runs(run, monkeypatch):
    fold, model = run
    for source in (fold, fold.parent, str(fold)):
        again = serzoo.load(source)
        assert again.classes == CLASSES and again.training_speakers == {"emodb": ["03"]} and again.tag is None
        assert_same(again, model)
    monkeypatch.chdir(fold)
    assert_same(serzoo.load("."), model)


def test_runs_that_are_refused(run):
    fold, _ = run
    card = (fold / zoo.CARD).read_text()
    for text in ("", "[]", "{}", '{"heads": 1}', card[:-5]):
        (fold / zoo.CARD).write_text(text)
        with pytest.raises(RunError, match="is not the card of a trained fold"):
            serzoo.load(fold)
    (fold / zoo.CARD).write_text(card)
    shutil.copytree(fold, fold.with_name("seed0-fold1"))
    with pytest.raises(RunError, match="Received: 2, such as .*seed0-fold0"):
        serzoo.load(fold.parent)
    (fold / zoo.CARD).unlink()  # the fold is being trained
    with pytest.raises(RunError, match="Received: none"):
        serzoo.load(fold)


def test_keras_files_that_are_refused(tmp_path):
    path = tmp_path / "x.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(WeightsError, match="must hold a serzoo classifier. Received: Sequential."):
        serzoo.load(path)
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x + 1)]).save(path)
    with pytest.raises(WeightsError, match="is not a model that Keras can read"):
        serzoo.load(path)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"no model"):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="is not a model that Keras can read"):
            serzoo.load(path)


# --- a denoiser before trained weights ------------------------------------------------------------------------------


def test_a_denoiser_before_trained_weights(shipped, run):
    for source in (f"{NAME}.toy-fold0", run[0]):
        plain, model = serzoo.load(source), serzoo.load(source, denoise="spectral_subtraction")
        assert model.card == {**plain.card, "denoise": "spectral_subtraction"}
        for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        clean = model.get_layer("denoise")(INPUTS["waveform"], INPUTS["num_samples"])
        expected = plain.predict_on_batch(INPUTS | {"waveform": np.asarray(clean)})
        np.testing.assert_allclose(answer(model)["emotion"], expected["emotion"], atol=1e-5)
        assert not np.allclose(answer(model)["emotion"], answer(plain)["emotion"], atol=1e-5)


def test_denoisers_that_are_refused(shipped, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="frontend.denoise must be .*. Received: 'wiener'"):
        serzoo.load(NAME, denoise="wiener")
    with pytest.raises(WeightsError, match=r"denoise is for names and runs; .*x.keras is a whole graph"):
        serzoo.load(tmp_path / "x.keras", denoise="wavelet_shrinkage")
    settings, deaf = config.load(NAME, {"frontend.denoise": "wavelet_shrinkage"}), trained()[0]
    monkeypatch.setattr(registry, "builder", lambda name: lambda **_: deaf)
    with pytest.raises(ConfigError, match="has no place for a denoiser. Received: 'wavelet_shrinkage'"):
        building.build(settings, building.heads_of(settings, CLASSES))


def test_what_is_no_model_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sound, exported = tmp_path / "a.wav", tmp_path / "a.onnx"
    for path in (sound, exported):
        path.write_bytes(b"x")
        with pytest.raises(
            RunError, match="must be the name of a model, the folder of a run or a .keras file.*open_export"
        ):
            serzoo.load(path)
        with pytest.raises(RunError, match=f"^{path.name} must be the name of a model"):
            serzoo.load(path.name)
    with pytest.raises(RunError, match=r"Received: none, such as in an export\.$"):
        serzoo.load(tmp_path)
