"""One picture from a camera: real sockets, passwords, and everything that a camera may do instead."""

from __future__ import annotations

import asyncio
import ssl
import traceback
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras import fetch as camera_fetch
from edge.cameras.fetch import (
    LARGEST,
    LONGEST_PASSWORD,
    MOST_NONCES,
    TIMEOUT_S,
    CameraError,
    Fetcher,
    PictureSource,
    picture_kind,
)
from edge.delivery.address import AllowedAddresses
from edge.delivery.network import LONGEST_LINE, Network
from tests.support import virtual
from tests.support.cameras import (
    JPEG,
    PNG,
    SCHEMES,
    Camera,
    chunked,
    html,
    redirect,
    stream,
    until_closed,
    with_length,
)
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.virtual import VirtualLoop

USER, PASSWORD = "doorward", "hunter2-äß"
Passwords: TypeAlias = "Callable[..., PictureSource]"


@pytest.fixture
def known_as(tmp_path: Path) -> Passwords:
    """A camera as the configuration has it, with a password in a file."""

    def made(camera: Camera, password: str = PASSWORD) -> PictureSource:
        file = tmp_path / "camera.password"
        file.write_text(f"{password}\n")
        return PictureSource(camera.url, USER, file)

    return made


def fetch(settings: PictureSource | Camera, ca_file: Path | None = None, network: Network | None = None) -> bytes:
    at = PictureSource(settings.url) if isinstance(settings, Camera) else settings
    return asyncio.run(Fetcher(at, ca_file, network).fetch())


def refused(settings: PictureSource | Camera, **more: Any) -> str:
    """Why there is no picture; with nothing in it that should stay with us."""
    with pytest.raises(CameraError) as caught:
        fetch(settings, **more)
    told = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in told
    assert "hunter2" not in told
    return str(caught.value)


def to(*addresses: str) -> Any:
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(0)
        return list(addresses)

    return resolve


# --- a picture ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", [JPEG, PNG], ids=["jpg", "png"])
def test_a_picture_is_what_the_camera_has(picture: bytes) -> None:
    with Camera(picture) as camera:
        assert fetch(camera) == picture
        [request] = camera.requests
    assert request.line == "GET /cgi/snapshot.jpg?channel=1 HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{camera.port}"
    assert request.headers["connection"] == "close"
    assert not request.authorization


@pytest.mark.parametrize(
    "answer",
    [
        with_length(JPEG),
        with_length(JPEG) + b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n",
        with_length(JPEG).replace(b"Content-Length", b"content-length"),
        with_length(JPEG, "IMAGE/JPG; name=a.jpg"),
        with_length(JPEG).replace(b"\r\n", b"\n", 4),
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + with_length(JPEG),
        chunked(JPEG),
        chunked(JPEG, size=len(JPEG)),
        chunked(JPEG, size=7),
        chunked(JPEG).replace(b"chunked", b"Chunked"),
        until_closed(JPEG),
        with_length(JPEG, "application/octet-stream"),
        with_length(JPEG, "text/html"),
    ],
    ids=[
        "length",
        "more",
        "small",
        "jpg",
        "newlines",
        "interim",
        "chunks",
        "one chunk",
        "tiny",
        "Chunked",
        "closed",
        "bytes",
        "page",
    ],
)
def test_a_picture_comes_in_many_ways(answer: bytes) -> None:
    with Camera(answer=answer) as camera:
        assert fetch(camera) == JPEG


@pytest.mark.parametrize("send", [with_length, chunked, until_closed])
def test_a_picture_may_be_so_large_and_no_larger(send: Callable[[bytes], bytes]) -> None:
    largest = JPEG.ljust(LARGEST, b"\0")
    with Camera(answer=send(largest)) as camera:
        assert fetch(camera) == largest
        camera.answer = send(largest + b"\0")
        assert refused(camera) == "its picture has more than 4 MiB"


