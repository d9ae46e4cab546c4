"""Signed commands: only what a known key has signed, for this controller, now, and within what the key may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from edge.commands.claims import LONGEST_UNLOCK_VALID_S, LONGEST_VALID_S
from edge.commands.parsing import MAX_COMMAND_BYTES, Context, Order, Refusal, parse_command
from edge.commands.shape import Body, RefusedError, Signer
from edge.commands.tokens import MAX_HEADER, Keyring, PublicKey, read_keys, thumbprint
from edge.config.files import check_files
from edge.model.messages import Actor, ClockQuality
from edge.settings.commands import COMMANDS
from edge.settings.controller import KeySettings
from tests.support.configs import GOOD, problems_of, settings_of
from tests.support.signatures import Pair, coded, joined

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_795_384_623  # 2026-11-22T21:57:03Z
ALL, GUARD, OTHER = Pair(1), Pair(2), Pair(3)
UPSTREAM = Signer("upstream.pub.pem", thumbprint(ALL.public))
LOBBY = Signer("lobby", thumbprint(GUARD.public), frozenset({"unlock", "lock"}), frozenset({"front"}))
RING = Keyring([PublicKey(ALL.public, UPSTREAM), PublicKey(GUARD.public, LOBBY)])
HERE = Context("hq-lobby", ["front", "back"], NOW_S * 1_000_000, ClockQuality.SYNCED, True, RING)
UNSYNCED = Context("hq-lobby", ["front", "back"], NOW_S * 1_000_000, ClockQuality.UNSYNCED, True, RING)
CLAIMS: dict[str, Any] = {
    "aud": "hq-lobby",
    "jti": "c-1",
    "iat": NOW_S - 3,
    "exp": NOW_S + 27,
    "command": "unlock",
    "door": "front",
    "for_s": 5,
    "actor": {"id": "ann", "name": "Ann"},
}
DIAGNOSE = {key: value for key, value in CLAIMS.items() if key not in {"door", "for_s"}} | {"command": "diagnose"}
HAPPENED = {"type": "user.activate_2fa", "object": {"type": "user", "id": "u-1", "name": "Ann"}, "details": {"by": "x"}}


def claims(base: dict[str, Any] = CLAIMS, **changes: Any) -> dict[str, Any]:
    """None takes a key away."""
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def judge(token: bytes, context: Context = HERE) -> Order | Refusal:
    found = parse_command(token, context, retained=False)
    return found.late or found if isinstance(found, Order) else found


def refused(token: bytes, context: Context = HERE) -> Refusal:
    found = judge(token, context)
    assert isinstance(found, Refusal)
    assert found.message
    return found


def accepted(token: bytes, context: Context = HERE) -> Order:
    found = judge(token, context)
    assert isinstance(found, Order), found
    return found


# --- the standards ------------------------------------------------------------------------------------


def test_the_vectors_of_rfc_8037_are_verified() -> None:
    """Appendix A.1 to A.5: a key, its thumbprint, and a signature over what is no command."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    token = (
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    signer = Signer("rfc", thumbprint(public))
    assert Keyring([PublicKey(public, signer)]).open(token) == (signer, b"Example of Ed25519 signing")
    found = refused(token, Context("hq", [], 0, ClockQuality.SYNCED, True, Keyring([PublicKey(public, signer)])))
    assert (found.code, found.signer) == ("malformed", signer)


def test_what_another_library_has_signed_is_obeyed() -> None:
    token = jwt.encode(CLAIMS, ALL.private_pem, algorithm="EdDSA").encode()
    assert accepted(token).id == "c-1"


# --- what is obeyed -----------------------------------------------------------------------------------


def test_a_signed_unlock_becomes_an_order_that_knows_its_key() -> None:
    found = accepted(ALL.token(CLAIMS))
    ann = Actor("operator", "ann", "Ann")
    at_us = NOW_S * 1_000_000
    assert found == Order("c-1", "unlock", ("front",), ann, at_us - 3_000_000, at_us + 27_000_000, 5.0, signer=UPSTREAM)
    assert accepted(ALL.token(CLAIMS) + b"\n") == found  # as a shell sends it


