"""Every method by its name in lower case: the Bot API does not mind upper and lower case."""

from typing import Final

from sandbox.telegram.methods import editing, knowing, receiving, sending
from sandbox.telegram.methods.call import Method

METHODS: Final[dict[str, Method]] = {
    name.lower(): method
    for name, method in {
        "getMe": knowing.get_me,
        "logOut": knowing.accept,
        "close": knowing.accept,
        "getUpdates": receiving.get_updates,
        "setWebhook": receiving.set_webhook,
        "deleteWebhook": receiving.delete_webhook,
        "getWebhookInfo": receiving.get_webhook_info,
        "sendMessage": sending.send_message,
        "sendMessageDraft": sending.send_message_draft,
        "sendChatAction": sending.send_chat_action,
        "sendPhoto": sending.media_method("photo"),
        "sendDocument": sending.media_method("document"),
        "sendVoice": sending.media_method("voice"),
        "sendAudio": sending.media_method("audio"),
        "sendVideo": sending.media_method("video"),
        "sendAnimation": sending.media_method("animation"),
        "sendSticker": sending.media_method("sticker"),
        "sendVideoNote": sending.media_method("video_note"),
        "sendMediaGroup": sending.send_media_group,
        "sendLocation": sending.send_location,
        "sendVenue": sending.send_venue,
        "sendPoll": sending.send_poll,
        "editMessageText": editing.edit_message_text,
        "editMessageCaption": editing.edit_message_caption,
        "editMessageReplyMarkup": editing.edit_message_reply_markup,
        "deleteMessage": editing.delete_message,
        "deleteMessages": editing.delete_messages,
        "copyMessage": editing.copy_message,
        "forwardMessage": editing.forward_message,
        "setMessageReaction": editing.set_message_reaction,
        "answerCallbackQuery": editing.answer_callback_query,
        "pinChatMessage": editing.pin,
        "unpinChatMessage": editing.pin,
        "unpinAllChatMessages": editing.pin,
        "getChat": knowing.get_chat,
        "getChatMember": knowing.get_chat_member,
        "getChatAdministrators": knowing.get_chat_administrators,
        "getChatMemberCount": knowing.get_chat_member_count,
        "getFile": knowing.get_file,
        "getUserProfilePhotos": knowing.get_user_profile_photos,
        "setMyCommands": knowing.set_my_commands,
        "getMyCommands": knowing.get_my_commands,
        "deleteMyCommands": knowing.delete_my_commands,
        "setMyName": knowing.text_setter("name"),
        "getMyName": knowing.text_getter("name"),
        "setMyDescription": knowing.text_setter("description"),
        "getMyDescription": knowing.text_getter("description"),
        "setMyShortDescription": knowing.text_setter("short_description"),
        "getMyShortDescription": knowing.text_getter("short_description"),
        "setChatMenuButton": knowing.accept,
    }.items()
}
