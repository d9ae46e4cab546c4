"""Every code that says why something was refused or failed; `Record.code`, `data.code` upstream."""

from __future__ import annotations

from typing import Final

REFUSAL_CODES: Final = (
    "unknown_card", "card_inactive", "disabled", "expired", "not_yet_valid", "no_access", "outside_schedule",
    "locked_down", "blocked", "interlock", "pin_required", "wrong_pin", "too_many_attempts", "anti_passback",
    "starting", "internal_error", "flooded", "limit", "dropped", "given_up", "unknown_door", "unknown_alert",
    "bad_signature", "clock_unsynced", "duplicate", "issued_in_future", "malformed", "not_permitted", "not_recordable",
    "not_signed", "retained", "too_large", "too_many", "unknown_command", "valid_too_long", "wrong_audience",
)  # fmt: skip
"""At a door, then of the controller, then of commands over MQTT."""