def test_a_camera_that_does_not_hang_up_is_not_waited_for() -> None:
    with Camera(stays_open=True) as camera:
        assert fetch(camera) == JPEG
        camera.answer = chunked(JPEG)
        assert fetch(camera) == JPEG
        camera.answer = html("404 Not Found")
        assert refused(camera) == "it answered 404"


def test_a_camera_that_comes_back_gives_pictures_again() -> None:
    camera = Camera()
    with camera:
        fetcher = Fetcher(PictureSource(camera.url))
        assert asyncio.run(fetcher.fetch()) == JPEG
    with pytest.raises(CameraError, match=r"127\.0\.0\.1 cannot be reached"):
        asyncio.run(fetcher.fetch())
    with camera:
        assert asyncio.run(fetcher.fetch()) == JPEG


def test_a_picture_of_its_kind() -> None:
    assert picture_kind(JPEG) == "jpg"
    assert picture_kind(PNG) == "png"
    for none in (b"", b"\xff\xd8", b"GIF89a", b"<html>", b"\x00" * 100, PNG[1:]):
        assert picture_kind(none) is None


# --- who we are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_camera_is_told_who_we_are(scheme: str, known_as: Passwords) -> None:
    with Camera(user=USER, password=PASSWORD, scheme=scheme) as camera:
        assert fetch(known_as(camera)) == JPEG
        first, second = camera.requests
        assert not first.authorization, "nothing is told to whoever does not ask"
        assert (first.let_in, second.let_in) == (False, True)
        assert second.authorization.startswith("Basic " if scheme == "basic" else "Digest ")
        assert fetch(known_as(camera)) == JPEG, "a challenge is good once"
        assert len({request.authorization for request in camera.requests}) == (2 if scheme == "basic" else 3)


def test_the_camera_of_these_tests_understands_others_too() -> None:
    """It would prove nothing if it understood only what we say."""
    for scheme in ("digest", "sha-256", "md5"):
        with Camera(user="door", password="secret", scheme=scheme) as camera:
            auth = httpx2.DigestAuth("door", "secret")
            with httpx2.Client(trust_env=False) as client:
                assert client.get(camera.url, auth=auth).content == JPEG
                assert client.get(camera.url, auth=httpx2.DigestAuth("door", "Secret")).status_code == 401
    for scheme in ("md5", "rfc2069", "basic"):
        with Camera(user="door", password="secret", scheme=scheme) as camera:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, camera.url, "door", "secret")
            digest, basic = (kind(passwords) for kind in _HANDLERS)
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), digest, basic)
            with opener.open(camera.url) as got:
                assert got.read() == JPEG


_HANDLERS: Any = (urllib.request.HTTPDigestAuthHandler, urllib.request.HTTPBasicAuthHandler)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_password_is_said_after_one_try(scheme: str, known_as: Passwords) -> None:
    with Camera(user=USER, password="another", scheme=scheme) as camera:
        assert refused(known_as(camera)) == "it refuses the user name or the password"
        assert len(camera.requests) == 2, "many a camera locks an account after a few"


def test_what_we_add_to_a_challenge_is_new_each_time(known_as: Passwords) -> None:
    """RFC 7616, 5.6: else whoever chooses the challenge can have tables made beforehand."""
    with Camera(user=USER, password=PASSWORD) as camera:
        for _ in range(2):
            assert fetch(known_as(camera)) == JPEG
        ours = [part for one in camera.requests for part in one.authorization.split(", ") if part.startswith("cnonce")]
    assert len(set(ours)) == len(ours) == 2
    assert all(len(one) >= len('cnonce=""') + 32 for one in ours)


def test_without_a_name_nobody_is_told_anything() -> None:
    with Camera(user=USER) as camera:
        assert "expected username and password_file" in refused(camera)
        assert len(camera.requests) == 1
        assert fetch(PictureSource(camera.url, USER)) == JPEG, "an empty password needs no file"
        for other in (b"", b'WWW-Authenticate: NTLM\r\nWWW-Authenticate: Digest realm="x"\r\n'):
            camera.user, camera.answer = None, b"HTTP/1.1 401 No\r\n" + other + b"\r\n"
            assert "neither digest nor basic" in refused(PictureSource(camera.url, USER))