def test_an_audience_may_be_a_list_of_this_controller_alone_and_the_object_may_say_id_and_times_itself() -> None:
    whole = claims(
        aud=["hq-lobby"], id="c-1", issued_at="2026-11-22T21:57:00.9Z", expires_at="2026-11-22T22:57:30+01:00"
    )
    assert accepted(ALL.token(whole)) == accepted(ALL.token(CLAIMS))


@pytest.mark.parametrize("header", [{"alg": "EdDSA"}, {"alg": "EdDSA", "typ": "jwt"}])
def test_a_header_may_leave_out_what_it_is(header: dict[str, Any]) -> None:
    assert accepted(ALL.token(CLAIMS, header)).signer == UPSTREAM


@pytest.mark.parametrize("kid", ["lobby", LOBBY.thumbprint])
def test_a_header_may_name_its_key(kid: str) -> None:
    header = {"alg": "EdDSA", "kid": kid}
    assert accepted(GUARD.token(CLAIMS, header)).signer == LOBBY
    assert refused(ALL.token(CLAIMS, header)).code == "bad_signature"  # a good key, and not the one that is named


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": None}, "wrong_audience"),
        ({"aud": "hq-yard"}, "wrong_audience"),
        ({"aud": ["hq-lobby", "hq-yard"]}, "wrong_audience"),
        ({"aud": ["hq-lobby", "hq-lobby"]}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": "HQ-LOBBY"}, "wrong_audience"),
        ({"aud": {"hq-lobby": 1}}, "wrong_audience"),
        ({"jti": None}, "malformed"),
        ({"jti": 7}, "malformed"),
        ({"jti": "c 1"}, "malformed"),
        ({"id": "c-2"}, "malformed"),
        ({"iat": None}, "malformed"),
        ({"exp": None}, "malformed"),
        ({"iat": float(NOW_S)}, "malformed"),
        ({"exp": str(NOW_S + 9)}, "malformed"),
        ({"iat": True}, "malformed"),
        ({"iat": -1}, "malformed"),
        ({"exp": 10**15}, "malformed"),
        ({"exp": NOW_S - 3}, "malformed"),
        ({"exp": NOW_S}, "expired"),
        ({"iat": NOW_S + 61, "exp": NOW_S + 90}, "issued_in_future"),
        ({"exp": NOW_S - 3 + LONGEST_UNLOCK_VALID_S + 1}, "valid_too_long"),
        ({"issued_at": "2026-11-22T21:57:01Z"}, "malformed"),
        ({"issued_at": "soon"}, "malformed"),
        ({"issued_at": 5}, "malformed"),
        ({"expires_at": "2026-11-22T21:57:31Z"}, "malformed"),
        ({"iss": "upstream"}, "malformed"),
        ({"nbf": NOW_S}, "malformed"),
        ({"door": "attic"}, "unknown_door"),
        ({"command": "fly"}, "unknown_command"),
        ({"command": ["unlock"]}, "unknown_command"),
        ({"actor": None}, "malformed"),
    ],
)
def test_what_a_known_key_has_signed_is_refused_all_the_same(changes: dict[str, Any], code: str) -> None:
    found = refused(ALL.token(claims(**changes)))
    assert (found.code, found.signer) == (code, UPSTREAM)
    assert found.id == ("c-1" if changes.get("jti", "c-1") == "c-1" and "id" not in changes else found.id)


def test_the_bounds_of_validity_are_sharp() -> None:
    assert (LONGEST_UNLOCK_VALID_S, LONGEST_VALID_S) == (300, 86_400)
    assert accepted(ALL.token(claims(iat=NOW_S - 299, exp=NOW_S + 1)))
    hold = claims(command="hold_unlocked", for_s=None, iat=NOW_S - 86_399, exp=NOW_S + 1)
    assert accepted(ALL.token(hold))
    assert refused(ALL.token(claims(hold, exp=NOW_S + 2))).code == "valid_too_long"


