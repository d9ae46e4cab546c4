"""Pictures on the disk: whole or not at all, within the quota, and nothing outside the folder."""

from __future__ import annotations

import os
import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.cameras import store as camera_store
from edge.cameras.fetch import LARGEST
from edge.cameras.store import MODE, MOST_OF_A_RECORD, PictureStore
from tests.support.cameras import JPEG, PNG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EPOCH = "0193f4c2-a6b1"
DAY_US = 86_400_000_000
NOW_US = 1_790_000_000_000_000
KIB = 1024


def picture(size: int = KIB) -> bytes:
    return JPEG[:4].ljust(size, b"\0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "pictures"


@pytest.fixture
def store(folder: Path) -> PictureStore:
    return PictureStore(folder, max_bytes=10 * KIB, keep_days=2)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def numbers(store: PictureStore) -> list[int]:
    """What is on the disk, and what the store believes that there is."""
    on_disk = [int(name[len(EPOCH) + 1 :][:16]) for name in names(store.folder)]
    assert (store.count, store.bytes) == (len(on_disk), sum(one.stat().st_size for one in store.folder.iterdir()))
    return on_disk


def stamp(store: PictureStore, sequence: int, at_us: int, epoch: str = EPOCH) -> None:
    for file in store.folder.glob(f"{epoch}-{sequence:016d}-*"):
        os.utime(file, ns=(at_us * 1000, at_us * 1000))


# --- put and shown ------------------------------------------------------------------------------------------


def test_what_is_put_is_there(store: PictureStore, folder: Path) -> None:
    assert store.of(EPOCH, 7) == []
    assert store.read(EPOCH, 7, "hall") is None
    assert not folder.exists(), "who only looks makes nothing"
    store.put(EPOCH, 7, "yard-2", PNG)
    store.put(EPOCH, 7, "hall", picture())
    store.put(EPOCH, 8, "hall", picture(2 * KIB))
    assert names(folder) == [
        f"{EPOCH}-0000000000000007-hall.jpg",
        f"{EPOCH}-0000000000000007-yard-2.png",
        f"{EPOCH}-0000000000000008-hall.jpg",
    ]
    hall, yard = store.of(EPOCH, 7)
    assert (hall.camera, hall.bytes) == ("hall", KIB)
    assert (yard.camera, yard.bytes) == ("yard-2", len(PNG))
    assert hall.taken_us == (folder / names(folder)[0]).stat().st_mtime_ns // 1000
    assert store.read(EPOCH, 7, "hall") == picture()
    assert store.read(EPOCH, 7, "yard-2") == PNG
    assert store.read(EPOCH, 8, "yard-2") is None
    assert store.of("another", 7) == store.of(EPOCH, 9) == []
    assert (store.count, store.bytes, store.removed) == (3, 3 * KIB + len(PNG), 0)


@pytest.mark.parametrize("mask", [0, 0o077], ids=["open", "closed"])
def test_others_may_not_look_and_the_group_may(store: PictureStore, folder: Path, mask: int) -> None:
    folder.parent.mkdir()
    before = os.umask(mask)
    try:
        store.put(EPOCH, 1, "hall", picture())
    finally:
        os.umask(before)
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == MODE == 0o640
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750 & ~mask


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xd8", b"GIF89a"])
def test_what_is_no_picture_is_not_kept(store: PictureStore, folder: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="no picture"):
        store.put(EPOCH, 1, "hall", content)
    assert not folder.exists()


def test_a_picture_of_the_same_number_takes_its_place(store: PictureStore, folder: Path) -> None:
    """A log that was restored counts from where it was."""
    store.put(EPOCH, 1, "hall", picture(3 * KIB))
    store.put(EPOCH, 1, "hall", picture(2 * KIB))
    assert (store.count, store.bytes) == (1, 2 * KIB)
    store.put(EPOCH, 1, "hall", PNG)
    assert names(folder) == [f"{EPOCH}-0000000000000001-hall.png"]
    assert (store.count, store.bytes) == (1, len(PNG))
    assert store.read(EPOCH, 1, "hall") == PNG


def test_a_record_shows_so_many_and_no_more(folder: Path) -> None:
    store = PictureStore(folder, max_bytes=1 << 20, keep_days=1)
    for number in range(MOST_OF_A_RECORD + 3):
        store.put(EPOCH, 1, f"c{number:03}", picture(10))
    assert [one.camera for one in store.of(EPOCH, 1)] == [f"c{number:03}" for number in range(MOST_OF_A_RECORD)]


def test_a_folder_that_was_removed_is_made_again(store: PictureStore, folder: Path) -> None:
    store.put(EPOCH, 1, "hall", picture())
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert store.of(EPOCH, 1) == []
    store.put(EPOCH, 2, "hall", picture())
    assert numbers(store) == [2]


# --- whole or not at all ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["fchmod", "fstat"])
def test_a_write_that_fails_leaves_nothing(
    store: PictureStore, folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    store.put(EPOCH, 1, "hall", picture())

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, fails, full)
        with pytest.raises(OSError, match="No space"):
            store.put(EPOCH, 2, "hall", picture())
    assert len(names(folder)) == 1
    store.put(EPOCH, 3, "hall", picture())
    assert numbers(store) == [1, 3]


def test_nobody_sees_half_a_picture(store: PictureStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(EPOCH, 1, "hall", picture(2 * KIB))
    seen: list[Any] = []
    fstat = os.fstat

    def look(handle: int) -> os.stat_result:
        """The new one is written and not yet in its place."""
        monkeypatch.setattr(os, "fstat", fstat)
        seen.extend([len(names(folder)), store.read(EPOCH, 1, "hall"), store.of(EPOCH, 2)])
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", look)
    store.put(EPOCH, 1, "hall", picture(KIB))
    assert seen == [2, picture(2 * KIB), []]
    assert store.read(EPOCH, 1, "hall") == picture(KIB)


def test_what_a_killed_run_was_writing_is_removed_and_nothing_else(store: PictureStore, folder: Path) -> None:
    folder.mkdir(parents=True)
    part = folder / f".{EPOCH}-0000000000000001-hall.jpg.part"
    part.write_bytes(picture())
    others = [
        "notes.txt",
        ".hidden",
        "x.part",
        ".x.part",
        f"{EPOCH}-0000000000000001-hall.jpg.part",
        f"{EPOCH}-1-hall.jpg",
    ]
    for name in others:
        (folder / name).write_bytes(b"not ours")
    (folder / f".{EPOCH}-0000000000000002-hall.jpg.part").mkdir()
    store.sweep(NOW_US)
    assert not part.exists()
    assert {*others} < {*names(folder)}
    assert (store.count, store.bytes) == (0, 0)
    store.put(EPOCH, 1, "hall", picture())
    assert store.count == 1


@pytest.mark.parametrize("torn", [b"", b"\0" * KIB, b"\xff\xd8", PNG], ids=["empty", "zeros", "short", "other"])
def test_what_the_power_cut_tore_is_not_shown(store: PictureStore, folder: Path, torn: bytes) -> None:
    store.put(EPOCH, 1, "hall", picture())
    store.put(EPOCH, 1, "yard", picture())
    (folder / f"{EPOCH}-0000000000000001-hall.jpg").write_bytes(torn)
    assert [one.camera for one in store.of(EPOCH, 1)] == ["yard"]
    assert store.read(EPOCH, 1, "hall") is None
    store.sweep(NOW_US)
    assert store.count == 2, "it takes room until it is old"


def test_what_is_too_large_for_an_answer_is_not_read(store: PictureStore, folder: Path) -> None:
    store.put(EPOCH, 1, "hall", picture())
    (folder / f"{EPOCH}-0000000000000001-hall.jpg").write_bytes(picture(LARGEST + 1))
    assert store.read(EPOCH, 1, "hall") is None


# --- the quota ----------------------------------------------------------------------------------------------


def test_beyond_the_quota_the_oldest_go(store: PictureStore) -> None:
    for number in range(1, 14):
        store.put(EPOCH, number, "hall", picture())
    assert numbers(store) == list(range(4, 14))
    store.put(EPOCH, 14, "hall", picture(KIB + 1))
    assert numbers(store) == list(range(6, 15))
    assert store.removed == 5
    store.put(EPOCH, 15, "hall", picture(10 * KIB))
    assert numbers(store) == [15]


def test_a_picture_larger_than_the_quota_drives_nothing_out(store: PictureStore) -> None:
    store.put(EPOCH, 1, "hall", picture())
    with pytest.raises(OSError, match="more than all pictures may have"):
        store.put(EPOCH, 2, "hall", picture(10 * KIB + 1))
    assert numbers(store) == [1]


def test_so_many_and_no_more_however_small(store: PictureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_store, "MOST", 3)
    for number in range(1, 6):
        store.put(EPOCH, number, "hall", picture(4))
    assert numbers(store) == [3, 4, 5]


def test_the_quota_holds_after_a_restart_and_when_it_became_smaller(store: PictureStore, folder: Path) -> None:
    for number in range(1, 11):
        store.put(EPOCH, number, "hall", picture())
    again = PictureStore(folder, max_bytes=10 * KIB, keep_days=2)
    assert (again.count, again.bytes) == (0, 0), "nothing was looked at"
    again.put(EPOCH, 11, "hall", picture())
    assert numbers(again) == list(range(2, 12))
    smaller = PictureStore(folder, max_bytes=2 * KIB, keep_days=2)
    smaller.sweep(None)
    assert numbers(smaller) == [10, 11]


def test_which_is_older_is_told_by_numbers_whatever_the_calendar_was(store: PictureStore, folder: Path) -> None:
    """A controller without a battery wakes up years ago: what happened just now is not the oldest."""
    for number in range(1, 11):
        store.put(EPOCH, number, "hall", picture())
        stamp(store, number, NOW_US + number)
    for number in (9, 10):
        stamp(store, number, number)
    again = PictureStore(folder, max_bytes=8 * KIB, keep_days=2)
    again.sweep(None)
    assert numbers(again) == list(range(3, 11))


def test_pictures_of_an_older_log_go_first(store: PictureStore, folder: Path) -> None:
    for epoch, number, at_us in (("zz", 900, 1), ("zz", 901, 2), ("aa", 1, 3), ("aa", 2, 4)):
        store.put(epoch, number, "hall", picture())
        stamp(store, number, at_us, epoch)
    again = PictureStore(folder, max_bytes=3 * KIB, keep_days=2)
    again.sweep(None)
    assert [name[:2] for name in names(folder)] == ["aa", "aa", "zz"]
    assert "901" in names(folder)[-1]


def test_what_somebody_else_removed_is_no_trouble(store: PictureStore, folder: Path) -> None:
    for number in range(1, 11):
        store.put(EPOCH, number, "hall", picture())
    for name in names(folder)[:3]:
        (folder / name).unlink()
    store.put(EPOCH, 11, "hall", picture())
    store.sweep(None)
    assert numbers(store) == list(range(4, 12))


def test_what_is_removed_while_we_look_is_no_trouble(
    store: PictureStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 4):
        store.put(EPOCH, number, "hall", picture())
    scandir = os.scandir

    class Late:
        """Somebody removes a file between its name and its size."""

        def __init__(self, path: Path) -> None:
            with scandir(path) as entries:
                self.entries = list(entries)
            (folder / f"{EPOCH}-0000000000000002-hall.jpg").unlink(missing_ok=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Late)
    store.sweep(None)
    assert store.count == 2
    assert store.of(EPOCH, 2) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(4, 4_000), st.booleans()), max_size=25),
    quota=st.integers(4, 9_000),
)
def test_the_quota_holds_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int, bool]], quota: int
) -> None:
    store = PictureStore(tmp_path_factory.mktemp("pictures"), max_bytes=quota, keep_days=1)
    for number, size, again in sizes:
        try:
            store.put(EPOCH, number, "hall", picture(size))
        except OSError:
            assert size > quota
        else:
            assert store.read(EPOCH, number, "hall") == picture(size), "what came last is there"
        if again:
            store.sweep(None)
        numbers(store)
        assert store.bytes <= quota


