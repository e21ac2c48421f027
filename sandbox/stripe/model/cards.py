"""Stripe's test cards: which number does what (docs.stripe.com/testing)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sandbox.stripe.model.errors import ApiError

MESSAGES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "test_mode_live_card": (
        "card_declined",
        (
            "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test"
            " cards, visit: https://stripe.com/docs/testing."
        ),
    ),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}
"""Decline code -> (error code, sentence shown to the customer)."""

GOOD = {
    "4242424242424242",
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3056930009020004",
    "3566002020360505",
    "6200000000000005",
}
DECLINED_AT_ONCE = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000009987": "lost_card",
    "4000000000009979": "stolen_card",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
}
DECLINED_LATER = {"4000000000000341": "generic_decline"}
"""Accepted while the customer is present; every charge without them fails (a difference from Stripe: see README)."""

LENGTHS = range(13, 20)
"""How many digits a card number may have (ISO/IEC 7812)."""

TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeCustomerFail": "4000000000000341",
}
"""Payment methods that exist in every test account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A card as typed."""

    number: str
    exp_month: int = 12
    exp_year: int = 2034

    @property
    def brand(self) -> str:
        """From the first digits."""
        brands = {"4": "visa", "5": "mastercard", "3": "amex", "6": "discover"}
        return brands.get(self.number[:1], "unknown")

    @property
    def fingerprint(self) -> str:
        """The same for the same number."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


def parse_number(text: str) -> str:
    """Digits of a card number. Raises ApiError incorrect_number when it is not one (length, checksum)."""
    digits = "".join(character for character in text if character.isdigit())
    if len(digits) not in LENGTHS or not _checksum(digits):
        raise ApiError(
            "Your card number is incorrect.", status=402, kind="card_error", code="incorrect_number", param="number"
        )
    return digits


def _checksum(digits: str) -> bool:
    """Luhn."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = int(character) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the two digits of a doubled one
    return total % 10 == 0


def refusal(number: str, *, present: bool, extra: dict[str, str]) -> str | None:
    """The decline code that a charge gets, or None. `present`: the customer is at the page right now."""
    if number in extra:
        return extra[number]
    if number in DECLINED_AT_ONCE:
        return DECLINED_AT_ONCE[number]
    if number in DECLINED_LATER:
        return None if present else DECLINED_LATER[number]
    return None if number in GOOD else "test_mode_live_card"
