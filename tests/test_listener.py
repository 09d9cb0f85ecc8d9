"""What every judge of recordings can do, on a stand-in for its network."""

import numpy as np

from serzoo.listener import Listener


class Scales(Listener):
    """Says the loudness of a piece of both scales, and counts how often it is asked."""

    heads = {"emotion": ["a", "b"], "arousal": ["low 1.0", "high 5.0"], "valence": ["low -1.0", "high 1.0"]}
    asked = 0

    def predict_on_batch(self, inputs):
        self.asked += 1
        share = np.abs(inputs["waveform"]).max(axis=1)
        return dict.fromkeys(self.heads, np.stack([1 - share, share], axis=1))


def test_all_dimensions_are_heard_at_once():
    listener = Scales()
    clip = np.repeat([0.25, 0.75], [30 * 16000, 15 * 16000]).astype("float32")  # a piece of 30 s and one of 15 s
    share = (2 * 0.25 + 0.75) / 3
    found = listener.dimensions(clip, 16000)
    np.testing.assert_allclose([found["arousal"], found["valence"]], [1 + 4 * share, -1 + 2 * share], rtol=1e-6)
    assert listener.asked == 1 and list(found) == ["arousal", "valence"]
    listener.heads = {"emotion": ["a", "b"]}
    assert listener.dimensions(clip, 16000) == {} and listener.asked == 1
