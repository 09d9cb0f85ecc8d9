"""Audits: what reviewers ask of a model that knows more than one task.

Gender gap, leakage of what features should not hold, what the second task did to the first, noise and rooms, and other
corpora; each with its table, its picture and a verdict in words.
"""

from serzoo.evaluation.audit.audit import PARTS, audit
from serzoo.evaluation.audit.gender import gender_gap
from serzoo.evaluation.audit.report import markdown_of
from serzoo.evaluation.audit.subjects import Subject, open_subjects
from serzoo.evaluation.audit.transfer import transfer

__all__ = ["PARTS", "Subject", "audit", "gender_gap", "markdown_of", "open_subjects", "transfer"]
