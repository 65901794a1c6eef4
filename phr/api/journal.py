"""The journal for people, over HTTP: its export. Its entries are read and searched as AuditEvents (`phr.api.fhir`)."""

from fastapi.responses import Response, StreamingResponse

from phr import journal_export
from phr.api import answers, described
from phr.api.asked import JSON_TYPES, Asked
from phr.api.doors import Doors
from phr.core.errors import DomainError, Issue, Reason

_FORMS = {"csv": "text/csv", "pdf": "application/pdf"}
_ANY = ("*/*", "text/*", *JSON_TYPES)
"""What leaves us the choice: JSON too, for FHIR clients say it whatever they ask."""
_TOLD = described.taking(
    [
        {"in": "query", "name": "group", "description": "Whose acts.", "schema": {"type": "string"}},
        {"in": "query", "name": "since", "description": "A day in Paris, or an instant.", "schema": {"type": "string"}},
        {"in": "query", "name": "until", "description": "A day in Paris, included.", "schema": {"type": "string"}},
        {"in": "query", "name": "lang", "description": "The language.", "schema": {"enum": ["fr", "en"]}},
        {"in": "query", "name": "_format", "description": "Before Accept.", "schema": {"enum": list(_FORMS)}},
    ]
)


def open_doors(doors: Doors) -> None:
    """The operations of this page."""

    @doors.opens("GET", "/Patient/{id:id}/$journal", _TOLD, spoken=False)
    async def export(asked: Asked, id: str) -> Response:
        """The whole journal as a file, for its person or who legally represents them: CSV or PDF."""
        form = _form(asked)
        begun = await journal_export.begin(asked.visit, id, asked.pairs, asked.header("accept-language"))
        named = f'attachment; filename="carnet-journal-{asked.visit.now:%Y-%m-%d}.{form}"'
        headers = {**answers.PRIVATE, "Content-Disposition": named, "Content-Language": begun.language}
        if form == "pdf":
            return Response(await begun.pdf(), 200, headers, media_type=_FORMS[form])
        return StreamingResponse(begun.csv(), 200, headers, media_type="text/csv; charset=utf-8; header=present")


def _form(asked: Asked) -> str:
    """csv or pdf, whether by `_format` or, after it, by Accept. Raises NOT_ACCEPTABLE (406)."""
    wanted = asked.first("_format")
    listed = [wanted] if wanted else (asked.header("accept") or "*/*").split(",")
    for one in listed:
        media = one.partition(";")[0].strip().lower()
        for form, known in _FORMS.items():
            if media in (form, known) or media in _ANY:
                return form
    raise DomainError(Reason.NOT_ACCEPTABLE, Issue("not-supported", "The journal is exported as csv or pdf."))
