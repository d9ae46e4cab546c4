"""Whom a TLS connection believes: the same on every Python.

One rule: a certificate is refused unless it is in order; what is let through beyond that, a setting says by its name.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from edge.system.secret_files import naming

if TYPE_CHECKING:
    from pathlib import Path

_FORM: Final = range(79, 95)
"""OpenSSL's x509_vfy.h, from X509_V_ERR_INVALID_CA on: what RFC 5280 wants of a certificate beside its signature."""


def believing(ca_file: Path | None, *, strict: bool, system: bool = True) -> ssl.SSLContext:
    """TLS 1.2 or newer, name and certificate verified against `ca_file`, and the system's authorities.

    Without `system` a `ca_file` is believed alone. `strict` wants certificates as RFC 5280 has them, which is the
    default of Python 3.13 and newer only. Raises OSError.
    """
    with naming(None if system else ca_file):
        context = ssl.create_default_context(cafile=None if system else ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if strict:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    else:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if system and ca_file is not None:
        with naming(ca_file):
            context.load_verify_locations(ca_file)
    return context


def why_refused(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with the other side's certificate, and whether that is its form alone."""
    form = (
        " (refused by tls_strict)" if error.verify_code in _FORM else ""
    )  # edge/diagnosis/diagnose.py looks for this word
    return f"certificate verify failed: {error.verify_message}{form}"
