"""Wiring of notifications."""

from __future__ import annotations

from services.business.notifications.senders import LogSender, Sender
from services.business.notifications.service import Deliverer
from services.business.notifications.tasks import register
from services.kit.context import Platform
from services.kit.parts import Part


def create_part(platform: Platform, *, sender: Sender | None = None) -> Part:
    """Notifications as the factory takes them; without a sender, messages go to the log."""
    deliverer = Deliverer(database=platform.database, sender=sender or LogSender(), redactor=platform.redactor)
    return Part(name="notifications", register_tasks=register(deliverer))
