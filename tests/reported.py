"""The figures in ``zoo_configs/*.yaml``, from the committed predictions; ``python -m tests.reported`` writes them.

Needed where the way to compute a figure changes, such as the kind of its interval. Predictions are left as they are.
"""

from serzoo import config, registry
from serzoo.evaluation import recompute
from serzoo.training.publish import fold_ua


def refreshed(entry: dict) -> dict:
    """One entry of a section ``reported`` with what its predictions give today."""
    summary = recompute(registry.configs_folder() / "reported" / entry["file"])
    figures = {
        name: {part: round(summary[name][part], 4) for part in ("value", "ci_low", "ci_high")}
        for name in ("ua", "wa", "macro_f1")
    }
    return {**entry, **figures, "fold_ua": fold_ua(summary)}


def main() -> None:
    """Write every YAML file whose figures changed."""
    for name in registry.names():
        settings = config.to_dict(config.load(name))
        reported = [refreshed(entry) for entry in settings["reported"]]
        if reported != settings["reported"]:
            config.replace_sections(registry.config_path(name), weights=settings["weights"], reported=reported)
            print(f"Refreshed: {registry.config_path(name).name}")


if __name__ == "__main__":
    main()