@pytest.mark.parametrize(
    ("command", "obeyed"),
    [
        ("unlock", False),
        ("hold_unlocked", False),
        ("cancel_lockdown", False),
        ("unblock", False),
        ("lock", True),
        ("lock_down", True),
        ("block", True),
    ],
)
def test_without_a_clock_nothing_that_was_kept_back_lets_anybody_in(command: str, obeyed: bool) -> None:
    token = ALL.token(claims(command=command, for_s=None, iat=NOW_S - 80_000, exp=NOW_S - 70_000 + 30))
    if command == "unlock":
        token = ALL.token(CLAIMS)
    if obeyed:
        assert accepted(token, UNSYNCED).name == command
    else:
        assert refused(token, UNSYNCED).code == "clock_unsynced"


def test_a_record_from_who_knows_when_waits_for_a_clock() -> None:
    entered = claims(DIAGNOSE, command="record", event=HAPPENED)
    assert accepted(ALL.token(entered)).entry
    assert refused(ALL.token(entered), UNSYNCED).code == "clock_unsynced"


@pytest.mark.parametrize(
    "payload",
    [json.dumps(CLAIMS).encode(), json.dumps({**CLAIMS, "id": "c-1", "issued_at": "x"}).encode()],
)
def test_a_plain_object_is_not_signed(payload: bytes) -> None:
    found = refused(payload)
    assert (found.code, found.signer, found.actor) == ("not_signed", None, None)


def test_a_signature_of_nobody_known_says_nothing_of_its_sender() -> None:
    found = refused(OTHER.token(CLAIMS))
    assert (found.code, found.id, found.name, found.door) == ("bad_signature", None, None, None)
    assert (found.actor, found.signer) == (None, None)


def test_a_verified_sender_is_named_in_a_refusal() -> None:
    found = refused(ALL.token(claims(exp=NOW_S)))
    assert (found.actor, found.signer) == (Actor("operator", "ann", "Ann"), UPSTREAM)


PUBLIC_RAW = ALL.public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def hmac_token(key: bytes, alg: str = "HS256") -> bytes:
    signed = coded({"alg": alg, "typ": "JWT"}) + b"." + coded(CLAIMS)
    return signed + b"." + coded(hmac.digest(key, signed, hashlib.sha256))


