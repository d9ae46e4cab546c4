"""How a camera is told who we are: the examples of the standards, and challenges that nobody should trust."""

from __future__ import annotations

import base64
import hashlib
import urllib.request

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.cameras.auth import LONGEST_CHALLENGES, authorization

REALM = "http-auth@example.org"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
MD5_ANSWER = "8ca523f5e9506fed4657c9700eebdbec"
SHA_ANSWER = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
"""RFC 7616, 3.9.1."""
BASIC = 'Basic realm="here"'
BASIC_ANSWER = "Basic " + base64.b64encode(b"Mufasa:Circle of Life").decode()


def challenge(algorithm: str | None, qop: str | None = "auth, auth-int") -> str:
    parts = [f'realm="{REALM}"', f'nonce="{NONCE}"', f'opaque="{OPAQUE}"']
    parts += [f"algorithm={algorithm}"] if algorithm else []
    parts += [f'qop="{qop}"'] if qop is not None else []
    return "Digest " + ", ".join(parts)


def answer(*challenges: str) -> str | None:
    return authorization(challenges, "/dir/index.html", "Mufasa", "Circle of Life", CNONCE)


def parts(*challenges: str) -> dict[str, str]:
    """Read by the standard library."""
    scheme, _, rest = (answer(*challenges) or "").partition(" ")
    assert scheme == "Digest"
    return urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))


# --- the examples -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "response"), [("MD5", MD5_ANSWER), ("SHA-256", SHA_ANSWER)])
def test_the_examples_of_the_standard(algorithm: str, response: str) -> None:
    assert parts(challenge(algorithm)) == {
        "username": "Mufasa",
        "realm": REALM,
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": NONCE,
        "nc": "00000001",
        "cnonce": CNONCE,
        "qop": "auth",
        "response": response,
        "opaque": OPAQUE,
    }


def test_what_must_not_be_quoted_is_not() -> None:
    """RFC 7616, 3.4: old servers compare letter by letter."""
    said = answer(challenge("SHA-256")) or ""
    assert all(part in said for part in ("algorithm=SHA-256", "qop=auth", "nc=00000001"))
    assert 'username="Mufasa"' in said


def test_the_example_of_the_old_standard() -> None:
    """RFC 2069, 2.4, with its erratum 749."""
    realm, nonce, opaque = (
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "5ccc069c403ebaf9f0171e9517f40e41",
    )
    old = f'Digest realm="{realm}", nonce="{nonce}", opaque="{opaque}"'
    said = authorization([old], "/dir/index.html", "Mufasa", "CircleOfLife", CNONCE) or ""
    assert urllib.request.parse_keqv_list(urllib.request.parse_http_list(said.partition(" ")[2])) == {
        "username": "Mufasa",
        "realm": realm,
        "nonce": nonce,
        "uri": "/dir/index.html",
        "response": "1949323746fe6a43ef61f9606e7febea",
        "opaque": opaque,
    }


def test_basic_is_utf_8() -> None:
    said = authorization([BASIC], "/", "door", "Zoë:1", CNONCE) or ""
    assert base64.b64decode(said.removeprefix("Basic ")).decode() == "door:Zoë:1"


# --- which of several ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["one line", "a line each"])
def test_the_strongest_is_answered_wherever_it_stands(together: bool) -> None:
    def offered(*kinds: str) -> list[str]:
        return [", ".join(kinds)] if together else list(kinds)

    md5, sha = challenge("MD5"), challenge("SHA-256")
    for order in ((BASIC, md5, sha), (sha, md5, BASIC), (md5, BASIC, sha), ("Negotiate", sha, "NTLM")):
        assert parts(*offered(*order))["response"] == SHA_ANSWER
    assert parts(*offered(BASIC, md5))["response"] == MD5_ANSWER
    assert answer(*offered("NTLM", BASIC)) == BASIC_ANSWER


@pytest.mark.parametrize(
    "other",
    [
        challenge("SHA-512-256"),
        challenge("MD5-sess"),
        challenge("MD5", qop="auth-int"),
        challenge("MD5").replace("nonce", "once"),
        challenge("MD5").replace("realm", "reals"),
        challenge("MD5").replace(REALM, "a\rX-Evil: 1"),
        challenge("MD5").replace(NONCE, "\x7f"),
        challenge("MD5").replace(OPAQUE, "é"),
        "Digest",
        "Bearer",
        "",
    ],
)
def test_what_cannot_be_answered_leaves_basic_or_nothing(other: str) -> None:
    assert answer(other) is None
    assert answer(other, BASIC) == BASIC_ANSWER
    assert parts(other, challenge("MD5"))["response"] == MD5_ANSWER, "the next line is read all the same"


