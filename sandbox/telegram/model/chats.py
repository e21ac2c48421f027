"""One chat as one bot knows it: its messages, who is in it, and a journal that the user's side can await."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.frame.waiting import Changes
from sandbox.telegram.model.errors import BotApiError, bad_request

ChatKind = Literal["private", "group", "supergroup"]
EventKind = Literal["message", "edited", "deleted", "action", "reaction", "draft", "callback_answer"]
Side = Literal["bot", "user"]
KEPT = 2000  # messages and journal entries per chat


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatEvent:
    """One line of a chat's journal; `seq` rises by one per chat."""

    seq: int
    kind: EventKind
    by: Side
    body: dict[str, Any]

    def wire(self) -> dict[str, Any]:
        """Return the event as the control API shows it."""
        return {"seq": self.seq, "kind": self.kind, "by": self.by, "message": self.body}


@dataclass(kw_only=True, slots=True)
class Chat:
    """A private chat (its id is the user's id) or a group (negative id)."""

    id: int
    kind: ChatKind
    profile: dict[str, Any]
    blocked: bool = False
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    members: dict[int, dict[str, Any]] = field(default_factory=dict)
    next_message_id: int = 1
    next_seq: int = 1
    events: deque[ChatEvent] = field(default_factory=lambda: deque(maxlen=KEPT))
    changes: Changes = field(default_factory=Changes)

    def wire(self) -> dict[str, Any]:
        """Return the chat as it appears inside a message."""
        return {"id": self.id, "type": self.kind, **self.profile}

    def must_reach(self) -> None:
        """Raise the 403 of a bot that writes to somebody who blocked it."""
        if self.blocked:
            where = (
                "bot was blocked by the user" if self.kind == "private" else f"bot was kicked from the {self.kind} chat"
            )
            raise BotApiError(403, f"Forbidden: {where}")

    def append(self, body: dict[str, Any], *, by: Side, at: float) -> dict[str, Any]:
        """Store a new message and return it with its id, chat and date."""
        message = {"message_id": self.next_message_id, "date": int(at), "chat": self.wire(), **body}
        self.next_message_id += 1
        self.messages[message["message_id"]] = message
        if len(self.messages) > KEPT:
            del self.messages[next(iter(self.messages))]
        self.record("message", message, by=by)
        return message

    def edit(self, message_id: int, change: dict[str, Any], *, at: float) -> dict[str, Any]:
        """Change a message of the bot. Raises a 400 when it is gone or when nothing would change."""
        old = self.message(message_id, "message to edit not found")
        if not old["from"]["is_bot"]:
            raise bad_request("message can't be edited")
        new = {name: value for name, value in (old | change).items() if value not in (None, [])}
        if new == old:
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same "
                "as a current content and reply markup of the message",
            )
        new["edit_date"] = int(at)
        self.messages[message_id] = new
        self.record("edited", new, by="bot")
        return new

    def delete(self, message_id: int) -> None:
        """Remove a message. Raises a 400 when it is gone already."""
        message = self.message(message_id, "message to delete not found")
        del self.messages[message_id]
        self.record("deleted", message, by="bot")

    def message(self, message_id: int, otherwise: str) -> dict[str, Any]:
        """Return a message. Raises a 400 with these words when there is none."""
        if (message := self.messages.get(message_id)) is None:
            raise bad_request(otherwise)
        return message

    def record(self, kind: EventKind, body: dict[str, Any], *, by: Side) -> ChatEvent:
        """Write a line of the journal and wake who waits for it."""
        event = ChatEvent(seq=self.next_seq, kind=kind, by=by, body=body)
        self.next_seq += 1
        self.events.append(event)
        self.changes.announce()
        return event

    def since(self, seq: int, *, everything: bool) -> list[ChatEvent]:
        """Return journal lines after `seq`: what the bot wrote, edited or deleted, or really everything."""
        shown = {"message", "edited", "deleted"}
        return [e for e in self.events if e.seq > seq and (everything or (e.by == "bot" and e.kind in shown))]
