import pydantic
import pytest
import yaml

from serzoo import config, registry, yaml_text
from serzoo.errors import ConfigError, MissingFileError, SerzooError, UnknownNameError

# Written out here, so that a change of the shipped files cannot change what is tested.
VALID = """\
# A comment that must survive.
name: toy
summary: a toy
reference: {title: A paper, doi: 10.1/1, deviations: [smaller]}
frontend:
  sample_rate_hz: 16000
  window: hamming
  window_ms: 25.0
  hop_ms: 10.0
  fft_size: 512
  num_mels: 64
  min_hz: 50.0
  max_hz: 8000.0
  mel_scale: htk
  floor: 1.0e-7
  delta_width: 2
  standardize: utterance
model: {filters: [1, 2]}
heads:
  emotion: {loss_weight: 1.0, label_smoothing: 0.1}
  gender: {loss_weight: 0.3, label_smoothing: 0.1}
augmentation:
  crop_s: 3.0
  gain_db: [-6.0, 6.0]
  speed: [0.9, 1.1]
  noise_snr_db: [10.0, 40.0]
  noise_probability: 0.5
  mixup_alpha: 0.4
  mixup_probability: 0.5
  num_time_masks: 2
  max_time_frames: 20
  num_mel_masks: 2
  max_mels: 8
training:
  sampling: balanced
  epochs: 60
  steps_per_epoch: 36
  batch_size: 32
  learning_rate: 1.5e-3
  warmup_epochs: 3.0
  weight_decay: 1.0e-2
  clip_norm: 1.0
  ema_momentum: 0.99
  precision: auto
  keep: last
weights: []
reported: []
"""
WEIGHTS = {
    "tag": "ravdess8",
    "file": "toy.ravdess8.weights.h5",
    "sha256": "0" * 64,
    "classes": ["anger", "calm"],
    "corpora": {"ravdess": ["01", "02"]},
    "licence": "CC-BY-NC-SA-4.0",
    "commercial": False,
    "protocol": "all",
    "fold": None,
    "seed": 0,
    "epochs": 60,
    "command": "serzoo train toy",
    "serzoo_version": "0.1.0",
    "overrides": {"training.epochs": 60},
}
INTERVAL = {"value": 0.7, "ci_low": 0.6, "ci_high": 0.8}
REPORTED = {
    "protocol": "ravdess8-5fold",
    "tag": "ravdess8",
    "file": "toy.ravdess8-5fold.csv.gz",
    "ua": INTERVAL,
    "wa": INTERVAL,
    "macro_f1": INTERVAL,
    "fold_ua": {"mean": 0.7, "std": 0.05},
    "n": 1440,
    "speakers": 24,
    "folds": 5,
    "seeds": 1,
    "chance": 0.125,
    "parameters": 600000,
    "command": "serzoo train toy",
}


def changed(old: str, new: str) -> str:
    assert VALID.count(old) == 1
    return VALID.replace(old, new)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "zoo_configs/x.yaml")
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", registry.names())
def test_shipped_files_load_and_write_back(name):
    loaded = config.load(name)
    assert loaded.name == name
    assert config.parse(config.dump(loaded)) == loaded
    assert config.load(registry.config_path(name)) == loaded


def test_types_are_exact():
    parsed = config.parse(VALID)
    assert parsed.augmentation.gain_db == (-6.0, 6.0)
    assert type(parsed.training.epochs) is int
    assert parsed.training.learning_rate == 0.0015
    assert parsed.heads["gender"].loss_weight == 0.3
    assert parsed.model == {"filters": [1, 2]}
    assert parsed.default_weights is None