def test_nothing_offered_is_nothing_answered() -> None:
    assert answer() is None
    assert answer('realm="x"') is None, "a parameter of nothing"


# --- how it may be written ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        challenge("MD5"),
        challenge(None),
        challenge("md5"),
        challenge('"MD5"'),
        challenge("MD5", qop="AUTH"),
        challenge("MD5", qop="auth-int,auth"),
        challenge("MD5", qop=" auth ,"),
        challenge("MD5").replace("Digest", "dIgEsT"),
        challenge("MD5").replace("realm", "REALM").replace("nonce", "Nonce"),
        challenge("MD5").replace(", ", ","),
        challenge("MD5").replace(", ", " \t, ,\t").replace("=", " = "),
        challenge("MD5") + ", stale=FALSE,",
        challenge("MD5") + ', realm="another", domain="/ http://x/y", charset=UTF-8',
        challenge("MD5").replace("http", "\\h\\ttp"),
        f"Negotiate, {challenge('MD5')}",
        f"Digest  {challenge('MD5').removeprefix('Digest ')}",
    ],
)
def test_a_challenge_may_be_written_in_many_ways(written: str) -> None:
    assert parts(written)["response"] == MD5_ANSWER


def test_algorithm_is_named_only_when_the_camera_named_it() -> None:
    assert "algorithm" not in parts(challenge(None))


def test_quotes_are_escaped_and_hashed_as_they_are_meant() -> None:
    realm = 'IP "Camera" \\ 7'
    said = parts(challenge("MD5").replace(REALM, 'IP \\"Camera\\" \\\\ 7'))
    assert said["realm"] == realm
    secret = hashlib.md5(f"Mufasa:{realm}:Circle of Life".encode()).hexdigest()
    what = hashlib.md5(b"GET:/dir/index.html").hexdigest()
    right = hashlib.md5(f"{secret}:{NONCE}:00000001:{CNONCE}:auth:{what}".encode()).hexdigest()
    assert said["response"] == right


# --- what nobody should trust -------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("Digest", "Basic", "realm", "nonce", "qop", "opaque", "algorithm", "MD5", "SHA-256", "auth"),
        *(" ", ",", "=", '"', "'", ";", "\\", "\r\n", "\0", "\x85", "é", "\u2028"),
        *('realm="a"', 'nonce="b"', 'opaque="\r\nX: y"'),
    ]
)
HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=30).map("".join),
    st.lists(PIECES, max_size=30).map(", ".join).map(lambda rest: f"Digest {rest}"),
    st.tuples(st.text(), st.text(), st.text()).map(
        lambda t: f'Digest realm="{t[0]}", nonce="{t[1]}", opaque="{t[2]}", qop=auth'
    ),
)


@given(st.lists(HOSTILE, max_size=5), st.text(max_size=20), st.text(max_size=20))
@example(['Digest realm="\r\nX-Evil: 1", nonce="b"', BASIC], "door", "secret")
@example(["Digest " + "a" * LONGEST_CHALLENGES], "door", "secret")
@example(['Digest realm="' + "\\" * LONGEST_CHALLENGES], "door", "secret")
@example(["Digest" + " \t," * LONGEST_CHALLENGES + "x"], "door", "secret")
@example([challenge("MD5")], "do\r\nor", "secret")
def test_whatever_is_demanded_the_answer_is_one_line_without_the_password(
    challenges: list[str], username: str, password: str
) -> None:
    said = authorization(challenges, "/a?b=1", username, password, CNONCE)
    if said is not None:
        assert said.isascii()
        assert said.isprintable()
        assert said.startswith(("Digest ", "Basic "))


@given(st.lists(HOSTILE, max_size=3), st.sampled_from(["MD5", "SHA-256"]))
def test_junk_before_it_does_not_talk_us_into_basic(junk: list[str], algorithm: str) -> None:
    said = answer(*junk, challenge(algorithm), BASIC) or ""
    assert said.startswith("Digest ")


def test_no_more_is_read_than_a_camera_needs() -> None:
    filling = "X" + "x" * LONGEST_CHALLENGES
    assert answer(filling, challenge("MD5")) is None
    assert answer(challenge("MD5"), filling) is not None
