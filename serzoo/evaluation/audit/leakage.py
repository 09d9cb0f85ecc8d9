"""What else do the features hold? Probes for gender, corpus, noise and speaker on shared, private and pooled features.

Gender, corpus and noise are asked of speakers that neither the encoder nor the probe ever heard: the encoder of a fold
is probed on the fold's test speakers, by probes that learned from all other speakers; the speakers of corpora that no
encoder was trained on are shared out among the folds. Noise is mixed in at one ratio, in the test out of recordings of
its own. Who speaks is asked of speakers that the encoder did not hear, on other utterances of theirs.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo.errors import CorpusError
from serzoo.evaluation.audit import probes
from serzoo.evaluation.audit.conditions import Changed, Condition, noise_draws, noisy
from serzoo.evaluation.audit.subjects import Roots, Subject, heard, sample
from serzoo.evaluation.bootstrap import MIN_SPEAKERS
from serzoo.evaluation.figures import percent
from serzoo.noises import CLEAN

POOLED = "embedding"
NAMED = ("shared", "private")
PROBE_SNR_DB = 10.0
SPEAKER_FOLDS = 5
OF_SPEAKER = ("gender", "corpus")  # labels that all utterances of a speaker share


def leakage(
    subject: Subject,
    table: pd.DataFrame,
    roots: Roots,
    *,
    noise: Roots | None = None,
    clips: int | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Probe the features of a model.

    Args:
        subject: the model, with the weights of its folds.
        table: of the corpora.
        roots: their folders.
        noise: noise corpora and their roots; without any there is no probe for noise.
        clips: how many clips at most each encoder hears, drawn evenly over the speakers.
        resamples: number of bootstrap draws over speakers.
        seed: of the choice of clips and noise, of probes and draws.

    Returns:
        ``layers`` that were probed; ``probes``: ``[{"layer", "label", "probe", "ua", "shuffled", "chance", "n",
        "num_speakers", "reads"}]``; ``not_probed``: label to reason; ``verdict``: a sentence.

    Raises:
        CorpusError: if there are no weights, or every encoder has heard every speaker.

    Example:
        >>> leakage(subject, table, roots, clips=400)["verdict"]  # doctest: +SKIP
    """
    asked, not_probed = _labels(table, noise)
    heard_by = {source: heard(subject.model(source), table) for source in subject.encoders}
    if not subject.encoders:
        raise CorpusError(f"{subject.name} came without weights: it cannot be asked.")
    if all(rows.all() for rows in heard_by.values()):
        raise CorpusError(f"{subject.name} has heard every speaker of the corpora: probes need the weights of folds.")
    layers = _layers(subject.model(subject.encoders[0]))
    gathered: dict[tuple[str, str], list[probes.Split]] = defaultdict(list)
    for number, source in enumerate(subject.encoders):
        model = subject.model(source)
        rows = sample(table, clips, seed).reset_index(drop=True)
        tested = _tested(model, rows, number, max(2, len(subject.encoders)))
        if not tested.any():
            continue
        for layer, x in _features(model, rows, roots, layers).items():
            for label in sorted(asked - {"noise"}):
                gathered[layer, label] += _split(x, rows, rows[label].to_numpy(object), tested)
            gathered[layer, "speaker"] += _by_speaker(x, rows, tested, seed)
        if "noise" in asked:
            names, sounds = _noisy(rows, tested, noise or {}, seed)
            for layer, x in _features(model, rows, roots, layers, sounds, seed).items():
                gathered[layer, "noise"] += _split(x, rows, names, tested, of_speaker=False)
    found = []
    for (layer, label), splits in gathered.items():
        if reason := _few_speakers(splits, label in OF_SPEAKER) if splits else _TOO_FEW[label]:
            not_probed[label] = reason
            continue
        for kind in probes.KINDS:
            options = {"of_speaker": label != "noise", "resamples": resamples, "seed": seed}
            found.append({"layer": layer, "label": label, **probes.run(splits, kind, **options)})
    return {"layers": layers, "probes": found, "not_probed": not_probed, "verdict": _verdict(found, layers)}


_TOO_FEW = {
    "gender": "the speakers to learn from or to ask have one gender only",
    "corpus": "the speakers to learn from or to ask are of one corpus only",
    "noise": "too few utterances, or no type of noise with recordings to learn from and others to ask about",
    "speaker": f"no fold has two unheard speakers of one corpus with {SPEAKER_FOLDS} utterances each",
}


def _labels(table: pd.DataFrame, noise: Roots | None) -> tuple[set[str], dict[str, str]]:
    """Which labels can be asked for, and why not the others."""
    reasons = {}
    if table["gender"].dropna().nunique() < 2:
        reasons["gender"] = "the corpora do not have both genders"
    if table["corpus"].nunique() < 2:
        reasons["corpus"] = "one corpus only"
    if not noise:
        reasons["noise"] = "no noise corpus was given"
    return {"gender", "corpus", "noise"} - set(reasons), reasons


def _layers(model: Any) -> list[str]:
    """The pooled embedding, and every shared and private feature layer."""
    flat = [layer.name for layer in model.layers if len(getattr(layer.output, "shape", ())) == 2]
    return [name for name in flat if name == POOLED or set(name.split("_")) & set(NAMED)]


def _tested(model: Any, rows: pd.DataFrame, number: int, num_parts: int) -> np.ndarray:
    """Tell which rows this encoder's probes are asked about; the probes learn from all others."""
    own = rows["corpus"].isin(model.training_speakers).to_numpy()
    tested = own.copy()
    for _, foreign in rows[~own].groupby("corpus"):
        speakers = sorted(set(foreign["speaker"]))
        chosen = set(speakers[number % num_parts :: num_parts])
        tested[foreign.index[foreign["speaker"].isin(chosen)]] = True
    return tested & ~heard(model, rows)


