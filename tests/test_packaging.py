"""The unit, the installer and the package list: what a machine gets when Doorward comes and goes.

The installer works on an empty directory here (`--root`) with a ready environment (`--venv`): no network, no build,
no accounts, nothing started. Building and starting are what .ci and a real machine show.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__
from edge.config.provision import boot_lines, first_config
from edge.config.reading import load
from edge.system.systemd import killed_by
from tests.support.readme import Ready

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "doord.service"
PAGE = ROOT / "systemd" / "doorweb.service"
WORST_EXPOSURE = 1.5


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **more},
    )


def unit(key: str, file: Path = UNIT) -> list[str]:
    return re.findall(rf"(?m)^{key}=(.*)$", file.read_text())


# --- the unit ------------------------------------------------------------------------------------


@pytest.fixture(params=[UNIT, PAGE], ids=["doord", "doorweb"])
def runnable(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy whose programs exist on this machine."""
    for file in (UNIT, PAGE):  # the page wants doord
        text = re.sub(r"/opt/doorward/current/bin/\w+", sys.executable, file.read_text())
        (tmp_path / file.name).write_text(text)
    return tmp_path / Path(request.param).name


def test_systemd_finds_nothing_wrong_with_the_unit(runnable: Path) -> None:
    verdict = run("systemd-analyze", "verify", "--man=no", runnable)
    said = [line for line in verdict.stderr.splitlines() if "doord" in line or "doorweb" in line]
    assert (verdict.returncode, said) == (0, [])


def test_the_unit_exposes_little(runnable: Path) -> None:
    verdict = run("systemd-analyze", "security", "--offline=true", "--no-pager", runnable)
    found = re.search(rf"Overall exposure level for {re.escape(runnable.name)}: ([\d.]+)", verdict.stdout)
    assert found, verdict.stderr
    assert float(found[1]) <= WORST_EXPOSURE


def test_the_page_reaches_doord_and_no_hardware_and_not_the_log() -> None:
    assert (unit("User", PAGE), unit("SupplementaryGroups", PAGE)) == (["doorweb"], ["doorward"])
    assert (unit("PrivateDevices", PAGE), unit("DeviceAllow", PAGE)) == (["yes"], [])
    assert "-/var/lib/doorward" in unit("InaccessiblePaths", PAGE)[0].split()
    assert unit("PrivateUsers", PAGE) == []
    assert (unit("Wants", PAGE), unit("Requires", PAGE)) == (["doord.service"], [])
    assert "doorweb" not in UNIT.read_text(), "doors wait for no page"


def test_the_page_is_off_until_somebody_wants_it() -> None:
    assert "enable doorweb" not in (ROOT / "systemd" / "install").read_text()


def test_the_service_is_always_started_again_but_not_with_a_wrong_configuration() -> None:
    assert unit("Restart") == ["always"]
    assert unit("StartLimitIntervalSec") == ["0"]
    assert unit("RestartPreventExitStatus") == ["78"]


def test_a_reload_is_refused_by_a_wrong_configuration_before_doord_hears_of_it() -> None:
    check, signal = unit("ExecReload")
    assert check.split() == ["/opt/doorward/current/bin/doorctl", "check", unit("ExecStart")[0].split()[-1]]
    assert "kill -HUP $$MAINPID" in signal


def test_the_next_start_can_tell_what_systemd_ended_this_run_for(tmp_path: Path) -> None:
    shell, option, script = shlex.split(unit("ExecStopPost")[0].removeprefix("-"))
    environ = {"SERVICE_RESULT": "watchdog", "RUNTIME_DIRECTORY": str(tmp_path)}
    subprocess.run([shell, option, script.replace("$$", "$")], env=environ, check=True)
    assert killed_by(environ) == "watchdog"
    assert unit("RuntimeDirectoryPreserve") == ["restart"]


def test_doors_wait_neither_for_the_network_nor_for_the_time() -> None:
    waits = " ".join(unit("After") + unit("Wants") + unit("Requires"))
    assert not re.search("network|time", waits)


