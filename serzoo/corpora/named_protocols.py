"""The protocols that have a name, each with its source.

Where a source gives test speakers alone, the validation speakers are serzoo's choice, and its text says so.

Example:
    >>> import pandas as pd
    >>> rows = [("emodb", s, e) for s in ("03", "08", "09") for e in ("anger", "happiness", "neutral", "sadness")]
    >>> table = pd.DataFrame(rows, columns=["corpus", "speaker", "emotion"])
    >>> protocol("emodb4-loso").folds(table)[0].test
    (('emodb', '03'),)
"""

import re

from serzoo.corpora.cross import NAME as CROSS_NAME
from serzoo.corpora.cross import PATTERN as CROSS
from serzoo.corpora.cross import parse as parse_cross
from serzoo.corpora.folds import (
    fixed,
    leave_one_group_out,
    leave_one_speaker_out,
    leave_one_speaker_out_beside_partner,
    side_by_side,
)
from serzoo.corpora.own import PATTERN as OWN
from serzoo.corpora.own import parse as parse_own
from serzoo.corpora.protocols import Protocol
from serzoo.errors import unknown_name


def protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Args:
        name: one of :func:`protocol_names`, ``cross-SOURCE-to-TARGET`` (see :func:`serzoo.corpora.cross.parse`), or
            ``loso-CORPUS@CLASS,CLASS`` for any corpus (see :func:`serzoo.corpora.own.parse`).

    Raises:
        UnknownNameError: if there is no such protocol.
        CorpusError: if a protocol across corpora is impossible.

    Example:
        >>> protocol("emodb4-loso").classes
        ('anger', 'happiness', 'neutral', 'sadness')
    """
    if name in _PROTOCOLS:
        return _PROTOCOLS[name]
    how = name.split("-")[0]
    if how == "cross" or CROSS_NAME.fullmatch(name):
        return parse_cross(name)
    if how == "loso" or re.fullmatch("[0-9]+fold", how):
        return parse_own(name)
    raise unknown_name("protocol", name, [*_PROTOCOLS, CROSS, OWN])


def protocol_names() -> list[str]:
    """List the protocols.

    Example:
        >>> protocol_names()[:2]
        ['crema_d6-tfds', 'emodb4-loso']
    """
    return sorted(_PROTOCOLS)


_RAVDESS_5FOLD = (
    (("03", "06"), ("02", "05", "14", "15", "16")),
    (("10", "11"), ("03", "06", "07", "13", "18")),
    (("08", "17"), ("10", "11", "12", "19", "20")),
    (("01", "14"), ("08", "17", "21", "23", "24")),
    (("02", "05"), ("01", "04", "09", "22")),
)

# A woman and a man in each; who validates is a woman and a man in turn.
_EMODB_5FOLD = (
    (("09",), ("03", "08")),
    (("11",), ("09", "10")),
    (("14",), ("11", "13")),
    (("15",), ("12", "14")),
    (("08",), ("15", "16")),
)

_RAVDESS_EMOBOX = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
_RAVDESS_6FOLD = tuple(zip(_RAVDESS_EMOBOX[1:] + _RAVDESS_EMOBOX[:1], _RAVDESS_EMOBOX, strict=True))

# What numpy.random.RandomState(0).shuffle makes of the sorted actors: the first 0.7 train, then 0.1 and 0.2.
_CREMA_D_TFDS = (
    ("1015 1020 1021 1030 1050 1070 1079 1089 1090").split(),
    ("1010 1013 1022 1026 1037 1038 1040 1045 1047 1048 1059 1065 1066 1068 1071 1073 1084 1086 1088").split(),
)
_CREMA_D_TRAINED = (
    "1001 1002 1003 1004 1005 1006 1007 1008 1009 1011 1012 1014 1016 1017 1018 1019 1023 1024 1025 "
    "1027 1028 1029 1031 1032 1033 1034 1035 1036 1039 1041 1042 1043 1044 1046 1049 1051 1052 1053 "
    "1054 1055 1056 1057 1058 1060 1061 1062 1063 1064 1067 1069 1072 1074 1075 1076 1077 1078 1080 "
    "1081 1082 1083 1085 1087 1091"
).split()
_FOUR = ("anger", "happiness", "neutral", "sadness")
_SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_EMODB_SEVEN = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
_EIGHT = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_CHEN = "Chen, He, Yang, Zhang (2018), https://doi.org/10.1109/LSP.2018.2860246"
_EMOBOX = "EmoBox, Ma et al. (2024), https://github.com/emo-box/EmoBox"


def _session(speaker: str) -> str:
    """Tell the session of a speaker of IEMOCAP, such as Ses01F."""
    return speaker[:-1]


_PROTOCOLS = {
    made.name: made
    for made in (
        Protocol(
            name="crema_d6-tfds",
            source="the split of TensorFlow Datasets' crema_d 1.0.0, 63 speakers to train, 9 to validate, 19 to test, "
            "https://www.tensorflow.org/datasets/catalog/crema_d",
            corpora=("crema_d",),
            classes=("anger", "disgust", "fear", "happiness", "neutral", "sadness"),
            assign=fixed("crema_d", (_CREMA_D_TFDS,), also=_CREMA_D_TRAINED),
            one_split=True,
        ),
        Protocol(
            name="emodb7-loso",
            source="leave one speaker out, 8 speakers to train, 1 to validate, 1 to test; all seven emotions",
            corpora=("emodb",),
            classes=_EMODB_SEVEN,
            assign=leave_one_speaker_out,
        ),
        Protocol(
            name="emodb_first2s7-loso",
            source="as emodb7-loso, on the derived form of 2.0 s: not to be set beside figures on whole utterances",
            corpora=("emodb_first2s",),
            classes=_EMODB_SEVEN,
            assign=leave_one_speaker_out,
        ),
        Protocol(
            name="iemocap4-5session",
            source=f"the five test sessions of {_EMOBOX}: 5531 utterances, excitement merged into happiness; "
            "validation is serzoo's: both speakers of the next session",
            corpora=("iemocap",),
            classes=_FOUR,
            assign=leave_one_group_out(_session),
            class_map={"excitement": "happiness"},
        ),
        Protocol(
            name="iemocap4-10speaker",
            source="leave one speaker out, 8 speakers to train, the partner in the dialogue to validate, 1 to test: "
            "5531 utterances, excitement merged into happiness",
            corpora=("iemocap",),
            classes=_FOUR,
            assign=leave_one_speaker_out_beside_partner(_session),
            class_map={"excitement": "happiness"},
        ),
        Protocol(
            name="iemocap4impro-10speaker",
            source="leave one speaker out on the improvised part, 8 speakers to train, 1 to validate, 1 to test, as in "
            f"{_CHEN}; excitement is left out; that the validation speaker is the partner in the dialogue is serzoo's",
            corpora=("iemocap",),
            classes=_FOUR,
            assign=leave_one_speaker_out_beside_partner(_session),
            where={"style": ("improvised",)},
        ),
        Protocol(
            name="msp_improv4-6session",
            source="leave one session out: 7798 utterances of all four parts; validation is on both speakers of the "
            "next session",
            corpora=("msp_improv",),
            classes=_FOUR,
            assign=leave_one_group_out(lambda speaker: speaker[1:]),
        ),
        Protocol(
            name="multi7-5fold",
            source="the five actor folds of ravdess8-5fold beside five pairs of speakers of EmoDB, of whom 7 train and "
            "1 validates; each utterance of EmoDB in one form, whole or cut to 2.0 s: not to be set beside figures on "
            "whole utterances; calm counts as neutral",
            corpora=("emodb", "emodb_first2s", "ravdess"),
            classes=_SEVEN,
            assign=side_by_side({"emodb": fixed("emodb", _EMODB_5FOLD), "ravdess": fixed("ravdess", _RAVDESS_5FOLD)}),
            # Who is calm must be something: left out, quiet speech would be heard by no class, and be called sad.
            class_map={"calm": "neutral"},
        ),
        Protocol(
            name="ravdess8-6fold",
            source=f"the six actor folds of {_EMOBOX}; validation is serzoo's: the actors of the next fold",
            corpora=("ravdess",),
            classes=_EIGHT,
            assign=fixed("ravdess", _RAVDESS_6FOLD),
        ),
        Protocol(
            name="savee7-loso",
            source=f"leave one speaker out, the four folds of {_EMOBOX}; validation is serzoo's: the next speaker, so "
            "that 2 train",
            corpora=("savee",),
            classes=_SEVEN,
            assign=leave_one_speaker_out,
        ),
        Protocol(
            name="emodb4-loso",
            source=f"leave one speaker out, 8 speakers to train, 1 to validate, 1 to test, as in {_CHEN}; four of the "
            "seven emotions",
            corpora=("emodb",),
            classes=_FOUR,
            assign=leave_one_speaker_out,
        ),
        Protocol(
            name="ravdess8-5fold",
            source="the five actor folds of https://github.com/Mak-Sim/ResLSTM-SER",
            corpora=("ravdess",),
            classes=_EIGHT,
            assign=fixed("ravdess", _RAVDESS_5FOLD),
        ),
    )
}
