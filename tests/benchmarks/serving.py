"""Speed of the exports against PyTorch, load times, and a load test of a loopback server.

``python -m tests.benchmarks.serving`` exports ``cnn_ablstm_mtl`` in every format, checks that the same network in
PyTorch gives the same probabilities to 1e-4, lets the runtimes take turns in one process with the same number of
threads, and prints p50 and p99 for one 3-second clip and clips a second for batches of 32, as ratios to PyTorch.

``--load-test`` sends ragged clips to the served export from several clients for a while, and fails on any error or if
memory grows by more than 5 % after the first 10 s.

CPU seconds stand beside the wall clock, because other work on the machine lengthens the latter alone.
"""

import argparse
import gc
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SECONDS, RATE = 3, 16000
BATCH = 32
TOLERANCE = {"SavedModel": 1e-4, "ONNX Runtime": 1e-4, "LiteRT": 1e-3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of each runtime")
    parser.add_argument("--turns", type=int, default=200, help="answers of each runtime to one clip")
    parser.add_argument("--load-test", action="store_true")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load test")
    arguments = parser.parse_args()
    _limit_threads(arguments.threads)

    import serzoo
    from serzoo.export import write

    model = serzoo.load("cnn_ablstm_mtl")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "ser"
        savedmodel = write(model, base, serving_kit=True).path
        if arguments.load_test:
            print(load_test(base, arguments.clients, arguments.seconds))
            return
        files = {"SavedModel": savedmodel, "ONNX Runtime": write(model, base, "onnx").path}
        files["LiteRT"] = write(model, base, "litert", clip_s=SECONDS).path
        print(latency(model, files, arguments.threads, arguments.turns))
        for name, path in files.items():
            print(f"{name}: {first_answer_s(path):.2f} CPU seconds to open it and judge the first clip")


def latency(model, files: dict[str, Path], threads: int, turns: int) -> str:
    """Let the exports and PyTorch answer in turn.

    Args:
        model: the classifier that was exported.
        files: export by name of its runtime.
        threads: of each runtime.
        turns: answers of each to one clip; batches get an eighth of them.

    Returns:
        A table.
    """
    import torch

    from tests.benchmarks.torch_network import TorchNetwork

    torch.set_num_threads(threads)
    network = TorchNetwork(model).eval()

    def in_torch(inputs):
        with torch.inference_mode():
            return {"emotion": network(torch.from_numpy(inputs["waveform"]))["emotion"].numpy()}

    judges = {"PyTorch": in_torch}
    judges |= {name: _opened(path, threads) for name, path in files.items()}
    rng = np.random.default_rng(0)
    batch = {
        "waveform": (0.1 * rng.standard_normal((BATCH, SECONDS * RATE))).astype("float32"),
        "num_samples": np.full(BATCH, SECONDS * RATE, "int32"),
    }
    one = {key: value[:1] for key, value in batch.items()}
    for name, judge in judges.items():
        difference = np.abs(judge(one)["emotion"] - in_torch(one)["emotion"]).max()
        if difference > TOLERANCE.get(name, 0):
            raise SystemExit(f"{name} differs from PyTorch by {difference:.1e}.")

    single, many = _in_turn(judges, one, turns), _in_turn(judges, batch, max(turns // 8, 3))
    lines = ["| runtime | p50 ms | p99 ms | CPU ms | as fast as PyTorch (wall, CPU) | clips/s, batch 32 | ratio |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in judges:
        wall, cpu = np.array(single[name]).T * 1e3
        speed = [_ratio(single, name, column) for column in (0, 1)]
        per_s = BATCH / np.median([each[0] for each in many[name]])
        lines.append(
            f"| {name} | {np.median(wall):.2f} | {np.percentile(wall, 99):.2f} | {np.median(cpu):.2f} "
            f"| {speed[0]:.2f} x, {speed[1]:.2f} x | {per_s:.0f} | {_ratio(many, name, 0):.2f} x |"
        )
    return "\n".join(lines) + f"\n\n{threads} threads, {turns} turns in one process, after 10 of each."


def first_answer_s(path: Path) -> float:
    """CPU seconds to open an export and judge one clip in a fresh process, after its packages have been imported."""
    code = (
        "import sys, time, numpy as np\n"
        "import serzoo.export.savedmodel, serzoo.export.onnx, serzoo.export.litert\n"
        "import onnxruntime, ai_edge_litert.interpreter\n"
        "from serzoo.export import open_export\n"
        "started = time.process_time()\n"
        "judge = open_export(sys.argv[1])\n"
        "judge.probabilities([np.ones(48000, 'float32')])\n"
        "print(time.process_time() - started)"
    )
    command = [sys.executable, "-c", code, str(path)]
    times = [float(subprocess.run(command, capture_output=True, check=True, text=True).stdout) for _ in range(3)]
    return statistics.median(times)


def load_test(base: Path, clients: int, seconds: float, max_growth: float = 0.05) -> str:
    """Send ragged clips from several clients to an export behind the loopback server, and watch errors and memory.

    Args:
        base: base path of an export with its serving kit.
        clients: threads, each with a client of its own; every second one speaks REST with WAV bytes.
        seconds: how long.
        max_growth: share by which memory may grow after the first sixth of the time.

    Returns:
        What was seen.

    Raises:
        SystemExit: if a request failed or memory grew by more.
    """
    from serzoo import serving
    from serzoo.export.serving_kit import FOLDER
    from tests.serving.loopback import Loopback, read_batching, read_models

    kit = base / FOLDER
    names = dict.fromkeys(read_models(kit / "models.config"), base)
    name = min(names, key=len)
    errors, times_of, memory = [], [[] for _ in range(clients)], []

    def ask(seed: int, stop_at: float) -> None:
        rng = random.Random(seed)
        sound = (0.1 * np.random.default_rng(seed).standard_normal(6 * RATE)).astype("float32")
        with serving.Client(server.url("rest" if seed % 2 else "grpc", name), timeout_s=60.0) as client:
            while not times_of[seed] or time.monotonic() < stop_at:
                clip = sound[: rng.randrange(RATE // 2, len(sound))]
                started = time.monotonic()
                try:
                    client.classify(_wav(clip)) if seed % 2 else client.classify(clip, RATE)
                except Exception as error:
                    errors.append(error)
                times_of[seed].append(time.monotonic() - started)

    with Loopback(names, read_batching(kit / "batching.config"), threads=clients) as server:
        stop_at = time.monotonic() + seconds
        threads = [threading.Thread(target=ask, args=(seed, stop_at)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        while len(memory) < 6 or time.monotonic() < stop_at:
            time.sleep(min(1.0, seconds / 20))
            gc.collect()
            memory.append(_resident_mb())
        for thread in threads:
            thread.join()
        joined = np.mean([len(rows) for rows in server.batch_sizes] or [0])
    times = sum(times_of, [])
    settled = memory[len(memory) // 6 :]
    half = len(settled) // 2
    growth = statistics.median(settled[half:]) / statistics.median(settled[:half]) - 1
    report = (
        f"{clients} clients, {seconds:.0f} s: {len(times)} answers, {len(errors)} errors, {joined:.1f} requests a "
        f"batch, p50 {1e3 * np.percentile(times, 50):.0f} ms, p99 {1e3 * np.percentile(times, 99):.0f} ms; memory "
        f"{settled[0]:.0f} MB after the first sixth, {settled[-1]:.0f} MB at the end, {max(settled):.0f} MB at most "
        f"(second half against first: {100 * growth:+.1f} %)"
    )
    if errors or max(settled) > (1 + max_growth) * settled[0]:
        raise SystemExit(f"{report}\n{errors[:1]}")
    return report


def _opened(path: Path, threads: int):
    """An export as a function of a batch, with as many threads as are allowed."""
    if path.suffix == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs()]
        return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        run = interpreter.get_signature_runner()

        def judge(inputs):  # one clip at a time, the only shape that the file has
            rows = range(len(inputs["waveform"]))
            answers = [run(**{key: value[i : i + 1] for key, value in inputs.items()})["emotion"] for i in rows]
            return {"emotion": np.concatenate(answers)}

        judge.interpreter = interpreter
        return judge
    return _session(path, threads)


def _session(path: Path, threads: int):
    """A SavedModel as TensorFlow Serving runs it: a session, which gives all outputs of ``serving_default``."""
    import tensorflow.compat.v1 as tf1

    # One thread alone is the caller's own, as it is in the other runtimes.
    pools = {"intra_op_parallelism_threads": threads, "inter_op_parallelism_threads": -1 if threads == 1 else threads}
    session = tf1.Session(graph=tf1.Graph(), config=tf1.ConfigProto(**pools))
    with session.graph.as_default():
        signature = tf1.saved_model.load(session, ["serve"], str(path)).signature_def["serving_default"]
    names = list(signature.outputs)
    run = session.make_callable([signature.outputs[name].name for name in names], [signature.inputs["waveform"].name])
    return lambda inputs: dict(zip(names, run(inputs["waveform"]), strict=True))


def _in_turn(judges: dict, inputs: dict, turns: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of each answer."""
    found = {name: [] for name in judges}
    for turn in range(turns + 10):
        for name, judge in judges.items():
            started = time.perf_counter(), time.process_time()
            judge(inputs)
            if turn >= 10:
                found[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return found


def _ratio(found: dict, name: str, column: int) -> float:
    pairs = zip(found["PyTorch"], found[name], strict=True)
    return statistics.median(torch[column] / other[column] for torch, other in pairs)


def _limit_threads(threads: int) -> None:
    os.environ.update(OMP_NUM_THREADS=str(threads), TF_CPP_MIN_LOG_LEVEL="3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _wav(clip: np.ndarray) -> bytes:
    import io

    import soundfile

    file = io.BytesIO()
    soundfile.write(file, clip, RATE, "PCM_16", format="WAV")
    return file.getvalue()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
