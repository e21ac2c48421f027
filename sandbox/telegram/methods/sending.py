"""Messages that a bot sends."""

import json
from typing import Any

from sandbox.telegram.methods.call import Call
from sandbox.telegram.model.bots import Bot
from sandbox.telegram.model.chats import Chat
from sandbox.telegram.model.entities import found_entities, parse_text, utf16_length
from sandbox.telegram.model.errors import bad_request
from sandbox.telegram.model.media import media_field
from sandbox.telegram.model.params import Params

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
_CARRIED = ("photo", "video", "voice", "document", "video_note", "audio")
ACTIONS = frozenset(
    {
        "typing",
        "choose_sticker",
        "find_location",
        *(f"{verb}_{kind}" for verb in ("upload", "record") for kind in _CARRIED),
    }
)


def formatted(params: Params, name: str, *, longest: int) -> dict[str, Any]:
    """Return text or caption with entities. Raises a 400 for broken formatting or a text that is too long."""
    prefix = "caption_" if name == "caption" else ""
    text, entities = parse_text(params.text(name), params.text("parse_mode"))
    entities = entities or params.value(f"{prefix}entities") or []
    if not params.text("parse_mode") and not entities:
        entities = found_entities(text)
    if utf16_length(text) > longest:
        raise bad_request("message is too long" if name == "text" else "message caption is too long")
    body: dict[str, Any] = {name: text}
    if entities:
        body[f"{prefix}entities"] = entities
    return body


def reply_markup(params: Params) -> dict[str, Any]:
    """Return the inline keyboard as a message field; other keyboards are not part of a message."""
    markup = params.value("reply_markup")
    if isinstance(markup, dict) and isinstance(markup.get("inline_keyboard"), list):
        return {"reply_markup": markup} if markup["inline_keyboard"] else {}
    return {}


def reply_target(params: Params, chat: Chat) -> dict[str, Any]:
    """Return the replied-to message as a message field. Raises a 400 when it is gone and that is not allowed."""
    wanted = params.value("reply_parameters") or {}
    message_id = int(wanted.get("message_id", 0)) or params.number("reply_to_message_id")
    if not message_id:
        return {}
    if message_id not in chat.messages:
        if wanted.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
            return {}
        raise bad_request("message to be replied not found")
    replied = {name: value for name, value in chat.messages[message_id].items() if name != "reply_to_message"}
    return {"reply_to_message": replied}


def post(call: Call, content: dict[str, Any]) -> dict[str, Any]:
    """Put a message of the bot into the chat of the call and return it."""
    chat = call.reachable_chat()
    body = {"from": call.bot.user(), **reply_target(call.params, chat), **content, **reply_markup(call.params)}
    if thread := call.params.number("message_thread_id"):
        body["message_thread_id"] = thread
    return chat.append(body, by="bot", at=call.now)


async def send_message(call: Call) -> dict[str, Any]:
    """Answer sendMessage."""
    if not call.params.text("text").strip():
        call.chat()
        raise bad_request("message text is empty")
    return post(call, formatted(call.params, "text", longest=LONGEST_TEXT))


async def send_chat_action(call: Call) -> bool:
    """Answer sendChatAction."""
    action = call.params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    call.reachable_chat().record("action", {"action": action}, by="bot")
    return True


async def send_message_draft(call: Call) -> bool:
    """Answer sendMessageDraft: a text that grows in a private chat until the message itself comes."""
    chat = call.reachable_chat()
    if chat.kind != "private":
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    if not call.params.number("draft_id"):
        raise bad_request("draft_id must be non-zero")
    body = formatted(call.params, "text", longest=LONGEST_TEXT)
    chat.record("draft", {"draft_id": call.params.number("draft_id"), **body}, by="bot")
    return True


def media_method(kind: str) -> Any:
    """Return the method that sends files of one kind: an upload, or the id of a file sent before."""

    async def send(call: Call) -> dict[str, Any]:
        stored = attached(call.bot, call.params, kind)
        caption = formatted(call.params, "caption", longest=LONGEST_CAPTION) if call.params.has("caption") else {}
        return post(call, {**media_field(kind, stored), **caption})

    return send


def attached(bot: Bot, params: Params, name: str, reference: str = "") -> Any:
    """Return the file that a parameter names: upload, attach://part, or known file_id. Raises a 400."""
    value = reference or params.text(name)
    upload = params.uploads.get(value.removeprefix("attach://") if value else name) or params.uploads.get(name)
    if upload is not None:
        return bot.keep_file(name=upload.name, mime_type=upload.mime_type, content=upload.content, folder=f"{name}s")
    if stored := bot.files.get(value):
        return stored
    if value.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")  # the stand-in fetches nothing from elsewhere
    raise bad_request(f"there is no {name} in the request" if not value else "wrong file identifier/HTTP URL specified")


async def send_media_group(call: Call) -> list[dict[str, Any]]:
    """Answer sendMediaGroup: two to ten photos, documents, videos or audios."""
    items = call.params.value("media")
    if not isinstance(items, list) or not 2 <= len(items) <= 10:  # noqa: PLR2004  limits of the original
        raise bad_request("there must be 2-10 media in the media group")
    sent = []
    for item in items:
        kind = str(item.get("type", ""))
        stored = attached(call.bot, call.params, kind, str(item.get("media", "")))
        text, _ = parse_text(str(item.get("caption", "")), str(item.get("parse_mode", "")))
        sent.append(post(call, {**media_field(kind, stored), **({"caption": text} if text else {})}))
    return sent


async def send_location(call: Call) -> dict[str, Any]:
    """Answer sendLocation."""
    return post(call, {"location": _position(call.params)})


async def send_venue(call: Call) -> dict[str, Any]:
    """Answer sendVenue."""
    position = _position(call.params)
    venue = {"location": position, "title": call.params.text("title"), "address": call.params.text("address")}
    return post(call, {"location": position, "venue": venue})


async def send_poll(call: Call) -> dict[str, Any]:
    """Answer sendPoll: shown, cannot be voted on."""
    options = call.params.value("options") or []
    if not 1 <= len(options) <= 12:  # noqa: PLR2004  limits of the original
        raise bad_request("poll must have at least 1 option" if not options else "poll can't have more than 12 options")
    texts = [option if isinstance(option, str) else option.get("text", "") for option in options]
    votes = [{"text": text, "voter_count": 0, "persistent_id": str(n)} for n, text in enumerate(texts)]
    poll = {"id": str(call.now), "question": call.params.text("question"), "is_closed": False, "is_anonymous": True}
    shape = {
        "type": "regular",
        "allows_multiple_answers": False,
        **dict.fromkeys(("allows_revoting", "members_only"), False),
        "total_voter_count": 0,
    }
    return post(call, {"poll": {**poll, **shape, "options": votes}})


def _position(params: Params) -> dict[str, float]:
    try:
        return {name: float(params.text(name)) for name in ("latitude", "longitude")}
    except ValueError as error:
        raise bad_request(f"can't parse location: {json.dumps(dict(params.values))}") from error
