"""What does not leave this controller is named by `doorctl diagnose`, with its last error."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support.broker import free_port
from tests.support.doord import ROOT, Doord
from tests.support.house import write_config
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def diagnosed(doord: Doord) -> dict[str, dict[str, Any]]:
    """Code -> finding."""
    command = [sys.executable, "-m", "edge.cli", "--socket", str(doord.socket), "diagnose", "--json"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 1, said.stderr
    return {one["code"]: one for one in json.loads(said.stdout)["findings"]}


def test_a_receiver_and_a_camera_that_are_away(tmp_path: Path) -> None:
    nobody = free_port()
    config = write_config(tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pager").write_text("a secret of more than sixteen")
    hook = {"id": "pager", "name": "Pager", "kind": "webhook", "secret": "pager", "url": f"https://127.0.0.1:{nobody}/"}
    (tmp_path / "directory.json").write_text(json.dumps({"version": 1, "integrations": [hook]}))
    alert = '[alert.forced]\ntypes = ["lock.forced_open"]\nwebhook = ["pager"]\n'
    camera = f'[camera.hall]\nurl = "http://127.0.0.1:{nobody}/"\ndoors = ["front"]\n'
    more = f'[directory]\nfile = "directory.json"\n[integrations]\nallow_private = true\n{alert}{camera}'
    config.write_text(f"{config.read_text()}\n{more}")
    wanted = {"DW-INTEGRATION-FAILING", "DW-ALERT-STUCK", "DW-CAMERA-SILENT"}
    found: dict[str, Any] = {}
    with Doord(config) as doord:
        until(lambda: doord.ask("status")["integrations"], "the integration")
        doord.sim("front", "open")
        until(lambda: found.update(diagnosed(doord)) or wanted <= found.keys(), lambda: found)
    assert found["DW-INTEGRATION-FAILING"]["title"] == "integration pager takes no records at the moment"
    assert found["DW-INTEGRATION-FAILING"]["evidence"][0] == "127.0.0.1 cannot be reached: connection refused"
    assert found["DW-CAMERA-SILENT"]["title"] == "the camera hall gives no picture"
    assert found["DW-ALERT-STUCK"]["evidence"][1] == "messages that wait: 1"
