"""From a run to shipped weights and figures, in a copy of the folders that ship."""

import hashlib
import importlib
import json
import shutil

import h5py
import numpy as np
import pytest
import toy_model

import serzoo
from serzoo import config as configs
from serzoo import pipeline, registry, zoo
from serzoo.errors import ConfigError, RunError, WeightsError
from serzoo.evaluation import predictions, summarize
from serzoo.training import add_seeds, publish
from serzoo.training.publish import _command, in_float16

pytestmark = pytest.mark.xdist_group("runs")


@pytest.fixture
def shop(tmp_path, monkeypatch, toy_yaml):
    """Folders of configs and weights, with the toy's YAML; what publish writes goes there."""
    shutil.copy(toy_yaml, tmp_path / "toy.yaml")
    monkeypatch.setattr(registry, "configs_folder", lambda: tmp_path)
    monkeypatch.setattr(registry, "weights_folder", lambda: tmp_path / "weights")
    return tmp_path


@pytest.fixture
def sound(emodb):
    paths = sorted((emodb / "wav").glob("*.wav"))[:5]
    return [serzoo.audio.read(path) for path in paths]


def test_a_figure_and_the_weights_of_its_folds(toy_run, shop, sound):
    written = publish(toy_run, "toy.emodb4")
    names = [f"weights/toy.emodb4-fold{k}.weights.h5" for k in range(3)]
    names += ["recordings/emodb.csv.gz", "reported/toy.emodb4-loso.csv.gz", "toy.yaml"]
    assert [str(path.relative_to(shop)) for path in written] == names
    assert (shop / "toy.yaml").read_text().startswith("# A comment.\n")
    settings = configs.load("toy")
    assert [entry.tag for entry in settings.weights] == ["emodb4-fold0", "emodb4-fold1", "emodb4-fold2"]
    for k, entry in enumerate(settings.weights):
        data = (shop / "weights" / entry.file).read_bytes()
        assert entry.sha256 == hashlib.sha256(data).hexdigest()
        assert (entry.fold, entry.seed, entry.epochs, entry.protocol) == (k, 0, 2, "emodb4-loso")
        assert (
            entry.command == "serzoo train toy --corpus emodb=ROOT --partial --protocol emodb4-loso --out RUN --seed 0"
        )
        shipped, trained = serzoo.load(f"toy.{entry.tag}"), serzoo.load(toy_run / f"seed0-fold{k}")
        assert shipped.training_speakers == trained.training_speakers and shipped.classes == trained.classes
        one, other = pipeline.predict(shipped, sound), pipeline.predict(trained, sound)
        for task in one:
            np.testing.assert_allclose(one[task], other[task], atol=1e-3)
    (figure,) = settings.reported
    told = predictions.read(shop / "reported" / figure.file)
    assert told.equals(predictions.read(toy_run))
    summary = summarize(told)
    for key in ("ua", "wa", "macro_f1"):
        assert getattr(figure, key).model_dump() == {k: round(v, 4) for k, v in summary[key].items()}
    assert (figure.n, figure.speakers, figure.folds, figure.seeds, figure.chance) == (36, 3, 3, 1, 0.25)
    assert figure.parameters == serzoo.load(toy_run / "seed0-fold0").count_params()
    assert all(
        serzoo.load(f"toy.emodb4-fold{k}").card["temperature"] == settings.weights[k].temperature for k in range(3)
    )
    assert all(entry.temperature for entry in settings.weights)


def test_a_run_with_a_leak_is_not_published(toy_run, shop, tmp_path):
    run = shutil.copytree(toy_run, tmp_path / "leaky")
    card = run / "seed0-fold1" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "leak": ["emodb wav/a.wav"]}))
    with pytest.raises(RunError, match="cannot be published: speakers or recordings were shared in seed0-fold1"):
        publish(run, "toy.emodb4")