SIGNED = ALL.token(CLAIMS)
GOOD_SIGNATURE = base64.urlsafe_b64decode(SIGNED.rpartition(b".")[2] + b"==")
TRICKS = {
    "none": joined({"alg": "none"}, CLAIMS, b""),
    "none with dots": joined({"alg": "none"}, CLAIMS, b"x" * 64),
    "None": joined({"alg": "None"}, CLAIMS, GOOD_SIGNATURE),
    "no alg": ALL.token(CLAIMS, {"typ": "JWT"}),
    "alg null": ALL.token(CLAIMS, {"alg": None}),
    "alg list": ALL.token(CLAIMS, {"alg": ["EdDSA"]}),
    "alg eddsa": ALL.token(CLAIMS, {"alg": "eddsa"}),
    "alg Ed25519": ALL.token(CLAIMS, {"alg": "Ed25519"}),
    "alg ES256": ALL.token(CLAIMS, {"alg": "ES256"}),
    "hmac with the pem": hmac_token(ALL.public_pem),
    "hmac with the raw key": hmac_token(PUBLIC_RAW),
    "hmac called EdDSA": hmac_token(ALL.public_pem, "EdDSA"),
    "hmac of 64 bytes": b"%s.%s"
    % (
        (signed := coded({"alg": "HS512"}) + b"." + coded(CLAIMS)),
        coded(hmac.digest(ALL.public_pem, signed, hashlib.sha512)),
    ),
    "alg twice": ALL.token(CLAIMS, b'{"alg":"none","alg":"EdDSA"}'),
    "own key": OTHER.token(
        CLAIMS, {"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": coded(PUBLIC_RAW).decode()}}
    ),
    "key from elsewhere": ALL.token(CLAIMS, {"alg": "EdDSA", "jku": "https://example.org"}),
    "critical": ALL.token(CLAIMS, {"alg": "EdDSA", "crit": ["exp"]}),
    "detached": ALL.token(CLAIMS, {"alg": "EdDSA", "b64": False, "crit": ["b64"]}),
    "typ": ALL.token(CLAIMS, {"alg": "EdDSA", "typ": "JOSE"}),
    "typ number": ALL.token(CLAIMS, {"alg": "EdDSA", "typ": 1}),
    "kid number": ALL.token(CLAIMS, {"alg": "EdDSA", "kid": 1}),
    "kid unknown": ALL.token(CLAIMS, {"alg": "EdDSA", "kid": "nobody"}),
    "kid a path": ALL.token(CLAIMS, {"alg": "EdDSA", "kid": "/dev/null"}),
    "header no object": ALL.token(CLAIMS, b"[]"),
    "header no json": ALL.token(CLAIMS, b"EdDSA"),
    "header deep": ALL.token(CLAIMS, b"[" * 700),
    "header long": ALL.token(CLAIMS, b'{"alg":"EdDSA"' + b" " * MAX_HEADER + b"}"),
    "no signature": SIGNED.rpartition(b".")[0] + b".AA",
    "short": SIGNED[:-2],
    "zeros": SIGNED.rpartition(b".")[0] + b"." + coded(bytes(64)),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_token_does_not_say_how_it_is_verified(name: str) -> None:
    assert refused(TRICKS[name]).code in {"bad_signature", "malformed"}
    assert refused(TRICKS[name]).signer is None


@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 255))
def test_one_byte_changed_anywhere_is_never_obeyed(at: int, byte: int) -> None:
    changed = SIGNED[:at] + bytes([byte]) + SIGNED[at + 1 :]
    if changed != SIGNED:
        assert refused(changed).signer is None


@given(st.integers(0, len(SIGNED)), st.binary(min_size=1, max_size=3))
@example(0, b" ")
@example(0, b"\n")
@example(len(SIGNED), b" ")
@example(len(SIGNED), b"=")
@example(len(SIGNED), b".AA")
def test_bytes_that_are_added_anywhere_are_never_obeyed_but_the_ends_of_lines(at: int, more: bytes) -> None:
    changed = SIGNED[:at] + more + SIGNED[at:]
    if changed.rstrip(b"\r\n") != SIGNED:
        assert refused(changed).signer is None


def test_every_spelling_of_the_last_character_but_one_is_refused() -> None:
    """Its spare bits decode to the same signature elsewhere, and would make two tokens of one."""
    others = [SIGNED[:-1] + bytes([c]) for c in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert [token for token in others if isinstance(judge(token), Order)] == [SIGNED]


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=70))
def test_no_token_whatever_raises(header: bytes, content: bytes, signature: bytes) -> None:
    assert refused(joined(header, content, signature)).signer is None
    assert refused(header + b"." + content + b"." + signature).signer is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from([*CLAIMS, "id", "issued_at", "expires_at", "event", "all", "doors", "sub"]),
)
def test_nothing_that_a_known_key_signs_raises(value: Any, key: str) -> None:
    found = judge(ALL.token({**CLAIMS, key: value}))
    assert isinstance(found, Order) or found.signer == UPSTREAM


def test_size_is_judged_before_anything_else() -> None:
    class Nobody:
        signers = ()

        def open(self, _token: bytes) -> tuple[Signer, bytes]:
            raise AssertionError("it was opened")

    here = Context("hq-lobby", ["front"], NOW_S * 1_000_000, ClockQuality.SYNCED, True, Nobody())
    assert refused(b"A" * MAX_COMMAND_BYTES + b".A.A", here).code == "too_large"


