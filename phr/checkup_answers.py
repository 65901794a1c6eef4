"""The answers to a check-up's questionnaire: read from a QuestionnaireResponse, checked against it, and written as one.

The rule: an answer to what is not asked, by the questionnaire or after the other answers, is refused, never dropped.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from phr.core.errors import Issue
from phr.questionnaires import ANSWER, LONGEST_TEXT, Item, Questionnaire, Value

Json = dict[str, Any]
Answers = Mapping[str, tuple[Value, ...]]
"""By linkId, in order; what was not answered is absent."""

_ELEMENT = {
    "boolean": "valueBoolean",
    "choice": "valueCoding",
    "integer": "valueInteger",
    "date": "valueDate",
    "text": "valueString",
}


def answers_of(made: Questionnaire, response: Json) -> Answers:
    """The answers of a response that fit the questionnaire; what does not is left out (`check` says so)."""
    known = {one.id: one for one in made.items()}
    found = {}
    for _, _, item in _asked(response):
        one = known.get(str(item.get("linkId")))
        listed = item.get("answer")
        if one is not None and isinstance(listed, list):
            values = tuple(value for answer in listed if (value := _value(one, answer)) is not None)
            if values:
                found[one.id] = values
    return found


def check(made: Questionnaire, response: Json) -> tuple[Issue, ...]:
    """What is wrong with a response, and where: linkIds that are not asked, wrong types, answers not on offer."""
    return tuple(_faults(made, response))


def _faults(made: Questionnaire, response: Json) -> Iterator[Issue]:
    themes = {theme.id: {one.id: one for one in theme.items} for theme in made.themes}
    answers, seen = answers_of(made, response), set[str]()
    if not answers:
        yield Issue("required", "Nothing is answered.", "QuestionnaireResponse.item")
    for n, group in enumerate(_objects(response.get("item"))):
        at = f"QuestionnaireResponse.item[{n}]"
        if group.get("linkId") not in themes or "answer" in group:
            yield Issue("value", "This is not a theme of the questionnaire.", f"{at}.linkId")
    for at, theme, item in _asked(response):
        one = themes.get(theme, {}).get(str(item.get("linkId")))
        if one is None or one.id in seen:
            text = "This is not a question of this theme." if one is None else "A question is answered once."
            yield Issue("value", text, f"{at}.linkId")
            continue
        seen.add(one.id)
        listed = _objects(item.get("answer"))
        if "item" in item or any("item" in answer for answer in listed):
            yield Issue("structure", "This question has no others inside it.", f"{at}.item")
        if listed and not one.asked(answers):
            yield Issue("business-rule", "This question is not asked after the other answers.", f"{at}.answer")
        if len(listed) > 1 and not one.many:
            yield Issue("value", "This question has one answer.", f"{at}.answer")
        for k, answer in enumerate(listed):
            if _value(one, answer) is None:
                yield Issue("value", _expected(one), f"{at}.answer[{k}]")


def _asked(response: Json) -> Iterator[tuple[str, str, Json]]:
    """Each item below a group: where it is, the group's linkId, itself."""
    for n, group in enumerate(_objects(response.get("item"))):
        for m, item in enumerate(_objects(group.get("item"))):
            yield f"QuestionnaireResponse.item[{n}].item[{m}]", str(group.get("linkId")), item


def _value(one: Item, answer: object) -> Value | None:
    """The value of an answer; None when it is not one of this question's."""
    given = answer.get(_ELEMENT[one.type]) if isinstance(answer, dict) else None
    match one.type:
        case "boolean":
            return given if isinstance(given, bool) else None
        case "integer":
            return given if isinstance(given, int) and type(given) is not bool and one.takes(given) else None
        case "choice":
            code = given.get("code") if isinstance(given, dict) and given.get("system") == ANSWER else None
            return code if code in dict(one.options) else None
        case "date":
            return given if isinstance(given, str) and _is_day(given) else None
        case "text":
            return given if isinstance(given, str) and 0 < len(given) <= LONGEST_TEXT else None


def _expected(one: Item) -> str:
    match one.type:
        case "choice":
            return f"One of: {', '.join(code for code, _ in one.options)} ({ANSWER})."
        case "integer":
            return f"A whole number from {one.least} to {one.most}."
        case "text":
            return f"A text of at most {LONGEST_TEXT} characters."
    return f"A {one.type} is expected: {_ELEMENT[one.type]}."


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def response_of(made: Questionnaire, answers: Answers, record: str, status: str) -> Json:
    """The QuestionnaireResponse of these answers, in the order of the questions; those not asked are left out."""
    groups = []
    for theme in made.themes:
        items = [
            {"linkId": one.id, "text": one.text.fr, "answer": [_answer(one, value) for value in answers[one.id]]}
            for one in theme.items
            if answers.get(one.id) and one.asked(answers)
        ]
        if items:
            groups.append({"linkId": theme.id, "text": theme.title.fr, "item": items})
    person = {"reference": f"Patient/{record}"}
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": made.canonical,
        "status": status,
        "subject": person,
        **({"item": groups} if groups else {}),
    }


def _answer(one: Item, value: Value) -> Json:
    if one.type == "choice":
        return {"valueCoding": {"system": ANSWER, "code": value, "display": dict(one.options)[str(value)].fr}}
    return {_ELEMENT[one.type]: value}


def _objects(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
