"""People from a CSV file, and to one: what an import would change is shown first.

One rule: doord reads the sheet and plans; it is in force as a whole, or not at all.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from edge.client.connection import RequestRefused
from edge.client.importing import changes, counted, pieces, problems
from edge.model.plain_text import text_of
from edge.model.printable import masked as visible
from edge.reports.file import write_table
from edge.web.page import check_token, limited, page_of, posted, see, session_of, who
from edge.web.pages.people import PATH, managed_of
from edge.web.upload import LARGEST_FILE, read_upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

IMPORT: Final = f"{PATH}/~import"
NAME_COLUMN: Final = 1
TRIES: Final = 10


async def ask(request: Request) -> Response:
    """The form."""
    return await _form(request)


@limited(lambda page: page.searches)
async def plan(request: Request) -> Response:
    """Send a file to doord, and show what it would change and what is wrong."""
    fields = await read_upload(request)
    check_token(request, fields.get("csrf", b"").decode("ascii", "replace"))
    content = fields.get("file", b"")
    if not content.strip():
        return await _form(request, "Choose a file that has something in it.")
    if len(content) > LARGEST_FILE:
        return await _form(
            request, f"Found more than {LARGEST_FILE >> 20} MiB: doorctl people import takes larger files."
        )
    try:
        planned = await _planned(request, text_of(content), combined="combined" in fields)
    except ValueError as error:
        return await _form(request, f"{error}; in a spreadsheet: save as CSV UTF-8")
    except RequestRefused as error:
        return await _form(request, visible(error))
    return page_of(request).html(request, "people_plan.html", 400 if planned["problems"] else 200, **planned)


async def _planned(request: Request, text: str, *, combined: bool) -> dict[str, Any]:
    """Doord's plan in lines. Raises RequestRefused."""
    link, account = page_of(request).link, who(request).name
    own = (await link.ask("directory_import", account, action="begin", form="csv", combined=combined))["import"]
    for piece in pieces(text):
        await link.ask("directory_import", account, action="send", text=piece, **{"import": own})
    answer = await link.ask("directory_import", account, action="plan", **{"import": own})
    ready = bool(answer["changes"]) and not answer["problems"]
    if not ready:
        await link.ask("directory_import", account, action="drop", **{"import": own})
    return {
        "lines": changes(answer),
        "problems": problems(answer),
        "counts": counted(answer) if answer["changes"] else "nothing would change",
        "own": own if ready else "",
    }


@posted
async def apply(request: Request, form: Mapping[str, str]) -> Response:
    """Put in force what was shown."""
    own = form.get("import", "")[:40]
    try:
        answer = await page_of(request).link.ask("apply_import", who(request).name, **{"import": own})
    except RequestRefused as error:
        return await _form(request, visible(error))
    if not answer["done"]:
        return await _form(request, f"Nothing was changed: {visible(answer['message'])}")
    session_of(request).notices.append("The people of the file are in force.")
    return see(PATH)


@posted
async def drop(request: Request, form: Mapping[str, str]) -> Response:
    """Forget the file."""
    own = form.get("import", "")[:40]
    with suppress(RequestRefused):  # it is forgotten already
        await page_of(request).link.ask("directory_import", who(request).name, action="drop", **{"import": own})
    return see(PATH)


async def _form(request: Request, problem: str = "") -> Response:
    managed = await managed_of(request)
    status = 400 if problem else 200
    return page_of(request).html(request, "people_import.html", status, problem=problem, managed=managed)


@limited(lambda page: page.downloads)
async def export(request: Request) -> Response:
    """All people as CSV, as `doorctl people export --spreadsheet` writes it."""
    for _ in range(TRIES):
        try:
            columns, rows = await _exported(request)
            break
        except RequestRefused as error:
            if error.code != "stale":  # another version came meanwhile: begin again
                raise
    else:
        raise HTTPException(503, "The people change too fast. Try again in a minute.")
    rows.sort(key=lambda row: (row[NAME_COLUMN].casefold(), row[0]))
    out = io.StringIO(newline="")
    write_table(out, columns, rows, spreadsheet=True)
    headers = {"Content-Disposition": 'attachment; filename="people.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


async def _exported(request: Request) -> tuple[list[str], list[list[str]]]:
    link, rows, more = page_of(request).link, list[list[str]](), dict[str, Any]()
    while True:
        piece = await link.ask("directory_export", who(request).name, form="csv", **more)
        rows += piece["rows"]
        if piece["next"] is None:
            return piece["columns"], rows
        more = {"after": piece["next"], "version": piece["version"]}


ROUTES: Final = [
    Route(IMPORT, ask, methods=["GET"]),
    Route(IMPORT, plan, methods=["POST"]),
    Route(f"{IMPORT}/apply", apply, methods=["POST"]),
    Route(f"{IMPORT}/drop", drop, methods=["POST"]),
    Route("/people.csv", export, methods=["GET"]),
]