# --- age ----------------------------------------------------------------------------------------------------


def test_what_is_too_old_goes_when_there_is_a_calendar(store: PictureStore) -> None:
    for number, days in ((1, 5), (2, 2.01), (3, 1.99), (4, 0)):
        store.put(EPOCH, number, "hall", picture())
        stamp(store, number, NOW_US - round(days * DAY_US))
    store.sweep(None)
    assert numbers(store) == [1, 2, 3, 4]
    store.sweep(NOW_US)
    assert numbers(store) == [3, 4]
    assert store.removed == 2
    store.sweep(NOW_US + 3 * DAY_US)
    assert numbers(store) == []


def test_a_stamp_of_a_wrong_calendar_is_put_right_by_those_before_it(store: PictureStore) -> None:
    for number, at_us in ((1, NOW_US), (2, 5), (3, NOW_US + 900 * DAY_US), (4, NOW_US + DAY_US)):
        store.put(EPOCH, number, "hall", picture())
        stamp(store, number, at_us)
    store.sweep(NOW_US + DAY_US)
    assert numbers(store) == [1, 2, 3, 4], "the second was not written in 1970"
    store.sweep(NOW_US + 2 * DAY_US + 1)
    assert numbers(store) == [3, 4], "how old the third is, the fourth tells"
    store.sweep(NOW_US + 3 * DAY_US + 1)
    assert numbers(store) == []