def test_who_asks_at_the_socket_stays_known() -> None:
    """A user namespace would turn every caller's uid into nobody's."""
    assert unit("PrivateUsers") == []


# --- the first configuration ---------------------------------------------------------------------


@pytest.mark.parametrize("template", ["simulated", "raspberry-pi"])
@pytest.mark.parametrize("host", ["lobby", "Lobby_2.example.org", "-", "", "x" * 64])
def test_any_host_name_makes_a_configuration_that_loads(tmp_path: Path, template: str, host: str) -> None:
    file = tmp_path / "doorward.toml"
    file.write_text(first_config((ROOT / "config" / f"{template}.toml").read_text(), host, "Asia/Tokyo"))
    settings = load(file)
    assert settings.log.path == Path("/var/lib/doorward/log.db")
    assert settings.control.socket == Path("/run/doorward/doord.sock")
    assert settings.mqtt is None, "an upstream that does not exist must not be asked for"
    assert str(settings.controller.time_zone) == "Asia/Tokyo"


def test_a_controller_is_called_like_its_host() -> None:
    text = first_config((ROOT / "config" / "raspberry-pi.toml").read_text(), "Lobby_2.example.org")
    assert 'id = "lobby-2-example-org"' in text


def test_boot_lines_hold_every_output_of_the_header_at_its_resting_level() -> None:
    assert boot_lines(load(ROOT / "config" / "example-gpio.toml")) == (
        "dtparam=strict_gpiod",
        "gpio=17=op,dh",  # released by low, resting locked
        "gpio=23=op,dl",  # a buzzer that sounds when high
        "gpio=24=op,dl",  # released by low, resting unlocked
    )


def test_readers_do_not_beep_while_the_computer_starts() -> None:
    assert {"gpio=12=op,dh", "gpio=25=op,dh", "gpio=19=op,dl"} <= {
        *boot_lines(load(ROOT / "config" / "example-wiegand.toml"))
    }


def test_no_boot_lines_for_what_is_not_on_the_header(tmp_path: Path) -> None:
    file = tmp_path / "expander.toml"
    text = (ROOT / "config" / "example-gpio.toml").read_text()
    file.write_text(re.sub(r"(?m)^chip = \S+", 'chip = "pcf8574"', text))
    assert boot_lines(load(file)) == ()


