"""Speed and memory, each figure a ratio of two sides that took turns in one process.

``python -m tests.benchmarks`` runs all, each in a process of its own, prints a line a figure and then the table;
``python -m tests.benchmarks log_mel training_step`` runs these alone. ``--write docs/speed.md`` puts the table into the
documentation. A ratio above 1 means faster, or in the case of memory more.
"""

import argparse
import datetime
import multiprocessing
import os
import platform
import re
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path

from tests.benchmarks.measure import ONE_THREAD, Figure, run

NAMES = (
    "log_mel",
    "training_step",
    "adversarial",
    "inference",
    "onednn",
    "decoding",
    "feeding",
    "memory",
    "start_up",
    "accelerator",
)
PACKAGES = ("tensorflow", "keras", "torch", "librosa", "numpy", "soundfile")
BEGIN, END = "<!-- begin of the figures -->\n", "<!-- end of the figures -->\n"


def main() -> None:
    """Run the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--write", type=Path, help="Markdown file that holds the table between two comments")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in NAMES]:
        parser.error(f"NAME must be one of {', '.join(NAMES)}. Received: {', '.join(unknown)}.")
    os.environ.update(ONE_THREAD, TF_CPP_MIN_LOG_LEVEL="3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in ``serzoo train``
    found = []
    for name in arguments.names or NAMES:
        # A process of its own: what one has allocated or set must not meet the next.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found += process.submit(run, name).result()
    table = as_table(found)
    print(f"\n{table}")
    if arguments.write:
        put_into(arguments.write, table)


def put_into(page: Path, table: str) -> None:
    """Replace the table of a page of the documentation."""
    before, _, after = re.split(f"({BEGIN}.*{END})", page.read_text(), maxsplit=1, flags=re.DOTALL)
    page.write_text(f"{before}{BEGIN}{table}{END}{after}")


def as_table(found: list[Figure]) -> str:
    """The figures with date and machine, in Markdown."""
    lines = [f"{datetime.date.today()}, {processor()}, {os.cpu_count()} cores, {versions()}.", ""]
    lines += ["| what | ratio | quartiles | bar | |", "| --- | ---: | ---: | ---: | --- |"]
    return "\n".join([*lines, *(figure.row() for figure in found), ""])


def processor() -> str:
    """Name of the processor."""
    try:
        return re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        return platform.processor() or platform.machine()


def versions() -> str:
    """Python and the packages that are compared."""
    installed = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
    packages = [f"{name} {installed[name]}" for name in PACKAGES if name in installed]
    return ", ".join([f"Python {platform.python_version()}", *packages])


if __name__ == "__main__":
    main()