# --- names from outside -------------------------------------------------------------------------------------

NAMES = st.one_of(
    st.text(max_size=80),
    st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    st.sampled_from(["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", "hall\n", "Hall", "a" * 64, "%2e%2e", "ä"]),
)
CALLS: list[Callable[[PictureStore, str, int, str], Any]] = [
    lambda store, epoch, sequence, camera: store.put(epoch, sequence, camera, JPEG[:100]),
    lambda store, epoch, sequence, camera: store.read(epoch, sequence, camera),
    lambda store, epoch, sequence, _camera: store.of(epoch, sequence),
]


@settings(max_examples=200)
@given(epoch=NAMES, sequence=st.integers(-2, 10**17), camera=NAMES)
@example(EPOCH, 10**16 - 1, "a" * 63)
@example(EPOCH, 10**16, "hall")
@example(EPOCH, 0, "hall")
def test_no_name_leads_out_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, epoch: str, sequence: int, camera: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.jpg").write_bytes(JPEG)
    store = PictureStore(outside / "in" / "pictures", max_bytes=KIB, keep_days=1)
    put = False
    for call in CALLS:
        try:
            found = call(store, epoch, sequence, camera)
        except ValueError:
            continue
        put = put or call is CALLS[0]
        assert found in (None, JPEG[:100], [], store.of(epoch, sequence))
    assert names(outside) == (["in", "secret.jpg"] if put else ["secret.jpg"])
    if put:
        [name] = names(store.folder)
        assert names(outside / "in") == ["pictures"]
        assert name == f"{epoch}-{sequence:016d}-{camera}.jpg"
        assert store.read(epoch, sequence, camera) == JPEG[:100]
        assert [one.camera for one in store.of(epoch, sequence)] == [camera]