def test_frozen():
    parsed = config.parse(VALID)
    with pytest.raises(pydantic.ValidationError):
        parsed.training.epochs = 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hop_ms: 10.0", "hop_ms: -10.", "frontend.hop_ms must be a float > 0. Received: -10.0."),
        ("hop_ms: 10.0", "hop_ms: '10'", "frontend.hop_ms must be a float > 0. Received: '10'."),
        ("hop_ms: 10.0", "hop_ms: .nan", "frontend.hop_ms must be a float > 0. Received: nan."),
        ("hop_ms: 10.0", "hop_ms: .inf", "frontend.hop_ms must be a float > 0. Received: inf."),
        ("hop_ms: 10.0", "hop_ms:", "frontend.hop_ms must be a float > 0. Received: nothing."),
        ("  hop_ms: 10.0\n", "", "frontend.hop_ms is missing; it must be a float > 0."),
        ("num_mels: 64", "num_mels: 64.0", "frontend.num_mels must be an int > 0. Received: 64.0."),
        ("num_mels: 64", "num_mels: yes", "frontend.num_mels must be an int > 0. Received: True."),
        ("window: hamming", "window: ham", "frontend.window must be one of hamming, hann. Received: 'ham'."),
        (
            "sample_rate_hz: 16000",
            "sample_rate_hz: 8000",
            "frontend.sample_rate_hz must be 16000, the rate of every waveform in serzoo. Received: 8000.",
        ),
        (
            "[-6.0, 6.0]",
            "[6.0, -6.0]",
            "augmentation.gain_db must be a pair [low, high] of floats with low <= high. Received: [6.0, -6.0].",
        ),
        (
            "[-6.0, 6.0]",
            "[-6.0, a]",
            "augmentation.gain_db must be a pair [low, high] of floats with low <= high. Received: [-6.0, 'a'].",
        ),
        (
            "[0.9, 1.1]",
            "[0.0, 1.1]",
            "augmentation.speed must be a pair [low, high] of floats with 0 < low <= high. Received: [0.0, 1.1].",
        ),
        ("max_hz: 8000.0", "max_hz: 9000.0", "frontend needs min_hz < max_hz <= 8000.0: 50.0, 9000.0."),
        ("fft_size: 512", "fft_size: 256", "frontend needs fft_size >= the samples of a window of 25.0 ms: 256."),
        ("  emotion:", "  feeling:", "heads needs the head 'emotion': ['feeling', 'gender']."),
        ("model: {filters: [1, 2]}", "model: 3", "model must be a mapping of the builder's arguments. Received: 3."),
        ("weights: []", "weights: [3]", "weights.0 must be a mapping of keys to values. Received: 3."),
        (
            "steps_per_epoch: 36",
            "steps_per_epoch: 0",
            "training.steps_per_epoch must be an int > 0, or null. Received: 0.",
        ),
        (
            "floor: 1.0e-7",
            "floor: 1e-7",
            "frontend.floor must be a float > 0. Received: '1e-7'. YAML reads this as a text: write 1.0e-7.",
        ),
        (
            "learning_rate: 1.5e-3",
            "learning_rate: 1.5e3",
            "training.learning_rate must be a float > 0. Received: '1.5e3'. YAML reads this as a text: write 1.5e+3.",
        ),
    ],
)
def test_wrong_values_are_named(old, new, message):
    assert refusal(changed(old, new)) == f"zoo_configs/x.yaml: {message}"


@pytest.mark.parametrize(
    ("old", "new", "key", "nearest"),
    [
        ("hop_ms: 10.0", "hop_mz: 10.0", "frontend.hop_mz", "hop_ms"),
        ("augmentation:", "augmentations:", "augmentations", "augmentation"),
        (
            "gender: {loss_weight: 0.3, label_smoothing: 0.1}",
            "gender: {loss_weight: 0.3, label_smothing: 0.1}",
            "heads.gender.label_smothing",
            "label_smoothing",
        ),
    ],
)
def test_unknown_keys_get_the_nearest_one(old, new, key, nearest):
    assert refusal(changed(old, new)).startswith(
        f"zoo_configs/x.yaml: Unknown key {key}. Did you mean '{nearest}'? Allowed: "
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("name: !!python/object/apply:os.system ['true']", "line 1: tags are not allowed"),
        ("name: !custom x", "line 1: tags are not allowed"),
        ("a: 1\nname: &x [1]\nb: *x", "line 2: anchors and aliases are not allowed. Received: x."),
        ("name: toy\nname: toy", "line 2: not valid YAML: the key 'name' is doubled."),
        ("base: {a: 1}\nmore: {<<: {b: 1}}", "keys must be plain texts"),
        ("name: [", "not valid YAML"),
        ("name:\n\t- a", "line 2: not valid YAML"),
        ("name: 2026-13-99", "not valid YAML: month must be in 1..12"),
        ("", "the file must be a mapping of keys to values. Received: nothing."),
        ("- a", "the file must be a mapping of keys to values. Received: ['a']."),
        ("name: " + "[" * 400_000, "line 1: not valid YAML: nested more than 20 deep"),
        ("name:\n" + "- " * 400_000, "line 2: not valid YAML: nested more than 20 deep"),
        ("name: a\x00b", "not valid YAML"),
    ],
)
def test_only_plain_yaml(text, part):
    assert part in refusal(text)


def test_python_tag_runs_nothing(tmp_path):
    target = tmp_path / "made"
    refusal(changed("summary: a toy", f"summary: !!python/object/apply:os.mkdir ['{target}']"))
    assert not target.exists()