# --- the installer -------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The file tree of a Raspberry Pi that has not got Doorward yet."""
    root = tmp_path / "image"
    for name, text in {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "etc/hostname": "Lobby\n",
        "boot/firmware/config.txt": "arm_64bit=1\ndtparam=strict_gpiod\n",
    }.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """Stands for a virtual environment: this interpreter, with this checkout on its path."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python.parents[1]


def install(
    *arguments: str | Path, installer: Path = ROOT / "systemd" / "install", **more: str
) -> subprocess.CompletedProcess[str]:
    return run(installer, *arguments, **more)


def link(image: Path, name: str) -> str:
    return str((image / "opt/doorward" / name).readlink())


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_a_fresh_pi_gets_a_service_and_a_configuration(image: Path, venv: Path) -> None:
    before = tree(image)
    done = install("--root", image, "--venv", venv)
    assert done.returncode == 0, done.stderr
    share = f"opt/doorward/releases/{__version__}-1/share/doorward"
    shared = {f"{share}/config/{path.name}" for path in (ROOT / "config").iterdir()}
    shared |= {f"{share}/doord.service", f"{share}/doorweb.service"}
    shared |= {f"{share}/completion/{path.name}" for path in (ROOT / "systemd" / "completion").iterdir()}
    manual = {"man/man1/doorctl.1", "man/man5/doorward.toml.5", "man/man8/doord.8"}
    assert tree(image) - before == {
        "etc/doorward/.last-release",
        "etc/doorward/doorward.toml",
        "etc/systemd/system/doord.service",
        "etc/systemd/system/doorweb.service",
        "etc/udev/rules.d/60-doorward.rules",
        "opt/doorward/current",
        *(f"opt/doorward/releases/{__version__}-1/{part}" for part in ("bin", "lib", "pyvenv.cfg")),
        *shared,
        *(f"opt/doorward/releases/{__version__}-1/share/{page}" for page in manual),
        *(f"usr/local/share/{page}" for page in manual),
        "usr/local/share/bash-completion/completions/doorctl",
        "usr/local/share/fish/vendor_completions.d/doorctl.fish",
        "usr/local/share/zsh/site-functions/_doorctl",
        "usr/lib/sysusers.d/doorward.conf",
        "usr/lib/tmpfiles.d/doorward.conf",
        "usr/local/bin/doorctl",
        "usr/local/bin/doord",
        "usr/local/bin/doorweb",
    }
    for path in (image / "usr/local/share").rglob("*"):  # each leads to a file of the release in charge
        if path.is_symlink():
            assert (image / str(path.readlink()).removeprefix("/")).resolve().is_file(), path
    settings = load(image / "etc/doorward/doorward.toml")
    assert settings.controller.id == "lobby"
    assert (settings.doors, settings.drivers) == ({}, {}), "nobody knows yet what hangs on which line"
    assert (image / "etc/doorward/doorward.toml").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("template", ["simulated", "raspberry-pi"])
def test_a_person_can_be_added_at_once_after_an_installation(tmp_path: Path, template: str) -> None:
    """No file of people has to be named, and no section to be invented."""
    text = first_config((ROOT / "config" / f"{template}.toml").read_text(), "lobby")
    file = tmp_path / "doorward.toml"
    file.write_text(text.replace("/var/lib/doorward", str(tmp_path)).replace("/run/doorward", str(tmp_path)))
    assert (load(file).directory.file, load(file).directory.managed) == (None, "here")
    with Ready(file):
        socket = ("--socket", tmp_path / "doord.sock")
        doorctl = (sys.executable, "-m", "edge.cli")
        added = run(*doorctl, "people", "add", "Grace Hopper", "--card", "12:3456", *socket)
        assert (added.returncode, added.stdout.splitlines()[0]) == (0, "Grace Hopper is added: grace-hopper")
        sheet = tmp_path / "people.csv"
        assert run(*doorctl, "people", "export", sheet, *socket).returncode == 0
        assert "Grace Hopper" in sheet.read_text()


def wired(image: Path) -> None:
    """As the template says: what is in comments now is what its owner has."""
    (image / "etc/doorward").mkdir()
    shutil.copy(ROOT / "config" / "raspberry-pi.toml", image / "etc/doorward/doorward.toml")


def test_a_first_configuration_drives_no_line_and_says_how(image: Path, venv: Path) -> None:
    said = install("--root", image, "--venv", venv).stdout
    text = (image / "etc/doorward/doorward.toml").read_text()
    assert "No door is guarded" in text
    assert "docs/installing.md" in text
    assert "no door is guarded yet" in said
    assert "gpio=" not in said
    example = re.sub(r"(?m)^# (?=\[|\w+ = |chip)", "", text)
    file = image / "example.toml"
    file.write_text(re.sub(r"(?ms)^\[(mqtt|commands)\].*?^$", "", example))
    assert load(file).doors["front"].id == "front", "the example works once its # are gone"


def test_it_says_which_boot_lines_are_missing(image: Path, venv: Path) -> None:
    wired(image)
    said = install("--root", image, "--venv", venv).stdout
    assert "    gpio=17=op,dl\n    gpio=23=op,dl\n" in said
    assert "    dtparam=strict_gpiod\n" not in said, "it is in config.txt already"
    with (image / "boot/firmware/config.txt").open("a") as file:
        file.write("gpio=17=op,dl\ngpio=23=op,dl\n")
    assert "config.txt" not in install("--root", image, "--venv", venv).stdout


def test_it_does_not_claim_to_have_started_anything(image: Path, venv: Path) -> None:
    assert "nothing was enabled or started" in install("--root", image, "--venv", venv).stdout


def test_another_installation_keeps_what_is_the_owners(image: Path, venv: Path) -> None:
    wired(image)
    install("--root", image, "--venv", venv)
    config = image / "etc/doorward/doorward.toml"
    config.write_text(config.read_text().replace("unlock_s = 5.0", "unlock_s = 7.0"))
    (image / "var/lib/doorward/log.db").write_text("records")
    assert install("--root", image, "--venv", venv).returncode == 0
    assert "unlock_s = 7.0" in config.read_text()
    assert (image / "var/lib/doorward/log.db").read_text() == "records"


def test_the_release_before_is_kept_and_older_ones_go(image: Path, venv: Path) -> None:
    for _ in range(3):
        assert install("--root", image, "--venv", venv).returncode == 0
    kept = sorted(path.name for path in (image / "opt/doorward/releases").iterdir())
    assert kept == [f"{__version__}-2", f"{__version__}-3"]
    assert link(image, "current") == f"releases/{__version__}-3"
    assert link(image, "previous") == f"releases/{__version__}-2"


def test_a_rollback_returns_to_the_release_before_and_forth_again(image: Path, venv: Path) -> None:
    assert install("--root", image, "--rollback").returncode == 1, "there is nothing to go back to"
    install("--root", image, "--venv", venv)
    install("--root", image, "--venv", venv)
    for release in (1, 2):
        assert install("--root", image, "--rollback").returncode == 0
        assert link(image, "current") == f"releases/{__version__}-{release}"


def test_a_release_brings_its_own_unit(image: Path, venv: Path) -> None:
    install("--root", image, "--venv", venv)
    (image / f"opt/doorward/releases/{__version__}-1/share/doorward/doord.service").write_text("the old unit")
    install("--root", image, "--venv", venv)
    assert (image / "etc/systemd/system/doord.service").read_text() == UNIT.read_text()
    install("--root", image, "--rollback")
    assert (image / "etc/systemd/system/doord.service").read_text() == "the old unit"


def test_a_configuration_that_the_new_release_cannot_use_switches_nothing(image: Path, venv: Path) -> None:
    install("--root", image, "--venv", venv)
    with (image / "etc/doorward/doorward.toml").open("a") as file:
        file.write("[door.without-a-lock]\n")
    before = tree(image)
    refused = install("--root", image, "--venv", venv)
    assert refused.returncode == 1
    assert "door.without-a-lock.lock" in refused.stderr
    assert tree(image) == before
    assert link(image, "current") == f"releases/{__version__}-1"


def test_a_build_that_fails_or_was_cut_off_leaves_the_old_release(image: Path, venv: Path, tmp_path: Path) -> None:
    install("--root", image, "--venv", venv)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("systemd", "config"):
        shutil.copytree(ROOT / name, checkout / name)
    (checkout / "edge").mkdir()
    shutil.copy(ROOT / "edge" / "__init__.py", checkout / "edge")
    before = tree(image)
    (image / "opt/doorward/releases/0.0.9-1").mkdir()
    (image / "opt/doorward/releases/0.0.9-1.unfinished").touch()
    (checkout / "wheels").mkdir()
    (checkout / "wheels" / "for").write_text("riscv64 3.99\n")
    failed = install("--root", image, installer=checkout / "systemd" / "install")
    assert failed.returncode != 0
    assert "this bundle is for riscv64" in failed.stderr
    assert tree(image) == before
    assert not (image / "opt/doorward/releases/0.0.9-1").exists()


def test_removing_keeps_configuration_and_log_and_purging_does_not(image: Path, venv: Path) -> None:
    before = tree(image)
    install("--root", image, "--venv", venv)
    (image / "var/lib/doorward/log.db").write_text("records")
    said = install("--root", image, "--remove").stdout
    assert "kept" in said
    assert tree(image) - before == {
        "etc/doorward/.last-release",
        "etc/doorward/doorward.toml",
        "var/lib/doorward/log.db",
    }
    assert install("--root", image, "--purge").returncode == 0
    assert tree(image) == before


def test_no_release_gets_a_number_that_another_has_had(image: Path, venv: Path) -> None:
    numbers = []
    for task in ("--rollback", "--rollback", "--remove", "--rollback"):
        for _ in range(2):
            assert install("--root", image, "--venv", venv).returncode == 0
            numbers.append(link(image, "current"))
        install("--root", image, task)
    assert numbers == [f"releases/{__version__}-{n}" for n in range(1, 9)]


def contents(root: Path) -> dict[str, str | bytes | None]:
    """Links by where they lead, files by what is in them, folders."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else (None if path.is_dir() else path.read_bytes())
        for path in root.rglob("*")
    }


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    """Programs that change the disk, which note their arguments; the one numbered $FAIL fails."""
    folder = tmp_path / "shims"
    folder.mkdir()
    for name in ("sync", "mv", "ln"):
        shim = folder / name
        shim.write_text(
            f'#!/bin/sh\necho "{name} $*" >>"$NOTES"\n'
            f'[ "$(wc -l <"$NOTES")" -ne "${{FAIL:-0}}" ] || exit 5\nexec {shutil.which(name)} "$@"\n'
        )
        shim.chmod(0o755)
    return folder


