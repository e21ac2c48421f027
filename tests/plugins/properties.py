"""How many examples a property is tried with: few and always the same in every run, many and new ones in the long one.

A run that is red by a draw of luck says nothing about the change that it judges, so the usual profile is derandomized;
looking for new counterexamples is what `make test-long` is for (`--hypothesis-profile=long`). Neither has a deadline
per example: a busy machine is no counterexample.
"""

from __future__ import annotations

from typing import Final

from hypothesis import settings

_USUAL: Final = "usual"
_LONG: Final = "long"

# At import, not in a hook: hypothesis loads the profile of the command line when pytest configures its plugins.
settings.register_profile(_USUAL, max_examples=50, derandomize=True, deadline=None)
settings.register_profile(_LONG, max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(_USUAL)