def test_a_second_time_replaces_and_a_variant_stands_beside(toy_run, shop):
    publish(toy_run, "toy.emodb4")
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    refused(
        toy_run, "toy.emodb4", "toy.emodb4 is published already: emodb4-fold0, emodb4-fold1, emodb4-fold2, the", shop
    )
    publish(toy_run, "toy.emodb4", replace=True)
    assert before == {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    written = publish(toy_run, "toy.emodb4-clean", fold_weights=False)
    assert [path.name for path in written] == ["emodb.csv.gz", "toy.emodb4-loso-clean.csv.gz", "toy.yaml"]
    publish(toy_run, "toy.loud", fold_weights=False)
    assert {path.name for path in (shop / "reported").iterdir()} == {
        "toy.emodb4-loso.csv.gz",
        "toy.emodb4-loso-clean.csv.gz",
        "toy.emodb4-loso-loud.csv.gz",
    }
    settings = configs.load("toy")
    assert [entry.tag for entry in settings.reported] == ["emodb4", "emodb4-clean", "loud"]
    assert len(settings.weights) == 3 and settings.default_weights is None


def test_two_tags_of_one_file_are_refused(toy_run, shop):
    publish(toy_run, "toy.emodb4-clean", fold_weights=False)
    refused(toy_run, "toy.clean", "toy.clean would be kept in the file of toy.emodb4-clean", shop)


def test_seeds_of_another_run_are_added_to_a_figure(toy_run, shop, tmp_path):
    publish(toy_run, "toy.emodb4")
    with pytest.raises(RunError, match="toy.emodb4 has seed 0 already. Train with other seeds"):
        add_seeds(toy_run, "toy.emodb4")
    other = of_seed(1, toy_run, tmp_path / "other")
    with pytest.raises(RunError, match="toy.loud has no published figure on emodb4-loso"):
        add_seeds(other, "toy.loud")
    weights = configs.load("toy").weights
    written = add_seeds(other, "toy.emodb4")
    names = ["recordings/emodb.csv.gz", "reported/toy.emodb4-loso.csv.gz", "toy.yaml"]
    assert [str(path.relative_to(shop)) for path in written] == names
    settings = configs.load("toy")
    assert settings.weights == weights
    (figure,) = settings.reported
    assert figure.seeds == 2 and figure.n == 36
    assert figure.command.endswith("--out RUN --seed 0 --seed 1")
    told = predictions.read(shop / "reported" / figure.file)
    assert told["seed"].tolist() == [0] * 36 + [1] * 36
    assert predictions.to_csv(told[told["seed"] == 1]) == predictions.to_csv(predictions.read(other))
    assert figure.ua.value == round(summarize(told)["ua"]["value"], 4)


def test_seeds_keep_the_order_that_they_came_in(toy_run, shop, tmp_path):
    publish(of_seed(1, toy_run, tmp_path / "1"), "toy.emodb4", fold_weights=False)
    add_seeds(toy_run, "toy.emodb4")
    add_seeds(of_seed(2, toy_run, tmp_path / "2"), "toy.emodb4")
    (figure,) = configs.load("toy").reported
    assert figure.command.endswith("--seed 1 --seed 0 --seed 2") and figure.seeds == 3


def test_seeds_of_what_is_not_the_same_are_not_added(toy_run, shop, tmp_path):
    publish(toy_run, "toy.emodb4")
    other = of_seed(1, toy_run, tmp_path / "fewer")
    told = predictions.read(other)
    predictions.write(other / "predictions.csv", told.iloc[1:])
    with pytest.raises(RunError, match="judged other clips, truths or folds than toy.emodb4: 1 differ"):
        add_seeds(other, "toy.emodb4")
    other = of_seed(1, toy_run, tmp_path / "adapted", init="toy.emodb4")
    with pytest.raises(RunError, match="was made by: serzoo train toy .* Received a run of: .*--init toy.emodb4"):
        add_seeds(other, "toy.emodb4")
    text, count = (shop / "toy.yaml").read_text(), configs.load("toy").reported[0].parameters
    (shop / "toy.yaml").write_text(text.replace(f"parameters: {count}", "parameters: 99"))
    with pytest.raises(RunError, match=f"has 99 parameters. Received a run of a network with {count}"):
        add_seeds(of_seed(1, toy_run, tmp_path / "larger"), "toy.emodb4")


def of_seed(seed, run, folder, **about):
    """The run as if it had been trained with another seed."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("tensorboard"))
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"seeds": [seed]} | about))
    predictions.write(folder / "predictions.csv", predictions.read(run).assign(seed=seed))
    return folder


def test_folds_that_the_new_run_does_not_have_are_removed(toy_run, shop, tmp_path):
    publish(toy_run, "toy.emodb4")
    run = shutil.copytree(toy_run, tmp_path / "fewer")
    shutil.rmtree(run / "seed0-fold2")
    publish(run, "toy.emodb4", replace=True)
    assert [entry.tag for entry in configs.load("toy").weights] == ["emodb4-fold0", "emodb4-fold1"]
    assert len(list((shop / "weights").iterdir())) == 2


def test_a_figure_alone_leaves_no_weights_of_another_run_beside_it(toy_run, shop, tmp_path):
    publish(toy_run, "toy.emodb4")
    other = of_seed(1, toy_run, tmp_path / "other")
    with pytest.raises(RunError, match="is published already: emodb4-fold0, emodb4-fold1, emodb4-fold2, the figure"):
        publish(other, "toy.emodb4", fold_weights=False)
    publish(other, "toy.emodb4", fold_weights=False, replace=True)
    settings = configs.load("toy")
    assert settings.weights == () and settings.reported[0].command.endswith("--seed 1")
    assert not list((shop / "weights").iterdir())


def test_a_figure_on_a_table_of_ones_own(toy_run, shop, tmp_path):
    run = shutil.copytree(toy_run, tmp_path / "mine")
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"protocol": "loso-table:mine@anger,neutral"}))
    publish(run, "toy.mine", fold_weights=False)
    (figure,) = configs.load("toy").reported
    assert figure.file == "toy.loso-table-mine@anger,neutral-mine.csv.gz"


def test_weights_whose_owner_decides_are_published_as_not_for_commercial_use(toy_run, shop, tmp_path):
    run = shutil.copytree(toy_run, tmp_path / "mine")
    for path in run.glob("*/card.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"commercial": None}))
    publish(run, "toy.mine")
    assert [entry.commercial for entry in configs.load("toy").weights] == [False] * 3


def test_what_the_yaml_refuses_leaves_every_file(toy_run, shop, monkeypatch):
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    module = importlib.import_module("serzoo.training.publish")  # the package gives the function of this name
    monkeypatch.setattr(module, "_command", lambda about: "")
    with pytest.raises(ConfigError, match="command"):
        publish(toy_run, "toy.emodb4")
    assert before == {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}


def test_weights_of_all_speakers_are_the_default(toy_run, shop, emodb, tmp_path):
    run = toy_model.train("toy", emodb, tmp_path / "all", protocol="all", epochs_from=toy_run)
    publish(toy_run, "toy.emodb4", fold_weights=False)
    written = [path.name for path in publish(run, "toy.emodb4")]
    assert written == ["toy.emodb4.weights.h5", "emodb.csv.gz", "toy.yaml"]
    entry = configs.load("toy").default_weights
    assert (entry.tag, entry.fold, entry.protocol) == ("emodb4", None, "all")
    assert "--protocol all" in entry.command and "--epochs-from RUN-OF-emodb4-loso" in entry.command
    assert serzoo.load("toy").training_speakers == {"emodb": ["03", "08", "09"]}


def refused(run, name, message, shop):
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    with pytest.raises((RunError, WeightsError), match=message):
        publish(run, name)
    assert before == {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}


def test_what_is_not_published(toy_run, shop, tmp_path):
    refused(toy_run, "toy", "publish needs NAME.TAG", shop)
    refused(toy_run, "toy.Über", "the tag of a-z, 0-9", shop)
    refused(tmp_path, "toy.emodb4", "holds no run", shop)
    refused(toy_run, "cnn_ablstm.emodb4", "is a run of toy, not of cnn_ablstm", _with_model(shop, "cnn_ablstm"))
    (shop / "toy.yaml").write_text((shop / "toy.yaml").read_text().replace("batch_size: 4", "batch_size: 8"))
    refused(toy_run, "toy.emodb4", "training.batch_size is 4 there and 8 here", shop)


def _with_model(shop, name):
    (shop / f"{name}.yaml").write_bytes((toy_model.REPOSITORY / "zoo_configs" / f"{name}.yaml").read_bytes())
    return shop


def test_a_run_that_is_not_finished_or_overflows(toy_run, shop, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(toy_run, run, ignore=shutil.ignore_patterns("tensorboard"))
    with h5py.File(run / "seed0-fold2" / zoo.FINAL_WEIGHTS, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = next(name for name in names if file[name].dtype == np.float32 and file[name].ndim)
        file[name][...] = 1e6
    refused(run, "toy.emodb4", "seed0-fold2.* holds values that float16 cannot", shop)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"seeds": [0, 1]}))
    refused(run, "toy.emodb4", "is not finished", shop)  # a seed was added, and is not judged yet
    (run / "run.json").write_text(json.dumps(record))
    (run / "report.json").unlink()
    refused(run, "toy.emodb4", "is not finished. serzoo train ... --resume goes on", shop)


def test_float16_files(toy_run):
    path = toy_run / "seed0-fold0" / zoo.FINAL_WEIGHTS
    data = in_float16(path)
    assert data == in_float16(path)

    def items(file):
        found = {"/": dict(file.attrs)}
        file.visititems(lambda name, item: found.update({name: (type(item), dict(item.attrs))}))
        return found

    import io

    with h5py.File(path) as full, h5py.File(io.BytesIO(data)) as half:
        assert repr(items(full)) == repr(items(half))
        names = [name for name, (kind, _) in list(items(full).items())[1:] if kind is h5py.Dataset]
        assert names
        for name in names:
            assert half[name].dtype == (np.float16 if full[name].dtype == np.float32 else full[name].dtype)
            np.testing.assert_allclose(half[name][()], full[name][()], rtol=1e-3, atol=1e-7)


def test_the_command_reads_back():
    """What stands in the YAML is read by the command line as what was overridden."""
    import shlex

    overrides = {"training.learning_rate": 1e-5, "model.conv_filters": [1, 2], "training.keep": "best", "a.b": None}
    about = {"model": "toy", "corpora": {"emodb": {}}, "protocol": "all", "classes_of": "emodb4-loso"}
    about |= {"seeds": [0, 1], "init": "/somewhere/runs/a", "overrides": overrides}
    words = shlex.split(_command(about))
    items = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert configs.parse_overrides(items) == overrides
    assert words[words.index("--init") + 1] == "RUN-OF-INIT" and "/somewhere" not in _command(about)
    assert json.dumps(words).count("--seed") == 2
    assert "--transductive" not in words
    adapted = {**about, "streams": {"target": {"emodb": {}}}, "adaptation": "transductive"}
    assert "--stream target:emodb=ROOT --transductive --protocol all" in _command(adapted)
    several = {**about, "corpora": {"a": {}, "b": {}}, "order": {"corpora": ["b", "a"], "noise": []}, "partial": True}
    assert "--corpus b=ROOT --corpus a=ROOT --partial --protocol all" in _command(several)
    assert "--init RUN-OF-INIT" in _command({**about, "init": "folder"})
    assert "--init cnn_ablstm_mtl.ravdess8" in _command({**about, "init": "cnn_ablstm_mtl.ravdess8"})