def test_folded_challenges_are_read(known_as: Passwords) -> None:
    """RFC 9112, 5.2."""
    with Camera(
        answer=b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="a",\r\n\tnonce="b",\r\n  qop="auth"\r\n\r\n'
    ) as c:
        assert refused(known_as(c)) == "it refuses the user name or the password"
        assert 'realm="a", nonce="b"' in c.requests[-1].authorization


def test_the_password_is_read_each_time(known_as: Passwords) -> None:
    with Camera(user=USER, password="new") as camera:
        settings = known_as(camera)
        fetcher = Fetcher(settings)
        with pytest.raises(CameraError):
            asyncio.run(fetcher.fetch())
        known_as(camera, "new")
        assert asyncio.run(fetcher.fetch()) == JPEG


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "has no password in it"),
        (b"\r\n", "has no password in it"),
        (b"x" * (LONGEST_PASSWORD + 1), "expected 1 to 1024 bytes"),
        (b"hunter2\xff", "is not UTF-8"),
    ],
)
def test_a_password_that_cannot_be_used_is_said(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "camera.password"
    if content is not None:
        file.write_bytes(content)
    with Camera(user=USER, password="x" * LONGEST_PASSWORD) as camera:
        told = refused(PictureSource(camera.url, USER, file))
        assert said in told
        assert str(file) in told
        file.write_bytes(b"x" * LONGEST_PASSWORD + b"\r\n")
        assert fetch(PictureSource(camera.url, USER, file)) == JPEG


def test_a_nonce_that_was_too_old_is_no_wrong_password(known_as: Passwords) -> None:
    with Camera(user=USER, password=PASSWORD, forgets=2) as camera:
        assert fetch(known_as(camera)) == JPEG
        assert len(camera.requests) == 4
        camera.forgets = 100
        assert "calls its newest nonces stale" in refused(known_as(camera))
        assert len(camera.requests) == 4 + 1 + MOST_NONCES
        camera.forgets = 0
        assert refused(known_as(camera, "wrong")) == "it refuses the user name or the password"
        assert len(camera.requests) == 4 + 1 + MOST_NONCES + 2, "a wrong password is tried once"


def test_nothing_shows_a_password(known_as: Passwords) -> None:
    with Camera(user=USER, password=PASSWORD) as camera:
        settings = known_as(camera)
        fetcher = Fetcher(settings)
        assert asyncio.run(fetcher.fetch()) == JPEG
    in_url = PictureSource("http://10.0.0.9/snap?user=a&pwd=hunter2")
    for shown in (repr(settings), repr(fetcher), repr(vars(fetcher)), repr(in_url), str(in_url)):
        assert "hunter2" not in shown


# --- no picture ---------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (html(), "something that is no picture and called it 'text/html'"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "something that is no picture and called it ''"),
        (with_length(b"GIF89a", "x" * 5_000), f"called it {'x' * 60!r}"),
        (with_length(b"<html>welcome"), "something that is no picture and called it 'image/jpeg'"),
        (with_length(b""), "something that is no picture"),
        (until_closed(b""), "something that is no picture"),
        (stream(JPEG), "it sent a stream, expected one picture"),
        (redirect("http://127.0.0.1:1/login"), "it answered 302; redirects are not followed"),
        (html("503 Busy"), "it answered 503"),
        (html("204 Nothing"), "it answered 204"),
        (b"", "without an answer"),
        (b"HTTP/1.1 2", "no HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "no HTTP"),
        (b"RTSP/1.0 200 OK\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n", "closed within the headers"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "no HTTP"),
        (HEAD + b"X: y\r\n" * 200 + b"\r\n" + JPEG, "more than 100 headers"),
        (HEAD + b" y\r\n" * 200 + b"\r\n" + JPEG, "more than 100 headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "only interim answers"),
        (with_length(JPEG)[:-1], f"{len(JPEG) - 1} bytes read on a total of {len(JPEG)} expected"),
        (HEAD + b"Content-Length: -1\r\n\r\n" + JPEG, "Content-Length: '-1'"),
        (HEAD + "Content-Length: ²\r\n\r\n".encode("latin-1") + JPEG, "Content-Length"),
        (HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n" + JPEG, "Content-Length: '999"),
        (HEAD + b"Content-Length: 999999999999999999\r\n\r\n" + JPEG, "more than 4 MiB"),
        (CHUNKS + b"ffffffff\r\n" + JPEG, "more than 4 MiB"),
        (CHUNKS + b"100000000\r\n" + JPEG, "expected the size of a chunk"),
        (CHUNKS + b"-1\r\n" + JPEG, "expected the size of a chunk"),
        (CHUNKS + b"\r\n", "expected the size of a chunk"),
        (CHUNKS + b"3\r\n\xff\xd8\xffX\r\n0\r\n\r\n", "a chunk longer than its size"),
        (CHUNKS + b"a\r\n\xff\xd8\xff", "3 bytes read on a total of 10"),
        (CHUNKS + b"1\r\n\xff\r\n" * 20_000, "more than 16384 chunks"),
        (CHUNKS + b"3\r\n\xff\xd8\xff\r\n", "expected the size of a chunk"),
    ],
)
def test_what_is_no_picture_is_said_for_people(answer: bytes, said: str) -> None:
    with Camera(answer=answer) as camera:
        told = refused(camera)
        assert said in told
        assert told.isprintable()
        assert len(told) < 300
        assert len(camera.requests) == 1


PIECES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 401 \r\n", b"HTTP/1.1 100 \r\n", b"Content-Type: image/jpeg\r\n", b"\r\n"),
        *(
            b"Content-Length: 3\r\n",
            b"Content-Length: 5000000\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"3\r\n",
            b"0\r\n",
        ),
        *(
            b"\xff\xd8\xff",
            b"multipart/",
            b"\n",
            b" ",
            b":",
            b"\0",
            b"\xc3",
            b"WWW-Authenticate: Digest\r\n",
            b"x" * 9_000,
        ),
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=25).map(b"".join)))
def test_whatever_comes_is_an_answer_or_refused(content: bytes) -> None:
    async def main() -> None:
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        reader.feed_data(content)
        reader.feed_eof()
        with suppress(CameraError, OSError, ValueError, EOFError):
            answer = await camera_fetch._answer(reader)
            assert content.startswith(b"HTTP/1.")
            assert answer.status == 200 or not answer.body

    asyncio.run(main())


