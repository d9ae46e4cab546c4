"""The secure channel: what each side computes, and that nothing changed, repeated or invented gets in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.osdp import secure
from drivers.osdp.frames import Frame, Parser
from drivers.osdp.secure import SecureError, SecureSession, SessionKeys

KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


def pair(key: bytes = KEY) -> tuple[SecureSession, SecureSession]:
    keys = SessionKeys.derive(key, b"panelrnd", b"readrnd!")
    return SecureSession(keys), SecureSession(keys, device=True)


def over_the_wire(frame: Frame) -> Frame:
    [arrived] = Parser().feed(frame.encode())
    return arrived


def test_the_cipher_is_aes() -> None:
    block = secure._ecb(KEY, bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert block.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a", "FIPS 197, appendix C.1"


def test_the_default_key_is_the_one_everybody_knows() -> None:
    assert secure.DEFAULT_KEY.hex() == "303132333435363738393a3b3c3d3e3f"


def test_session_keys_come_from_six_bytes_of_the_panels_random() -> None:
    one = SessionKeys.derive(KEY, b"panelrAA", b"readrnd!")
    two = SessionKeys.derive(KEY, b"panelrBB", b"readrnd!")
    assert (one.encrypt, one.mac1, one.mac2) == (two.encrypt, two.mac1, two.mac2)
    assert one.encrypt == secure._ecb(KEY, b"\x01\x82panelr" + bytes(8))
    assert one.mac1 == secure._ecb(KEY, b"\x01\x01panelr" + bytes(8))
    assert one.mac2 == secure._ecb(KEY, b"\x01\x02panelr" + bytes(8))
    assert one.device_cryptogram == secure._ecb(one.encrypt, b"panelrAAreadrnd!")
    assert one.panel_cryptogram == secure._ecb(one.encrypt, b"readrnd!panelrAA")


@given(st.lists(st.tuples(st.binary(max_size=80), st.binary(max_size=80)), max_size=6))
def test_a_conversation(talk: list[tuple[bytes, bytes]]) -> None:
    panel, reader = pair()
    for at, (question, answer) in enumerate(talk):
        asked = over_the_wire(panel.seal(5, at % 3 + 1, 0x60, question))
        assert asked.security == (b"\x17" if question else b"\x15")
        assert reader.open(asked) == question
        answered = over_the_wire(reader.seal(5, at % 3 + 1, 0x50, answer))
        assert answered.security == (b"\x18" if answer else b"\x16")
        assert panel.fits(answered)
        assert panel.open(answered) == answer


def test_what_is_secret_does_not_travel() -> None:
    panel, _ = pair()
    assert b"a secret of some length" not in panel.seal(5, 1, 0x75, b"a secret of some length").encode()


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_changed_frame_is_refused_and_changes_nothing(answer: bytes, data: st.DataObject) -> None:
    panel, reader = pair()
    reader.open(panel.seal(5, 1, 0x60, b""))
    right = reader.seal(5, 1, 0x50, answer)
    changed = bytearray(right.data)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    for wrong in (
        replace(right, data=bytes(changed)),
        replace(right, code=0x40),
        replace(right, sequence=2),
        replace(right, address=6),
        replace(right, mac=bytes(4)),
        replace(right, security=b"\x16"),
    ):
        with pytest.raises(SecureError):
            panel.open(wrong)
        assert not panel.fits(wrong)
    assert panel.open(right) == answer


def test_an_old_answer_is_refused() -> None:
    panel, reader = pair()
    reader.open(panel.seal(5, 1, 0x60, b""))
    old = reader.seal(5, 1, 0x50, b"card")
    panel.open(old)
    reader.open(panel.seal(5, 1, 0x60, b""))
    with pytest.raises(SecureError, match="code is wrong"):
        panel.open(old)


def test_plain_talk_is_refused() -> None:
    panel, reader = pair()
    reader.open(panel.seal(5, 1, 0x60, b""))
    with pytest.raises(SecureError, match="plain"):
        panel.open(Frame(5, True, 1, 0x50, b"card"))


def test_the_panels_own_words_are_no_answer() -> None:
    panel, _ = pair()
    with pytest.raises(SecureError):
        panel.open(replace(panel.seal(5, 1, 0x60, b"data"), reply=True))


def test_a_card_that_is_authentic_but_not_secret_is_refused() -> None:
    panel, reader = pair()
    reader.open(panel.seal(5, 1, 0x60, b""))
    bare = Frame(5, True, 1, 0x50, b"card", b"\x16")
    bare = bare.with_mac(reader._mac(bare.covered, reader._theirs))
    assert panel.fits(bare)
    with pytest.raises(SecureError, match="not encrypted"):
        panel.open(bare)
    nak = Frame(5, True, 1, 0x41, b"\x09", b"\x16")
    assert panel.open(nak.with_mac(reader._mac(nak.covered, reader._theirs))) == b"\x09"


@pytest.mark.parametrize("secret", [b"", bytes(15), bytes(17)])
def test_an_authentic_answer_whose_secret_is_no_whole_blocks_is_refused(secret: bytes) -> None:
    panel, reader = pair()
    reader.open(panel.seal(5, 1, 0x60, b""))
    odd = Frame(5, True, 1, 0x50, secret, b"\x18")
    with pytest.raises(SecureError, match="odd length"):
        panel.open(odd.with_mac(reader._mac(odd.covered, reader._theirs)))


def test_sealed_frames_have_a_crc() -> None:
    panel, reader = pair()
    assert panel.seal(5, 1, 0x60, b"").crc
    assert reader.seal(5, 1, 0x40, b"data").crc


def test_another_key_is_another_session() -> None:
    panel, _ = pair()
    _, stranger = pair(bytes(16))
    with pytest.raises(SecureError):
        stranger.open(panel.seal(5, 1, 0x60, b""))