@pytest.mark.parametrize(("epoch", "sequence"), [(EPOCH, 0), (EPOCH, -1), (EPOCH, 10**16), ("", 1), ("a.b", 1)])
def test_what_is_no_record_is_said(store: PictureStore, epoch: str, sequence: int) -> None:
    for call in CALLS:
        with pytest.raises(ValueError, match="no record"):
            call(store, epoch, sequence, "hall")


@pytest.mark.parametrize("camera", ["", "..", "Hall", "hall\n", "a" * 64, "../hall", "hall.jpg"])
def test_what_is_no_id_is_said(store: PictureStore, camera: str) -> None:
    for call in CALLS[:2]:
        with pytest.raises(ValueError, match="expected 1 to 63 of a-z, 0-9 and -"):
            call(store, EPOCH, 1, camera)


def test_whatever_else_bears_the_name_is_neither_shown_nor_touched(
    store: PictureStore, folder: Path, tmp_path: Path
) -> None:
    store.put(EPOCH, 1, "hall", picture())
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(picture())
    stem = f"{EPOCH}-0000000000000001"
    (folder / f"{stem}-link.jpg").symlink_to(outside)
    (folder / f"{stem}-gone.jpg").symlink_to(tmp_path / "nowhere")
    (folder / f"{stem}-dir.jpg").mkdir()
    os.mkfifo(folder / f"{stem}-pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(folder, os.O_PATH)
        listening.bind(f"/proc/self/fd/{here}/{stem}-socket.jpg")
        os.close(here)
    there = names(folder)
    assert len(there) == 6
    assert [one.camera for one in store.of(EPOCH, 1)] == ["hall"]
    for camera in ("link", "gone", "dir", "pipe", "socket"):
        assert store.read(EPOCH, 1, camera) is None
    store.sweep(2**60)
    assert store.count == 0
    assert names(folder) == [name for name in there if "hall" not in name]
    assert outside.read_bytes() == picture()


def test_a_link_is_replaced_and_not_followed(store: PictureStore, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"keep")
    folder.mkdir(parents=True)
    name = f"{EPOCH}-0000000000000001-hall.jpg"
    (folder / name).symlink_to(outside)
    store.put(EPOCH, 1, "hall", picture())
    assert not (folder / name).is_symlink()
    (folder / f".{EPOCH}-0000000000000002-hall.jpg.part").symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        store.put(EPOCH, 2, "hall", picture())
    assert outside.read_bytes() == b"keep"


# --- threads ------------------------------------------------------------------------------------------------


def test_many_at_once_keep_the_books_right(folder: Path) -> None:
    store = PictureStore(folder, max_bytes=20 * KIB, keep_days=1)
    together = threading.Barrier(6)
    wrong: list[object] = []

    def work(camera: str) -> None:
        together.wait(60)
        try:
            for number in range(1, 41):
                store.put(EPOCH, number, camera, picture())
                found = store.read(EPOCH, number, camera)
                if found not in (None, picture()):
                    wrong.append(found)
                store.of(EPOCH, number)
        except (OSError, ValueError, RuntimeError) as error:
            wrong.append(error)

    def sweep() -> None:
        together.wait(60)
        try:
            for _ in range(40):
                store.sweep(None)
        except (OSError, ValueError, RuntimeError) as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(f"c{i}",)) for i in range(5)] + [threading.Thread(target=sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
    assert len(numbers(store)) == 20
    assert store.count + store.removed == 200
