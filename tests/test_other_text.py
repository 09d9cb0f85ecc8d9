"""What is heard and what is judged share neither a sentence nor a speaker."""

import other_text
import pandas as pd
import pytest

from serzoo import corpora


@pytest.mark.parametrize("fold", other_text.FOLDS)
def test_neither_a_sentence_nor_a_speaker_is_shared(shared_data, tmp_path, fold):
    roots = other_text.tables(shared_data / "RAVDESS", tmp_path, fold)
    heard, new = (pd.read_csv(roots[f"table:{name}"], dtype=str) for name in ("heard", "new"))
    assert len(heard) == len(new) == 360 and set(heard["emotion"]) == set(new["emotion"])
    assert heard["speaker"].nunique() == new["speaker"].nunique() == 12
    assert not set(heard["speaker"]) & set(new["speaker"])
    assert heard.groupby("gender")["speaker"].nunique().tolist() == [6, 6]
    texts = [{file.rsplit("-", 3)[1] for file in table["file"]} for table in (heard, new)]
    assert sorted(map(list, texts)) == [["01"], ["02"]]
    kept, _ = corpora.protocol(other_text.PROTOCOL).apply(corpora.read_many(roots))
    assert set(kept["emotion"]) == {"anger", "happiness", "neutral", "sadness"}
