"""Bodies of the control API."""

import base64
import binascii
from typing import Any

from pydantic import Field

from sandbox.frame.strict import Strict
from sandbox.telegram.model.params import Upload


class Person(Strict):
    """Who acts; in a private chat the id is the chat's id."""

    id: int | None = None
    first_name: str = "Sam"
    last_name: str | None = None
    username: str | None = None
    language_code: str = "en"

    def wire(self, chat_id: int) -> dict[str, Any]:
        """Return the person as a User. In a group somebody without an id is user 1."""
        own = self.model_dump(exclude_none=True) | {"is_bot": False}
        return {"id": (chat_id if chat_id > 0 else 1), **own}


class FileToSend(Strict):
    """A file that a person sends."""

    base64: str
    name: str = "file.bin"
    mime_type: str = "application/octet-stream"
    caption: str = ""

    def upload(self) -> Upload:
        """Return the file. Raises ValueError when the text is not base64."""
        try:
            content = base64.b64decode(self.base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"`base64` of {self.name} is not base64: {error}") from error
        return Upload(name=self.name, mime_type=self.mime_type, content=content)


class Press(Strict):
    """A press on an inline button."""

    message_id: int
    data: str


class Reaction(Strict):
    """A reaction to a message; an empty emoji takes it back."""

    message_id: int
    emoji: str = ""


class SendRequest(Strict):
    """POST /_control/send: one person does one thing in one chat. `bot` is a username, the first bot when empty."""

    chat_id: int
    bot: str = ""
    user: Person = Field(default_factory=Person)
    title: str = ""
    text: str | None = None
    reply_to: int = 0
    photo: FileToSend | None = None
    document: FileToSend | None = None
    voice: FileToSend | None = None
    callback: Press | None = None
    reaction: Reaction | None = None


class BlockRequest(Strict):
    """POST /_control/block and /_control/unblock."""

    chat_id: int
    bot: str = ""
    user: Person = Field(default_factory=Person)
