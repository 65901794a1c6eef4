"""A completed check-up on paper, filed among the person's documents as what it is: a questionnaire they answered.

The rule: it says what was answered, in the words of the questions, and nothing that is worked out from it; in French,
for the professional who reads it, and beside it in the language of who answered, who must know what they hand over.
"""

from typing import Any

from fhir.stored import Stored
from phr import codes, paper
from phr.access.visit import Visit
from phr.attestation import name_of
from phr.checkup_answers import Answers, answers_of
from phr.journal_words import day_of
from phr.paper import Paper
from phr.prevention.dates import day
from phr.prevention.paper import Line, Section, Sheet, printed
from phr.prevention.rule import Words
from phr.questionnaires import Item, Questionnaire, Value

Json = dict[str, Any]
TYPE = "74465-6"
"""LOINC: Questionnaire patient, of class 90 (JDV_J66-TypeCode-DMP)."""
_YES, _NO, _NONE = Words("Oui", "Yes"), Words("Non", "No"), Words("Sans réponse.", "No answer.")
_FILLED = Words(
    "Rempli le {day}, par la personne ou qui agit pour elle.", "Answered on {day}, by the person or who acts for them."
)
_FOOTER = Words(
    "Réponses déclarées, pour préparer un bilan de prévention avec un professionnel. Ce n'est pas un avis médical.",
    "Answers as they were given, to prepare a check-up with a professional. This is not medical advice.",
)


def document(
    made: Questionnaire, response: Json, patient: Json, id: str, visit: Visit, replaced: Stored | None, language: str
) -> Json:
    """The DocumentReference, its PDF inline (ITI-105), of the response of this id; in the place of another."""
    data = printed(sheet(made, answers_of(made, response), patient, visit, language), visit.now)
    person = response["subject"]
    related = [{"reference": f"QuestionnaireResponse/{id}"}]
    body = paper.document(
        Paper(data, made.title.fr, TYPE, codes.PATIENT_CLASS, person, person, visit.now, related=related)
    )
    if replaced is not None:
        body["relatesTo"] = [{"code": "replaces", "target": {"reference": f"DocumentReference/{replaced.id}"}}]
    return body


def sheet(made: Questionnaire, answers: Answers, patient: Json, visit: Visit, language: str) -> Sheet:
    """What is printed: each theme, its questions and their answers."""

    def told(words: Words) -> str:
        return words.fr if language == "fr" else _both(words.fr, words.en)

    sections = []
    for theme in made.themes:
        asked = [one for one in theme.items if one.asked(answers) and one.id in answers]
        lines = [Line(told(one.text), told(_answered(one, answers[one.id]))) for one in asked]
        sections.append(Section(told(theme.title), lines, told(_NONE)))
    on = day(visit.now).isoformat()
    filled = told(Words(_FILLED.fr.format(day=day_of(on, "fr")), _FILLED.en.format(day=day_of(on, "en"))))
    who = name_of(patient)
    subtitle = f"{who}. {filled}" if who else filled
    return Sheet("fr", told(made.title), subtitle, sections, told(_FOOTER), "Page {n} sur {total}")


def _both(french: str, english: str) -> str:
    """The same thing twice, unless it is the same word, or somebody's own."""
    return french if french == english else f"{french} / {english}"


def _answered(one: Item, values: tuple[Value, ...]) -> Words:
    return Words(said(one, values, "fr"), said(one, values, "en"))


def said(one: Item, values: tuple[Value, ...], language: str) -> str:
    """The answers to a question, in words."""
    options = dict(one.options)
    words = []
    for value in values:
        if isinstance(value, bool):
            words.append(getattr(_YES if value else _NO, language))
        elif one.type == "choice":
            words.append(getattr(options[str(value)], language))
        else:
            words.append(day_of(str(value), language) if one.type == "date" else str(value))
    return ", ".join(words)