def test_with_no_key_that_can_be_read_nothing_is_obeyed() -> None:
    here = Context("hq-lobby", ["front"], NOW_S * 1_000_000, ClockQuality.SYNCED, signatures_required=True)
    assert refused(SIGNED, here).code == "bad_signature"
    empty = Context("hq-lobby", ["front"], NOW_S * 1_000_000, ClockQuality.SYNCED, True, Keyring([]))
    assert refused(SIGNED, empty).code == "bad_signature"


def test_without_keys_a_signed_command_is_no_command() -> None:
    plain = Context("hq-lobby", ["front"], NOW_S * 1_000_000, ClockQuality.SYNCED)
    assert refused(SIGNED, plain).code == "malformed"


# --- what a key may -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signer", "changes", "permitted"),
    [
        (LOBBY, {}, True),
        (LOBBY, {"command": "lock", "for_s": None}, True),
        (LOBBY, {"command": "lock_down", "for_s": None}, False),
        (LOBBY, {"door": "back"}, False),
        (LOBBY, {"door": None, "doors": ["front"]}, True),
        (LOBBY, {"door": None, "doors": ["front", "back"]}, False),
        (LOBBY, {"door": None, "all": True}, False),
        (Signer("k", "t", None, frozenset({"front", "back"})), {"door": None, "all": True}, True),
        (Signer("k", "t", None, frozenset({"front"})), {"door": None, "for_s": None, "command": "diagnose"}, False),
        (
            Signer("k", "t", frozenset({"diagnose"}), frozenset({"front"})),
            {"door": None, "for_s": None, "command": "diagnose"},
            True,
        ),
        (Signer("k", "t", frozenset({"diagnose"})), {}, False),
        (
            Signer("k", "t", frozenset({"record"})),
            {"door": None, "for_s": None, "command": "record", "event": HAPPENED},
            True,
        ),
        (
            Signer("k", "t", frozenset({"unlock"})),
            {"door": None, "for_s": None, "command": "record", "event": HAPPENED},
            False,
        ),
    ],
)
def test_a_key_may_what_its_table_says(signer: Signer, changes: dict[str, Any], permitted: bool) -> None:
    here = Context(
        "hq-lobby",
        ["front", "back"],
        NOW_S * 1_000_000,
        ClockQuality.SYNCED,
        True,
        Keyring([PublicKey(ALL.public, signer)]),
    )
    found = judge(ALL.token(claims(**changes)), here)
    if permitted:
        assert isinstance(found, Order)
    else:
        assert isinstance(found, Refusal)
        assert (found.code, found.signer) == ("not_permitted", signer)
        assert signer.name in found.message


# --- key files and their configuration -------------------------------------------------------------------


def other_keys() -> dict[str, bytes]:
    spki = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "ec": ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*spki),
        "rsa": rsa.generate_private_key(65537, 2048).public_key().public_bytes(*spki),
        "ed448": ed448.Ed448PrivateKey.generate().public_key().public_bytes(*spki),
    }


def test_key_files_are_read_and_every_bad_one_is_named(tmp_path: Path) -> None:
    content = {"good": ALL.public_pem, "private": ALL.private_pem, "same": ALL.public_pem, "noise": b"x", "empty": b""}
    content |= other_keys()
    names = [*content, "missing"]
    for name, pem in content.items():
        (tmp_path / name).write_bytes(pem)
    ring, problems = read_keys([KeySettings(f"commands.key.{name}", name, tmp_path / name) for name in names])
    assert [signer.name for signer in ring.signers] == ["good"]
    none, kind = "which is no public key, expected an Ed25519 one in PEM", "which is a key of another kind"
    assert {key.removeprefix("commands.key."): text.split(" ", 2)[2] for key, text in problems.items()} == {
        "private": "which is a private key, expected its public key: a private key must not be on a controller",
        "same": "the same key as good, expected another",
        "noise": none,
        "empty": none,
        "ec": f"{kind}, expected an Ed25519 one",
        "rsa": f"{kind}, expected an Ed25519 one",
        "ed448": f"{kind}, expected an Ed25519 one",
        "missing": "expected a file that can be read: No such file or directory",
    }
    assert ALL.private_pem.decode().splitlines()[1] not in str(problems)


