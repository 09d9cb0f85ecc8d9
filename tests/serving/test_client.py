import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from serzoo import audio, serving
from serzoo.errors import AudioError, MissingFileError, ServingError
from serzoo.listener import padded
from tests.conftest import REPOSITORY
from tests.serving.loopback import Loopback
from tests.serving.toy_export import CLASSES

WAYS = ("rest", "grpc")


@pytest.fixture(params=WAYS)
def client(server, request):
    with serving.Client(server.url(request.param, "toy"), timeout_s=60.0) as client:
        yield client


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(16000 * seconds))).astype("float32")


def expected(x: np.ndarray) -> np.ndarray:
    """The toy in NumPy."""
    x = x.astype("float64")
    loud, rough = np.abs(x).mean(), np.abs(np.diff(x)).sum() / len(x)
    features = np.array([10 * loud, 100 * (x**2).mean(), 20 * rough, -5 * loud])
    return np.exp(features) / np.exp(features).sum()


def scores(answer: list) -> np.ndarray:
    return np.array([each["score"] for each in sorted(answer, key=lambda each: CLASSES.index(each["label"]))])


# --- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.1, 1.7, 3.0, 5.0, 30.0])
def test_an_array_is_judged_as_its_own_samples_say(client, seconds):
    x = sound(seconds)
    answer = client.classify(x, 16000)
    np.testing.assert_allclose(scores(answer), expected(x), atol=1e-5)
    assert [each["score"] for each in answer] == sorted((each["score"] for each in answer), reverse=True)
    assert client.classes == CLASSES


def test_a_file_and_a_list_are_read_here(client, clips):
    paths = list(clips.values())
    for path, answer in zip(paths, client.classify(paths), strict=True):
        np.testing.assert_allclose(scores(answer), expected(audio.read(path)), atol=1e-5)


def test_bytes_are_read_by_the_server(client, clips):
    path = clips["anger"]
    np.testing.assert_allclose(scores(client.classify(path.read_bytes())), expected(audio.read(path)), atol=1e-5)


def test_a_long_recording_is_the_mean_of_its_pieces(client):
    x = sound(40.0)
    pieces = [expected(x[:480000]) * 480000, expected(x[480000:]) * 160000]
    np.testing.assert_allclose(scores(client.classify(x, 16000)), sum(pieces) / len(x), atol=1e-5)


def test_segments_are_judged_in_requests_that_the_batcher_takes(client, server, tmp_path):
    x = sound(12.0)
    soundfile.write(tmp_path / "long.wav", x, 16000, "FLOAT")
    found = client.segments(tmp_path / "long.wav", window_s=0.5, hop_s=0.25)
    assert [each["start"] for each in found] == [0.25 * i for i in range(47)]
    for each in found:
        one = expected(x[round(each["start"] * 16000) : round(each["end"] * 16000)])
        assert each["label"] == CLASSES[one.argmax()]
        assert each["score"] == pytest.approx(one.max(), abs=1e-5)
    assert [sum(rows) for rows in server.batch_sizes] == [32, 15]


def test_embedding(client):
    x = sound(2.0)
    assert client.embed(x, 16000).shape == (4,)
    np.testing.assert_allclose(client.embed(x, 16000)[0], 10 * np.abs(x).mean(), rtol=1e-5)


def test_any_signature_can_be_asked(client):
    x = sound(2.0)
    answer = client.predict("segments", {"waveform": x[None], "num_samples": np.array([32000], "int32")})
    np.testing.assert_allclose(answer["starts"], [[0.0, 0.5, 1.0]])
    assert answer["num_segments"].tolist() == [3]
    answer = client.predict("serving_default", {"waveform": x[None]})
    assert answer["classes"].tolist() == [CLASSES] and answer["status"].tolist() == ["ok"]


