"""What a bot asks about itself, chats, members and files, and the texts it sets about itself."""

import json
from typing import Any

from sandbox.telegram.methods.call import Call, Method
from sandbox.telegram.model.errors import bad_request

MOST_COMMANDS = 100


async def get_me(call: Call) -> dict[str, Any]:
    """Answer getMe."""
    abilities = {"can_join_groups": True, "can_read_all_group_messages": not call.bot.account.privacy}
    more = ("supports_inline_queries", "can_connect_to_business", "has_main_web_app", "has_topics_enabled")
    return {**call.bot.user(), **abilities, **dict.fromkeys(more, False)}


async def get_chat(call: Call) -> dict[str, Any]:
    """Answer getChat."""
    chat = call.chat()
    return {**chat.wire(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _no_gifts()}


async def get_chat_member(call: Call) -> dict[str, Any]:
    """Answer getChatMember."""
    chat, user_id = call.chat(), call.params.number("user_id")
    if user_id == call.bot.account.id:
        return {"status": "left" if chat.blocked else "member", "user": call.bot.user()}
    if (user := chat.members.get(user_id)) is None:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return {"status": "member", "user": user}


async def get_chat_administrators(call: Call) -> list[dict[str, Any]]:
    """Answer getChatAdministrators: nobody in the groups here."""
    if call.chat().kind == "private":
        raise bad_request("there are no administrators in the private chat")
    return []


async def get_chat_member_count(call: Call) -> int:
    """Answer getChatMemberCount, the bot included."""
    return len(call.chat().members) + 1


async def get_file(call: Call) -> dict[str, Any]:
    """Answer getFile."""
    stored = call.bot.files.get(call.params.text("file_id"))
    if stored is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return {**stored.wire(), "file_path": stored.path}


async def get_user_profile_photos(call: Call) -> dict[str, Any]:
    """Answer getUserProfilePhotos: nobody has one here."""
    del call
    return {"total_count": 0, "photos": []}


def _scope(call: Call) -> tuple[str, str]:
    scope = call.params.value("scope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), call.params.text("language_code")


async def set_my_commands(call: Call) -> bool:
    """Answer setMyCommands."""
    commands = call.params.value("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse commands: expected an Array")
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    call.bot.commands[_scope(call)] = commands
    return True


async def get_my_commands(call: Call) -> list[dict[str, Any]]:
    """Answer getMyCommands."""
    return call.bot.commands.get(_scope(call), [])


async def delete_my_commands(call: Call) -> bool:
    """Answer deleteMyCommands."""
    call.bot.commands.pop(_scope(call), None)
    return True


def text_setter(name: str) -> Method:
    """Return the method that sets the bot's name, description or short description."""

    async def change(call: Call) -> bool:
        call.bot.texts[name] = call.params.text(name)
        return True

    return change


def text_getter(name: str) -> Method:
    """Return the method that reads it back."""

    async def read(call: Call) -> dict[str, str]:
        own = call.bot.account.name if name == "name" else ""
        return {name: call.bot.texts.get(name, own)}

    return read


async def accept(call: Call) -> bool:
    """Methods that change nothing that can be seen here."""
    del call
    return True


def _no_gifts() -> dict[str, bool]:
    kinds = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return dict.fromkeys(kinds, False)
