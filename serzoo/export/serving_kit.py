"""All that a server needs beside the model: batching, versions, a compose file, and commands to try it.

The kit stands in ``BASE/serving-kit``: TensorFlow Serving looks only at folders whose name is a number.
"""

import re
from pathlib import Path

from serzoo.files import replace_file
from serzoo.serving import LENGTHS_S, MAX_BATCH_SIZE, name_of_length

FOLDER = "serving-kit"
DEFAULT_NAME = "ser"


def write_kit(base: Path) -> Path:
    """Write the kit of an exported SavedModel; one that is there is replaced.

    Args:
        base: what TensorFlow Serving calls the base path. Its last part is the name of the served model, where it can
            stand in a URL, and ``"ser"`` where it cannot.

    Returns:
        ``base/serving-kit``, with ``batching.config``, ``models.config``, ``compose.yaml`` and ``README.md``.
    """
    name = base.resolve().name
    name = name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) else DEFAULT_NAME
    files = {
        "batching.config": _batching(),
        "models.config": _models(name),
        "compose.yaml": _COMPOSE.format(name=name),
        "README.md": _README.format(name=name, lengths=", ".join(map(str, LENGTHS_S))),
    }
    for file, text in files.items():
        replace_file(base / FOLDER / file, text.encode())
    return base / FOLDER


def _batching() -> str:
    sizes = [2**i for i in range(MAX_BATCH_SIZE.bit_length())]
    return _BATCHING.format(largest=MAX_BATCH_SIZE, sizes="\n".join(f"allowed_batch_sizes: {size}" for size in sizes))


def _models(name: str) -> str:
    names = [name, *(name_of_length(name, length_s) for length_s in LENGTHS_S)]
    configs = "".join(_MODEL.format(served=served, name=name) for served in names)
    return f"{_MODELS_COMMENT}model_config_list {{\n{configs}}}\n"


_BATCHING = """\
# Requests that come within batch_timeout_micros are judged together, {largest} clips at most. Raise the timeout for
# more clips a second, lower it for a faster single answer; num_batch_threads is best the number of cores.
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: 4 }}
# A batch is filled up to one of these with copies of a clip, so that few shapes occur.
{sizes}
# The server must not pad: it would repeat samples, and `serving_default` would hear them. The client pads and says
# where each clip ends.
pad_variable_length_inputs: false
"""

_MODELS_COMMENT = """\
# The batcher joins what is sent to one name, and refuses unequal shapes. So the same files are served under one name
# for each length to which the client pads; the plain name is for `wav_bytes`, whose shapes are always equal.
# A new version replaces the old one when it has warmed up. To stay with one, or to go back, write
#   model_version_policy { specific { versions: 1 } }
"""

_MODEL = """\
  config {{
    name: "{served}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
"""

_COMPOSE = """\
# docker compose up -d      (gRPC on 8500, REST on 8501, for this machine alone)
services:
  serving:
    # At least as new as the TensorFlow that wrote the model; pin a release with TF_SERVING_TAG.
    image: tensorflow/serving:${{TF_SERVING_TAG:-latest}}
    ports:
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      - ..:/models/{name}:ro
      - .:/serving-kit:ro
    command:
      - --model_config_file=/serving-kit/models.config
      - --model_config_file_poll_wait_seconds=60
      - --enable_batching=true
      - --batching_parameters_file=/serving-kit/batching.config
    restart: unless-stopped
"""

_README = """\
# Serving {name}

Start the server in this folder, and ask whether it is ready:

```sh
docker compose up -d
curl -s http://localhost:8501/v1/models/{name}
```

Judge a recording, a WAV file with 16-bit samples of any rate and number of channels:

```sh
{{ printf '{{"signature_name": "wav_bytes", "inputs": {{"audio": [{{"b64": "'
  base64 < clip.wav | tr -d '\\n'
  printf '"}}]}}}}'; }} | curl -s -d @- http://localhost:8501/v1/models/{name}:predict
```

Judge samples at 16 kHz; `num_samples` says how many of each row count:

```sh
python3 -c 'import json, math
x = [0.1 * math.sin(0.1 * i) for i in range(48000)]
inputs = dict(waveform=[x], num_samples=[48000])
print(json.dumps(dict(signature_name="padded", inputs=inputs)))
' | curl -s -d @- http://localhost:8501/v1/models/{name}-3s:predict
```

From Python, with any file that serzoo reads, of any length (`pip install "serzoo[serving]"`):

```python
from serzoo.serving import Client

client = Client("grpc://localhost:8500/{name}")  # or http://localhost:8501/v1/models/{name}
client.classify("call.mp3")
client.segments("call.mp3", window_s=3.0, hop_s=1.0)
```

`status` says of each row "ok", or why its numbers are NaN. Clips for `padded` are padded to {lengths} seconds and sent
to the name of that length, `{name}-3s` and so on: the server joins the requests to one name and refuses unequal shapes.
"""
