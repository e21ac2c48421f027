"""Changes to messages that exist: edits, deletions, reactions, pins, answers to buttons."""

from typing import Any

from sandbox.telegram.methods.call import Call
from sandbox.telegram.methods.sending import LONGEST_CAPTION, LONGEST_TEXT, formatted, post, reply_markup
from sandbox.telegram.model.errors import bad_request


def _edit(call: Call, change: dict[str, Any]) -> dict[str, Any]:
    chat = call.reachable_chat()
    markup = reply_markup(call.params) or {"reply_markup": None}  # an edit without a keyboard removes it
    return chat.edit(call.params.number("message_id"), {**change, **markup}, at=call.now)


async def edit_message_text(call: Call) -> dict[str, Any]:
    """Answer editMessageText."""
    if not call.params.text("text").strip():
        raise bad_request("message text is empty")
    return _edit(call, {"entities": None, **formatted(call.params, "text", longest=LONGEST_TEXT)})


async def edit_message_caption(call: Call) -> dict[str, Any]:
    """Answer editMessageCaption."""
    return _edit(call, {"caption_entities": None, **formatted(call.params, "caption", longest=LONGEST_CAPTION)})


async def edit_message_reply_markup(call: Call) -> dict[str, Any]:
    """Answer editMessageReplyMarkup."""
    return _edit(call, {})


async def delete_message(call: Call) -> bool:
    """Answer deleteMessage."""
    call.chat().delete(call.params.number("message_id"))
    return True


async def delete_messages(call: Call) -> bool:
    """Answer deleteMessages: messages that are gone are skipped."""
    chat = call.chat()
    for message_id in call.params.value("message_ids") or []:
        if int(message_id) in chat.messages:
            chat.delete(int(message_id))
    return True


async def set_message_reaction(call: Call) -> bool:
    """Answer setMessageReaction."""
    chat = call.reachable_chat()
    message = chat.message(call.params.number("message_id"), "message to react not found")
    reaction = call.params.value("reaction") or []
    chat.record("reaction", {"message_id": message["message_id"], "reaction": reaction}, by="bot")
    return True


async def answer_callback_query(call: Call) -> bool:
    """Answer answerCallbackQuery: each query can be answered once."""
    chat = call.bot.open_callbacks.pop(call.params.text("callback_query_id"), None)
    if chat is None:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    body = {"text": call.params.text("text"), "show_alert": call.params.flag("show_alert")}
    chat.record("callback_answer", body, by="bot")
    return True


async def pin(call: Call) -> bool:
    """Answer pinChatMessage and unpinChatMessage: accepted, nothing is shown."""
    call.reachable_chat()
    return True


async def copy_message(call: Call) -> dict[str, Any]:
    """Answer copyMessage: answers only the id of the copy."""
    return {"message_id": _repeat(call, {})["message_id"]}


async def forward_message(call: Call) -> dict[str, Any]:
    """Answer forwardMessage."""
    source = call.bot.chat(call.params.text("from_chat_id"))
    original = source.message(call.params.number("message_id"), "message to forward not found")
    origin = {"type": "user", "sender_user": original["from"], "date": original["date"]}
    return _repeat(call, {"forward_origin": origin})


def _repeat(call: Call, extra: dict[str, Any]) -> dict[str, Any]:
    source = call.bot.chat(call.params.text("from_chat_id"))
    original = source.message(call.params.number("message_id"), "message to copy not found")
    own = {"message_id", "date", "chat", "from", "reply_to_message", "reply_markup"}
    return post(call, {**{name: value for name, value in original.items() if name not in own}, **extra})
