"""The key-age check-ups, over HTTP: a questionnaire filled in from the record, completed, shared."""

from fastapi.responses import Response

from phr import checkups
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import given
from phr.blocks import named
from phr.journal_words import preferred

_WHICH = {"in": "query", "name": "questionnaire", "description": "Its id; by age unless said.", "schema": {}}
_LANG = {"in": "query", "name": "lang", "description": "Of who answers: fr or en.", "schema": {"enum": ["fr", "en"]}}


def open_doors(doors: Doors) -> None:
    """$populate-check-up, $complete-check-up, $share-check-up."""
    taking = described.taking(described.PREFER, described.RESOURCE)

    @doors.opens("GET", "/Patient/{id:id}/$populate-check-up", described.taking([_WHICH]))
    async def populate(asked: Asked, id: str) -> Response:
        """A QuestionnaireResponse in progress, filled in with what the reader sees of the record."""
        found = await checkups.populate(asked.visit, id, asked.first("questionnaire"), asked.base)
        return answers.json_answer(asked, found)

    completing = described.taking([_LANG, *described.PREFER], described.RESOURCE)

    @doors.opens("POST", "/Patient/{id:id}/$complete-check-up", completing, status_code=201)
    async def complete(asked: Asked, id: str) -> Response:
        """Keep a whole QuestionnaireResponse and its PDF, shown to a professional when one is named."""
        told = await given(asked, ("response", "professional"))
        response, whom = told.required("response", dict), told.one("professional", dict)
        professional = None if whom is None else named("professional", whom)
        language = preferred(asked.first("lang"), asked.header("accept-language"))
        done = await checkups.complete(asked.visit, id, response, professional, asked.base, language)
        return answers.wrote(asked, done)

    @doors.opens("POST", "/Patient/{id:id}/$share-check-up", taking, status_code=201)
    async def share(asked: Asked, id: str) -> Response:
        """Show a completed response and its PDF to one professional, for ninety days."""
        told = await given(asked, ("response", "professional", "name"))
        whom = named("professional", told.required("professional", dict), told.one("name", str) or "")
        response = told.required("response", str)
        return answers.wrote(asked, await checkups.share(asked.visit, id, response, whom, asked.base))
