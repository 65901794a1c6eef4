"""A check-up's questions as a form: one theme at a time, what is typed read back as answers.

The rule: a question that follows from another is below it; what does not fit is shown again as it was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from phr.checkup_answers import Answers
from phr.questionnaires import LONGEST_TEXT, Item, Questionnaire, Theme, Value
from phr.web.pages import Pairs
from phr.web.words import TEXTS


@dataclass(frozen=True, slots=True)
class Field:
    """A question as the form shows it, with the ones that follow from its answer."""

    item: Item
    label: str
    hint: str
    options: Sequence[tuple[str, str, bool]]
    value: str
    wrong: bool
    opens: str
    follows: Sequence["Field"]


def themes_of(made: Questionnaire, answers: Answers) -> list[Theme]:
    """The themes in which something is asked, after these answers."""
    return [one for one in made.themes if any(item.asked(answers) for item in one.items)]


def progress(made: Questionnaire, answers: Answers) -> tuple[int, int]:
    """How many questions are answered, of how many."""
    asked = [one for one in made.items() if one.asked(answers)]
    return sum(one.id in answers for one in asked), len(asked)


def fields_of(theme: Theme, answers: Answers, wrong: Mapping[str, str], language: str) -> list[Field]:
    """The questions of a theme; one that depends on another of the theme is below it, shown once that is answered."""
    here = {one.id for one in theme.items}

    def field(one: Item) -> Field:
        below = [two for two in theme.items if two.when is not None and two.when[0] == one.id]
        opens = {_written(one, two.when[1]) for two in below if two.when is not None}
        value = wrong.get(one.id, " ".join(_written(one, value) for value in answers.get(one.id, ())))
        return Field(
            one,
            getattr(one.text, language),
            "" if one.hint is None else getattr(one.hint, language),
            _options(one, answers.get(one.id, ()), language),
            value,
            one.id in wrong,
            next(iter(opens), ""),
            [field(two) for two in below],
        )

    top = [one for one in theme.items if one.when is None or one.when[0] not in here]
    return [field(one) for one in top if one.asked(answers)]


def _options(one: Item, values: tuple[Value, ...], language: str) -> list[tuple[str, str, bool]]:
    """(value, label, whether it is chosen) of the choices of a question, passing it over last."""
    texts = TEXTS[language]
    if one.type == "boolean":
        listed = [("yes", texts["checkup_yes"]), ("no", texts["checkup_no"])]
    else:
        listed = [(code, getattr(words, language)) for code, words in one.options]
    chosen = {_written(one, value) for value in values}
    passed = [] if one.many or not listed else [("", texts["checkup_pass"], not chosen)]
    return [*((value, label, value in chosen) for value, label in listed), *passed]


def _written(one: Item, value: Value) -> str:
    """An answer as the form sends it."""
    return ("yes" if value else "no") if one.type == "boolean" else str(value)


def typed(theme: Theme, before: Answers, form: Pairs) -> tuple[Answers, Mapping[str, str]]:
    """The answers with those of a filled form in their place, and what was typed that does not fit."""
    answers, wrong = dict(before), dict[str, str]()
    for one in theme.items:
        texts = [value.strip() for name, value in form if name == one.id and value.strip()]
        values = [value for text in texts if (value := _read(one, text)) is not None]
        if len(values) < len(texts):
            wrong[one.id] = texts[0]
        answers.pop(one.id, None)
        if values:
            answers[one.id] = tuple(values if one.many else values[:1])
    asked = {one.id for one in theme.items if one.asked(answers)}
    return answers, {name: text for name, text in wrong.items() if name in asked}


def _read(one: Item, text: str) -> Value | None:
    """A value as it was typed; None when it does not fit."""
    match one.type:
        case "boolean":
            return {"yes": True, "no": False}.get(text)
        case "integer":
            short = text.isascii() and text.isdecimal() and len(text) < 6
            return int(text) if short and one.takes(int(text)) else None
        case "date":
            found = day_named(text)
            return None if found is None else found.isoformat()
        case "choice":
            return text if text in dict(one.options) else None
    return text if len(text) <= LONGEST_TEXT else None


def day_named(text: object) -> date | None:
    """A whole date (ISO 8601), or None."""
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None