def _features(
    model: Any, rows: pd.DataFrame, roots: Roots, layers: Sequence[str], sounds: Sequence | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Read several layers in one go, ``(rows, features)`` each; ``sounds`` has a condition for each row."""
    import keras

    from serzoo import pipeline

    clips: Any = pipeline.Clips(rows, roots, cache_bytes=0)
    if sounds is not None:
        clips = _Each(clips, sounds, seed)
    reader = keras.Model(model.input, {name: model.get_layer(name).output for name in layers})
    found: dict[str, np.ndarray] = {}
    for indices, inputs in pipeline.evaluation_batches(clips):
        for name, values in reader.predict_on_batch(inputs).items():
            found.setdefault(name, np.zeros((len(rows), values.shape[1]), "float32"))[indices] = values
    return found


class _Each:
    """Clips with a condition of its own for each."""

    def __init__(self, clips: Sequence, sounds: Sequence[Condition], seed: int):
        self._all = {sound: Changed(clips, sound, seed) for sound in set(sounds)}
        self._sounds = sounds

    def __len__(self) -> int:
        return len(self._sounds)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._all[self._sounds[index]][index]


def _noisy(rows: pd.DataFrame, tested: np.ndarray, noise: Roots, seed: int) -> tuple[np.ndarray, list[Condition]]:
    """Draw a noise, or none, for each row: types in turn, the test from recordings of its own."""
    draws = [noise_draws(noise, split) for split in ("train", "test")]
    types = sorted(set(draws[0]) & set(draws[1]))
    sounds = [{name: noisy(name, part[name], PROBE_SNR_DB) for name in types} for part in draws]
    clean = Condition(CLEAN, CLEAN, None)
    names = np.resize(np.array([CLEAN, *types], object), len(rows))
    names = names[np.random.RandomState(seed).permutation(len(rows))]
    return names, [sounds[int(test)].get(name, clean) for name, test in zip(names, tested, strict=True)]


def _split(
    x: np.ndarray, rows: pd.DataFrame, labels: np.ndarray, tested: np.ndarray, of_speaker: bool = True
) -> list[probes.Split]:
    speakers = (rows["corpus"] + " " + rows["speaker"].astype(str)).to_numpy(object)
    known = probes.known(labels)
    a, b = known & ~tested, known & tested
    if len(set(labels[a])) < 2 or not b.any():
        return []
    units = speakers if of_speaker else np.arange(len(rows))
    return [probes.Split(x[a], labels[a], units[a], x[b], labels[b], speakers[b])]


def _few_speakers(splits: Sequence[probes.Split], of_speaker: bool) -> str | None:
    """Say where too few speakers are asked for an interval, without which nothing can be told.

    Of a label that all utterances of a speaker share, each value needs enough of them: its speakers are drawn by
    themselves.
    """
    if not of_speaker:
        asked = {speaker for split in splits for speaker in split.speakers}
        return f"fewer than {MIN_SPEAKERS} speakers to ask" if len(asked) < MIN_SPEAKERS else None
    pairs = {pair for split in splits for pair in zip(split.truth, split.speakers, strict=True)}
    held = [label for label, _ in pairs]
    learnt = {label for split in splits for label in split.labels}
    few = sorted(label for label in learnt | set(held) if held.count(label) < MIN_SPEAKERS)
    return f"fewer than {MIN_SPEAKERS} speakers of {', '.join(few)}" if few else None


def _by_speaker(x: np.ndarray, rows: pd.DataFrame, tested: np.ndarray, seed: int) -> list[probes.Split]:
    """Tell the unheard speakers of a corpus apart; of two corpora the room would tell them apart."""
    found = []
    for corpus, own in rows[tested].groupby("corpus"):
        said = own[[c for c in ("speaker", "text", "emotion") if c in own]].fillna("").astype(str).agg(" ".join, axis=1)
        said = said.where(own["text"].notna(), own["file"]) if "text" in own else own["file"]
        enough = said.groupby(own["speaker"]).nunique()
        own = own[own["speaker"].isin(enough.index[enough >= SPEAKER_FOLDS])]
        if own["speaker"].nunique() > 1:
            labels = (f"{corpus} " + own["speaker"].astype(str)).to_numpy(object)
            utterances = pd.factorize(said[own.index])[0]
            found += probes.by_utterance(x[own.index], labels, utterances, SPEAKER_FOLDS, seed)
    return found


def _verdict(found: Sequence[Mapping[str, Any]], layers: Sequence[str]) -> str:
    sentences = []
    for layer in layers:
        best: dict[str, Mapping[str, Any]] = {}
        for each in (each for each in found if each["layer"] == layer):
            kept = best.get(each["label"])
            if kept is None or (each["reads"], each["ua"]["value"]) > (kept["reads"], kept["ua"]["value"]):
                best[each["label"]] = each
        read = [
            f"{label} (UA {percent(each['ua'])}, shuffled {100 * each['shuffled']['mean']:.1f})"
            for label, each in best.items()
            if each["reads"]
        ]
        hidden = [label for label, each in best.items() if not each["reads"]]
        parts = [f"{layer} holds {', '.join(read)}"] if read else []
        parts += [f"{'it' if read else layer} does not show {' or '.join(hidden)}"] if hidden else []
        sentences.append("; ".join(parts))
    said = [sentence[:1].upper() + sentence[1:] for sentence in sentences if sentence]
    return ". ".join(said) + "." if said else "Nothing could be probed."
