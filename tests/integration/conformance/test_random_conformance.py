"""What both random plugins do alike."""

from __future__ import annotations

from clawstack.plugin_server.values import UNKNOWN, Secret, reveal

NAME = "random"
PASSWORD = {"length": 24, "special": False, "keepers": {"rotation": "1"}}


def test_inputs_are_checked_and_kept(plugin):
    inputs, refused = plugin.check("RandomPassword", PASSWORD)
    assert not refused
    assert inputs.items() >= PASSWORD.items()


def test_a_required_input_that_is_missing_is_refused_with_its_name(plugin):
    _, refused = plugin.check("RandomPassword", {"special": False})
    assert any("length" in reason for reason in refused)


def test_a_password_is_secret_and_as_long_as_was_asked(plugin):
    _, _, outputs = plugin.create("RandomPassword", PASSWORD)
    assert isinstance(outputs["result"], Secret)
    assert len(reveal(outputs["result"])) == 24
    assert reveal(outputs["result"]).isalnum()


def test_a_preview_knows_no_result(plugin):
    _, _, outputs = plugin.create("RandomPassword", PASSWORD, preview=True)
    assert reveal(outputs.get("result", UNKNOWN)) is UNKNOWN


def test_other_keepers_mean_another_password_and_the_same_ones_none(plugin):
    made = plugin.create("RandomPassword", PASSWORD)
    assert not plugin.diff("RandomPassword", made, PASSWORD).some
    assert "keepers" in plugin.diff("RandomPassword", made, {**PASSWORD, "keepers": {"rotation": "2"}}).replaces