def test_files_that_are_none(tmp_path):
    with pytest.raises(MissingFileError, match="No such file"):
        config.load(tmp_path / "x.yaml")
    with pytest.raises(SerzooError, match="directory"):
        config.load(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_text("#" * (yaml_text.MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="at most 1000000 bytes"):
        config.load(str(tmp_path / "c.yaml"))
    with pytest.raises(UnknownNameError, match="Did you mean 'cnn_ablstm_mtl'"):
        config.load("cnn_abltsm_mtl")


def test_name_must_be_that_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "configs_folder", lambda: tmp_path)
    (tmp_path / "cnn_ablstm.yaml").write_text(VALID)
    with pytest.raises(ConfigError, match="name must be 'cnn_ablstm', the name of the file. Received: 'toy'."):
        config.load("cnn_ablstm")


def test_overrides():
    base = config.parse(VALID)
    typed = config.parse_overrides(
        ["training.epochs=5", "augmentation.gain_db=[0.0, 0.0]", "training.steps_per_epoch=null"]
    )
    assert typed == {"training.epochs": 5, "augmentation.gain_db": [0.0, 0.0], "training.steps_per_epoch": None}
    changed_ = config.override(base, {**typed, "heads.gender.loss_weight": 0.0, "model.filters": [4]})
    assert changed_.training.epochs == 5
    assert changed_.training.steps_per_epoch is None
    assert changed_.augmentation.gain_db == (0.0, 0.0)
    assert changed_.heads["gender"].loss_weight == 0.0
    assert changed_.model == {"filters": [4]}
    assert base.training.epochs == 60 and base.model == {"filters": [1, 2]}
    assert config.override(base, {"model.filters": (4, 5)}).model == {"filters": (4, 5)}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["training.epoch=5"], "overrides: unknown key training.epoch. Did you mean 'training.epochs'"),
        (["epochs=5"], "overrides: unknown key epochs. Did you mean 'training.epochs'?"),
        (["training.epochs=-5"], "overrides: training.epochs must be an int > 0. Received: -5."),
        (["training.epochs=5.0"], "overrides: training.epochs must be an int > 0. Received: 5.0."),
        (["training.learning_rate=1e-3"], "write 1.0e-3."),
        (["training.epochs.x=1"], "overrides: unknown key training.epochs.x."),
        (["model.filters=3"], "overrides: model.filters must be a list, such as [1, 2]. Received: 3."),
        (["weights=[]"], "overrides: weights cannot be overridden."),
        (["name=x"], "overrides: name cannot be overridden."),
        (["training.epochs"], "--set takes KEY=VALUE, such as training.epochs=5. Received: 'training.epochs'."),
        (["=5"], "--set takes KEY=VALUE"),
        (["training.epochs=[", "--set training.epochs, line 1"], "not valid YAML"),
        (["training.epochs=!!python/name:os.system"], "--set training.epochs, line 1: tags are not allowed"),
    ],
)
def test_wrong_overrides(items, message):
    with pytest.raises(ConfigError) as caught:
        config.override(config.parse(VALID), config.parse_overrides(items))
    assert message in str(caught.value)


def test_replace_sections_keeps_what_stands_above(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(VALID)
    fold = {**WEIGHTS, "tag": "ravdess8-fold1", "fold": 1}
    done = config.replace_sections(path, weights=[fold, WEIGHTS], reported=[REPORTED])
    text = path.read_text()
    assert text.startswith(VALID[: VALID.index("weights:")])
    assert config.load(path) == done
    assert done.default_weights.tag == "ravdess8"
    assert done.weights[1].corpora == {"ravdess": ("01", "02")}
    assert done.reported[0].ua.ci_low == 0.6
    # PyYAML alone reads the same back.
    assert yaml.safe_load(text)["weights"] == [fold, WEIGHTS]
    assert yaml.safe_load(text)["reported"] == [REPORTED]
    again = config.replace_sections(path, weights=done.weights, reported=done.reported)
    assert again == done and path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../../etc/x.weights.h5"),
        ("file", "/tmp/x.weights.h5"),
        ("file", "x.pkl"),
        ("sha256", "ABC"),
        ("tag", "a.b"),
        ("corpora", {"ravdess": [1, 2]}),
        ("commercial", "no"),
        ("fold", -1),
        ("epochs", 0),
    ],
)
def test_replace_sections_writes_nothing_that_is_wrong(tmp_path, key, value):
    path = tmp_path / "toy.yaml"
    path.write_text(VALID)
    with pytest.raises(ConfigError, match=f"weights.0.{key}"):
        config.replace_sections(path, weights=[{**WEIGHTS, key: value}], reported=[])
    assert path.read_text() == VALID
    assert list(tmp_path.iterdir()) == [path]


def test_replace_sections_refuses_other_orders_and_doubled_tags(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(changed("weights: []\nreported: []\n", "reported: []\nweights: []\n"))
    with pytest.raises(ConfigError, match="last two keys must be weights and reported"):
        config.replace_sections(path, weights=[], reported=[])
    path.write_text(VALID)
    with pytest.raises(ConfigError, match="tag of its own"):
        config.replace_sections(path, weights=[WEIGHTS, WEIGHTS], reported=[])
