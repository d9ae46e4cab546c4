"""Which certificates a TLS connection trusts: the same on every version of Python.

One rule: a certificate must be valid; only a setting of its own (`tls_strict`) relaxes that.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from edge.system.secret_files import naming

if TYPE_CHECKING:
    from pathlib import Path

_FORM: Final = range(79, 95)
"""Error codes of OpenSSL's x509_vfy.h, from X509_V_ERR_INVALID_CA on, for requirements of RFC 5280 on the form."""


def believing(ca_file: Path | None, *, strict: bool, system: bool = True) -> ssl.SSLContext:
    """A context for TLS 1.2 or newer that verifies name and certificate against `ca_file` and the system's authorities.

    Without `system` a `ca_file` is trusted alone. `strict` requires certificates to follow RFC 5280, which is the
    default from Python 3.13 on. Raises FileError, an OSError.
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
    """Why a certificate was refused, and whether only its form is wrong, which `tls_strict = false` accepts."""
    # edge/diagnosis/diagnose.py looks for `tls_strict` in the message
    form = " (refused by tls_strict)" if error.verify_code in _FORM else ""
    return f"certificate verify failed: {error.verify_message}{form}"