def watched(image: Path, venv: Path, shims: Path, fail: int = 0) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    notes = shims / "notes"
    notes.write_text("")
    path = f"{shims}:{os.environ['PATH']}"
    done = install("--root", image, "--venv", venv, PATH=path, NOTES=str(notes), FAIL=str(fail))
    return done, notes.read_text().replace(f"{image}/", "").splitlines()


@pytest.mark.parametrize("upgrade", [False, True], ids=["first", "upgrade"])
def test_a_step_that_fails_leaves_nothing_half_made(image: Path, venv: Path, shims: Path, upgrade: bool) -> None:
    for _ in range(2 * upgrade):
        install("--root", image, "--venv", venv)
    before = contents(image)
    kept = image.with_name("kept")
    shutil.copytree(image, kept, symlinks=True)
    _, steps = watched(image, venv, shims)
    for fail in range(1, len(steps) + 1, 5):
        shutil.rmtree(image)
        shutil.copytree(kept, image, symlinks=True)
        failed, _ = watched(image, venv, shims, fail)
        assert failed.returncode != 0, steps[fail - 1]
        assert contents(image) == before, steps[fail - 1]
        assert ("nothing has changed" if upgrade else "nothing was installed") in failed.stderr


def test_what_it_says_is_installed_is_on_the_disk(image: Path, venv: Path, shims: Path) -> None:
    """Each file is written aside, flushed, renamed, and its folder flushed; all of it before the next step needs it."""
    install("--root", image, "--venv", venv)
    done, steps = watched(image, venv, shims)
    assert done.returncode == 0, done.stderr
    renames = [(at, *step.split()[2:]) for at, step in enumerate(steps) if step.startswith("mv")]
    assert {new for _, _, new in renames} >= {
        "etc/systemd/system/doord.service",
        "etc/systemd/system/doorweb.service",
        "etc/doorward/.last-release",
        "opt/doorward/current",
        "opt/doorward/previous",
        "usr/local/bin/doord",
    }
    for at, aside, new in renames:
        assert aside == f"{new}.new"
        assert steps[at - 1] == f"sync {aside}" or steps[at - 1].startswith("ln -sfn ")
        assert steps[at + 1] == f"sync {Path(new).parent}"
    switch = steps.index("mv -Tf opt/doorward/current.new opt/doorward/current")
    unit = steps.index("mv -Tf etc/systemd/system/doord.service.new etc/systemd/system/doord.service")
    assert steps.index("sync -f opt/doorward") < unit < switch, "what they name is there before they are"
    assert {"sync -f opt/doorward", "sync -f etc/doorward", "sync -f etc/systemd/system"} <= {*steps[-6:]}


