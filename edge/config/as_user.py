"""Looks at files as another user: in a child process that has given up root.

One rule: the parent keeps its user; the child returns a JSON document only.
"""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 1 << 24
"""Bytes of the child's answer."""


def as_user(name: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401 -- JSON
    """Call `look` as the user `name` and return its result, which must be JSON. Raises ValueError and OSError.

    Only root can become another user; for the calling user itself nothing changes. Modules that `look` needs must be
    loaded before: the other user may not be able to read them.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"there is no user {name!a}") from None
    if os.geteuid() == user.pw_uid:
        return look()
    if os.geteuid() != 0:
        raise ValueError(f"only root can look as the user {name}: sudo doorctl ...")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(write, user, look)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        answer = stream.read(LONGEST)
    os.waitpid(child, 0)
    try:
        result, failure = json.loads(answer)
    except ValueError:
        failure = "it ended early"
    if failure is not None:
        raise OSError(f"looking as the user {name} failed: {failure}")
    return result


def _answer(write: int, user: pwd.struct_passwd, look: Callable[[], Any]) -> None:
    """Run in the child; never returns."""
    code = 1
    try:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        with os.fdopen(write, "wb") as stream:
            try:
                answer = json.dumps([look(), None])
            except Exception as error:  # noqa: BLE001 -- any error is reported by the parent
                answer = json.dumps([None, f"{type(error).__name__}: {error}"])
            stream.write(answer.encode())
        code = 0
    finally:
        os._exit(code)
