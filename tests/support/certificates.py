"""A certificate authority for tests, made with the same openssl commands that docs/mqtt.md shows."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


FORM = "keyUsage=critical,keyCertSign,cRLSign"
LEAF = "basicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n"


class Authority:
    """Its certificate is `ca`; what it issues lies beside it."""

    def __init__(self, folder: Path, name: str = "Doorward test CA", *, form: str = FORM) -> None:
        """`form` is its key usage; "" leaves it out, as an older recipe did."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca, self._key = folder / "ca.pem", folder / "ca.key"
        usage = ("-addext", form) if form else ()
        _openssl("req", "-x509", *_new_key(self._key), "-out", self.ca, "-days", "2", "-subj", f"/CN={name}", *usage)

    def issue(self, name: str, *, address: str | None = None) -> tuple[Path, Path]:
        """A certificate and its key, for a client, or for the server at an IP address."""
        request, certificate, key = (self.folder / f"{name}.{end}" for end in ("csr", "pem", "key"))
        _openssl("req", *_new_key(key), "-out", request, "-subj", f"/CN={name}")
        more = self.folder / f"{name}.ext"
        more.write_text(LEAF + (f"subjectAltName=IP:{address}\n" if address else ""))
        signing = ("-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2", "-extfile", more)
        _openssl("x509", "-req", "-in", request, "-out", certificate, *signing)
        return certificate, key


def _new_key(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
