"""A completed check-up on paper, filed among the person's documents as what it is: a questionnaire they answered.

The rule: it says what was answered, in the words of the questions, and nothing that is worked out from it; in French,
for the professional who reads it.
"""

from typing import Any

from fhir.stored import Stored
from phr import codes, paper
from phr.access.visit import Visit
from phr.checkup_answers import Answers, answers_of
from phr.journal_words import day_of
from phr.paper import Paper
from phr.prevention.dates import day
from phr.prevention.paper import Line, Section, Sheet, printed
from phr.questionnaires import Item, Questionnaire, Value

Json = dict[str, Any]
TYPE = "74465-6"
"""LOINC: Questionnaire patient, of class 90 (JDV_J66-TypeCode-DMP)."""
_SAID = {True: "Oui", False: "Non"}


def document(
    made: Questionnaire, response: Json, patient: Json, id: str, visit: Visit, replaced: Stored | None
) -> Json:
    """The DocumentReference, its PDF inline (ITI-105), of the response of this id; in the place of another."""
    data = printed(sheet(made, answers_of(made, response), patient, visit), visit.now)
    person = response["subject"]
    related = [{"reference": f"QuestionnaireResponse/{id}"}]
    body = paper.document(
        Paper(data, made.title.fr, TYPE, codes.PATIENT_CLASS, person, person, visit.now, related=related)
    )
    if replaced is not None:
        body["relatesTo"] = [{"code": "replaces", "target": {"reference": f"DocumentReference/{replaced.id}"}}]
    return body


def sheet(made: Questionnaire, answers: Answers, patient: Json, visit: Visit) -> Sheet:
    """What is printed: each theme, its questions and their answers."""
    sections = []
    for theme in made.themes:
        asked = [one for one in theme.items if one.asked(answers)]
        lines = [Line(one.text.fr, said(one, answers[one.id], "fr")) for one in asked if one.id in answers]
        sections.append(Section(theme.title.fr, lines, "Sans réponse."))
    name: Json = next(iter(patient.get("name", ())), {})
    who = " ".join((*name.get("given", ())[:1], str(name.get("family", "")))).strip()
    filled = f"Rempli le {day_of(day(visit.now).isoformat(), 'fr')}, par la personne ou qui agit pour elle."
    return Sheet(
        "fr",
        made.title.fr,
        f"{who}. {filled}" if who else filled,
        sections,
        "Réponses déclarées, pour préparer un bilan de prévention avec un professionnel. Ce n'est pas un avis médical.",
        "Page {n} sur {total}",
    )


def said(one: Item, values: tuple[Value, ...], language: str) -> str:
    """The answers to a question, in words."""
    options = dict(one.options)
    words = []
    for value in values:
        if isinstance(value, bool):
            words.append(_SAID[value] if language == "fr" else "Yes" if value else "No")
        elif one.type == "choice":
            words.append(getattr(options[str(value)], language))
        else:
            words.append(day_of(str(value), language) if one.type == "date" else str(value))
    return ", ".join(words)