def test_a_version_can_be_asked_for(server):
    for way in WAYS:
        with serving.Client(server.url(way, "toy") + "/versions/1") as client:
            assert client.classes == CLASSES
        with serving.Client(server.url(way, "toy") + "/versions/2") as client:
            with pytest.raises(ServingError, match="not found") as caught:
                client.classify(sound(1.0), 16000)
            assert caught.value.code == "NOT_FOUND"


# --- many at once ---------------------------------------------------------------------------------------------------


def test_ragged_requests_at_once_are_answered_as_alone(client, server):
    rng = np.random.default_rng(1)
    waves = [sound(seconds, seed) for seed, seconds in enumerate(rng.uniform(0.2, 7.0, 16))]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: client.classify(x, 16000), waves))
    for x, answer in zip(waves, answers, strict=True):
        np.testing.assert_allclose(scores(answer), expected(x), atol=1e-5)
    assert max(map(len, server.batch_sizes)) > 1, "no two requests were ever joined: nothing was tested"


def test_the_batcher_refuses_unequal_lengths_under_one_name(server):
    """Which is why each allowed length has a name of its own."""
    lengths = (16000, 20000)

    def ask(num_samples):
        with serving.Client(server.url("grpc", "toy"), lengths_s=None) as client:
            barrier.wait()
            return client.predict_on_batch(padded([np.ones(num_samples)]))

    for _ in range(20):  # until the two fall into one batch
        barrier = threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            errors = [each.exception() for each in [pool.submit(ask, n) for n in lengths]]
        if any(errors):
            break
    assert [error.code for error in errors] == ["FAILED_PRECONDITION"] * 2
    assert "different shapes" in str(errors[0])


def test_a_server_without_batcher_takes_any_length(toy_export):
    with Loopback({"toy": toy_export}) as server, serving.Client(server.url("grpc", "toy"), lengths_s=None) as client:
        x = sound(45.0)
        assert len(client.segments(x, 16000, window_s=40.0, hop_s=40.0)) == 2
        np.testing.assert_allclose(scores(client.classify(x[:1777], 16000)), expected(x[:1777]), atol=1e-5)


# --- errors ---------------------------------------------------------------------------------------------------------


def test_unavailability_is_tried_again_and_nothing_else_is(client, server):
    client.classify(sound(1.0), 16000)
    server.failures += ["UNAVAILABLE", "UNAVAILABLE"]
    before, started = server.num_requests, time.monotonic()
    client.classify(sound(1.0), 16000)
    assert server.num_requests - before == 3
    assert time.monotonic() - started > 0.05 + 0.1  # two pauses, the second twice as long

    for code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"):
        server.failures += [code]
        before = server.num_requests
        with pytest.raises(ServingError, match="told to fail") as caught:
            client.classify(sound(1.0), 16000)
        assert (caught.value.code, server.num_requests - before) == (code, 1)


@pytest.mark.parametrize("way", WAYS)
def test_the_deadline_ends_waiting_and_repeating(server, way):
    with serving.Client(server.url(way, "toy"), timeout_s=0.6) as client:
        client.classify(sound(0.2), 16000)
        server.failures += ["UNAVAILABLE"] * 50
        started = time.monotonic()
        with pytest.raises(ServingError) as caught:
            client.classify(sound(0.2), 16000)
        assert caught.value.code == "UNAVAILABLE" and time.monotonic() - started < 0.7
        server.failures.clear()
        server.delay_s = 1.5
        started = time.monotonic()
        with pytest.raises(ServingError) as caught:
            client.classify(sound(0.2), 16000)
        assert caught.value.code == "DEADLINE_EXCEEDED" and time.monotonic() - started < 1.4


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{}/v1/models/toy", "grpc://127.0.0.1:{}/toy"])
def test_no_server(scheme):
    with socket.socket() as bound:  # bound and not listening: nobody else answers there
        bound.bind(("127.0.0.1", 0))
        with serving.Client(scheme.format(bound.getsockname()[1]), timeout_s=0.5) as client:
            with pytest.raises(ServingError) as caught:
                client.classify(sound(1.0), 16000)
    assert caught.value.code == "UNAVAILABLE"
    assert "127.0.0.1" in str(caught.value)


