"""What `make` does on a machine that lacks everything: Debian's packages, then a Python, then the environment."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAY = 'echo "$(basename "$0") $*" >>"$CALLS"\n'


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


@pytest.fixture
def bin_(tmp_path: Path) -> Path:
    """A machine's programs: what every Debian has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        "sh",
        "bash",
        "env",
        "sed",
        "grep",
        "rm",
        "mktemp",
        "chmod",
        "cat",
        "touch",
        "make",
        "mkdir",
        "basename",
    ):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def program(bin_: Path, name: str, text: str) -> None:
    (bin_ / name).write_text(f"#!/bin/sh\n{text}")
    (bin_ / name).chmod(0o755)


def patched(script: str, folder: Path, *replaced: tuple[str, str]) -> Path:
    """A script of systemd/ with paths of this machine replaced by such of the test."""
    text = (ROOT / "systemd" / script).read_text()
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    copy = folder / script
    copy.write_text(text)
    copy.chmod(stat.S_IRWXU)
    return copy


# --- Debian packages -----------------------------------------------------------------------------


@pytest.fixture
def packages(tmp_path: Path, bin_: Path) -> Path:
    """The package list; apt-get notes what it is asked, and whether a service could start meanwhile."""
    policy = tmp_path / "policy-rc.d"
    program(bin_, "apt-get", f'{SAY}{policy} mosquitto start; echo "policy $?" >>"$CALLS"\n')
    program(bin_, "dpkg", f"{SAY}for p in $3 $2; do echo /usr/lib/systemd/system/$p.service; done\n")
    program(bin_, "systemctl", SAY)
    program(bin_, "id", "echo 0\n")
    return patched(
        "packages", tmp_path, ("/usr/sbin/policy-rc.d", str(policy)), (":/usr/local/sbin:/usr/sbin:/sbin", "")
    )


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_a_service_that_comes_along_is_neither_started_nor_enabled(tmp_path: Path, bin_: Path, packages: Path) -> None:
    done = run("/bin/sh", packages, "demo", PATH=str(bin_), CALLS=str(tmp_path / "calls"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "installing Debian packages: python3 python3-venv mosquitto\n"
    said = calls(tmp_path)
    assert [line for line in said if line.startswith("policy")] == ["policy 101", "policy 101"]
    assert "systemctl disable python3.service python3-venv.service mosquitto.service" in said
    assert not (tmp_path / "policy-rc.d").exists()


def test_services_may_start_again_when_who_installs_was_killed(tmp_path: Path, bin_: Path, packages: Path) -> None:
    program(bin_, "apt-get", "kill -9 $PPID\n")
    killed = run("/bin/sh", packages, "demo", PATH=str(bin_), CALLS=str(tmp_path / "calls"))
    assert killed.returncode != 0
    assert run(tmp_path / "policy-rc.d").returncode == 0


def test_a_policy_of_the_owner_stays(tmp_path: Path, bin_: Path, packages: Path) -> None:
    program(tmp_path, "policy-rc.d", "exit 104\n")
    assert run("/bin/sh", packages, PATH=str(bin_), CALLS=str(tmp_path / "calls")).returncode == 0
    assert "policy 104" in calls(tmp_path)
    assert (tmp_path / "policy-rc.d").read_text() == "#!/bin/sh\nexit 104\n"


def test_systemd_itself_keeps_its_services(tmp_path: Path, bin_: Path, packages: Path) -> None:
    run("/bin/sh", packages, "--add", "systemd", "prometheus", PATH=str(bin_), CALLS=str(tmp_path / "calls"))
    assert not any(line.startswith("dpkg") and "systemd" in line for line in calls(tmp_path))


def test_a_32_bit_system_gets_what_builds_the_packages_without_wheels(bin_: Path, packages: Path) -> None:
    program(bin_, "dpkg", "echo armhf\n")
    program(bin_, "apt-get", "exit 0\n")
    said = run("/bin/sh", packages, "install", PATH=str(bin_)).stdout.split()
    assert {"gcc", "python3-dev"} <= {*said}
    program(bin_, "dpkg", "echo arm64\n")
    assert "gcc" not in run("/bin/sh", packages, "install", PATH=str(bin_)).stdout


def test_a_bundle_wants_no_package_but_python(bin_: Path, packages: Path) -> None:
    """Packages come from a network, and a bundle brings its own pip."""
    program(bin_, "python3", "exit 1\n")
    done = run("/bin/sh", packages, "bundle", PATH=str(bin_))
    assert (done.returncode, done.stdout) == (0, "")


def test_what_apt_says_is_shown_when_it_fails(tmp_path: Path, bin_: Path, packages: Path) -> None:
    program(bin_, "apt-get", 'echo "E: no such package"; exit 100\n')
    failed = run("/bin/sh", packages, PATH=str(bin_), CALLS=str(tmp_path / "calls"))
    assert failed.returncode == 1
    assert "E: no such package\n" in failed.stderr
    assert "failed: apt-get update" in failed.stderr
    assert not (tmp_path / "policy-rc.d").exists()


# --- Python --------------------------------------------------------------------------------------


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The search for Python on a machine that has none at its usual place."""
    return patched("python", tmp_path, ("/usr/bin/python3", str(tmp_path / "none")))


@pytest.mark.parametrize("name", ["python3", "python3.13", "python3.11"])
def test_a_python_that_is_new_enough_is_found(bin_: Path, python: Path, name: str) -> None:
    program(bin_, "python3", "exit 1\n")  # too old
    program(bin_, name, "exit 0\n")
    assert run("/bin/sh", python, PATH=str(bin_)).stdout == f"{bin_ / name}\n"


def test_an_old_system_is_refused_with_what_helps(tmp_path: Path, bin_: Path, python: Path) -> None:
    program(bin_, "python3", "exit 1\n")
    (tmp_path / "os-release").write_text('PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\n')
    refused = run("/bin/sh", python, PATH=str(bin_), OS_RELEASE=str(tmp_path / "os-release"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "this is Debian GNU/Linux 11 (bullseye): take Debian 12" in refused.stderr


def test_a_python_may_be_chosen_by_its_version(bin_: Path, python: Path) -> None:
    program(bin_, "python3", "exit 0\n")
    program(bin_, "python3.13", "exit 0\n")
    assert run("/bin/sh", python, "3.13", PATH=str(bin_)).stdout == f"{bin_ / 'python3.13'}\n"
    refused = run("/bin/sh", python, "3.12", PATH=str(bin_), HOME="/nonexistent")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no Python 3.12" in refused.stderr


def test_make_looks_for_python_once_the_packages_are_there(tmp_path: Path, bin_: Path) -> None:
    """A recipe is expanded before its first line runs: what make itself looks up there is looked up too early."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    (tmp_path / "systemd").mkdir()
    stub = bin_ / "python3"
    made = "#!/bin/sh\\nmkdir -p .venv/bin; printf '#!/bin/sh' >.venv/bin/python; chmod +x .venv/bin/python\\n"
    program(tmp_path / "systemd", "packages", f'printf "{made}" >{stub}; chmod +x {stub}\n')
    shutil.copy(patched("python", tmp_path, ("/usr/bin/python3", str(stub))), tmp_path / "systemd")
    done = run("make", "-C", tmp_path, "setup", PATH=str(bin_))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"making .venv with {stub}" in done.stdout
