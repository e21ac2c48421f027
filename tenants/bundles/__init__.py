"""Bundles: versioned templates of an assistant (persona, questions at sign-up, tools, skills).

    from tenants.bundles import list_bundles, load_bundle, validate_answers

Here belong the shelf (one folder per bundle and version, plain files), how it is read, how sign-up answers are judged
and made harmless. Not here: OpenClaw's configuration keys (`tenants.openclaw`) and what a plan allows (`clawstack.plans`).
A published version never changes: a new wording is a new version, so that a repeated `up` changes nothing.
"""

from tenants.bundles.answers import validate_answers
from tenants.bundles.catalogue import list_bundles, load_bundle
from tenants.bundles.model import Bundle, Choice, Question, QuestionKind, ToolProfile

__all__ = [
    "Bundle",
    "Choice",
    "Question",
    "QuestionKind",
    "ToolProfile",
    "list_bundles",
    "load_bundle",
    "validate_answers",
]
