"""People from a CSV file at the page: the upload, what would change, what is wrong, and who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.web.upload import LARGEST_FILE, parts
from tests.support.control import FakeDaemon, RefusalError, status
from tests.support.web import Browser, answers, page_in, write_accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpx import Response

PLAN = {
    "version": 7, "changes": 2, "counts": {"added": 1, "changed": 1, "unchanged": 0}, "kinds": {},
    "told": ["+ Ada <L>: card 12:1001"], "notes": ["a <note>"], "problems": [], "more_problems": 0,
}  # fmt: skip
ROWS = [["z", "Zoe"], ["e", "=Evil"], ["a", "Ada"]]
MANAGED = {"version": 7, "managed": {"here": True, "text": None}, "total": 0, "next": None, "people": []}


@pytest.fixture
def doord(tmp_path: Path) -> Iterator[FakeDaemon]:
    def imported(ask: dict[str, Any]) -> Any:
        return {"begin": {"import": "i1"}, "plan": PLAN}.get(ask["action"], {})

    told: dict[str, Any] = {
        "status": status(),
        "people": MANAGED,
        "directory_import": imported,
        "apply_import": {"done": True, "code": None, "message": "", "outcomes": {"version": 8}},
        "directory_export": {
            "version": 7,
            "columns": ["id", "name"],
            "rows": ROWS,
            "next": None,
        },
    }
    with FakeDaemon(tmp_path / "doord.sock", **answers(**told)) as daemon:
        yield daemon


@pytest.fixture
def browser(tmp_path: Path, doord: FakeDaemon) -> Browser:
    assert doord
    write_accounts(tmp_path / "accounts.json", mia="manager", rita="reception")
    made = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert made.sign_in("mia").status_code == 303
    return made


def send(browser: Browser, content: bytes, **fields: str) -> Response:
    data = {"csrf": browser.token("/people/~import")} | fields
    return browser.post("/people/~import", data=data, files={"file": ("people.csv", content, "text/csv")})


def actions(doord: FakeDaemon) -> list[str]:
    return [ask["action"] for ask in doord.of("directory_import")]


def test_a_file_is_planned_shown_and_put_in_force(browser: Browser, doord: FakeDaemon) -> None:
    assert 'href="/people/~import"' in browser.get("/people").text
    text = "name;card\r\nAda;12:1001\r\n" * 4000
    answer = send(browser, text.encode(), combined="yes")
    assert answer.status_code == 200
    for shown in (
        "+ Ada &lt;L&gt;: card 12:1001",
        "... and 1 more",
        "a &lt;note&gt;",
        "1 added, 1 changed, 0 unchanged",
    ):
        assert shown in answer.text
    begun, *sent, _plan = doord.of("directory_import")
    assert (begun["form"], begun["combined"], begun["as"]["id"]) == ("csv", True, "mia")
    assert "".join(ask["text"] for ask in sent) == text
    form = {"csrf": browser.token("/people/~import"), "import": "i1"}
    assert browser.post("/people/~import/apply", data=form).headers["location"] == "/people"
    assert doord.of("apply_import")[0]["import"] == "i1"
    assert "The people of the file are in force." in browser.get("/people").text
    assert browser.post("/people/~import/drop", data=form).headers["location"] == "/people"
    assert actions(doord)[-1] == "drop"


def test_what_is_wrong_is_said_by_line_and_nothing_can_be_put_in_force(browser: Browser, doord: FakeDaemon) -> None:
    wrong = PLAN | {"problems": ["line 3: found the group 'x'"], "more_problems": 5}
    doord.answers["directory_import"] = lambda ask: {"begin": {"import": "i1"}, "plan": wrong}.get(ask["action"], {})
    answer = send(browser, b"name\nAda\n")
    assert answer.status_code == 400
    assert "line 3: found the group &#39;x&#39;" in answer.text
    assert "and 5 problems more" in answer.text
    assert "Put in force" not in answer.text
    assert actions(doord)[-1] == "drop"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Choose a file"),
        (b"name\nJ\xfcrgen\n", "line 2: found a byte that is not UTF-8; in a spreadsheet: save as CSV UTF-8"),
        (b"a" * (LARGEST_FILE + 1), "doorctl people import takes larger files"),
    ],
    ids=["empty", "not UTF-8", "too long"],
)
def test_a_file_that_is_no_sheet_is_refused_with_a_sentence(
    browser: Browser, doord: FakeDaemon, content: bytes, says: str
) -> None:
    answer = send(browser, content)
    assert answer.status_code == 400
    assert says in answer.text
    assert not doord.of("directory_import")


def test_a_body_that_is_no_such_form_is_refused(browser: Browser, doord: FakeDaemon) -> None:
    token = browser.token("/people/~import")
    for kind, body, code in (
        ("application/x-www-form-urlencoded", f"csrf={token}".encode(), 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=x", b"no parts", 400),
        ("multipart/form-data; boundary=x", b"a" * (LARGEST_FILE + 5000), 413),
    ):
        assert browser.post("/people/~import", content=body, headers={"content-type": kind}).status_code == code
    assert send(browser, b"name\nAda\n", csrf="wrong").status_code == 403
    assert not doord.of("directory_import")


def test_doords_refusals_are_shown_at_the_form(browser: Browser, doord: FakeDaemon) -> None:
    form = {"csrf": browser.token("/people/~import"), "import": "i1"}
    doord.answers["apply_import"] = {"done": False, "code": "stale", "message": "olga changed ada", "outcomes": {}}
    answer = browser.post("/people/~import/apply", data=form)
    assert (answer.status_code, "Nothing was changed: olga changed ada" in answer.text) == (400, True)

    def refuse(_ask: dict[str, Any]) -> Any:
        raise RefusalError("unknown_import", "begin again")

    doord.answers["apply_import"] = doord.answers["directory_import"] = refuse
    assert "begin again" in browser.post("/people/~import/apply", data=form).text
    assert "begin again" in send(browser, b"name\nAda\n").text


def test_people_are_exported_by_name_and_safe_for_a_spreadsheet(browser: Browser) -> None:
    answer = browser.get("/people.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="people.csv"'
    assert answer.content.decode() == "\ufeffid,name\r\ne,'=Evil\r\na,Ada\r\nz,Zoe\r\n"


def test_reception_neither_imports_nor_exports(tmp_path: Path, doord: FakeDaemon) -> None:
    write_accounts(tmp_path / "accounts.json", rita="reception")
    browser = Browser(page_in(tmp_path, now_ns=lambda: 10**12))
    assert browser.sign_in("rita").status_code == 303
    assert "~import" not in browser.get("/people").text
    for path in ("/people/~import", "/people.csv"):
        assert browser.get(path).status_code == 403
    data = {"csrf": browser.token("/people")}
    assert browser.post("/people/~import", data=data, files={"file": ("p.csv", b"name\nAda\n")}).status_code == 403
    assert browser.post("/people/~import/apply", data=data | {"import": "i1"}).status_code == 403
    assert not doord.of("directory_import")
    assert not doord.of("directory_export")


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_parts_come_out_as_they_went_in_and_nonsense_is_none(content: bytes, boundary: bytes) -> None:
    own = b"----b" + boundary.hex().encode()
    if b"\r\n--" + own not in b"\r\n" + content:
        body = b"".join(
            b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % (own, name, content)
            for name in (b"a", b"file")
        )
        assert parts(body + b"--" + own + b"--\r\n", own) == {"a": content, "file": content}
        assert parts(body, own) is None
    found = parts(content, own)
    assert found is None or isinstance(found, dict)
