"""A self-signed certificate for the page, used when none is configured.

One rule: it is made once and kept, so that an exception for it in a browser stays valid.
"""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.web.private_file import replace

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "certificate.pem"
LASTS: Final = timedelta(days=825)
"""The longest validity that is accepted everywhere (https://support.apple.com/en-us/103769)."""
RENEWED: Final = timedelta(days=30)
"""A start makes a new one when the old one ends within this time."""
EARLY: Final = timedelta(days=1)
"""It is valid from this long before it was made, because a browser's clock may be behind."""


def certificate(folder: Path, address: str, now: datetime, *, vouched: bool) -> Path:
    """The file with certificate and key; made when there is none, or none that is valid now. Raises OSError.

    `vouched`: the calendar is set. Without it the clock may be far behind, as after a power cut, and a
    certificate that is not valid yet is kept.
    """
    path = folder / FILE
    try:
        known = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        known = None
    early = known is not None and vouched and now < known.not_valid_before_utc
    if known is None or early or now > known.not_valid_after_utc - RENEWED:
        replace(path, _make(address, now))
    return path


def fingerprint(path: Path) -> str:
    """The certificate's SHA-256 fingerprint as browsers show it."""
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()


def _make(address: str, now: datetime) -> bytes:
    host = socket.gethostname()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Doorward {host}"[:64])])
    labels = dict.fromkeys(label for label in (host, f"{host}.local", "localhost") if label.isascii())
    addresses = dict.fromkeys(
        known for text in ("127.0.0.1", "::1", address) if not (known := ipaddress.ip_address(text)).is_unspecified
    )
    names = [*(x509.DNSName(label) for label in labels), *(x509.IPAddress(known) for known in addresses)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - EARLY, datetime(1971, 1, 1, tzinfo=UTC)))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM) + private
