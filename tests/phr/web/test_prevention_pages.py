"""The pages of prevention over the whole application: they show what the API says, and keep what is said to them."""

import io
import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar
from pypdf import PdfReader

from phr.prevention.dates import add, day
from phr.prevention.facts import FACTS
from phr.web import words
from phr.web.prevention_life import age_words, life_of
from phr.web.prevention_plan import Plan, named_day, plan_of
from phr.web.words import TEXTS
from tests import kin
from tests.house import House
from tests.kin import Person
from tests.phr.web.household import Browser, browser, family, read, sections

PREVENTION = "/me/prevention"
TETANUS, BREAST = "vaccine-dtp-adult", "breast-cancer-screening"
Json = dict[str, Any]


def spaced(text: str) -> str:
    """A text as `read` reads it."""
    return re.sub(r"\s+", " ", text)


FR, EN = ({name: spaced(text) for name, text in TEXTS[language].items()} for language in ("fr", "en"))


@pytest.fixture
async def nadia(house: House) -> Person:
    """A woman of 52."""
    return await kin.person(house, "Nadia", "Benali", add(day(house.now()), -52 * 12 - 2).isoformat())


@pytest.fixture
async def tab(house: House, nadia: Person) -> AsyncIterator[Browser]:
    async with browser(house, nadia.account) as opened:
        yield opened


async def plan(who: Person, language: str = "fr") -> Plan:
    """What the API advises."""
    answer = await who.caller().get(f"{who.patient}/$prevention?lang={language}")
    assert answer.status_code == 200, answer.text
    return plan_of(answer.json(), day(who.house.now()))


async def tasks(who: Person) -> list[tuple[str, str]]:
    """What was said of recommendations: which, and the status of each Task."""
    found = (await who.caller().get(f"Task?patient={who.record}")).json().get("entry", ())
    listed = [one["resource"] for one in found if one["search"]["mode"] == "match"]
    return [(one["code"]["coding"][0]["code"], one["status"]) for one in listed]


def ago(house: House, months: int) -> str:
    """A day so many months ago."""
    return add(day(house.now()), -months).isoformat()


async def test_the_page_shows_what_the_api_says(nadia: Person, tab: Browser) -> None:
    page, found = await tab.get(PREVENTION), await plan(nadia)
    told = sections(page)
    assert list(told) == ["now", "questions", "soon", "life", "more", "rest", "calendar"]
    assert found.now
    for one in found.now:
        assert one.title in told["now"]
        assert spaced(one.say) in told["now"]
        assert spaced(one.reason) in told["now"]
        assert spaced(one.audience) in told["now"]
        assert FR[f"prevention_do_{one.todo}"] in told["now"]
        assert one.source in page.text
    assert spaced(FR["prevention_unverified"].split("{")[0]) in told["now"]
    questions = found.questions()
    assert len(questions) > 3
    assert [told["questions"].count(spaced(one.words)) for one in questions] == [1] * len(questions)
    assert all(spaced(FACTS[one.fact].why.fr) in told["questions"] for one in questions)
    for one in (*found.done, *found.later, *found.unconcerned):
        assert f"/me/prevention/rule/{one.id}" in page.text
        assert spaced(one.reason) in told["rest"]
    assert len(found.now) + len(found.soon) + len(found.done) + len(found.later) + len(found.unconcerned) + sum(
        one.status == "ask" for one in found.all
    ) == len(found.all)
    assert f"{len(questions)} questions" in read(page)
    assert "<script" not in page.text


async def test_it_is_done_and_then_it_was_a_mistake(house: House, nadia: Person, tab: Browser) -> None:
    assert BREAST not in [one.id for one in (await plan(nadia)).done]
    told = await tab.does(PREVENTION, do="done", rule=BREAST, on=ago(house, 9))
    assert FR["prevention_done_said"] in told
    found = (await plan(nadia)).get(BREAST)
    assert found is not None
    assert (found.status, found.done[0].declared) == ("done", True)
    page = await tab.get(f"{PREVENTION}/rule/{BREAST}")
    assert FR["prevention_declared"] in sections(page)["events"]
    assert FR["prevention_undo_done"] in read(page)
    told = await tab.does(PREVENTION, do="undo", rule=BREAST, at="rule")
    assert FR["prevention_done_undone"] in told
    assert FR["prevention_undo_done"] not in told
    assert await tasks(nadia) == [(BREAST, "entered-in-error")]
    again = await tab.send(PREVENTION, do="undo", rule=BREAST, at="rule")
    assert again.status_code == 404
    assert FR["me_over"] in read(again)


