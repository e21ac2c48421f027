"""Methods of the Bot API by what the router does with them. What is in no list is refused.

Left out on purpose, because all cells share one bot: whatever changes the bot itself (its name, photo, commands are
answered without effect instead), spends its Stars (gifts, paid media, paid broadcasts), acts for business accounts,
inline queries, payments, sticker sets, games and stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


def _index(names: str) -> Mapping[str, str]:
    return {name.lower(): name for name in names.split()}  # the real server does not heed case either


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Need a `chat_id` that belongs to the tenant.
CHAT: Final = _index(
    """
    sendMessage sendRichMessage sendMessageDraft sendRichMessageDraft sendPhoto sendLivePhoto sendAudio sendDocument
    sendVideo sendAnimation sendVoice sendVideoNote sendMediaGroup sendLocation sendVenue sendContact sendPoll
    sendChecklist sendDice sendSticker sendChatAction
    forwardMessage forwardMessages copyMessage copyMessages
    editMessageText editMessageCaption editMessageMedia editMessageReplyMarkup editMessageLiveLocation
    editMessageChecklist stopMessageLiveLocation stopPoll deleteMessage deleteMessages setMessageReaction
    editEphemeralMessageText editEphemeralMessageMedia editEphemeralMessageCaption editEphemeralMessageReplyMarkup
    deleteEphemeralMessage deleteMessageReaction deleteAllMessageReactions
    getChat getChatAdministrators getChatMember getChatMemberCount getUserChatBoosts
    pinChatMessage unpinChatMessage unpinAllChatMessages leaveChat
    createForumTopic editForumTopic closeForumTopic reopenForumTopic deleteForumTopic unpinAllForumTopicMessages
    editGeneralForumTopic closeGeneralForumTopic reopenGeneralForumTopic hideGeneralForumTopic
    unhideGeneralForumTopic unpinAllGeneralForumTopicMessages
    banChatMember unbanChatMember restrictChatMember promoteChatMember setChatAdministratorCustomTitle
    setChatMemberTag setChatPermissions setChatPhoto deleteChatPhoto setChatTitle setChatDescription
    exportChatInviteLink createChatInviteLink editChatInviteLink revokeChatInviteLink
    approveChatJoinRequest declineChatJoinRequest
    """
)
#: Need a `user_id` whose private chat belongs to the tenant.
PERSON: Final = _index("getUserProfilePhotos")
#: Tell what is public; ids of files in the answer may be used afterwards.
PUBLIC: Final = _index("getForumTopicIconStickers getStickerSet getCustomEmojiStickers")
#: Answered by the router for the virtual bot; see `local`, `polls`, `files`.
LOCAL: Final = _index("getUpdates setWebhook deleteWebhook getWebhookInfo getMe getFile answerCallbackQuery")
#: Would change the shared bot: taken for done.
PRETENDED: Final = _index(
    """
    setMyCommands deleteMyCommands setMyName setMyDescription setMyShortDescription setChatMenuButton
    setMyDefaultAdministratorRights
    """
)
#: Would tell of the shared bot's settings: answered as for a bot on which nothing was set.
EMPTY: Final[Mapping[str, Any]] = {
    "getmycommands": [],
    "getmydescription": {"description": ""},
    "getmyshortdescription": {"short_description": ""},
    "getchatmenubutton": {"type": "default"},
}

#: Parameters that no cell may use, whatever the method: they reach beyond the chat.
FORBIDDEN_PARAMETERS: Final = frozenset({"business_connection_id", "inline_message_id", "guest_query_id"})
#: Parameters whose string is words for people, never JSON.
TEXT_PARAMETERS: Final = _names(
    """
    text caption title description performer address first_name last_name phone_number vcard question explanation
    name custom_title tag emoji url parse_mode payload comment
    """
)
#: Names under which a string is a file: an uploaded part, an http(s) URL, or the id of a file that Telegram has.
FILE_PARAMETERS: Final = _names(
    """
    photo live_photo audio document video animation voice video_note sticker thumbnail thumb cover media
    old_sticker file_id
    """
)
