"""The pages of prescriptions over the whole application: a person's, and a pharmacist's with only a browser."""

import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from phr import qr
from phr.prescription.life import Move, State
from phr.prescription.moves import REASONS
from phr.prescription.supply import REGULATIONS
from phr.web import counter, dispensing, professional, scan, words
from phr.web.words import TEXTS
from tests import kin
from tests.house import House
from tests.kin import Person
from tests.phr.care import DOCTOR, who
from tests.phr.web.dispensary import counter_browser, listed, visits
from tests.phr.web.household import Browser, browser, read, sections
from tests.prescription.rx import COLLEAGUE, STATION, Counter, line, said, state

FR, EN = TEXTS["fr"], TEXTS["en"]
MINE, PHARMACY = "/me/prescriptions", "/pro/pharmacy"
PREFIXES = ("prescription", "pharmacy_", "link_", "me_nav_")


@pytest.fixture
async def claire(house: House) -> Person:
    return await kin.person(house, "Claire", "Moreau")


@pytest.fixture
async def rx(claire: Person) -> Counter:
    return visits(claire)


@pytest.fixture
async def tab(house: House, claire: Person) -> AsyncIterator[Browser]:
    async with browser(house, claire.account) as opened:
        yield opened


@pytest.fixture
async def park(house: House) -> AsyncIterator[Browser]:
    async with counter_browser(house) as opened:
        yield opened


async def accepted(park: Browser, rx: Counter) -> tuple[str, str]:
    """A prescription that the pharmacy's page opened and took: its Task, and its only line."""
    task, code = await rx.prescribed()
    assert (await park.send(PHARMACY, code=code)).headers["location"] == f"{PHARMACY}/{task}"
    page = await park.does(f"{PHARMACY}/{task}", do="accept")
    assert FR["pharmacy_done_accept"] in page
    [shown] = await rx.lines(rx.person, task)
    return task, shown["request"][0]["id"]


async def test_each_prescription_is_told_in_plain_words(tab: Browser, rx: Counter) -> None:
    assert FR["prescriptions_none"] in read(await tab.get(MINE))
    task, code = await rx.prescribed()
    told = sections(await tab.get(MINE))["current"]
    assert "Prescrite par Dr Petit" in told
    assert FR["prescription_state_ready"] in told
    assert "Amlodipine 5 mg 1 comprimé le matin 30 comprimé à chaque délivrance · renouvelable 2 fois" in told
    assert "Reste à délivrer : 90 comprimé, jusqu’au" in told
    secret = await rx.accepted(rx.park, task, code)
    assert "Prise en charge par Pharmacie du Parc." in sections(await tab.get(MINE))["current"]
    assert (await rx.dispensed(rx.park, task, secret, 30)).status_code == 200
    told = sections(await tab.get(MINE))["current"]
    assert "Délivrée en partie, chez Pharmacie du Parc." in told
    assert re.search(r"30 comprimé , le \d+(er)? \w+ \d{4}, Pharmacie du Parc\.", told), told
    assert "Reste à délivrer : 60 comprimé" in told
    assert FR["prescription_send"] not in told


async def test_what_is_over_comes_last_with_its_reason(tab: Browser, rx: Counter) -> None:
    gone, _ = await rx.prescribed()
    stands, _ = await rx.prescribed()
    assert (await rx.move(rx.doctor, gone, "cancel", reason="treatment-changed")).status_code == 200
    page = await tab.get(MINE)
    told = sections(page)
    assert list(told) == ["current", "usual", "over"]
    assert f"/{stands}" in page.text.partition('id="over"')[0]
    assert f"/{gone}" not in page.text.partition('id="over"')[0]
    assert "Annulée par la personne qui l’a prescrite. Raison : traitement changé." in told["over"]
    one = read(await tab.get(f"{MINE}/{gone}"))
    assert "Amlodipine" in one
    assert FR["prescription_show"] not in one
    ended = await tab.get(f"{MINE}/{gone}/code")
    assert ended.status_code == 410
    assert FR["prescription_problem_410"] in read(ended)