@pytest.mark.parametrize(
    ("said", "status", "clause", "words"),
    [
        ("later", "soon", "later", "later"),
        ("not-concerned", "not-concerned", "said-not-concerned", "set-aside"),
        ("declined", "not-concerned", "declined", "set-aside"),
    ],
)
async def test_what_is_said_stands_until_they_change_their_mind(
    nadia: Person, tab: Browser, said: str, status: str, clause: str, words: str
) -> None:
    assert TETANUS in [one.id for one in (await plan(nadia)).now]
    told = await tab.does(PREVENTION, do=said, rule=TETANUS, months="3")
    assert FR[f"prevention_done_{words}"] in told
    found = (await plan(nadia)).get(TETANUS)
    assert found is not None
    assert (found.status, clause in found.clauses) == (status, True)
    if said == "later":
        assert found.until == add(day(nadia.house.now()), 3)
        assert FR["prevention_postponed"] in sections(await tab.get(PREVENTION))["soon"]
    assert FR["prevention_undo"] in read(await tab.get(f"{PREVENTION}/rule/{TETANUS}"))
    told = await tab.does(PREVENTION, do="undo", rule=TETANUS, at="rule")
    assert FR["prevention_done_undone"] in told
    assert TETANUS in [one.id for one in (await plan(nadia)).now]


async def test_nothing_typed_is_lost_and_each_refusal_is_told(house: House, nadia: Person, tab: Browser) -> None:
    tomorrow = (day(house.now()) + timedelta(days=1)).isoformat()
    for on, problem in (
        ("", "prevention_on_missing"),
        (tomorrow, "prevention_on_wrong"),
        ("hier", "prevention_on_wrong"),
    ):
        answer = await tab.send(PREVENTION, do="done", rule=TETANUS, on=on)
        assert answer.status_code == 400
        assert FR[problem] in sections(answer)["now"]
        assert re.search(rf'id="on-{TETANUS}" name="on" [^>]*value="{on}"[^>]*aria-invalid="true"', answer.text)
        assert f"<title>{FR[problem]}" in answer.text
    answer = await tab.send(PREVENTION, do="done", rule=TETANUS, on="1960-01-01", at="rule")
    assert answer.status_code in (303, 422)  # before their birth: the API decides
    answer = await tab.send(PREVENTION, do="later", rule="nothing", months="6")
    assert (answer.status_code, FR["me_refused"] in read(answer)) == (422, True)
    answer = await tab.send(PREVENTION, do="answer", **{"fact.immunocompromised": "no", "fact.smoker": "perhaps"})
    assert answer.status_code == 400
    assert FR["prevention_answer_missing"] in sections(answer)["questions"]
    assert chosen(answer.text, "immunocompromised") == "no"  # shown again, and not kept
    assert "immunocompromised" in [one.fact for one in (await plan(nadia)).questions()]
    answer = await tab.send(PREVENTION, do="answer", **{"fact.smoker": "yes", "fact.nothing": "yes"})
    assert (answer.status_code, FR["me_refused"] in read(answer)) == (422, True)
    assert "smoker" not in [one.fact for one in (await plan(nadia)).questions()]
    answer = await tab.send(PREVENTION, do="answer", **{"fact.pregnancy-start": tomorrow})
    assert FR["prevention_on_wrong"] in read(answer)
    forged = await tab.http.post(PREVENTION, data={"do": "declined", "rule": TETANUS, "csrf": "0"})
    assert forged.status_code == 403
    assert FR["expired"] in read(forged)
    for form in ({}, {"do": "nothing"}):
        answer = await tab.send(PREVENTION, **form)
        assert answer.status_code == 400
    absent = await tab.get(f"{PREVENTION}/rule/nothing")
    assert (absent.status_code, FR["prevention_absent"] in read(absent)) == (404, True)


async def test_a_question_is_asked_once_and_answered_once(nadia: Person, tab: Browser) -> None:
    fact = (await plan(nadia)).questions()[0]
    told = await tab.does(PREVENTION, do="answer", **{f"fact.{fact.fact}": ""})
    assert FR["prevention_done_unknown"] in told
    assert spaced(fact.words) in told
    for value in ("yes", "no"):
        told = await tab.does(PREVENTION, do="answer", **{f"fact.{fact.fact}": value})
        assert FR["prevention_done_answered"] in told
        assert fact.fact not in [one.fact for one in (await plan(nadia)).questions()]
    found = (await nadia.caller().get(f"Observation?patient={nadia.record}")).json()["entry"]
    assert [one["resource"]["valueBoolean"] for one in found] in ([True, False], [False, True])


