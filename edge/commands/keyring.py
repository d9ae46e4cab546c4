"""The public keys that commands may be signed with, read beside the doors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.commands.parsing import TokenVerifier
    from edge.commands.shape import Signer
    from edge.settings.controller import KeySettings


async def read_keyring(chosen: Sequence[KeySettings]) -> tuple[TokenVerifier | None, dict[str, str]]:
    """The keys that can be used, and for each other one what is wrong with it."""
    return await asyncio.to_thread(_read, chosen) if chosen else (None, {})


def _read(chosen: Sequence[KeySettings]) -> tuple[TokenVerifier, dict[str, str]]:
    from edge.commands.tokens import read_keys  # noqa: PLC0415 -- doors are guarded before cryptography is imported

    return read_keys(chosen)


def signers(keyring: TokenVerifier | None) -> tuple[Signer, ...]:
    """Who may sign."""
    return () if keyring is None else keyring.signers
