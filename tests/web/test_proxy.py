"""The page behind a stock nginx that speaks TLS with browsers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.support.broker import free_port
from tests.support.certificates import Authority
from tests.support.control import FakeDaemon, status
from tests.support.waiting import PATIENCE_S
from tests.support.web import PASSWORD, Doorweb, answers, token, write_accounts, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://127.0.0.1:{page};
        }}
    }}
}}
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx2.Client]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("proxy", address="127.0.0.1")
    write_accounts(tmp_path / "accounts.json", olga="operator")
    config = write_config(tmp_path, web="tls = false\ntls_proxy = true")
    over = threading.Event()

    def watch() -> Iterator[object]:
        yield {"status": status()}
        over.wait(2 * PATIENCE_S)  # longer than the browser waits: what comes to it did not come with the end

    doord = FakeDaemon(tmp_path / "doord.sock", **answers(watch=watch))
    with doord, Doorweb(config) as page:
        port = free_port()
        settings = CONFIG.format(folder=tmp_path, port=port, page=page.port, certificate=certificate, key=key)
        (tmp_path / "nginx.conf").write_text(settings)
        proxy = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
        try:
            with httpx2.Client(
                base_url=f"https://127.0.0.1:{port}",
                verify=ssl.create_default_context(cafile=authority.ca),
                timeout=PATIENCE_S,
            ) as made:
                _wait(made)
                yield made
        finally:
            over.set()
            proxy.terminate()
            proxy.wait(PATIENCE_S)


def _wait(client: httpx2.Client) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.get("/sign-in")
        except httpx2.ConnectError:
            assert time.monotonic() < end_s
            time.sleep(0.05)
        else:
            return


def test_the_cookie_is_for_tls_and_a_live_page_lives(client: httpx2.Client) -> None:
    form = token(client.get("/sign-in").text)
    signed_in = client.post("/sign-in", data={"csrf": form, "name": "olga", "password": PASSWORD, "next": ""})
    assert signed_in.status_code == 303
    cookie = signed_in.headers["set-cookie"]
    assert cookie.startswith("__Host-doorweb=")
    assert "Secure" in cookie
    with client.stream("GET", "/every-door/live") as answer:
        assert next(line for line in answer.iter_lines() if line.startswith("event: doors"))
