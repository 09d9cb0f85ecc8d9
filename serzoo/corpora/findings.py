"""What the report on a copy of any corpus has in common, of speech or of noise."""

from collections.abc import Iterator


class Findings:
    """Problems, the verdict that follows from them, and a text with both; a report says what it found besides.

    A report has a field ``sound``, a :class:`serzoo.corpora.sound.Sound` or None.
    """

    @property
    def problems(self) -> list[str]:
        """One line for each bad file."""
        return self.sound.problems if self.sound else []

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def text(self) -> str:
        """Render the report for a terminal."""
        return "\n".join([*self._lines(), *self._verdict()])

    def __str__(self):
        return self.text()

    def _lines(self) -> Iterator[str]:
        """Everything above the verdict."""
        raise NotImplementedError

    def _all_is_well(self) -> str:
        return "ok"

    def _verdict(self) -> Iterator[str]:
        if problems := self.problems:
            yield f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}:"
            yield from (f"  {problem}" for problem in problems)
        else:
            yield self._all_is_well()

    def _sound_lines(self) -> list[str]:
        return list(self.sound.lines()) if self.sound else ["sound: not looked at"]
