"""What every registered corpus must hold; a corpus is tested the moment it stands in the list of readers."""

from collections import Counter

import pytest
from miniature import touch

from serzoo import corpora
from serzoo.errors import CorpusError

OFFICIAL = [name for name in corpora.names() if name != "table"]  # a table is what its file says


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_numbers_are_in_canonical_names(name):
    official = corpora.info(name)
    assert official.name == name
    for text in (official.title, official.reference, official.url, official.licence, official.layout):
        assert text and text == text.strip() and not text.endswith(".")
    assert set(official.emotions) <= set(corpora.EMOTIONS)
    assert set(official.speakers.values()) <= {"female", "male"}
    assert set(official.speaker_emotions) <= set(official.speakers)
    by_emotion = Counter()
    for counts in official.speaker_emotions.values():
        by_emotion.update(counts)
    assert not by_emotion or by_emotion == official.emotions


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("files", [(), ("notes.txt", "sub/call.wav")], ids=["empty", "of another kind"])
def test_a_folder_that_is_no_root_is_refused(tmp_path, name, files):
    """By one sentence that says what was expected and what is there."""
    touch(tmp_path, files)
    with pytest.raises(CorpusError, match=r"is not a root of \w+. Expected .*. Found "):
        corpora.scan(name, tmp_path)


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_folder_that_does_not_exist_is_refused(tmp_path, name):
    with pytest.raises(CorpusError, match="There is no folder .* Expected "):
        corpora.scan(name, tmp_path / "gone")