async def test_all_the_questions_are_answered_at_once(nadia: Person, tab: Browser) -> None:
    asked = [one.fact for one in (await plan(nadia)).questions()]
    page = await tab.get(PREVENTION)
    assert len(asked) > 5
    assert [chosen(page.text, one) for one in asked] == [""] * len(asked)  # nothing is answered for them
    told = await tab.does(PREVENTION, do="answer", **{f"fact.{one}": "" for one in asked} | {f"fact.{asked[-1]}": "no"})
    assert FR["prevention_done_answered"] in told
    left = [one.fact for one in (await plan(nadia)).questions()]
    assert asked[-1] not in left
    assert set(asked[:-1]) <= set(left)
    await tab.does(PREVENTION, do="answer", **{f"fact.{one}": "no" for one in left})
    assert set(left).isdisjoint(one.fact for one in (await plan(nadia)).questions())


async def test_who_is_followed_otherwise_is_not_told_to_do_it(nadia: Person, tab: Browser) -> None:
    kit, address = FR["prevention_do_order-kit"], f"{PREVENTION}/rule/colorectal-cancer-screening"
    await tab.does(PREVENTION, do="answer", **{"fact.colorectal-high-risk": "no"})
    assert kit in read(await tab.get(address))
    await tab.does(PREVENTION, do="answer", **{"fact.colorectal-high-risk": "yes"})
    found = (await plan(nadia)).get("colorectal-cancer-screening")
    assert found is not None
    assert (found.status, found.todo) == ("not-concerned", "order-kit")
    assert kit not in read(await tab.get(address))


def chosen(page: str, fact: str) -> str | None:
    """The value of the choice that is made for a question."""
    found = re.search(rf'name="fact\.{fact}" value="([a-z]*)" checked', page)
    return None if found is None else found[1]


async def test_the_start_of_a_pregnancy_is_a_date(house: House) -> None:
    ada = await kin.person(house, "Ada", "Durand", add(day(house.now()), -30 * 12).isoformat())
    async with browser(house, ada.account) as tab:
        await tab.does(PREVENTION, do="answer", **{"fact.pregnant": "yes"})
        assert "pregnancy-start" in [one.fact for one in (await plan(ada)).questions()]
        page = await tab.get(PREVENTION)
        assert 'id="fact-pregnancy-start"' in page.text
        told = await tab.does(PREVENTION, do="answer", **{"fact.pregnancy-start": ago(house, 5)})
    assert FR["prevention_done_answered"] in told
    assert "pregnancy-start" not in [one.fact for one in (await plan(ada)).questions()]


async def test_one_theme_at_a_time(nadia: Person, tab: Browser) -> None:
    found = await plan(nadia)
    page = await tab.get(f"{PREVENTION}?theme=screening")
    shown = {one.id for one in found.all if f"/rule/{one.id}" in page.text}
    themes = {one.id: one.theme for one in found.all}
    assert {themes[one] for one in shown} == {"screening"}
    assert re.search(r'<a href="[^"]*theme=screening" aria-current="true">', page.text)
    assert "theme=child-health" not in page.text
    odd = await tab.get(f"{PREVENTION}?theme=%3Cb%3E")
    assert f"/rule/{TETANUS}" in odd.text


