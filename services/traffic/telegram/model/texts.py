"""What the router itself says to people. Plain words; they are not technical and did nothing wrong."""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """How far an assistant is, as far as its owner's chat is concerned."""

    READY = "ready"
    PREPARING = "preparing"
    PAUSED = "paused"
    GONE = "gone"


_GREETING = {
    Standing.READY: "Your assistant is ready. Just write to me.",
    Standing.PREPARING: "Your assistant is being prepared right now. You can already write to me: it reads everything and answers as soon as it is up, usually within a minute.",
    Standing.PAUSED: "Your assistant is paused at the moment. What you write is kept, and it answers as soon as your subscription is active again.",
}
UNKNOWN_LINK = "I do not know this link. Please open the Telegram link on your account page once more; it brings you straight to your assistant."
EXPIRED_LINK = "This link has expired. Please get a new one on your account page; it takes only a moment."
USED_LINK = "This link has been used already. Please get a new one on your account page; each link connects one chat."
FOREIGN_CHAT = "This chat is already connected to somebody's assistant, so I cannot connect it to another one. Please use a chat of your own, or ask the owner to disconnect this one first."
UNBOUND_HINT = "Hello! I do not know yet whose assistant you would like to talk to. Please open the Telegram link on your account page; it connects this chat to your assistant."
PAUSED_NOTICE = "Your assistant is paused at the moment. I keep what you write, and it answers as soon as it is back."
FAREWELL = "Your assistant has been ended, so nobody reads this chat any more. Thank you for having been with us! If you would like to come back, you are welcome any time: just sign up again."


def greeting(standing: Standing, *, first_name: str, moved: bool) -> str:
    """What a person reads after opening their link."""
    hello = f"Hello {_short(first_name)}!" if first_name.strip() else "Hello!"
    connected = "I have moved this chat over" if moved else "This chat is now connected"
    return f"{hello} {connected} to your assistant. {_GREETING[standing]}"


def already_connected(standing: Standing, *, first_name: str) -> str:
    """What a person reads who opens a link again."""
    hello = f"Hello {_short(first_name)}!" if first_name.strip() else "Hello!"
    return f"{hello} This chat is connected to your assistant. {_GREETING[standing]}"


def _short(name: str) -> str:
    return " ".join(name.split())[:64]
