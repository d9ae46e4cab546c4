"""docs/mqtt.md: its commands do what it says, with a broker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.broker import Broker
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.subscriber import Subscriber

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "mqtt.md").read_text()
SEND, ASK, SIGN, *CERTIFICATES, RENEWED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_a_command_is_signed_and_sent_as_it_shows(tmp_path: Path) -> None:
    doorctl = f'doorctl() {{ PYTHONPATH="{ROOT}" "{sys.executable}" -m edge.cli "$@"; }}\n'
    make, _, send = SIGN.partition("\n")
    assert "--new-key" in make
    subprocess.run(["bash", "-euc", doorctl + make], check=True, capture_output=True, cwd=tmp_path)
    config = write_config(tmp_path)
    with Broker(tmp_path / "broker") as broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
        mqtt = f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n[commands]\nkeys = ["upstream.pub.pem"]\n'
        config.write_text(config.read_text() + mqtt)
        with Live(config):
            upstream.wait(lambda: upstream.on("status") and upstream.on("status")[-1]["online"], "the status")
            script = _for(broker.port, send).replace("--controller hq-lobby", "--controller test")
            piped = ["bash", "-euo", "pipefail", "-c", doorctl + script]
            subprocess.run(piped, check=True, capture_output=True, cwd=tmp_path, timeout=60)
            upstream.wait(lambda: upstream.on("replies"), "the answer")
    [answer] = upstream.on("replies")
    assert (answer["command"], answer["done"]) == ("unlock", True)


def _for(port: int, script: str) -> str:
    """The same commands for the broker and the controller of a test; what would listen for ever is left out."""
    script = re.sub(r"(mosquitto_(?:pub|rr)) ", rf"\1 -p {port} ", script.replace("hq/hq-lobby", "lab/test"))
    return re.sub(r"^mosquitto_sub .*\n", "", script, flags=re.MULTILINE)


def test_the_commands_can_be_sent_as_they_stand(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Broker(tmp_path / "broker") as broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
        config.write_text(config.read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n')
        with Live(config):
            upstream.wait(lambda: upstream.on("status") and upstream.on("status")[-1]["online"], "the status")
            script = f"uuidgen() {{ cat /proc/sys/kernel/random/uuid; }}\n{_for(broker.port, SEND + ASK)}"
            asked = subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=60)
            upstream.wait(lambda: upstream.on("replies"), "the answer")
            upstream.wait(lambda: "lock.lock_down" in upstream.types(), "the lockdown")
    [unlocked] = upstream.on("replies")
    assert (unlocked["command"], unlocked["done"]) == ("unlock", True)
    answer = json.loads(asked.stdout)
    assert (answer["command"], answer["done"]) == ("lock_down", True)


def test_the_certificates_are_made_as_it_shows(tmp_path: Path) -> None:
    subprocess.run(["bash", "-euc", "".join(CERTIFICATES)], check=True, capture_output=True, cwd=tmp_path)
    for name in ("broker", "hq-lobby"):
        verify = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", f"{name}.pem"]
        told = subprocess.run(verify, check=True, capture_output=True, cwd=tmp_path).stdout
        assert told == f"{name}.pem: OK\n".encode()


def test_an_authority_of_the_older_recipe_goes_on_with_a_new_certificate(tmp_path: Path) -> None:
    """What the old one has signed is good in the new one's eyes, in the strict ones too."""
    make = "".join(CERTIFICATES)
    usage = " \\\n  -addext keyUsage=critical,keyCertSign,cRLSign"
    assert usage in make
    assert "authorityKeyIdentifier=keyid\\n" in make
    old = make.replace(usage, "").replace("authorityKeyIdentifier=keyid\\n", "")
    subprocess.run(["bash", "-euc", old + RENEWED], check=True, capture_output=True, cwd=tmp_path)
    for authority, good in (("ca.pem", False), ("ca-new.pem", True)):
        verify = ["openssl", "verify", "-x509_strict", "-CAfile", authority, "broker.pem"]
        found = subprocess.run(verify, check=False, capture_output=True, cwd=tmp_path)
        assert (found.returncode == 0) == good, found