async def test_a_parent_reads_and_answers_for_their_child(house: House) -> None:
    claire = await kin.person(house, "Claire", "Moreau")
    tom = await kin.person(house, "Tom", "Moreau", ago(house, 14), account=False)
    await kin.represent(tom, claire)
    first = {"resourceType": "Immunization", "status": "completed", "vaccineCode": {"text": "INFANRIX HEXA"}}
    dose = {**first, "patient": {"reference": tom.patient}, "occurrenceDateTime": ago(house, 12), "lotNumber": "AB12"}
    assert (await claire.acting(tom.record).post("Immunization", dose)).status_code == 201
    here = f"record={tom.record}"
    async with browser(house, claire.account) as tab:
        page = await tab.get(f"{PREVENTION}?{here}")
        assert FR["prevention_title_other"] + "Tom" in read(page)
        assert FR["prevention_exams_link"] in read(page)
        exams = await tab.get(f"{PREVENTION}/examinations?{here}")
        cells = re.findall(r'<li class="card ([a-z-]+)">', exams.text)
        assert len(cells) == 20
        assert {"past", "coming"} < set(cells)
        due = re.findall(r"/rule/(child-examination-[a-z0-9-]+)", page.text.partition('id="now"')[2])[0]
        before = add(day(house.now()), -3, 3).isoformat()
        await tab.does(f"{PREVENTION}?{here}", do="done", rule="child-examination-09-12th-month", on=before)
        rule = sections(await tab.get(f"{PREVENTION}/rule/{due}?{here}"))
        assert FR["prevention_events_none"] in rule["events"]
        told = await tab.does(f"{PREVENTION}?{here}", do="done", rule=due, on=ago(house, 0))
        assert FR["prevention_done_said"] in told
        exams = await tab.get(f"{PREVENTION}/examinations?{here}")
        assert re.findall(r'<li class="card ([a-z-]+)">', exams.text).count("done") == 2
        card = sections(await tab.get(f"{PREVENTION}/vaccinations?{here}"))
        assert "INFANRIX HEXA" in card["given"]
        assert "AB12" in card["given"]
        assert FR["prevention_card_now"] in card["vaccines"]
        grown = await tab.get(f"{PREVENTION}/examinations")
        assert FR["prevention_exams_none"] in read(grown)
    assert await tasks(claire) == []


async def test_a_caregiver_reads_and_answers_only_if_they_may_add(house: House) -> None:
    claire, _, jeanne = await family(house)
    marc = await kin.person(house, "Marc", "Petit")
    consent = await kin.care(jeanne, marc, "consult", "agenda")
    paul = await kin.person(house, "Paul", "Girard")
    await kin.care(jeanne, paul, "consult", "documents", "prescriptions")
    here = f"{PREVENTION}?record={jeanne.record}"
    async with browser(house, claire.account) as tab:  # documents alone: questions, and nothing else
        page = await tab.get(here)
        assert FR["prevention_read_only"] in read(page)
        assert FR["prevention_say_done"] not in sections(page)["now"]
        told = await tab.does(here, do="answer", **{"fact.smoker": "no"})
        assert FR["prevention_done_answered"] in told
    async with browser(house, paul.account) as tab:
        assert FR["prevention_read_only"] not in read(await tab.get(here))
        told = await tab.does(here, do="declined", rule="vaccine-zoster-65")
        assert FR["prevention_done_set-aside"] in told
    async with browser(house, marc.account) as tab:
        page = await tab.get(here)
        assert FR["prevention_read_only"] in read(page)
        assert FR["prevention_say_done"] not in sections(page)["now"]
        refused = await tab.send(here, do="declined", rule=TETANUS)
        assert refused.status_code == 403
        assert FR["prevention_forbidden"] in read(refused)
        narrowed = kin.parameters(consent=consent, power=("agenda",))
        assert (await jeanne.caller().post(f"{jeanne.patient}/$change-delegation", narrowed)).status_code == 200
        for path in ("", "/vaccinations", "/examinations", "/print", f"/rule/{TETANUS}"):
            unread = await tab.get(f"{PREVENTION}{path}?record={jeanne.record}")
            assert (unread.status_code, FR["me_unread"] in read(unread)) == (404, True)
    assert await tasks(jeanne) == [("vaccine-zoster-65", "rejected")]


async def test_it_is_printed_in_either_language(house: House, nadia: Person) -> None:
    for language, texts in (("fr", FR), ("en", EN)):
        async with browser(house, nadia.account, language) as tab:
            answer = await tab.get(f"{PREVENTION}/print")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["cache-control"] == "no-store"
        reader = PdfReader(io.BytesIO(answer.content))
        pages = [" ".join(one.extract_text().split()) for one in reader.pages]
        whole = " ".join(pages)
        found = await plan(nadia, language)
        for title in ("prevention_now", "prevention_card_title", "prevention_print_dates"):
            assert texts[title] in whole
        assert all(_plain(one.title) in whole for one in found.now)
        assert "Nadia Benali" in whole
        coming = [one for one in found.all if one.coming]
        assert len(coming) > 3
        for one in sorted(coming, key=lambda one: (one.coming, one.title))[:20]:
            assert _plain(f"{named_day(one.coming, language)}{texts['prevention_colon']}{one.title}") in whole
        foot = _plain(texts["prevention_print_footer"].format(version=found.version))
        assert all(foot in one for one in pages)


def _plain(text: str) -> str:
    """As core fonts write it."""
    return spaced(text.replace("’", "'").replace("œ", "oe"))


