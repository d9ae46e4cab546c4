"""Panel and readers on a line in virtual time: trust, noise, cuts, many on one cable."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.osdp import secure
from drivers.osdp.facts import device_facts
from drivers.osdp.frames import Frame, Parser
from drivers.osdp.messages import CardData, Colour, CommandCode, InputStatus, KeypadData, LocalStatus, ReplyCode, light
from drivers.osdp.panel import Panel
from drivers.osdp.profile import Offline, Online, Switched, Unable
from drivers.osdp.switches import Relay, Sounder
from tests.support.osdp_line import KEY, MS, Line, S, device, loss, noise
from tests.support.osdp_pd import Reader

HANDSHAKE = {CommandCode.ID, CommandCode.CAP, CommandCode.CHLNG, CommandCode.SCRYPT}
SHOW_NS = 500 * MS


def settled(line: Line) -> Line:
    """Run until every reader is online."""
    line.until(lambda: all(device.online for device in line.panel.devices.values()))
    return line


# --- trust -----------------------------------------------------------------------------------------


def test_a_reader_with_our_key_comes_online_and_its_card_arrives() -> None:
    one, reader = device(), Reader(1, key=KEY, enforce=True)
    line = settled(Line([one], [reader]))
    assert line.now_ns < 300 * MS
    assert one.secured
    assert one.report.identity is not None
    assert one.report.identity.firmware == "1.2.3"
    reader.card(12345)
    line.run(S)
    assert line.heard(CardData) == [CardData(0, 26, (12345 << 6).to_bytes(4, "big"), "wiegand")]


def test_required_says_nothing_plain_but_what_leads_to_trust() -> None:
    one, reader = device(local=True, inputs=True, switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    one.say(light(0, Colour.GREEN, 1.0), line.now_ns)
    one.want("lock", line.now_ns, on=True)
    line.run(5 * S)
    plain = {code for _, code, _, block in reader.heard if block[:1] < bytes((secure.COMMAND,))}
    assert plain == HANDSHAKE
    assert {CommandCode.POLL, CommandCode.OUT, CommandCode.LED, CommandCode.LSTAT, CommandCode.ISTAT} <= {
        h[1] for h in reader.heard
    }


@pytest.mark.parametrize("key", [None, bytes(range(1, 17))])
def test_a_reader_without_our_key_is_refused_and_told_why(key: bytes | None) -> None:
    one, reader = device(), Reader(1, key=key)
    line = Line([one], [reader])
    reader.card(12345)
    line.run(20 * S)
    assert line.states() == ["offline"]
    assert "key" in one.report.reason
    assert line.heard(CardData) == []
    assert CommandCode.SCRYPT not in {code for _, code, _, _ in reader.heard}, "it was not given our proof either"


def test_a_plain_reader_is_refused_and_its_cards_with_it() -> None:
    one, reader = device(), Reader(1, refuses={CommandCode.CHLNG: 5})
    line = Line([one], [reader])
    reader.card(1)
    line.run(20 * S)
    assert line.states() == ["offline"]
    assert line.heard(CardData) == []


def test_a_card_thrown_in_by_somebody_on_the_cable_is_not_believed() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    thrown = itertools.count()

    def throw(_direction: str, _now_ns: int, byte: int) -> bytes:
        next(thrown)
        return bytes((byte,))

    line.wire = throw
    answer = reader.answer
    reader.answer = lambda frame, now_ns: (  # type: ignore[method-assign]  # somebody faster than the reader
        b"".join(reader.plain(sequence, ReplyCode.RAW, bytes((0, 1, 26, 0)) + bytes(4)) for sequence in (0, 1, 2, 3))
        + answer(frame, now_ns)
    )
    line.run(2 * S)
    assert line.heard(CardData) == []
    assert one.report.counts["mistrusted"] > 10
    assert one.online


def test_install_hands_the_key_over_and_trusts_only_that() -> None:
    one, reader = device(security="install"), Reader(1, install=True)
    reader.card(4711)
    line = settled(Line([one], [reader]))
    assert reader.key == KEY
    assert not reader.install
    assert one.report.key_installed
    line.run(S)
    assert len(line.heard(CardData)) == 1
    first_poll = next(at for at, (_, code, _, _) in enumerate(reader.heard) if code == CommandCode.POLL)
    assert [code for _, code, _, _ in reader.heard].index(CommandCode.KEYSET) < first_poll, (
        "no card under the default key"
    )
    later = Line([device()], [reader])
    settled(later)
    assert later.panel.devices[1].secured


def test_install_works_with_a_reader_that_has_the_key_already() -> None:
    one, reader = device(security="install"), Reader(1, key=KEY)
    settled(Line([one], [reader]))
    assert CommandCode.KEYSET not in {code for _, code, _, _ in reader.heard}


def test_install_with_a_lost_word_still_ends_with_our_key() -> None:
    for lost in range(30, 260):
        one, reader = device(security="install"), Reader(1, install=True)
        count = itertools.count()
        line = Line([one], [reader], wire=lambda *a, c=count, n=lost: b"" if next(c) == n else bytes((a[2],)))
        settled(line)
        assert (reader.key, one.secured) == (KEY, True), f"byte {lost}"


def test_install_does_not_give_the_key_to_a_stranger_in_the_place_of_a_known_reader() -> None:
    one, reader = device(security="install"), Reader(1, install=True)
    line = settled(Line([one], [reader]))
    line.cut.add(1)
    line.run(10 * S)
    stranger = Reader(1, install=True)
    line.readers[0] = stranger
    line.cut.clear()
    line.run(20 * S)
    assert stranger.key is None
    assert CommandCode.KEYSET not in {code for _, code, _, _ in stranger.heard}
    assert not one.online


def test_required_never_uses_the_default_key() -> None:
    one, reader = device(), Reader(1, install=True)
    line = Line([one], [reader])
    line.run(12 * S)
    assert {block[1] for _, code, _, block in reader.heard if code == CommandCode.CHLNG} == {1}
    assert line.states() == ["offline"]


def test_a_reader_that_refuses_the_key_is_lost() -> None:
    one, reader = device(security="install"), Reader(1, install=True, refuses={CommandCode.KEYSET: 9})
    line = Line([one], [reader])
    line.run(3 * S)
    assert line.states() == ["offline"]
    assert "new key" in one.report.reason


def test_off_is_plain() -> None:
    one, reader = device(security="off", key=b""), Reader(1)
    line = settled(Line([one], [reader]))
    reader.card(7)
    line.run(S)
    assert len(line.heard(CardData)) == 1
    assert not one.secured
    assert {block for _, _, _, block in reader.heard} == {b""}


def test_a_plain_panel_says_when_a_reader_insists_on_trust() -> None:
    one, reader = device(security="off", key=b""), Reader(1, key=KEY, enforce=True)
    line = Line([one], [reader])
    line.run(3 * S)
    assert line.states() == ["offline"]
    assert "required" in one.report.reason


# --- readers without CRC ----------------------------------------------------------------------------


def checks(line: Line) -> list[bool]:
    """Of each question whether it came with CRC."""
    return [frame.crc for _, raw in line.sent for frame in Parser().feed(raw)]


def test_a_reader_that_knows_only_the_checksum_is_asked_with_it_after_its_first_refusal() -> None:
    one, reader = device(security="off", key=b""), Reader(1, crc=False)
    line = settled(Line([one], [reader]))
    assert line.now_ns < 300 * MS
    assert device_facts(one)["check"] == "checksum"
    reader.card(7)
    line.run(S)
    assert len(line.heard(CardData)) == 1
    assert checks(line)[0], "the CRC is tried first"
    assert not any(checks(line)[1:])
    assert one.report.counts["restarted"] == 0


def test_a_reader_put_in_the_place_of_one_without_crc_is_asked_with_crc_again() -> None:
    one, reader = device(security="off", key=b""), Reader(1, crc=False)
    line = settled(Line([one], [reader]))
    line.cut.add(1)
    line.run(10 * S)
    line.readers[0] = Reader(1)
    line.cut.clear()
    settled(line)
    line.run(S)
    assert checks(line)[-1]
    assert device_facts(one)["check"] == "CRC-16"


def test_a_reader_that_has_said_it_knows_crc_keeps_it_through_a_damaged_refusal() -> None:
    one, reader = device(security="off", key=b""), Reader(1, capabilities=bytes((8, 1, 0)))
    line = settled(Line([one], [reader]))
    reader.crc = False
    line.until(lambda: one.report.counts["refused"])
    reader.crc = True
    line.run(S)
    assert all(checks(line)), "one flipped bit of the control byte must not weaken the check for good"
    assert line.states() == ["online"]


@pytest.mark.parametrize("security", ["required", "install"])
def test_no_secure_channel_begins_with_a_reader_that_knows_only_the_checksum(security: str) -> None:
    one, reader = device(security=security), Reader(1, key=KEY, crc=False)
    line = Line([one], [reader])
    line.run(12 * S)
    assert all(checks(line))
    assert line.states() == ["offline"]
    assert "checksum" in one.report.reason


# --- sequence, repetition ---------------------------------------------------------------------------


def sequences(line: Line) -> list[int]:
    return [frame.sequence for _, raw in line.sent for frame in Parser().feed(raw)]


def test_numbers_begin_at_0_and_go_on_with_1_2_3() -> None:
    line = settled(Line([device()], [Reader(1, key=KEY)]))
    line.run(S)
    assert sequences(line)[:8] == [0, 1, 2, 3, 1, 2, 3, 1]
    assert 0 not in sequences(line)[1:]


@pytest.mark.parametrize("direction", ["out", "in"])
@pytest.mark.parametrize("security", ["required", "off"])
def test_a_damaged_frame_is_repeated_as_it_was(direction: str, security: str) -> None:
    one, reader = device(security=security, switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    line.run(S)
    kept, at_ns = len(line.sent), line.now_ns
    hits = itertools.count()
    line.wire = lambda way, _, byte: bytes((byte ^ (0x11 if way == direction and next(hits) in {4, 6} else 0),))
    line.until(lambda: one.report.counts["repeated"] == 1)
    repeated = line.sent[-1][1]
    assert line.sent[-2][1] == repeated
    asked = one.report.counts["asked"]
    line.until(lambda: one.report.counts["asked"] > asked)
    assert line.now_ns - at_ns < 300 * MS
    assert one.report.counts["restarted"] == 0
    assert 0 not in sequences(line)[kept:]


@pytest.mark.parametrize("forgets", [False, True], ids=["by the standard", "takes a repetition for new"])
def test_one_flipped_bit_anywhere_costs_no_card_and_no_time(forgets: bool) -> None:
    """Every bit of 150 bytes in turn, while a card waits: also in the answer that carries it."""
    worst_ns = 0
    for hit in range(0, 150 * 8, 7):
        one, reader = device(), Reader(1, key=KEY, forgets=forgets)
        line = settled(Line([one], [reader]))
        line.run(100 * MS)
        reader.card(hit + 1)
        count = itertools.count()
        line.wire = lambda _, __, byte, c=count, h=hit: bytes((byte ^ (1 << h % 8 if next(c) == h // 8 else 0),))
        shown_ns = line.now_ns
        line.until(lambda line=line: line.heard(CardData), SHOW_NS)
        worst_ns = max(worst_ns, line.now_ns - shown_ns)
        line.run(S)
        assert len(line.heard(CardData)) == 1, f"bit {hit}"
        assert line.states() == ["online"], f"bit {hit}"
    assert worst_ns < 300 * MS


def test_a_reader_that_repeats_its_answer_is_heard_once() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader], turnaround_ns=120 * MS))
    for number in range(5):
        reader.card(number)
        line.run(S)
    assert len(line.heard(CardData)) == 5
    assert line.states() == ["online"]


def test_slow_readers_are_waited_for() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader], turnaround_ns=190 * MS))
    line.run(10 * S)
    assert one.report.counts["silent"] == 0


def test_a_reader_that_lost_count_is_back_at_once() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    line.run(S)
    reader.reset()
    reader.card(9)
    took_ns = line.now_ns
    line.until(lambda: line.heard(CardData))
    assert line.now_ns - took_ns < 400 * MS
    assert line.states() == ["online"]


def test_a_busy_reader_is_asked_the_same_again() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    reader.busy = 5
    reader.card(3)
    line.run(2 * S)
    assert len(line.heard(CardData)) == 1
    assert one.report.counts["busy"] == 5
    assert one.report.counts["restarted"] == 0


def test_a_reader_that_is_busy_for_ever_is_lost() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    reader.busy = 1 << 30
    line.run(12 * S)
    assert line.states() == ["online", "offline"]
    assert "busy" in one.report.reason


# --- noise, cuts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgets", [False, True], ids=["by the standard", "takes a repetition for new"])
@pytest.mark.parametrize("seed", range(4))
def test_at_three_bytes_in_a_thousand_every_card_arrives_once(seed: int, forgets: bool) -> None:
    one, reader = device(), Reader(1, key=KEY, forgets=forgets)
    line = Line([one], [reader], wire=noise(0.003, seed))
    for number in range(38):
        line.at(S + number * SHOW_NS, lambda number=number: reader.card(number + 1))
    line.run(22 * S)
    numbers = [int.from_bytes(card.data, "big") >> 6 for card in line.heard(CardData)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= (37 if forgets else 38)
    assert line.states() == ["online"]


@pytest.mark.parametrize("seed", range(3))
def test_bytes_that_vanish_cost_no_card_of_a_reader_that_repeats(seed: int) -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = Line([one], [reader], wire=loss(0.003, seed))
    for number in range(38):
        line.at(S + number * SHOW_NS, lambda number=number: reader.card(number + 1))
    line.run(22 * S)
    assert len(line.heard(CardData)) == 38
    assert line.states() == ["online"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([0.001, 0.01, 0.05, 0.3]))
def test_no_noise_makes_a_card_or_stops_the_panel(seed: int, rate: float) -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = Line([one], [reader], wire=noise(rate, seed))
    line.run(12 * S)
    assert line.heard(CardData) == []
    line.wire = lambda _, __, byte: bytes((byte,))
    line.until(lambda: one.online and one.secured)
    reader.card(1)
    line.run(2 * S)
    assert len(line.heard(CardData)) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300 * MS), st.binary(max_size=60)), max_size=30))
def test_whatever_comes_from_the_line_the_panel_goes_on(babble: list[tuple[int, bytes]]) -> None:
    panel, now_ns = Panel([device(), device(2)], 9600), 0
    for pause_ns, data in babble:
        now_ns += pause_ns
        turn = panel.advance(now_ns, data)
        assert turn.wake_ns > 0
    asked = sum(bool(panel.advance(now_ns + at * 100 * MS).send) for at in range(200))
    assert asked > 5
    assert not any(isinstance(h, Online) for h in panel.happenings())


def test_a_cut_shorter_than_eight_seconds_loses_nothing() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    line.cut.add(1)
    reader.card(5)
    line.run(7 * S)
    line.cut.clear()
    line.run(2 * S)
    assert line.states() == ["online"]
    assert len(line.heard(CardData)) == 1


@pytest.mark.parametrize("cut_s", [9.5, 20.0, 100.3])
def test_a_longer_cut_is_reported_after_eight_seconds_and_ends_within_two(cut_s: float) -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    line.run(S)
    cut_ns = line.now_ns
    line.cut.add(1)
    line.run(round(cut_s * S))
    lost_ns = next(at for at, h in line.happenings if isinstance(h, Offline))
    assert 7.9 * S < lost_ns - cut_ns < 10 * S
    line.cut.clear()
    back_ns = line.until(lambda: one.online) - line.now_ns
    assert back_ns == 0
    assert line.now_ns - cut_ns - round(cut_s * S) < 2 * S
    assert line.states() == ["online", "offline", "online"]


def test_a_reader_that_never_was_there_is_reported_once() -> None:
    line = Line([device()], [])
    line.run(60 * S)
    assert line.states() == ["offline"]
    assert 7.9 * S < line.happenings[0][0] < 10 * S


# --- many on one cable ------------------------------------------------------------------------------


def test_two_readers_share_a_line() -> None:
    readers = [Reader(1, key=KEY), Reader(2, key=bytes(16))]
    line = settled(Line([device(1), device(2, key=bytes(16))], readers))
    for number in range(10):
        for reader in readers:
            reader.card(number)
        line.run(SHOW_NS)
    assert len(line.heard(CardData)) == 20
    shares = [sum(code == CommandCode.POLL for _, code, _, _ in reader.heard) for reader in readers]
    assert abs(shares[0] - shares[1]) < 5


def test_lost_readers_do_not_starve_the_others() -> None:
    """One good reader among nine that are not there: it is asked at least half as often as alone."""
    alone = settled(Line([device(1)], [Reader(1, key=KEY)]))
    alone.run(30 * S)
    line = Line([device(address) for address in range(1, 11)], [Reader(1, key=KEY)])
    line.until(lambda: line.panel.devices[1].online)
    line.run(30 * S)
    polls = [sum(code == CommandCode.POLL for _, code, _, _ in each.readers[0].heard) for each in (alone, line)]
    assert polls[1] > polls[0] / 2
    times = [at for at, code, _, _ in line.readers[0].heard if code == CommandCode.POLL]
    assert max(b - a for a, b in itertools.pairwise(times[50:])) < 300 * MS


def test_one_among_many_lost_readers_is_back_within_a_few_seconds() -> None:
    readers = [Reader(1, key=KEY), Reader(2, key=KEY)]
    line = Line([device(address) for address in range(1, 9)], readers)
    line.until(lambda: line.panel.devices[1].online and line.panel.devices[2].online)
    line.cut.add(2)
    line.run(20 * S)
    line.cut.clear()
    back_ns = line.now_ns
    line.until(lambda: line.panel.devices[2].online)
    assert line.now_ns - back_ns < 4 * S


def test_a_reader_hears_nobody_elses_answers() -> None:
    readers = [Reader(1, key=KEY), Reader(2, key=KEY)]
    line = settled(Line([device(1), device(2)], readers))
    readers[1].card(77)
    line.run(S)
    assert [h.address for _, h in line.happenings if not isinstance(h, Online)] == [2]


def test_a_transceiver_that_hears_itself_does_no_harm() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = Line([one], [reader])
    to_readers = line._to_readers

    def echoing(byte: int) -> None:
        line._advance(bytes((byte,)))
        to_readers(byte)

    line._to_readers = echoing  # type: ignore[method-assign]  # the wire is both directions' wire
    settled(line)
    reader.card(5)
    line.run(S)
    assert len(line.heard(CardData)) == 1
    assert one.report.counts["repeated"] == 0


# --- switches, inputs, lights -------------------------------------------------------------------------


def test_a_relay_is_told_to_rest_first_and_falls_back_by_itself() -> None:
    one, reader = device(switches={"lock": Relay(1, rest=False)}), Reader(1, key=KEY)
    reader.relays[1].order(2, 0, 0)  # left on by whoever was here before
    line = settled(Line([one], [reader]))
    line.until(lambda: [h for _, h in line.happenings if isinstance(h, Switched)])
    assert not reader.relays[1].on(line.now_ns)
    one.want("lock", line.now_ns, on=True)
    line.run(60 * S)
    assert reader.relays[1].on(line.now_ns), "as long as it is wanted"
    line.cut.add(1)
    line.run(6 * S)
    assert not reader.relays[1].on(line.now_ns), "not for longer than somebody says so"
    assert [h.on for _, h in line.happenings if isinstance(h, Switched)] == [False, True]


def test_a_relay_that_rests_on_falls_back_to_on() -> None:
    one, reader = device(switches={"lock": Relay(0, rest=True)}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    line.run(S)
    assert reader.relays[0].on(line.now_ns)
    one.want("lock", line.now_ns, on=False)
    line.run(20 * S)
    assert not reader.relays[0].on(line.now_ns)
    line.cut.add(1)
    line.run(6 * S)
    assert reader.relays[0].on(line.now_ns)


def test_a_relay_is_put_right_after_the_reader_lost_its_power() -> None:
    one, reader = device(switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    one.want("lock", line.now_ns, on=True)
    line.run(S)
    reader.reset()
    line.run(S)
    assert reader.relays[0].on(line.now_ns)
    assert [h.on for _, h in line.happenings if isinstance(h, Switched)] == [False, True], "no news twice"


def test_a_lost_readers_relay_rests_until_told_again() -> None:
    one, reader = device(switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    one.want("lock", line.now_ns, on=True)
    line.run(S)
    line.cut.add(1)
    line.run(12 * S)
    line.cut.clear()
    line.run(5 * S)
    assert not reader.relays[0].on(line.now_ns)
    assert [h.on for _, h in line.happenings if isinstance(h, Switched)] == [False, True, False]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_no_relay_stays_on_for_longer_than_somebody_wants_it(seed: int) -> None:
    """Noise, cuts, restarts and changing wishes for ten minutes; the relay is looked at ten times a second."""
    dice = random.Random(seed)
    one, reader = device(switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY, forgets=seed % 3 == 0)
    line = settled(Line([one], [reader]))
    noisy, quiet = noise(0.02, seed), line.wire
    wanted_ns = -10 * S
    for _ in range(6000):
        chance = dice.random()
        if chance < 0.02:
            one.want("lock", line.now_ns, on=dice.random() < 0.5)
        elif chance < 0.025:
            line.cut ^= {1}
        elif chance < 0.03:
            reader.reset()
        elif chance < 0.04:
            line.wire = noisy if line.wire is quiet else quiet
        line.run(100 * MS)
        if one.switches["lock"].wanted:
            wanted_ns = line.now_ns
        assert not reader.relays[0].on(line.now_ns) or line.now_ns - wanted_ns <= 6 * S
    line.cut.clear()
    line.wire = quiet
    one.want("lock", line.now_ns, on=True)
    line.run(12 * S)
    one.want("lock", line.now_ns, on=True)
    line.run(2 * S)
    assert reader.relays[0].on(line.now_ns), "and it still obeys"


def test_a_reader_that_cannot_time_its_relay_is_told_for_good() -> None:
    one = device(switches={"lock": Relay(0, rest=False)})
    reader = Reader(1, key=KEY, capabilities=bytes((2, 1, 1)))
    line = settled(Line([one], [reader]))
    one.want("lock", line.now_ns, on=True)
    line.run(S)
    assert reader.relays[0].permanent
    one.want("lock", line.now_ns, on=False)
    line.run(S)
    assert not reader.relays[0].on(line.now_ns)


def test_a_reader_without_relays_says_so_once_and_stays_online() -> None:
    one, reader = device(switches={"lock": Relay(0, rest=False)}), Reader(1, key=KEY, refuses={CommandCode.OUT: 3})
    line = settled(Line([one], [reader]))
    line.run(20 * S)
    assert [h.switch for _, h in line.happenings if isinstance(h, Unable)] == ["lock"]
    assert line.states() == ["online"]


def test_the_sounder_sounds_as_long_as_it_is_wanted() -> None:
    one, reader = device(switches={"buzzer": Sounder()}), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    one.want("buzzer", line.now_ns, on=True)
    line.run(10 * S)
    one.want("buzzer", line.now_ns, on=False)
    line.run(S)
    told = [data[1] for _, code, data, _ in reader.heard if code == CommandCode.BUZ]
    assert told[0] == told[-1] == 1
    assert set(told[1:-1]) == {2}
    assert len(told) >= 6


def test_inputs_and_tamper_are_known_at_once_and_looked_at_again() -> None:
    one, reader = device(inputs=True, local=True), Reader(1, key=KEY)
    reader.inputs[2] = 1
    line = settled(Line([one], [reader]))
    line.run(S)
    assert line.heard(InputStatus) == [InputStatus(b"\0\0\1\0")]
    assert line.heard(LocalStatus) == [LocalStatus(tamper=False, power_failure=False)]
    reader.inputs[2], reader.tamper = 0, True  # and does not say so by itself
    line.run(3 * S)
    assert line.heard(InputStatus)[-1] == InputStatus(b"\0\0\0\0")
    assert line.heard(LocalStatus)[-1].tamper


def test_a_reader_without_inputs_is_not_asked_for_ever() -> None:
    one, reader = device(inputs=True), Reader(1, key=KEY, refuses={CommandCode.ISTAT: 3})
    line = settled(Line([one], [reader]))
    line.run(20 * S)
    assert sum(code == CommandCode.ISTAT for _, code, _, _ in reader.heard) == 1
    assert line.states() == ["online"]


def test_keys_arrive() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    reader.events.append((ReplyCode.KEYPAD, b"\0\x0312\x0d"))
    line.run(S)
    assert line.heard(KeypadData) == [KeypadData(0, "12#")]


def test_lights_wait_in_a_short_queue() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = settled(Line([one], [reader]))
    for second in range(1, 100):
        one.say(light(0, Colour.RED, second / 10), line.now_ns)
    line.run(2 * S)
    times = [data[7] for _, code, data, _ in reader.heard if code == CommandCode.LED]
    assert times == [*range(92, 100)], "the latest stay"


def test_a_proof_that_fails_once_because_an_answer_was_late_is_no_wrong_key() -> None:
    one, reader = device(), Reader(1, key=KEY)
    line = Line([one], [reader])
    handshake, failures = reader.handshake, itertools.count()

    def late(frame: Frame) -> bytes:
        answer = handshake(frame)
        if frame.code == CommandCode.CHLNG and next(failures) < 2:
            reader.keys = None  # it has begun another handshake meanwhile
        return answer

    reader.handshake = late  # type: ignore[method-assign]  # a reader that is confused for a while
    settled(line)
    assert line.states() == ["online"]
    assert line.now_ns < S
