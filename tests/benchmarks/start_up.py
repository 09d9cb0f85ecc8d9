"""How long a command takes to answer, against the import of Keras and TensorFlow alone."""

import subprocess
import sys
import time
from collections.abc import Iterator

from tests.benchmarks import clips
from tests.benchmarks.measure import Figure, compare, in_turn

COMMANDS = {
    "list": ([], ">= 4.0"),
    "show": (["cnn_ablstm_mtl"], ""),
    "corpora": ([], ""),
    "train": (["--help"], ""),
    "doctor": ([], ""),
    "predict": ([str(min(clips.FOLDER.glob("*.wav")))], ""),
}


def figures() -> Iterator[Figure]:
    """Each command in a fresh process; those that need no TensorFlow must not import it."""

    def process(*command):
        return lambda: subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)

    sides = {"import keras": process("-c", "import keras")}
    for name, (arguments, _) in COMMANDS.items():
        sides[name] = process("-c", "from serzoo.cli import main; main()", name, *arguments)
    seconds = in_turn(sides, 3, time.perf_counter, warm_up=1)
    for name, (arguments, bar) in COMMANDS.items():
        what = f"{name} --help" if arguments == ["--help"] else name
        yield compare(f"`serzoo {what}` against `import keras`", seconds["import keras"], seconds[name], bar)