def test_it_needs_nothing_of_the_environment(image: Path, venv: Path) -> None:
    """As root by `su`, or from a service."""
    command = [ROOT / "systemd" / "install", "--root", image, "--venv", venv]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_at_once_are_refused(image: Path, venv: Path) -> None:
    install("--root", image, "--venv", venv)
    folder = os.open(image / "opt/doorward", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    refused = install("--root", image, "--venv", venv)
    os.close(folder)
    assert refused.returncode == 1
    assert "another installation is under way" in refused.stderr


@pytest.fixture
def booted(tmp_path: Path, shims: Path) -> Path:
    """The installer on a tree that systemd runs; doord starts unless there is a file `broken` beside it."""
    installer = tmp_path / "checkout" / "systemd" / "install"
    shutil.copytree(ROOT / "systemd", installer.parent)
    for name in ("config", "docs", "edge"):
        (tmp_path / "checkout" / name).symlink_to(ROOT / name)
    alive = '[ -z "$root" ] && [ -d /run/systemd/system ]'
    text = installer.read_text()
    assert alive in text
    installer.write_text(text.replace(alive, "true"))
    (shims / "udevadm").write_text("#!/bin/sh\n")
    (shims / "systemctl").write_text(
        f'#!/bin/sh\necho "$*" >>"$NOTES"\n[ "$*" != "restart doord" ] || [ ! -e "{tmp_path}/broken" ]\n'
    )
    for name in ("udevadm", "systemctl"):
        (shims / name).chmod(0o755)
    return installer


def started(
    installer: Path, image: Path, venv: Path, shims: Path
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    notes = shims / "notes"
    notes.write_text("")
    path = f"{shims}:{os.environ['PATH']}"
    done = install("--root", image, "--venv", venv, installer=installer, PATH=path, NOTES=str(notes))
    return done, [line for line in notes.read_text().splitlines() if line.split()[0] not in {"sync", "mv", "ln"}]


def test_a_first_release_that_does_not_start_leaves_nothing(
    image: Path, venv: Path, shims: Path, booted: Path, tmp_path: Path
) -> None:
    before = tree(image)
    (tmp_path / "broken").touch()
    failed, calls = started(booted, image, venv, shims)
    assert failed.returncode == 1
    assert f"doord {__version__}-1 does not start" in failed.stderr
    assert "nothing was installed" in failed.stderr
    assert tree(image) - before == {"etc/doorward/.last-release"}, "it was in charge: its number is taken"
    assert calls[-2:] == ["disable --now doord", "daemon-reload"]


def test_a_release_that_does_not_start_gives_way_to_the_one_before(
    image: Path, venv: Path, shims: Path, booted: Path, tmp_path: Path
) -> None:
    assert started(booted, image, venv, shims)[0].returncode == 0
    before = contents(image)
    (tmp_path / "broken").touch()
    failed, calls = started(booted, image, venv, shims)
    assert failed.returncode == 1
    assert f"{__version__}-1 is in charge" in failed.stderr
    assert {**contents(image), "etc/doorward/.last-release": b"1\n"} == before
    assert calls[-2:] == ["daemon-reload", "restart doord"]
    (tmp_path / "broken").unlink()
    assert started(booted, image, venv, shims)[0].returncode == 0
    assert link(image, "current") == f"releases/{__version__}-3", "2 was in charge for a moment"


def test_it_refuses_without_root() -> None:
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--clear-groups", "sh"]
        refused = subprocess.run(
            [*command, "-s"],
            input=(ROOT / "systemd" / "install").read_text(),
            capture_output=True,
            text=True,
            check=False,
        )
    else:
        refused = install()
    assert refused.returncode == 1
    assert "needs root" in refused.stderr


# --- Debian packages -----------------------------------------------------------------------------


def test_the_package_list_refuses_a_task_it_does_not_know() -> None:
    refused = run("sh", ROOT / "systemd" / "packages", "nonsense")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "unknown task nonsense" in refused.stderr


def test_the_package_list_installs_nothing_that_is_there(tmp_path: Path) -> None:
    """With every command present, apt-get is not called."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("python3", "mosquitto", "mosquitto_sub", "cc", "openssl", "systemd-analyze", "chromium"):
        (bin_ / name).write_text("#!/bin/sh\n")
        (bin_ / name).chmod(0o755)
    (bin_ / "apt-get").write_text("#!/bin/sh\nexit 9\n")
    (bin_ / "apt-get").chmod(0o755)
    done = run("sh", ROOT / "systemd" / "packages", "install", "demo", PATH=f"{bin_}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (0, "")
