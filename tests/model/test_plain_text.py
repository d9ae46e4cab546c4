"""What editors do to files: a mark in front, line ends of another system, no last line end, another encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from edge.config.reading import load
from edge.delivery.secrets import Secrets
from edge.directory.document.reading import DirectoryError, read
from edge.model.plain_text import text_of
from edge.model.problems import ConfigError
from edge.system.secret_files import FileError, secret_in
from tests.support.configs import GOOD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDITORS: dict[str, Callable[[str], bytes]] = {
    "a mark in front": lambda text: text.encode("utf-8-sig"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "a mark and CRLF": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
    "no last line end": lambda text: text.rstrip("\n").encode(),
}
ENCODINGS = {"utf-16": "UTF-16", "utf-32": "UTF-32"}
DIRECTORY = '{"version": 3,\n "users": [{"id": "ada", "name": "Ada Löve"}]}\n'


@pytest.mark.parametrize("editor", EDITORS)
def test_a_file_means_the_same_whichever_editor_saved_it(tmp_path: Path, editor: str) -> None:
    save, config, secret = EDITORS[editor], tmp_path / "doorward.toml", tmp_path / "secret"
    config.write_bytes(save(GOOD.replace('name = "HQ"', 'name = "Büro"')))
    assert load(config).controller.name == "Büro"
    assert read(save(DIRECTORY), config, ZoneInfo("UTC")).users["ada"].name == "Ada Löve"
    secret.write_bytes(save("grün, sehr geheim\n"))
    assert secret_in(secret) == "grün, sehr geheim"
    (tmp_path / "secrets").mkdir()
    secret.rename(tmp_path / "secrets" / "hook")
    assert Secrets(tmp_path).read("hook") == "grün, sehr geheim".encode()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_another_encoding_is_called_by_its_name(tmp_path: Path, encoding: str) -> None:
    config, secret = tmp_path / "doorward.toml", tmp_path / "secret"
    said = f"found {ENCODINGS[encoding]}, expected UTF-8: save it again with that encoding"
    config.write_text(GOOD, encoding=encoding)
    with pytest.raises(ConfigError) as refused:
        load(config)
    assert str(refused.value) == f"{config}: {said}, expected TOML"
    with pytest.raises(DirectoryError, match=said):
        read(DIRECTORY.encode(encoding), config, ZoneInfo("UTC"))
    secret.write_text("hunter2", encoding=encoding)
    with pytest.raises(FileError) as unread:
        secret_in(secret)
    assert str(unread.value) == f"{secret}: {said}"


def test_a_byte_that_is_not_utf_8_is_named_by_its_line() -> None:
    with pytest.raises(ValueError, match="line 2: found a byte that is not UTF-8"):
        text_of(b"\xef\xbb\xbfone\ntw\xff\n")


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\xef\xbb\xbf\n", b"x" * 4097])
def test_a_password_file_without_a_password_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(FileError, match=r"secret: found \d+ characters, expected a password of 1 to 4096"):
        secret_in(tmp_path / "secret")
