"""What the commands print: answers to stdout, everything else to stderr."""

import sys
from typing import Any

import typer


def print_table(header: list[str] | None, rows: list[list[str]]) -> None:
    """Print columns as wide as their widest cell."""
    print(columns([header, *rows] if header else rows), end="")


def columns(lines: list[list[str]]) -> str:
    """Text of columns as wide as their widest cell; it ends with a line break."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join("  ".join(map(str.ljust, line, widths)).rstrip() + "\n" for line in lines)


def finish(failures: list[tuple[Any, Any]], total: int) -> None:
    """End a command: exit code 1 if something of many could not be judged, which is then named."""
    if not failures:
        return
    say(f"{len(failures)} of {total} could not be judged:")
    for path, reason in failures:
        say(f"  {path}: {one_line(reason).removeprefix(f'{path} ')}")
    raise typer.Exit(1)


def say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def one_line(message: Any) -> str:
    """A message without its line breaks."""
    return " ".join(str(message).split())


def show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    """Print a warning on one line; stands in for :func:`warnings.showwarning`."""
    say(f"Warning: {one_line(message)}")
