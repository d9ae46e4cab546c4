"""docs/mqtt.md: every code of a refusal is there, and its shell examples do what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.broker import Broker
from tests.support.house import write_config
from tests.support.live import Live
from tests.support.subscriber import Subscriber

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mqtt.md").read_text()
COMMANDS, CERTIFICATES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def test_every_code_of_a_refusal_is_explained_and_no_other() -> None:
    source = "".join((ROOT / "edge" / name).read_text() for name in ("orders.py", "command_desk.py"))
    codes = set(re.findall(r'(?:_RefusedError|Refusal)\(\s*"(\w+)"', source))
    codes |= set(re.findall(r'code="(\w+)"', source)) | set(re.findall(r'if unknown else "(\w+)"', source))
    explained = PAGE.partition("| code | meaning |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE)) == codes


def test_the_commands_can_be_sent_as_they_stand(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with Broker(tmp_path / "broker") as broker, Subscriber(broker.port, "doorward/v1/lab/test") as upstream:
        config.write_text(config.read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n')
        script = COMMANDS.replace("hq/hq-lobby", "lab/test").replace("-p 1883", f"-p {broker.port}")
        with Live(config):
            upstream.wait(lambda: upstream.on("status") and upstream.on("status")[-1]["online"], "the status")
            subprocess.run(["bash", "-euc", script], check=True)
            upstream.wait(lambda: len(upstream.on("replies")) == 5, "five answers")
    assert {answer["id"]: answer["code"] for answer in upstream.on("replies")} == {f"a-{n}": None for n in range(1, 6)}


def test_the_certificates_are_made_as_it_shows(tmp_path: Path) -> None:
    subprocess.run(["bash", "-euc", CERTIFICATES], check=True, capture_output=True, cwd=tmp_path)
    for name in ("broker", "hq-lobby", "upstream"):
        verify = ["openssl", "verify", "-CAfile", "ca.pem", f"{name}.pem"]
        assert (
            subprocess.run(verify, check=True, capture_output=True, cwd=tmp_path).stdout == f"{name}.pem: OK\n".encode()
        )
