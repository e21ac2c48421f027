"""The kind of an error survives a channel that passes text only."""

from __future__ import annotations

import pytest

from clawstack.error_marks import mark, marked_error, without_marks
from clawstack.errors import ConflictError, NeedsAttentionError, PermanentError, TemporaryError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TemporaryError("Busy."), TemporaryError),
        (PermanentError("Broken."), PermanentError),
        (NeedsAttentionError("Act.", code="gateway_refused_config", remedy="Do it."), NeedsAttentionError),
        (ConflictError("Taken."), NeedsAttentionError),
    ],
)
def test_kind_code_and_sentence_come_back(error, kind):
    found = marked_error(f"error: 1 error occurred: {mark(error)}")
    assert type(found) is kind
    assert found.code == error.code
    assert error.sentence() in found.message
    assert "[" not in without_marks(mark(error))


@pytest.mark.parametrize("text", ["", "plain", "[temporary]", "[odd:code]", "[permanent:Not A Code]"])
def test_text_without_a_mark_says_nothing(text):
    assert marked_error(text) is None
    assert without_marks(text) == text
