"""Judging models: predictions, figures with intervals over speakers, comparisons.

Importing this needs pandas and NumPy only; models, sound and pictures load what they need when they are used.
"""

# Imported by name and not lazily: the submodule `evaluate` would otherwise take the place of the function.
from serzoo.evaluation.comparison import compare_table, summary_text
from serzoo.evaluation.evaluate import evaluate
from serzoo.evaluation.leaks import LEAK_STAMP
from serzoo.evaluation.summary import compare, recompute, summarize

__all__ = ["LEAK_STAMP", "compare", "compare_table", "evaluate", "recompute", "summarize", "summary_text"]
