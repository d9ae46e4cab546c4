"""Alerts as notifications on phones, by an ntfy server (https://docs.ntfy.sh/publish/): one POST for each.

One rule: a token or a password is read where it is sent, and only to the server of `[ntfy]`.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge.delivery.address import AllowedAddresses
from edge.delivery.errors import DeliveryError
from edge.delivery.network import Network
from edge.delivery.receivers.chat import letter
from edge.delivery.receivers.posting import post, request
from edge.system.background import in_background
from edge.system.secret_files import secret_in

if TYPE_CHECKING:
    from edge.delivery.receivers.chat import ChatMessage
    from edge.settings.alerts import NtfyTable

_TOKEN: Final = re.compile(r"[!-~]+")


class Ntfy:
    """One ntfy server. The configuration names it, so it may have a private address, unlike an integration."""

    def __init__(self, table: NtfyTable) -> None:
        """Nothing is connected or read before `send`."""
        self.table = table
        own = AllowedAddresses(allow_private=True)
        self._network = Network(own, table.ca_file, tls_strict=table.tls_strict)

    async def send(self, topic: str, message: ChatMessage) -> None:
        """Return when the server has taken the message. Raises DeliveryError."""
        url = urlsplit(f"{self.table.url}/{topic}")
        headers: list[tuple[str, str]] = []
        if (table := self.table).token_file is not None or table.password_file is not None:
            await in_background(lambda: headers.append(("Authorization", self._credentials())), "ntfy")
        await post(self._network, url, request(url, url.path, letter("ntfy", message), *headers))

    def _credentials(self) -> str:
        """The value of Authorization (RFC 6750, RFC 7617); blocks. Raises DeliveryError."""
        table = self.table
        file = table.token_file or table.password_file
        assert file is not None  # noqa: S101 -- the caller has looked
        try:
            secret = secret_in(file)
        except OSError as error:
            raise DeliveryError(str(error), ours=True) from error
        if table.token_file is None:
            return f"Basic {base64.b64encode(f'{table.username}:{secret}'.encode()).decode('ascii')}"
        if not _TOKEN.fullmatch(secret):
            raise DeliveryError(f"{file}: expected a token of ASCII characters", ours=True)
        return f"Bearer {secret}"
