import importlib.util
import json

import pytest

from serzoo import cards, config, registry
from serzoo.errors import ConfigError, MissingFileError, UnknownNameError

ENTRIES = [
    {"tag": "ravdess8", "fold": None, "licence": "CC-BY-NC-SA-4.0", "commercial": False},
    {"tag": "ravdess8-fold0", "fold": 0, "licence": "CC-BY-NC-SA-4.0", "commercial": False},
    {"tag": "ravdess8-fold1", "fold": 1, "licence": "CC-BY-NC-SA-4.0", "commercial": False},
    {"tag": "emodb4", "fold": None, "licence": "CC0-1.0", "commercial": True},
]
UA = {"value": 0.7123, "ci_low": 0.68, "ci_high": 0.74}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "configs_folder", lambda: tmp_path)
    monkeypatch.setattr(registry, "BUILDERS", {"a_mtl": "serzoo.errors:unknown_name", "b": "serzoo.nowhere:build"})
    reported = [{"tag": "ravdess8", "protocol": "ravdess8-5fold", "ua": UA}]
    (tmp_path / "a_mtl.yaml").write_text(json.dumps({"weights": ENTRIES, "reported": reported}))
    (tmp_path / "b.yaml").write_text("weights: []\nreported: []\n")
    return tmp_path


def test_every_yaml_is_registered_and_every_name_has_one():
    assert sorted(path.stem for path in registry.configs_folder().glob("*.yaml")) == registry.names()


def test_builders_exist_without_being_imported():
    for dotted in registry.BUILDERS.values():
        module, _, function = dotted.partition(":")
        assert module.startswith("serzoo.models.") and function
        assert importlib.util.find_spec(module), module


def test_builder_imports_what_the_registry_names(shelf):
    from serzoo.errors import unknown_name

    assert registry.builder("a_mtl") is unknown_name


@pytest.mark.parametrize("call", [registry.builder, registry.config_path, registry.raw_entries])
def test_unknown_names_get_the_nearest(call):
    with pytest.raises(UnknownNameError) as caught:
        call("cnn_abltsm_mtl")
    assert str(caught.value).startswith("Unknown model 'cnn_abltsm_mtl'. Did you mean 'cnn_ablstm_mtl'")
    assert str(caught.value).endswith("See serzoo list.")


def test_list_models(shelf):
    assert registry.list_models() == ["a_mtl", "b"]
    assert registry.list_models("*mtl*") == ["a_mtl"]
    assert registry.list_models("*.emodb4") == ["a_mtl"]
    assert registry.list_models("nothing") == []
    tags = ["a_mtl.emodb4", "a_mtl.ravdess8", "a_mtl.ravdess8-fold0", "a_mtl.ravdess8-fold1"]
    assert registry.list_models(pretrained=True) == tags
    assert registry.list_models("a_mtl", pretrained=True) == tags
    assert registry.list_models("*.emodb4", pretrained=True) == ["a_mtl.emodb4"]
    assert registry.list_models(pretrained=True, licence="commercial") == ["a_mtl.emodb4"]
    assert registry.list_models(licence="commercial") == ["a_mtl"]
    assert registry.list_models("a*", pretrained=True, licence="CC-BY-NC-SA-4.0") == tags[1:]
    assert registry.list_models(licence="MIT") == []


def test_the_list_shows_the_first_figure_and_the_card_all_of_them():
    figures = [each for each in registry.raw_entries("cnn_ablstm_mtl")["reported"] if each["tag"] == "multi"]
    (row,) = [row for row in cards.listing() if row[:2] == ["cnn_ablstm_mtl", "multi"]]
    assert len(figures) == 3 and row[3].endswith("] multi7-5fold")
    card = cards.model_card("cnn_ablstm_mtl.multi")
    assert all(f"  {each['protocol']} (multi)" in card for each in figures)
    # the recipe is that of these weights, and what they heard beside speech is told
    assert "hop_ms: 16.0" in card and "hop_ms: 10.0" in cards.model_card("cnn_ablstm_mtl.ravdess8")
    assert "in        esc10 (chainsaw, " in card and "rooms: large_church, " in card


def test_listing_folds_share_a_line_and_figures_belong_to_the_recipe(shelf):
    figure = "0.712 [0.680, 0.740] ravdess8-5fold"
    assert cards.listing() == [
        ["a_mtl", "ravdess8 (+2 folds)", "CC-BY-NC-SA-4.0", figure],
        ["a_mtl", "emodb4", "CC0-1.0", "-"],
        ["b", "-", "-", "-"],
    ]
    assert [row[1] for row in cards.listing(pretrained=True)] == [entry["tag"] for entry in ENTRIES]
    assert cards.listing("b", pretrained=True) == []
    assert [row[1] for row in cards.listing(licence="commercial")] == ["emodb4"]


@pytest.mark.parametrize(
    "text", ["weights: []", "weights: [1]\nreported: []", "weights: [{}]\nreported: []", "- a", ""]
)
def test_broken_sections_are_told(shelf, text):
    (shelf / "b.yaml").write_text(text)
    with pytest.raises(ConfigError, match="b.yaml: (weights|reported) must be a list of mappings with a tag"):
        registry.list_models()


def test_missing_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "serzoo" / "registry.py"))
    with pytest.raises(MissingFileError, match="zoo_configs"):
        registry.configs_folder()
    (tmp_path / "zoo_configs").mkdir()
    assert registry.configs_folder() == tmp_path / "zoo_configs"  # a checkout
    (tmp_path / "serzoo" / "zoo_configs").mkdir(parents=True)
    assert registry.configs_folder() == tmp_path / "serzoo" / "zoo_configs"  # a wheel


@pytest.mark.parametrize("name", registry.names())
def test_cards_of_shipped_models(name):
    card = cards.model_card(name)
    loaded = config.load(name)
    assert card.startswith(f"{name}\n{loaded.summary}")
    sections = ("Paper", "What differs from it, and why", "Input and answer", "Weights", "Figures", "Limits", "Recipe")
    assert [line for line in card.splitlines()[3:] if line and not line.startswith(" ")] == list(sections)
    told = (loaded.reference.title, *loaded.reference.deviations, *loaded.limits)
    for word in (*told, "mono at 16000 Hz", "use it for no decision"):
        assert word in card
    for each in loaded.reported:
        assert f"{each.ua.value:.3f} [{each.ua.ci_low:.3f}, {each.ua.ci_high:.3f}]" in card
    for entry in loaded.weights:
        assert entry.licence in card and ", ".join(entry.classes) in card and set(entry.corpora) <= set(card.split())
    if not loaded.weights:
        assert "none ship with this version" in card and "ships without weights" in card
    if "target" in loaded.streams:
        assert "a second, unlabelled corpus (--target)" in card and "streams: {emotion: 0.5, target: 0.5}" in card
        assert card.count("  target    ") == len(loaded.weights)
    for entry in loaded.weights:
        assert entry.sha256 in cards.model_card(f"{name}.{entry.tag}")
    with pytest.raises(UnknownNameError, match="Unknown weights of"):
        cards.model_card(f"{name}.nothing")