async def test_the_code_is_shown_and_a_new_one_replaces_it(tab: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    page = await tab.get(f"{MINE}/{task}/code")
    assert " ".join(code.split("-")) in read(page)
    assert "<svg" in page.text
    shown = await tab.does(f"{MINE}/{task}/code")
    assert FR["prescription_done_renewed"] in shown
    new = said(await rx.person.get(f"Task/{task}/$code"), "code")
    assert new != code
    assert " ".join(new.split("-")) in shown
    async with counter_browser(rx.house) as park:
        assert FR["pharmacy_problem_403"] in read(await park.send(PHARMACY, code=code))
        assert (await park.send(PHARMACY, code=new)).status_code == 303


async def test_the_paper_is_read(tab: Browser, park: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    assert (await park.send(PHARMACY, code=code)).status_code == 303
    for answer in (await tab.get(f"{MINE}/{task}/paper"), await park.get(f"{PHARMACY}/{task}/paper")):
        assert answer.status_code == 200
        assert answer.content.startswith(b"%PDF-")
        assert answer.headers["cache-control"] == "no-store"
    assert (await park.get(f"{PHARMACY}/{task[:-1]}0/paper")).status_code == 404


@pytest.mark.parametrize("words", ["du parc", "LYON"])
async def test_it_is_sent_in_one_act_and_taken_back(
    house: House, tab: Browser, park: Browser, rx: Counter, words: str
) -> None:
    pharmacy, other = await listed(house), await listed(house, STATION, "Nice")
    await listed(house, who(41, structure_name="Clinique du Parc"), "Lyon", "SA01")
    task, _ = await rx.prescribed()
    found = await tab.send(f"{MINE}/{task}/send", do="search", name=words)
    assert f'value="{pharmacy}"' in found.text
    assert f'value="{other}"' not in found.text
    assert "Clinique du Parc" not in found.text
    assert not re.search(r'name="share"[^>]*checked', found.text)
    assert FR["prescription_no_pharmacy"] in read(await tab.send(f"{MINE}/{task}/send", do="choose"))
    shown = await tab.does(f"{MINE}/{task}/send", do="choose", pharmacy=pharmacy, key="one")
    assert FR["prescription_done_sent"] in shown
    assert "Envoyée à Pharmacie du Parc, qui ne l’a pas encore prise en charge." in shown
    assert f"/{task}" in (await park.get(PHARMACY)).text
    assert FR["prescription_done_taken-back"] in await tab.does(f"{MINE}/{task}")
    assert FR["pharmacy_inbox_none"] in read(await park.get(PHARMACY))
    assert (await park.get(f"{PHARMACY}/{task}")).status_code == 404


@pytest.mark.parametrize("share", [False, True])
async def test_the_record_is_lent_only_if_the_box_is_ticked(
    house: House, claire: Person, tab: Browser, park: Browser, rx: Counter, share: bool
) -> None:
    pharmacy = await listed(house)
    task, _ = await rx.prescribed()
    await tab.does(f"{MINE}/{task}/send", do="choose", pharmacy=pharmacy, **({"share": "yes"} if share else {}))
    assert (await rx.park.get(f"Patient/{claire.record}")).status_code == 404
    await park.does(f"{PHARMACY}/{task}", do="accept")
    assert (await rx.park.get(f"Patient/{claire.record}")).status_code == (200 if share else 404)
    late = await tab.send(f"{MINE}/{task}/send", do="choose", pharmacy=pharmacy)
    assert late.status_code == 409
    assert FR["prescription_problem_409"] in read(late)


async def test_the_usual_pharmacy_comes_first(house: House, tab: Browser, rx: Counter) -> None:
    pharmacy = await listed(house)
    assert FR["prescriptions_usual_none"] in read(await tab.get(MINE))
    shown = await tab.does(f"{MINE}/pharmacy", do="choose", pharmacy=pharmacy)
    assert FR["prescription_done_usual"] in shown
    assert "Pharmacie du Parc 12 rue des Lilas, 69003 Lyon" in sections(await tab.get(MINE))["usual"]
    task, _ = await rx.prescribed()
    page = await tab.get(f"{MINE}/{task}/send")
    assert re.search(rf'value="{pharmacy}" checked', page.text)
    not_one = await listed(house, who(41, structure_name="Clinique du Parc"), "Lyon", "SA01")
    refused = await tab.send(f"{MINE}/pharmacy", do="choose", pharmacy=not_one)
    assert FR["prescription_problem_422"] in read(refused)


async def test_a_search_that_finds_nothing_says_so(house: House, tab: Browser) -> None:
    for typed, told in (("zz", "prescription_search_short"), ("zzz", "prescription_search_none")):
        page = await tab.send(f"{MINE}/pharmacy", do="search", name=typed)
        assert FR[told] in read(page)
        assert "/pharmacy?" not in str(page.url)


async def test_who_may_not_is_told_and_a_stranger_sees_nothing(house: House, claire: Person, rx: Counter) -> None:
    task, _ = await rx.prescribed()
    jeanne, marc = [await kin.person(house, given, "Lefèvre", "1948-11-02") for given in ("Jeanne", "Marc")]
    await kin.care(claire, jeanne, "consult")
    async with browser(house, jeanne.account) as carer:
        assert "Amlodipine" in read(await carer.get(f"{MINE}?record={claire.record}"))
        told = read(await carer.get(f"{MINE}/{task}?record={claire.record}"))
        assert "Amlodipine" in told
        assert FR["prescription_show"] not in told
        refused = await carer.get(f"{MINE}/{task}/code?record={claire.record}")
        assert refused.status_code == 403
        assert FR["prescription_problem_403"] in read(refused)
    async with browser(house, marc.account) as stranger:
        for path in ("", "/code", "/send", "/paper"):
            answer = await stranger.get(f"{MINE}/{task}{path}")
            assert (answer.status_code, FR["prescription_absent"] in read(answer)) == (404, True), path


async def test_pages_are_for_who_is_signed_in_and_forms_are_ours(house: House, tab: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    await tab.get(MINE)
    for path in (f"{MINE}/{task}/code", f"{MINE}/{task}", f"{MINE}/{task}/send", f"{MINE}/pharmacy"):
        assert (await tab.http.post(path, data={"do": "choose", "pharmacy": "x"})).status_code == 403
        tab.http.cookies.delete("carnet_session") if path.endswith("pharmacy") else None
    assert (await tab.get(MINE)).headers["location"] == "/signin"
    assert said(await rx.person.get(f"Task/{task}/$code"), "code") == code
    stranger = await tab.get(PHARMACY)
    assert FR["pharmacy_sign_in_first"] in read(stranger)
    assert "location" not in stranger.headers
    assert (await tab.http.post(PHARMACY, data={"code": code})).status_code == 401
    assert (await tab.get(f"{PHARMACY}/{task}")).headers["location"] == PHARMACY
    assert (await tab.http.post(f"{PHARMACY}/scan", content=b"x")).status_code == 403


def test_who_signs_in_to_open_a_prescription_comes_back_to_it() -> None:
    assert PHARMACY in professional.RETURNS


async def test_a_code_is_read_however_it_is_typed(park: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    typed = code.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    opened = await park.send(PHARMACY, code=f"  {typed} ")
    assert (opened.status_code, opened.headers["location"]) == (303, f"{PHARMACY}/{task}")
    page = read(await park.get(f"{PHARMACY}/{task}"))
    assert "Amlodipine 5 mg 1 comprimé le matin" in page
    assert FR["pharmacy_signed"] in page
    assert FR["pharmacy_unchecked"] in page
    assert "Non vérifié" in page
    assert FR["pharmacy_reject"] not in page
    for wrong in ("", "0000-0000-0000-0000-0000", code[:-1] + ("1" if code[-1] == "0" else "0")):
        refused = await park.send(PHARMACY, code=wrong)
        assert FR["pharmacy_problem_403"] in read(refused)
        assert code not in refused.text
    await rx.move(rx.doctor, task, "cancel", reason="treatment-stopped")
    over = await park.send(PHARMACY, code=code)
    assert (over.status_code, FR["pharmacy_problem_410"] in read(over)) == (410, True)


async def test_another_profession_has_nothing_to_open(house: House, rx: Counter) -> None:
    await rx.prescribed()
    async with counter_browser(house, DOCTOR, "en") as doctor:
        page = await doctor.get(PHARMACY)
        assert EN["pharmacy_not_pharmacist"] in read(page)
        assert 'name="code"' not in page.text


async def test_lines_are_dispensed_within_what_may_be(claire: Person, park: Browser, tab: Browser, rx: Counter) -> None:
    task, one = await accepted(park, rx)
    there = f"{PHARMACY}/{task}"
    page = (await park.get(there)).text
    assert re.search(rf'name="quantity-{one}"[^>]* value="30"', page)
    refused = await park.send(there, do="dispense", **{f"do-{one}": "deliver", f"quantity-{one}": "91"})
    assert refused.status_code == 422
    assert FR["pharmacy_too_much"] in read(refused)
    assert re.search(rf'name="quantity-{one}"[^>]* value="91"[^>]*aria-invalid', refused.text)
    for typed in ("zéro", "0", ""):
        unread = await park.send(there, do="dispense", **{f"do-{one}": "deliver", f"quantity-{one}": typed})
        assert FR["pharmacy_quantity_wrong"] in read(unread)
    nothing = await park.send(there, do="dispense", **{f"do-{one}": "later"})
    assert FR["pharmacy_nothing"] in read(nothing)
    form = {"key": "k", f"do-{one}": "deliver", f"quantity-{one}": "10"}
    form |= {f"product-{one}": "Amlodipine Biogaran 5 mg", f"because-{one}": "FP", f"next-{one}": "2027-01-15"}
    assert FR["pharmacy_done_dispense"] in await park.does(there, do="dispense", **form)
    await park.does(there, do="dispense", **form)  # pressed twice
    [shown] = await rx.lines(rx.person, task)
    assert len(shown["dispense"]) == 1
    told = read(await tab.get(f"{MINE}/{task}"))
    assert "Délivré à la place : Amlodipine Biogaran 5 mg (générique ou biosimilaire)." in told
    assert "Prochaine délivrance : 15 janvier 2027." in told
    assert "Reste à délivrer : 80 comprimé" in told
    async with browser(rx.house, claire.account, "en") as english:
        assert "(generic or biosimilar)" in read(await english.get(f"{MINE}/{task}"))


async def test_a_line_that_is_not_dispensed_says_why(park: Browser, tab: Browser, rx: Counter) -> None:
    task, one = await accepted(park, rx)
    there = f"{PHARMACY}/{task}"
    refused = await park.send(there, do="dispense", **{f"do-{one}": "decline"})
    assert FR["pharmacy_reason_missing"] in read(refused)
    for reason in dispensing.REASONS:
        await park.does(there, do="dispense", **{f"do-{one}": "decline", f"reason-{one}": reason})
        assert "Non délivré" in read(await tab.get(f"{MINE}/{task}"))
        assert f"({FR[f'prescription_reason_{reason}']})" in read(await tab.get(f"{MINE}/{task}"))
    assert "Reste à délivrer : 90 comprimé" in read(await park.get(there))


async def test_a_line_not_to_be_substituted_is_not(park: Browser, rx: Counter) -> None:
    made = "A1B2C3D4"
    kept = {"allowedBoolean": False, "reason": {"coding": [{"system": "urn:x", "code": "MTE"}]}}
    task, code = await rx.prescribed(line(rx.record, made, rx.now, substitution=kept))
    await park.send(PHARMACY, code=code)
    await park.does(f"{PHARMACY}/{task}", do="accept")
    [shown] = await rx.lines(rx.person, task)
    one = shown["request"][0]["id"]
    form = {f"do-{one}": "deliver", f"quantity-{one}": "30", f"product-{one}": "Autre", f"because-{one}": "OS"}
    refused = await park.send(f"{PHARMACY}/{task}", do="dispense", **form)
    assert FR["pharmacy_kept"] in read(refused)
    assert FR["prescription_kept_MTE"] in read(refused)
    del form[f"because-{one}"]
    assert FR["pharmacy_because_missing"] in read(await park.send(f"{PHARMACY}/{task}", do="dispense", **form))


async def test_it_is_completed_released_and_resumed(house: House, park: Browser, rx: Counter) -> None:
    task, one = await accepted(park, rx)
    there = f"{PHARMACY}/{task}"
    assert FR["pharmacy_complete"] not in read(await park.get(there))
    async with counter_browser(house, COLLEAGUE) as colleague:
        assert FR["pharmacy_resume"] in read(await colleague.get(there))
        await colleague.does(there, do="accept")
        await colleague.does(there, do="dispense", **{f"do-{one}": "deliver", f"quantity-{one}": "30"})
    assert "Rien ne peut être délivré aujourd’hui." in read(await park.get(there))
    assert FR["pharmacy_done_release"] in await park.does(there, do="release")
    gone = await park.get(there)
    assert (gone.status_code, FR["pharmacy_problem_404"] in read(gone)) == (404, True)
    code = said(await rx.person.get(f"Task/{task}/$code"), "code")
    await park.send(PHARMACY, code=code)
    await park.does(there, do="accept")
    assert FR["pharmacy_done_complete"] in await park.does(there, do="complete")
    assert FR["pharmacy_state_completed"] in read(await park.get(there))


async def test_what_a_browser_keeps_proves_nothing_once_a_colleague_took_it_again(
    house: House, park: Browser, rx: Counter
) -> None:
    task, one = await accepted(park, rx)
    there, given = f"{PHARMACY}/{task}", {"do": "dispense", f"do-{one}": "deliver", f"quantity-{one}": "30"}
    async with counter_browser(house, COLLEAGUE) as colleague:
        await colleague.does(there, do="accept")
        await colleague.does(there, do="release")
        await colleague.send(PHARMACY, code=said(await rx.person.get(f"Task/{task}/$code"), "code"))
        await colleague.does(there, do="accept")
    refused = await park.send(there, **given)
    assert (refused.status_code, FR["pharmacy_stale"] in read(refused)) == (403, True)
    assert FR["pharmacy_resume"] in read(refused)
    await park.does(there, do="accept")
    assert FR["pharmacy_done_dispense"] in await park.does(there, **given)


async def test_two_pharmacies_one_prescription(house: House, park: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    there = f"{PHARMACY}/{task}"
    async with counter_browser(house, STATION) as station:
        await park.send(PHARMACY, code=code)
        await station.send(PHARMACY, code=code)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', (await station.get(there)).text)
        assert token is not None
        await park.does(there, do="accept")
        late = await station.http.post(there, data={"csrf": token[1], "do": "accept"})
        assert (late.status_code, FR["pharmacy_problem_404"] in read(late)) == (404, True)
        await station.send(PHARMACY, code=code)
        assert FR["pharmacy_theirs"] in read(await station.get(there))
        taken = await station.http.post(there, data={"csrf": token[1], "do": "accept"})
        assert (taken.status_code, FR["pharmacy_problem_409"] in read(taken)) == (409, True)
        assert state(said(await rx.person.get(f"Task/{task}/$prescription"), "task")) == "accepted"
        await park.does(there, do="release")
        await station.send(PHARMACY, code=code)
        assert FR["pharmacy_done_accept"] in await station.does(there, do="accept")


async def test_it_is_refused_with_a_reason(house: House, tab: Browser, park: Browser, rx: Counter) -> None:
    assert set(counter.REFUSALS) == REASONS[Move.REJECT]
    pharmacy = await listed(house)
    task, _ = await rx.prescribed()
    await tab.does(f"{MINE}/{task}/send", do="choose", pharmacy=pharmacy)
    there = f"{PHARMACY}/{task}"
    assert FR["pharmacy_reason_missing"] in read(await park.send(there, do="reject"))
    assert FR["pharmacy_done_reject"] in await park.does(there, do="reject", reason="out-of-stock")
    told = sections(await tab.get(MINE))["current"]
    assert "Refusée par la pharmacie. Vous pouvez la présenter ailleurs. Raison : rupture de stock." in told
    assert FR["prescription_send"] in told


async def test_a_picture_is_read_and_nothing_else(park: Browser, rx: Counter) -> None:
    task, code = await rx.prescribed()
    url = said(await rx.person.get(f"Task/{task}/$code"), "url")
    page = await park.get(PHARMACY)
    token = re.search(r'data-csrf="([0-9a-f]+)"', page.text)
    assert token is not None

    async def scanned(picture: bytes) -> tuple[int, str]:
        headers = {"Carnet-Form": token[1], "Content-Type": "image/png"}
        answer = await park.http.post(f"{PHARMACY}/scan", content=picture, headers=headers)
        return answer.status_code, answer.text

    plain = code.replace("-", "")
    assert await scanned(qr.png(url)) == (200, f'{{"code":"{plain}"}}')
    assert (await scanned(qr.png(code)))[0] == 200
    assert (await scanned(qr.png("https://example.org/p?x=1")))[0] == 204
    assert (await scanned(qr.png(f"{url}1234567")))[0] == 204
    blank, jpeg, wide = BytesIO(), BytesIO(), BytesIO()
    Image.new("L", (320, 240), 255).save(blank, "PNG")
    Image.new("L", (320, 240), 255).save(jpeg, "JPEG")
    Image.new("1", (scan.WIDEST + 1, 8)).save(wide, "PNG")
    assert (await scanned(blank.getvalue()))[0] == 204
    assert [(await scanned(one))[0] for one in (jpeg.getvalue(), wide.getvalue(), b"", qr.png(url)[:200])] == [415] * 4
    assert (await scanned(b"\0" * (scan.LARGEST + 1)))[0] == 413
    assert (await park.http.post(f"{PHARMACY}/scan", content=qr.png(url))).status_code == 403


async def test_the_qr_leads_to_a_page_that_says_what_it_is(house: House, claire: Person, park: Browser) -> None:
    async with browser(house, claire.account) as person:
        page = await person.get("/p")
        assert FR["link_what"] in read(page)
        assert "<form" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
    page = await park.get("/p")
    assert re.search(rf'<form method="post" action="{PHARMACY}">', page.text)
    async with counter_browser(house, DOCTOR) as doctor:
        assert "<form" not in (await doctor.get("/p")).text


def test_every_text_is_said_in_both_languages() -> None:
    named = {language: {name for name in texts if name.startswith(PREFIXES)} for language, texts in TEXTS.items()}
    assert named["fr"] == named["en"]
    folder = Path(words.__file__).parent / "templates"
    used = [path.read_text() for path in (*folder.glob("prescription*.html"), *folder.glob("pharmacy*.html"))]
    missing = [name for page in used for name in re.findall(r"text\.(\w+)", page) if name not in FR]
    assert missing == []
    reasons = {*REASONS[Move.REJECT], *REASONS[Move.CANCEL], *dispensing.REASONS, *dispensing.SUBSTITUTIONS}
    assert [code for code in reasons if f"prescription_reason_{code.lower()}" not in FR] == []
    assert [code for code in REGULATIONS if f"prescription_regulation_{code}" not in FR] == []
    assert [one for one in State if not {f"prescription_state_{one}", f"pharmacy_state_{one}"} <= FR.keys()] == []
