"""The program: its certificate, where it listens, how it ends, and that doord knows nothing of it."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from edge.web.certificate import LASTS, RENEWED, certificate, fingerprint
from edge.web.server import main
from tests.support.certificates import Authority
from tests.support.configs import GOOD, settings_of
from tests.support.doord import ROOT
from tests.support.waiting import PATIENCE_S
from tests.support.web import Doorweb, write_config

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_a_certificate_is_made_once_for_its_owner_and_kept(tmp_path: Path) -> None:
    path = certificate(tmp_path, "192.0.2.7", NOW, vouched=True)
    first = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (
        certificate(tmp_path, "192.0.2.7", NOW + LASTS - RENEWED - timedelta(days=1), vouched=True).read_bytes()
        == first
    )
    made = x509.load_pem_x509_certificate(first)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(one) for one in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1", "192.0.2.7"}
    assert fingerprint(path) == ":".join(
        re.findall("..", made.fingerprint(made.signature_hash_algorithm).hex().upper())
    )  # type: ignore[arg-type]  # it has one


@pytest.mark.parametrize("later", [LASTS - RENEWED + timedelta(days=1), -timedelta(days=400)])
def test_a_certificate_that_is_not_valid_any_more_or_not_yet_is_made_anew(tmp_path: Path, later: timedelta) -> None:
    """A Pi whose clock was wrong at first start must not be stuck with what it made then."""
    first = certificate(tmp_path, "0.0.0.0", NOW, vouched=True).read_bytes()
    assert certificate(tmp_path, "0.0.0.0", NOW + later, vouched=True).read_bytes() != first


def test_a_clock_that_nobody_vouches_for_costs_no_certificate_that_somebody_trusts(tmp_path: Path) -> None:
    """After a power cut a Pi has the time of its last shutdown, or of its image, until the network tells it."""
    first = certificate(tmp_path, "0.0.0.0", NOW, vouched=True).read_bytes()
    assert certificate(tmp_path, "0.0.0.0", NOW - timedelta(days=400), vouched=False).read_bytes() == first
    assert certificate(tmp_path, "0.0.0.0", NOW + LASTS, vouched=False).read_bytes() != first


def test_a_spoiled_certificate_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "certificate.pem").write_text("spoiled")
    assert b"BEGIN CERTIFICATE" in certificate(tmp_path, "127.0.0.1", NOW, vouched=True).read_bytes()


def served(port: int) -> bytes:
    """The certificate that is shown there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw, context.wrap_socket(raw) as line:
        found = line.getpeercert(binary_form=True)
    assert found
    return found


def test_it_tells_the_fingerprint_of_what_it_shows(tmp_path: Path) -> None:
    with Doorweb(write_config(tmp_path)) as page:
        shown = hashlib.sha256(served(page.port)).hexdigest().upper()
        assert ":".join(re.findall("..", shown)) in page.output.read_text()


def test_it_shows_the_certificate_it_was_given(tmp_path: Path) -> None:
    cert, key = Authority(tmp_path / "ca").issue("page", address="127.0.0.1")
    with Doorweb(write_config(tmp_path, web=f'cert_file = "{cert}"\nkey_file = "{key}"')) as page:
        assert served(page.port) == ssl.PEM_cert_to_DER_cert(cert.read_text())
    assert not (tmp_path / "certificate.pem").exists()


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        Doorweb(write_config(tmp_path)) as page,
        socket.create_connection(("127.0.0.1", page.port), PATIENCE_S) as raw,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(raw)


def test_a_wrong_configuration_is_said_and_ends_with_78(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = write_config(tmp_path, web="tls = false").read_text().replace("127.0.0.1:0", "0.0.0.0:8443")
    (tmp_path / "open.toml").write_text(config)
    assert main(["--config", str(tmp_path / "open.toml")]) == 78
    assert 'web.tls: found false with listen = "0.0.0.0:8443", which others can reach: expected true' in caplog.text


def test_a_key_that_is_not_there_is_said_and_ends_with_1(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--config", str(write_config(tmp_path, web='cert_file = "none.pem"'))]) == 1
    assert "No such file" in caplog.text


@pytest.mark.parametrize(
    ("web", "says"),
    [
        ('listen = "localhost:8443"', "expected an IP address and a port"),
        ('listen = "127.0.0.1"', "expected an IP address and a port"),
        ('listen = "::1:8443"', "expected an IP address and a port"),
        ('listen = "127.0.0.1:65536"', "expected an IP address and a port"),
        ('listen = "[::]:8443"\ntls = false', "which others can reach"),
        ('listen = "192.0.2.7:8443"\ntls = false', "which others can reach"),
        ('tls = false\ncert_file = "a.pem"', "found with tls = false"),
        ('key_file = "a.pem"', "found without cert_file"),
        ("idle_s = 59", "60 to 86400"),
        ("session_s = 604801", "300 to 604800"),
        ('password = "x"', "unknown key"),
    ],
)
def test_what_the_section_refuses(tmp_path: Path, web: str, says: str) -> None:
    with pytest.raises(Exception, match=re.escape(says)):
        settings_of(tmp_path, f"{GOOD}\n[web]\n{web}\n")


@pytest.mark.parametrize(
    ("listen", "address", "port"), [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:8443", "::1", 8443), ("[::]:1", "::", 1)]
)
def test_where_it_listens(tmp_path: Path, listen: str, address: str, port: int) -> None:
    web = settings_of(tmp_path, f'{GOOD}\n[web]\nlisten = "{listen}"\n').web
    assert (web.address, web.port) == (address, port)


def test_doord_never_loads_the_page_or_what_it_needs() -> None:
    code = (
        "import sys, edge.daemon.doord, edge.daemon.daemon, edge.daemon.requests.service\n"
        "import edge.reports.searches, edge.reports.exports\n"
        "ours = ('edge.web', 'starlette', 'uvicorn', 'jinja2', 'argon2', 'h11', 'anyio')\n"
        "print([name for name in ours if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