def test_a_redirect_leads_nowhere(known_as: Passwords) -> None:
    with Camera() as other, Camera(answer=redirect(other.url)) as camera:
        assert "redirects are not followed" in refused(known_as(camera))
        assert other.connections == 0


def test_in_clear_nothing_goes_to_the_internet() -> None:
    for address in ("1.1.1.1", "2606:4700:4700::1111"):
        network = Network(AllowedAddresses(allow_private=True), resolve=to(address))
        told = refused(PictureSource("http://camera.example.org/"), network=network)
        assert told == "camera.example.org is on the Internet, where nothing is sent unencrypted: expected https"


# --- in time ------------------------------------------------------------------------------------------------


@pytest.fixture
def threads_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time stands still while a thread works."""

    def counted(work: Callable[[], None], _name: str) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(None, work)

    monkeypatch.setattr(camera_fetch, "in_background", counted)


HANGS: dict[str, dict[str, Any]] = {
    "no answer": {"hangs": True},
    "a byte a second": {"drip_s": 1.0},
    "never ends": {"answer": until_closed(JPEG), "stays_open": True},
    "ends too late": {"answer": with_length(JPEG)[:-1], "stays_open": True},
    "a refusal without end": {"answer": b"HTTP/1.1 401 No\r\nX: ", "stays_open": True},
    "slow after the password": {"drip_s": 0.01, "user": USER, "password": PASSWORD, "scheme": "rfc2069"},
}


@pytest.mark.usefixtures("threads_count")
@pytest.mark.parametrize("how", HANGS)
def test_a_camera_has_so_long_and_no_longer(how: str, known_as: Passwords) -> None:
    async def main(loop: VirtualLoop) -> None:
        async with Camera(**HANGS[how]) as camera:
            loop.waits_for.append(lambda: camera.connections == 0)
            fetcher = Fetcher(
                known_as(camera), network=Network(AllowedAddresses(allow_private=True), resolve=to("127.0.0.1"))
            )
            began_s = loop.time()
            with pytest.raises(CameraError, match="no picture within 5 s"):
                await fetcher.fetch()
            assert loop.time() - began_s == pytest.approx(TIMEOUT_S)
            assert camera.connections == (2 if camera.user else 1)

    virtual.run(main)


def test_a_slow_camera_is_in_time() -> None:
    small = JPEG[:10]

    async def main(loop: VirtualLoop) -> None:
        async with Camera(small, drip_s=0.04) as camera:
            loop.waits_for.append(lambda: camera.connections == 0)
            network = Network(AllowedAddresses(allow_private=True), resolve=to("127.0.0.1"))
            began_s = loop.time()
            assert await Fetcher(PictureSource(camera.url), network=network).fetch() == small
            assert loop.time() - began_s < TIMEOUT_S

    virtual.run(main)


def test_a_name_that_is_not_found_in_time() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def main(_loop: VirtualLoop) -> None:
        with pytest.raises(CameraError, match="no picture within 5 s"):
            await Fetcher(PictureSource("http://camera/"), network=Network(resolve=never)).fetch()

    virtual.run(main)


def test_a_camera_that_sends_much_at_once_lets_others_have_a_turn() -> None:
    """A door is opened by the same loop."""

    async def main() -> None:
        turns = 0
        reader = asyncio.StreamReader()
        reader.feed_data(b"1\r\n\xff\r\n" * 2_000 + b"0\r\n")
        reading = asyncio.create_task(camera_fetch._chunks(reader))
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert await reading == b"\xff" * 2_000
        assert turns >= 1_000

    asyncio.run(main())


def test_who_gives_up_leaves_nothing_open() -> None:
    async def main(camera: Camera) -> None:
        asking = asyncio.create_task(Fetcher(PictureSource(camera.url)).fetch())
        await asyncio.to_thread(camera.wait, 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    with Camera(hangs=True) as camera:
        asyncio.run(main(camera))


# --- https --------------------------------------------------------------------------------------------------


def test_certificates_are_verified(tmp_path: Path, known_as: Passwords) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("camera", address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Camera(user=USER, password=PASSWORD, scheme="basic", context=context) as camera:
        settings = known_as(camera)
        assert settings.url.startswith("https://")
        assert fetch(settings, authority.ca) == JPEG
        camera.requests.clear()
        assert "self-signed" in refused(settings) or "issuer" in refused(settings)
        other = Authority(tmp_path / "other")
        assert "127.0.0.1" in refused(settings, ca_file=other.ca)
        elsewhere = Network(AllowedAddresses(allow_private=True), authority.ca, to("127.0.0.1"))
        named = PictureSource(camera.url.replace("127.0.0.1", "camera.lan"), USER, settings.password_file)
        assert "ostname mismatch" in refused(named, network=elsewhere)
        assert "the authorities' certificates cannot be read" in refused(settings, ca_file=tmp_path / "none.pem")
        assert camera.requests == [], "nobody was told a password"


def test_a_camera_that_speaks_no_tls_is_refused() -> None:
    with Camera() as camera:
        assert "cannot be reached" in refused(PictureSource(camera.url.replace("http", "https")))