@pytest.mark.parametrize("status", ["not-done", "entered-in-error"])
async def test_a_dose_that_was_not_given_is_on_no_card(house: House, nadia: Person, tab: Browser, status: str) -> None:
    dose = {"resourceType": "Immunization", "status": status, "vaccineCode": {"text": "REPEVAX"}}
    made = {**dose, "patient": {"reference": nadia.patient}, "occurrenceDateTime": ago(house, 2)}
    assert (await nadia.caller().post("Immunization", made)).status_code == 201
    card = sections(await tab.get(f"{PREVENTION}/vaccinations"))
    assert card["given"].endswith(FR["prevention_card_given_none"])
    assert TETANUS in [one.id for one in (await plan(nadia)).now]
    printed = PdfReader(io.BytesIO((await tab.get(f"{PREVENTION}/print")).content))
    assert "REPEVAX" not in "".join(one.extract_text() for one in printed.pages)


async def test_the_calendar_is_made_and_ended_from_the_page(house: House, nadia: Person, tab: Browser) -> None:
    page = await tab.send(PREVENTION, do="address")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    found = re.search(r'id="address" type="text" readonly value="([^"]+)"', page.text)
    assert found is not None
    assert f'href="webcal{found[1].removeprefix("http")}"' in page.text
    path = urlsplit(found[1]).path
    feed = await house.http.get(path)
    assert Calendar.from_ical(feed.content).events
    assert path not in (await tab.get(PREVENTION)).text
    assert FR["prevention_done_ended"] in await tab.does(PREVENTION, do="end-address")
    assert (await house.http.get(path)).status_code == 404


async def test_the_picture_says_what_the_list_says(house: House) -> None:
    jeanne = await kin.person(house, "Jeanne", "Lefèvre", "1948-11-02")
    found, born = await plan(jeanne), date(1948, 11, 2)
    assert len(found.now) > 2
    life = life_of(found, born, "fr")
    assert life is not None
    dots = [dot.moment for lane in life.lanes for dot in lane.dots]
    assert sorted(dots, key=repr) == sorted(life.moments, key=repr)
    assert {title for one in dots if one.state == "due" for title in one.titles} == {one.title for one in found.now}
    assert sum(one.state == "due" for one in dots) == life.counts["due"] == len(found.now)
    for lane in life.lanes:
        for one in lane.dots:
            near = [two for two in lane.dots if two is not one and abs(two.x - one.x) < 11 and two.y == one.y]
            assert near == []
            assert 0 < one.x < 360
            assert (one.x > life.now) is (one.moment.state == "coming") or one.x == life.now
    async with browser(house, jeanne.account) as tab:
        page = await tab.get(PREVENTION)
    drawing = page.text.partition('role="img"')[2].partition("</svg>")[0]
    assert drawing.count("<g ") == len(dots)
    assert life_of(found, None, "fr") is None
    assert "style=" not in page.text  # the policy forbids it


def test_ages_in_words() -> None:
    born = date(2024, 1, 31)
    ages = [("2024-01-31", "à la naissance"), ("2024-02-08", "à 8 jours"), ("2024-03-31", "à 2 mois")]
    ages += [("2026-01-30", "à 23 mois"), ("2026-01-31", "à 2 ans"), ("2076-01-30", "à 51 ans")]
    for on, told in ages:
        assert age_words(born, born.fromisoformat(on), "fr") == told


async def test_nobody_signed_in_and_another_site(house: House, nadia: Person) -> None:
    for path in ("", "/vaccinations", "/examinations", "/print", "/rule/x"):
        answer = await house.http.get(f"{PREVENTION}{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    answer = await house.http.post(PREVENTION, data={"do": "address"})
    assert answer.headers["location"] == "/signin"
    async with browser(house, nadia.account, "en") as tab:
        page = await tab.get(PREVENTION)
        assert EN["prevention_title"] in read(page)
        assert sections(page)["now"].startswith(EN["prevention_now"])


def test_every_text_is_said_in_both_languages_and_used() -> None:
    fr, en = ({name for name in texts if name.startswith("prevention_")} for texts in (FR, EN))
    assert fr == en
    folder = Path(words.__file__).parent
    files = [*folder.glob("templates/prevention*.html"), *folder.glob("prevention*.py")]
    used = " ".join(path.read_text() for path in files)
    named = set(re.findall(r"text\.(prevention_[a-z_]+)", used))
    assert named - fr == set()
    known = re.compile(
        r"prevention_(theme|do|requirement|say|state|exam|count|ask|done|verified|unverified|yes|no|unknown)_?"
    )
    assert sorted(name for name in fr if name not in used and not known.match(name)) == []
