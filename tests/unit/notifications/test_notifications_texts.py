"""What messages say, and how long the pauses between attempts are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.business.notifications.service import pause_after
from services.business.notifications.texts import text_of


@pytest.mark.parametrize(
    ("kind", "payload", "subject", "words"),
    [
        ("healthy", {"tenant": "kim-abc", "endpoint": "http://x"}, "Your assistant is ready", "kim-abc is live"),
        ("deleted", {"tenant": "kim-abc"}, "Your assistant is switched off", "one encrypted backup"),
        ("needs_attention", {"tenant": "kim-abc", "code": "no_space", "reason": "Disk full."},
         "kim-abc needs attention (no_space)", "Disk full. See: clawstack tenants show kim-abc"),
        ("needs_attention", {}, "(unknown) needs attention (unknown)", "No reason was recorded."),
        ("brand_new", {"b": 2, "a": 1}, "Brand new", "a: 1\nb: 2"),
    ],
)  # fmt: skip
def test_every_message_has_a_subject_and_a_body(
    kind: str, payload: dict[str, object], subject: str, words: str
) -> None:
    told, body = text_of(kind, payload)
    assert told == subject
    assert words in body
    assert "http://x" not in body


def test_pauses_grow_to_an_hour_and_stay_there() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 500)]
    assert pauses[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=1)
