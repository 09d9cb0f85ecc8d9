"""What weights may be used for follows from what they were trained on."""

import pytest

from serzoo import corpora
from serzoo.training.provenance import allows_commercial_use


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (["emodb"], True),
        (["crema_d", "emodb"], True),
        (["emodb", "ravdess"], False),
        (["iemocap"], False),  # free for research
        (["table"], None),  # as its owner says
        (["emodb", "table"], None),
        (["ravdess", "table"], False),
        (["meld"], False),  # nobody's to give
    ],
)
def test_commercial_use_needs_a_public_licence_of_every_corpus(names, allowed):
    assert allows_commercial_use(corpora.info(name).licence for name in names) is allowed


def test_other_licences():
    assert allows_commercial_use(["CC-BY-4.0", "CC-BY-SA-3.0"])
    assert allows_commercial_use(["CC0-1.0", corpora.OWN_LICENCE]) is None
    assert not allows_commercial_use(["CC-BY-NC-4.0"])
