"""SIGKILL of the writing process at random moments: what was reported as committed is there, dense and chained."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edge.log.verify import verify
from tests.support.logs import journal

ROOT = Path(__file__).parents[2]
WRITER = """
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from edge.system.clock import Clock
    from edge.log.log import Log
    from tests.support.logs import PATIENT, forced, opened

    async def main():
        log = Log(Path(sys.argv[1]), "hq", Clock(), PATIENT)

        news = asyncio.Event()

        def committed(records):
            news.set()
            for record in records:
                print(record.sequence, record.hash, flush=True)
            log.advance("mqtt", records[-1].sequence)

        log.on_commit(committed)
        log.start()
        await log.opened()
        number = 0
        while True:
            for _ in range(int(sys.argv[2])):
                number += 1
                log.append([opened(number, number), forced(number, number)], {{"front": str(number)}})
            news.clear()
            if log.health().waiting > 500:
                await news.wait()
            await asyncio.sleep(0)

    asyncio.run(main())
"""


def _write_and_kill(path: Path, chance: random.Random) -> dict[int, str]:
    """Returns what the killed process had reported: sequence -> hash."""
    program = textwrap.dedent(WRITER).format(root=str(ROOT))
    arguments = [sys.executable, "-c", program, str(path), str(chance.choice([1, 5, 100]))]
    reported: dict[int, str] = {}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(chance.randrange(1, 400)):
            line = child.stdout.readline().split()
            reported[int(line[0])] = line[1]
        child.kill()
        for text in child.stdout:  # what it had still managed to say
            line = text.split()
            if len(line) == 2 and len(line[1]) == 64:
                reported[int(line[0])] = line[1]
    return reported


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_reported_is_there_after_a_kill(tmp_path: Path, seed: int):
    path, chance = tmp_path / "log.db", random.Random(seed)
    reported: dict[int, str] = {}
    for _ in range(4):  # on the same file, so each start is one after a kill
        reported |= _write_and_kill(path, chance)
        result = verify(path)
        assert result.ok, result
        assert (result.first, result.checked) == (1, result.last)
        assert result.last >= max(reported)
    assert not list(tmp_path.glob("*damaged*"))

    async def compare() -> None:
        async with journal(path) as held:
            stored = {record.sequence: record.hash for record in await held.log.read(0, result.last)}
            assert {sequence: stored[sequence] for sequence in reported} == reported
            assert held.log.cursor("mqtt") <= result.last
            assert held.log.modes()["front"].isdigit()

    asyncio.run(compare())