TABLE = '[commands]\nkeys = ["all.pem"]\n[commands.key.lobby]\nfile = "lobby.pem"\n'


def test_a_table_says_what_a_key_may(tmp_path: Path) -> None:
    ALL.write(tmp_path / "all.pem")
    GUARD.write(tmp_path / "lobby.pem")
    settings = settings_of(tmp_path, GOOD + TABLE + 'commands = ["unlock", "record"]\ndoors = ["front"]\n')
    assert check_files(settings) == ()
    assert settings.commands.keys == (
        KeySettings("commands.keys[0]", "all.pem", tmp_path / "all.pem"),
        KeySettings(
            "commands.key.lobby",
            "lobby",
            tmp_path / "lobby.pem",
            frozenset({"unlock", "record"}),
            frozenset({"front"}),
        ),
    )
    ring, problems = read_keys(settings.commands.keys)
    assert not problems
    assert ring.signers[1] == Signer(
        "lobby", thumbprint(GUARD.public), frozenset({"unlock", "record"}), frozenset({"front"})
    )


def test_everything_that_is_wrong_with_a_table_is_said_at_once(tmp_path: Path) -> None:
    text = """
    [commands.key.a]
    file = 5
    comands = ["unlock"]
    [commands.key.b]
    file = "b.pem"
    commands = ["open"]
    [commands.key.c]
    file = "c.pem"
    doors = ["frnt"]
    [commands.key.d]
    commands = []
    doors = "front"
    [commands.key."E F"]
    file = "e.pem"
    [commands.key]
    g = 7
    """
    found = problems_of(tmp_path, GOOD.replace("[door", text.replace("    ", "") + "[door"))
    expected = [
        'commands.key.E F: found "E F", expected 1 to 63 of a-z, 0-9 and -',
        "commands.key.a.file: found 5, expected the path of a file",
        'commands.key.a.comands: unknown key, did you mean "commands"?',
        'commands.key.b.commands: found "open", expected ' + problems_list(),
        'commands.key.c.doors[0]: found "frnt", did you mean "front"?',
        "commands.key.d.file: missing, expected the path of a file",
        f"commands.key.d.commands: found a list, expected a list of {problems_list(in_order=True)}",
        'commands.key.d.doors: found "front", expected a list of the ids of doors',
        "commands.key.g: found 7, expected a table",
    ]
    assert found == expected


def problems_list(*, in_order: bool = False) -> str:
    words = [f'"{word}"' for word in (COMMANDS if in_order else sorted(COMMANDS))]
    return f"{', '.join(words[:-1])} or {words[-1]}"


def test_bad_key_files_are_problems_of_a_check(tmp_path: Path) -> None:
    (tmp_path / "all.pem").write_bytes(ALL.private_pem)
    settings = settings_of(tmp_path, GOOD + TABLE)
    assert [problem.key for problem in check_files(settings)] == ["commands.keys[0]", "commands.key.lobby"]


def test_the_commands_that_a_table_can_name_are_those_there_are() -> None:
    literal = Body.model_fields["command"].annotation
    assert set(literal.__args__) == set(COMMANDS)  # type: ignore[union-attr] -- it is a Literal


def test_a_controller_without_keys_loads_neither_jwt_nor_cryptography() -> None:
    code = (
        "import sys, edge.daemon.doord, edge.daemon.daemon, edge.commands.intake, edge.config.reading\n"
        "print(sorted({'jwt', 'cryptography', 'edge.commands.tokens'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.strip() == "[]"


def test_a_token_that_is_not_for_anybody_is_a_refused_error() -> None:
    with pytest.raises(RefusedError) as found:
        RING.open(OTHER.token(CLAIMS))
    assert found.value.code == "bad_signature"
