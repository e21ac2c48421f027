"""The demo's story is a test too: every step observed, nothing left but the backup."""

from __future__ import annotations

import io

from rich.console import Console

from services.cli.demonstration.story import Story
from services.cli.demonstration.telling import Telling
from services.cli.demonstration.world import World


def test_sign_up_to_cancellation():
    output = io.StringIO()
    telling = Telling(console=Console(file=output, width=160))
    world = World()
    story = Story(world, telling)
    try:
        story.until_live()
        story.ends()
        telling.summary()
    finally:
        world.close()
    text = output.getvalue()
    assert "altogether" in text
    assert len(telling.steps) >= 10
    assert all(step.seen for step in telling.steps)
    assert not world.folder.exists()
