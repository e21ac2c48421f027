"""The record of requests is bounded by number and by bytes."""

from sandbox.llm.journal import Entry, Journal


def opened(journal: Journal, size: int) -> Entry:
    return journal.open(at=0.0, method="POST", path="/v1/messages", headers={}, body={}, size=size)


def test_the_oldest_go_first() -> None:
    journal = Journal(3, 1000)
    for _ in range(5):
        opened(journal, 1)
    assert [r.number for r in journal.since(0)] == [3, 4, 5]
    opened(journal, 999)
    assert [r.number for r in journal.since(0)] == [5, 6]
    opened(journal, 5000)  # larger than all that may be kept
    assert journal.since(0) == []


def test_only_ended_requests_when_asked_and_the_first_outcome_counts() -> None:
    journal = Journal(3, 1000)
    first, _ = opened(journal, 1), opened(journal, 1)
    journal.close(first, "answered")
    journal.close(first, "disconnected")
    assert [(r.number, r.outcome) for r in journal.since(0, done=True)] == [(1, "answered")]
