"""What a provider of ours says of the kind of its failure decides what the worker does."""

from __future__ import annotations

import pytest
from pulumi.automation.errors import CommandError

from clawstack.error_marks import mark
from clawstack.errors import NeedsAttentionError, PermanentError, TemporaryError
from services.cells.engine.failures import classify
from services.cells.engine.narration import Findings


class FailedError(CommandError):
    def __init__(self) -> None:
        Exception.__init__(self, "error: update failed")


@pytest.mark.parametrize(
    "error", [NeedsAttentionError("Act.", code="x"), PermanentError("No."), TemporaryError("Wait.")]
)
def test_the_kind_is_kept(error):
    from clawstack.error_marks import marked_error

    findings = Findings(errors=[error.sentence()], failed=["urn"], marked=marked_error(mark(error)))
    found = classify(FailedError(), findings, raised_by_program=None)
    assert type(found) is type(error)
    assert found.code == error.code
    assert found.message == error.message


def test_inputs_that_a_provider_refuses_are_not_tried_again():
    said = "clawstack:process:Gateway resource 'g': property uid value {-1} has a problem: no account"
    found = classify(FailedError(), Findings(errors=[said], failed=["urn"]), raised_by_program=None)
    assert isinstance(found, PermanentError)
    assert found.code == "inputs_refused"


def test_a_failure_of_another_provider_is_tried_again():
    found = classify(FailedError(), Findings(errors=["it broke"], failed=["urn"]), raised_by_program=None)
    assert isinstance(found, TemporaryError)