def test_a_server_without_the_serving_kit_says_so(toy_export):
    with Loopback({"toy": toy_export}) as server, serving.Client(server.url("rest", "toy")) as client:
        with pytest.raises(ServingError, match=r"toy-3s is missing, serve the models.config .* lengths_s=None\)"):
            client.classify(sound(1.0), 16000)


@pytest.mark.parametrize("package", ["urllib3", "grpc"])
def test_a_missing_package_is_named(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    url = {"urllib3": "http://localhost:8501/v1/models/ser", "grpc": "grpc://localhost:8500/ser"}[package]
    with pytest.raises(ServingError, match=rf'needs pip install "serzoo\[serving\]": .*{package}') as caught:
        serving.Client(url)
    assert caught.value.code == "UNIMPLEMENTED"


def test_what_the_server_cannot_judge_is_an_audio_error(client):
    with pytest.raises(AudioError, match="cannot judge the recording: num_samples must be"):
        client.classify(b"not a recording")
    with pytest.raises(AudioError, match="cannot judge the recording"):
        client.predict_on_batch({"waveform": np.zeros((2, 16000)), "num_samples": [16000, 0]})


def test_what_cannot_be_read_never_reaches_the_server(client, server, tmp_path):
    with pytest.raises(MissingFileError):
        client.classify(tmp_path / "none.wav")
    with pytest.raises(AudioError, match=r"at least|0\.1 s or more"):
        client.classify(np.zeros(100), 16000)
    with pytest.raises(AudioError, match="must last 30 s or less"):
        client.segments(sound(31.0), 16000, window_s=30.5)
    with pytest.raises(AudioError, match="must hold one clip or more. Received: 0"):
        client.predict_on_batch({"waveform": np.zeros((0, 16000)), "num_samples": []})
    assert server.num_requests == 0


@pytest.mark.parametrize(
    "url", ["localhost:8501", "http://localhost:8501", "http://localhost:8501/v1/models/", "grpc://host", "ftp://h/m"]
)
def test_a_wrong_url_is_refused_at_once(url):
    with pytest.raises(ServingError, match="The URL must be http://HOST:PORT/v1/models/NAME or grpc://HOST:PORT/NAME"):
        serving.Client(url)


@pytest.mark.parametrize(
    "options", [{"timeout_s": 0}, {"timeout_s": "3"}, {"lengths_s": ()}, {"lengths_s": (3, 0)}, {"lengths_s": (1.5,)}]
)
def test_wrong_options_are_refused_at_once(options):
    with pytest.raises(ServingError, match="must be"):
        serving.Client("http://localhost:8501/v1/models/ser", **options)


def test_a_web_page_is_no_answer(server):
    with serving.Client(f"http://127.0.0.1:{server.rest_port}/elsewhere/v1/models/toy") as client:
        with pytest.raises(ServingError, match="Malformed request") as caught:
            client.classify(sound(1.0), 16000)
    assert caught.value.code == "NOT_FOUND"


def test_new_classes_under_the_same_client_are_refused(client):
    client.classify(sound(1.0), 16000)
    client._classes = ["other", "classes"]
    with pytest.raises(ServingError, match="changed its classes"):
        client.classify(sound(1.0), 16000)


def test_rest_needs_no_tensorflow_and_no_keras(server):
    code = (
        "import sys; from serzoo.serving import Client; import numpy as np\n"
        "print(len(Client(sys.argv[1]).classify(np.ones(8000), 16000)))\n"
        "print([m for m in ('tensorflow', 'keras', 'jax', 'grpc') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, server.url("rest", "toy")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split("\n")[:2]) == (0, ["4", "[]"]), done.stderr
