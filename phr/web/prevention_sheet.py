"""What is printed of prevention: what is due, the vaccination card, the next dates, in the words of the pages."""

from collections.abc import Mapping, Sequence

from phr.prevention.paper import Line, Section, Sheet
from phr.web.prevention_card import Dose, card
from phr.web.prevention_plan import Done, Plan, Recommendation, named_day
from phr.web.words import TEXTS

_COMING = 20


def sheet_of(title: str, who: str, plan: Plan, doses: Sequence[Dose], language: str) -> Sheet:
    """A sheet to print. `who`: the name of the person."""
    texts = TEXTS[language]
    coming = sorted((one for one in plan.all if one.coming), key=lambda one: (one.coming or plan.day, one.title))
    now = [Line(one.title, _joined(one.say, texts.get(f"prevention_do_{one.todo}", ""))) for one in plan.now]
    dates = [Line(f"{named_day(one.coming, language)}{texts['prevention_colon']}{one.title}") for one in coming]
    given = [Line(_given(one, language), _joined(one.product, one.against and f"({one.against})")) for one in doses]
    return Sheet(
        language,
        title,
        texts["prevention_print_subtitle"].format(who=who, day=named_day(plan.day, language)),
        (
            Section(texts["prevention_now"], now, texts["prevention_now_none"]),
            Section(
                texts["prevention_card_title"],
                [_vaccine(one, texts, language) for one in card(plan)],
                texts["prevention_card_none"],
            ),
            Section(texts["prevention_card_given"], given, texts["prevention_card_given_none"]),
            Section(texts["prevention_print_dates"], dates[:_COMING], texts["prevention_print_none"]),
        ),
        texts["prevention_print_footer"].format(version=plan.version),
        texts["prevention_print_page"],
    )


def _vaccine(one: Recommendation, texts: Mapping[str, str], language: str) -> Line:
    given = (
        f"{texts['prevention_card_doses']} {days_told(one.done, language)}"
        if one.done
        else texts["prevention_card_no_dose"]
    )
    if one.status in ("due", "overdue"):
        upcoming = texts["prevention_card_now"]
    elif one.coming is not None:
        upcoming = named_day(one.coming, language)
    else:
        return Line(one.title, f"{given}.")
    return Line(one.title, f"{given}. {texts['prevention_card_next']}{texts['prevention_colon']}{upcoming}.")


def days_told(done: Sequence[Done], language: str) -> str:
    """The days of what was done, and which rest on the person's word."""
    declared = f" ({TEXTS[language]['prevention_declared']})"
    each = any(not one.declared for one in done)
    days = [named_day(one.on, language) + (declared if each and one.declared else "") for one in done]
    return ", ".join(days) + ("" if each else declared)


def _given(one: Dose, language: str) -> str:
    texts = TEXTS[language]
    day = named_day(one.on, language) or texts["prevention_undated"]
    lot = f"{texts['prevention_card_lot']} {one.lot}" if one.lot else ""
    return ", ".join(filter(None, (day, lot, texts["prevention_declared"] if one.declared else "")))


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
