"""Campaigns: what is told, to whom, when and how often; from whose eyes; and what is never said outside."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from asyncpg.exceptions import InterfaceError
from sqlalchemy import column, func, insert, select, table, update
from sqlalchemy.orm import Session

from fhir.tables import record, resource
from phr import closing, destruction
from phr.access.consent import Terms
from phr.access.journal import Tag, journal
from phr.access.provision import Right
from phr.access.reader import System
from phr.access.scope import READ
from phr.access.visit import Visit
from phr.core import database, outbox
from phr.core.vault import seal
from phr.lifecycle import Closing
from phr.notifications import quiet
from phr.notifications.entry import notification
from phr.prevention import campaign_files, pyramid, queue, rehearsal, sending, watch
from phr.prevention.advice import Advice, Clause, Status
from phr.prevention.campaign import Campaign, Programme
from phr.prevention.canonical import FACT, plan_of
from phr.prevention.dates import EVER, NEVER, Duration, day
from phr.prevention.person import Statement
from phr.prevention.rule import Range, Rule, Rules, Schedule, Season, Source, Theme, Version, Who, Words
from phr.prevention.rulebook import RULES, RuleError
from phr.prevention.telling import Recipient, Telling, choose
from phr.representation import PARENT, PARIS, representation
from tests.deposit import label
from tests.house import Caller, House
from tests.kin import Person, care, parameters, person, represent
from tests.notifications.browser import Subscription
from tests.notifications.told import centre, next_change, send, waiting
from tests.phr.care import mails, notes
from tests.phr.living_and_dying import operator

Json = dict[str, Any]
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TODAY = NOW.date()
SPACE = UUID(int=7)
SOURCE = Source("…", "https://x.test", "…", TODAY, False)


def rule(
    id: str,
    theme: Theme = "screening",
    *,
    years: tuple[int, int] = (40, 75),
    remind: Duration | None = None,
    all: tuple[str, ...] = (),
    channels: Sequence[Any] = ("inbox", "email"),
    sets: frozenset[str] = frozenset({"influenza"}),
) -> Rule:
    who = Who(age=Range(Duration(years[0] * 12), Duration(years[1] * 12)), all=all)
    say = Words(f"Dire {id}", f"Say {id}")
    schedule = Schedule("once", sets)
    version = Version(EVER, "recommended", who, schedule, say, "book", tuple(channels), remind, SOURCE)
    return Rule(id, Words(f"Titre {id}", f"Title {id}"), theme, (version,))


def campaign(*ids: str, name: str = "all", **more: Any) -> Campaign:
    made = Campaign(
        name,
        Words("Campagne", "Campaign"),
        frozenset(ids),
        frozenset({"due", "overdue"}),
        frozenset({"inbox", "email"}),
        EVER,
        NEVER,
        None,
        1,
        (time(20), time(8)),
        True,
    )
    return replace(made, **more)


def programme(*rules: Rule, campaigns: Sequence[Campaign] = (), mark: str = "m") -> Programme:
    return Programme(Rules("v", rules), tuple(campaigns) or (campaign(*(one.id for one in rules)),), mark)


def advice(one: Rule, status: Status = Status.DUE, **more: Any) -> Advice:
    values = {"why": (Clause("due", (TODAY,)),), "due": TODAY, **more}
    return Advice(one, one.versions[0], status, **values)


def to(told: dict[UUID, datetime] | None = None, refuses: str = "") -> Recipient:
    return Recipient(lambda theme: theme != refuses, lambda occasion: uuid5(SPACE, occasion), told or {})


def said(telling: Telling) -> list[str]:
    return [one.rule.id for one in telling.advices]


ONE, TWO = rule("one"), rule("two", "dental")
BOTH = programme(ONE, TWO)


def test_what_is_due_is_one_message_and_is_not_said_again() -> None:
    listed = [advice(ONE), advice(TWO, Status.OVERDUE)]
    first = choose(BOTH, listed, (), to(), NOW)
    assert said(first) == ["two", "one"]
    told = {one.mark: NOW for one in first.items}
    for later in (NOW, NOW + timedelta(days=1), NOW + timedelta(days=400)):
        assert choose(BOTH, listed, (), to(told), later) == Telling()
    other = [advice(ONE, due=TODAY + timedelta(days=1)), advice(TWO, step=2)]
    assert said(choose(BOTH, other, (), to(told), NOW + timedelta(days=8))) == ["two", "one"], "by date"


@pytest.mark.parametrize("status", list(Status))
def test_the_statuses_a_campaign_names_are_those_told(status: Status) -> None:
    for statuses in (frozenset({"due", "overdue"}), frozenset({"soon"}), frozenset({"ask"})):
        spoken = programme(ONE, campaigns=[campaign("one", statuses=statuses)])
        assert said(choose(spoken, [advice(ONE, status)], (), to(), NOW)) == ["one"] * (status.value in statuses)


def test_what_was_put_off_refused_or_has_no_inbox_is_not_told() -> None:
    soon = programme(ONE, campaigns=[campaign("one", statuses=frozenset({"soon", "due"}))])
    later = advice(ONE, Status.SOON, why=(Clause("later", (NEVER,)), Clause("due", (TODAY,))))
    assert said(choose(soon, [later], (), to(), NOW)) == []
    assert said(choose(BOTH, [advice(ONE), advice(TWO)], (), to(refuses="dental"), NOW)) == ["one"]
    mute = rule("mute", channels=("email",))
    assert said(choose(programme(mute), [advice(mute)], (), to(), NOW)) == []


def test_who_declined_hears_no_more_of_it_even_when_that_is_over() -> None:
    over = Statement("one", "declined", TODAY - timedelta(days=30), TODAY - timedelta(days=1))
    assert said(choose(BOTH, [advice(ONE), advice(TWO)], [over], to(), NOW)) == ["two"]
    goes_on = programme(ONE, campaigns=[campaign("one", stop_after_declined=False)])
    assert said(choose(goes_on, [advice(ONE)], [over], to(), NOW)) == ["one"]
    since = Statement("one", "indicated", TODAY)
    assert said(choose(BOTH, [advice(ONE)], [over, since], to(), NOW)) == ["one"]


def test_it_is_said_again_after_what_the_rule_says() -> None:
    often = rule("often", remind=Duration(months=2))
    spoken, told = programme(often), dict[UUID, datetime]()
    at, times = NOW, []
    for _ in range(200):
        found = choose(spoken, [advice(often)], (), to(told), at)
        told |= {one.mark: at for one in found.items}
        times += [at.date()] if found.items else []
        if not found.items:
            assert found.again == Duration(months=2).after(times[-1])
        at += timedelta(days=1)
    assert times == [date(2026, 11, 23), date(2027, 1, 23), date(2027, 3, 23), date(2027, 5, 23)]


def test_never_two_on_one_day_nor_more_than_so_many_in_seven() -> None:
    first = {one.mark: NOW for one in choose(BOTH, [advice(ONE)], (), to(), NOW).items}
    night = NOW.replace(hour=18)
    assert choose(BOTH, [advice(TWO)], (), to(first), night) == Telling((), TODAY + timedelta(days=1))
    for days in range(1, 7):
        found = choose(BOTH, [advice(TWO)], (), to(first), NOW + timedelta(days=days))
        assert found == Telling((), TODAY + timedelta(days=7)), days
    assert said(choose(BOTH, [advice(TWO)], (), to(first), NOW + timedelta(days=7))) == ["two"]
    more = programme(ONE, TWO, campaigns=[campaign("one", "two", per_week=2)])
    assert said(choose(more, [advice(TWO)], (), to(first), NOW + timedelta(days=1))) == ["two"]
    assert choose(BOTH, [advice(ONE)], (), to(first), night) == Telling(), "nothing waits: no date"


def test_quiet_hours_are_those_of_paris() -> None:
    one = campaign("one")
    for hour, minute, awake in ((7, 59, (23, 8)), (8, 0, None), (19, 59, None), (20, 0, (24, 8)), (0, 0, (23, 8))):
        at = datetime(2026, 11, 23, hour, minute, tzinfo=PARIS)
        expected = at if awake is None else datetime(2026, 11, awake[0], awake[1], tzinfo=PARIS)
        assert one.awake(at.astimezone(UTC)) == expected
        found = choose(programme(ONE), [advice(ONE)], (), to(), at.astimezone(UTC))
        assert (found.wait, found.again) == ((None, None) if awake is None else (expected, at.date()))
        assert bool(found.items) is (awake is None)
    noon = campaign("one", quiet=(time(12), time(14)))
    assert noon.awake(datetime(2026, 11, 23, 13, tzinfo=PARIS)) == datetime(2026, 11, 23, 14, tzinfo=PARIS)
    assert noon.awake(datetime(2026, 11, 23, 23, tzinfo=PARIS)).hour == 23


def test_a_season_runs_each_year_and_says_it_each_year() -> None:
    season = campaign("one", season=Season((11, 1), (2, 1)))
    assert season.run(date(2026, 10, 31)) == season.run(date(2027, 1, 31)) == (date(2026, 11, 1), date(2027, 2, 1))
    assert season.run(date(2027, 2, 1)) == (date(2027, 11, 1), date(2028, 2, 1))
    spoken = programme(ONE, campaigns=[season])
    before = datetime(2026, 10, 31, 10, tzinfo=UTC)
    assert choose(spoken, [advice(ONE)], (), to(), before) == Telling((), date(2026, 11, 1))
    first = choose(spoken, [advice(ONE)], (), to(), NOW)
    told = {one.mark: NOW for one in first.items}
    assert choose(spoken, [advice(ONE)], (), to(told), NOW + timedelta(days=30)) == Telling((), date(2027, 11, 1))
    next_year = datetime(2027, 11, 1, 10, tzinfo=UTC)
    assert said(choose(spoken, [advice(ONE)], (), to(told), next_year)) == ["one"]
    once = campaign("one", start=date(2026, 1, 1), before=TODAY)
    assert once.run(TODAY) is None
    assert choose(programme(ONE, campaigns=[once]), [advice(ONE)], (), to(), NOW) == Telling()


def test_two_campaigns_say_one_thing_once_in_a_message() -> None:
    twice = programme(ONE, campaigns=[campaign("one"), campaign("one", name="other", channels=frozenset({"inbox"}))])
    found = choose(twice, [advice(ONE)], (), to(), NOW)
    assert (len(found.items), said(found), found.by("email"), found.by("push")) == (2, ["one"], True, False)


def test_our_campaigns_are_read_and_tell_of_every_theme() -> None:
    found = campaign_files.load()
    told = frozenset[str]().union(*(one.rules for one in found.campaigns))
    assert {one.id for one in RULES.all} == told
    assert {one.theme for one in RULES.all} == {
        "vaccination",
        "screening",
        "child-health",
        "check-up",
        "dental",
        "campaign",
    }
    assert all(one.channels >= {"inbox"} and one.quiet == (time(20), time(8)) for one in found.campaigns)


WRONG = (
    ('rules = ["nothing"]', 3, "nothing is not a rule"),
    ('rules = ["one"]\nper_week = 0', 4, "at least 1"),
    ('rules = ["one"]\nloud = true', 4, "unknown field"),
    ('themes = ["sport"]', 3, "sport"),
    ('rules = ["one"]\nchannels = ["email"]', 4, "channels has it"),
    ('rules = ["one"]\nquiet = { from = "25:00", before = "08:00" }', 4, "quiet hours"),
    ('rules = ["one"]\nseason = { from = "02-29", before = "03-10" }', 4, "a season"),
    ('rules = ["one"]\nfrom = 2027-01-01\nbefore = 2026-01-01', 4, "over before"),
    ("per_week = 1", 1, "names rules or themes"),
)


@pytest.mark.parametrize(("text", "line", "what"), WRONG)
def test_what_is_not_in_the_vocabulary_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    (tmp_path / "x.toml").write_text(f'id = "x"\ntitle = {{ fr = "X", en = "X" }}\n{text}\n')
    with pytest.raises(RuleError) as refused:
        campaign_files.load(tmp_path, BOTH.rules)
    assert f"x.toml:{line}: " in str(refused.value)
    assert what in str(refused.value)


def test_what_changes_a_file_changes_the_mark(tmp_path: Path) -> None:
    marks = set()
    for title in ("X", "Y"):
        (tmp_path / "x.toml").write_text(f'id = "x"\ntitle = {{ fr = "{title}", en = "X" }}\nthemes = ["dental"]\n')
        read = campaign_files.load(tmp_path, BOTH.rules)
        marks.add(read.mark)
        assert [one.id for one in read.rules.all] == ["two"]
    assert len(marks) == 2


# In a real record.


async def looked(house: House, who: str, spoken: Programme, at: datetime = NOW, **more: Any) -> sending.Looked:
    return await sending.look(house.parts.installation, spoken, who, datetime.now(UTC), at, **more)


async def inbox(caller: Caller, name: str) -> list[Json]:
    answer = await caller.get(f"Communication?patient={name}&category=prevention")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


@pytest.fixture
async def claire(house: House) -> Person:
    return await person(house)


async def test_a_message_is_in_the_record_and_the_mail_says_nothing(house: House, claire: Person) -> None:
    assert (await looked(house, claire.record, BOTH)) == await looked_once(house, claire)
    [found] = await inbox(claire.caller(), claire.record)
    assert found["instantiatesCanonical"] == [plan_of("one"), plan_of("two")]
    assert found["recipient"] == [{"reference": f"Patient/{claire.record}"}]
    french, english = (one["contentString"] for one in found["payload"])
    assert "Titre one" in french
    assert "Dire two" in french
    assert "Say two" in english
    [mail] = mails(house)
    assert (mail["to"], "rappel" in mail["subject"], "reminder" in mail["text"]) == (claire.email, True, True)
    for secret in ("one", "two", "Titre", "dépist", "Claire", "Moreau", claire.record):
        assert secret not in (mail["subject"] + mail["text"]).replace("personne", "").replace("one.", ""), secret
    assert next_change(house, claire.record) == date(2060, 5, 17), "the day of 75"
    entries = [note for tag, note in notes(house, claire.record) if tag is Tag.PREVENTION]
    assert [(one.reader, one.client, one.confidential) for one in entries] == [("System", "carnet", True)] * 2
    deleted = await claire.caller().delete(f"Communication/{found['id']}")
    assert deleted.status_code in (200, 204)


async def looked_once(house: House, who: Person) -> sending.Looked:
    """Looking again tells nobody; what the first look should have been."""
    again = await looked(house, who.record, BOTH, NOW + timedelta(days=9))
    assert (again.told, again.mailed) == (0, frozenset())
    return sending.Looked(again.person, 1, frozenset({who.account}))


async def test_who_refused_a_theme_is_not_told_of_it(house: House, claire: Person) -> None:
    await house.lend(claire.record, Terms(Right.PREFERENCE, permits=False, purpose="remind-screening"))
    await looked(house, claire.record, BOTH)
    [found] = await inbox(claire.caller(), claire.record)
    assert found["instantiatesCanonical"] == [plan_of("two")]


async def test_at_night_nothing_is_written_and_in_the_morning_it_is(house: House, claire: Person) -> None:
    night = datetime(2026, 11, 23, 22, tzinfo=PARIS)
    found = await looked(house, claire.record, BOTH, night)
    assert (found.told, found.wait) == (0, datetime(2026, 11, 24, 8, tzinfo=PARIS))
    assert (await inbox(claire.caller(), claire.record), mails(house)) == ([], [])
    assert next_change(house, claire.record) == date(2026, 11, 23), "found again, whatever becomes of the queue"
    assert found.wait is not None
    assert (await looked(house, claire.record, BOTH, found.wait)).told == 1


async def test_each_is_told_from_their_own_eyes(house: House) -> None:
    """A girl of 15 was vaccinated in secret, and has a secret disease: her mother learns neither."""
    teen, mum = await person(house, "Lina", born="2011-03-01"), await person(house, "Sara")
    await house.represent(teen.record, str(mum.account))
    register(house, mum.account, teen.record)
    secret = [label("INVISIBLE_REPRESENTANTS_LEGAUX")]
    hidden = {"meta": {"security": [one["coding"][0] for one in secret]}, "subject": {"reference": teen.patient}}
    app = teen.caller()
    vaccine = {
        "resourceType": "Immunization",
        "status": "completed",
        "meta": hidden["meta"],
        "patient": hidden["subject"],
        "vaccineCode": {"coding": [{"system": "http://www.whocc.no/atc", "code": "J07BB02"}]},
        "occurrenceDateTime": "2026-10-20",
        "primarySource": True,
    }
    fact = {
        "resourceType": "Observation",
        "status": "final",
        **hidden,
        "code": {"coding": [{"system": FACT, "code": "chronic-disease"}]},
        "effectiveDateTime": "2026-10-20",
        "valueBoolean": True,
    }
    for one in (vaccine, fact):
        answer = await app.post(str(one["resourceType"]), one)
        assert answer.status_code == 201, answer.text
    shot = rule("shot", "vaccination", years=(10, 18))
    ill = rule("ill", "check-up", years=(10, 18), all=("chronic-disease",), sets=frozenset({"zoster-recombinant"}))
    assert (await looked(house, teen.record, programme(shot, ill))).told == 2
    parent = mum.acting(teen.record)
    hers, mothers = await inbox(app, teen.record), await inbox(parent, teen.record)
    assert [one["instantiatesCanonical"] for one in mothers] == [[plan_of("shot")]]
    assert sorted(one["instantiatesCanonical"][0] for one in hers) == [plan_of("ill"), plan_of("shot")]
    assert mothers[0]["recipient"][0]["identifier"]["value"] == f"urn:uuid:{mum.account}"
    assert sorted(one["to"] for one in mails(house)) == sorted((teen.email, mum.email))
    seen = (await parent.get(f"{teen.patient}/$journal?group=services")).text
    assert "recommand" not in seen, "that it was looked at tells that something was written"
    assert await inbox(house.caller(house.claims("deposit", "hospital", ("system/*.cruds",))), teen.record) == []


def register(house: House, account: UUID, name: str) -> None:
    """An account acts for a record: its row, on the side of the account."""
    sealed = seal(house.parts.installation.system_keys.get("accounts"), b"{}", b"not read here")
    row = {"account": account, "record": name, "basis": PARENT, "sealed": sealed, "created": NOW - timedelta(days=30)}
    with Session(house.parts.engine) as session, session.begin():
        session.execute(insert(representation).values(row))


async def test_a_parent_whose_mandate_ended_is_told_nothing(house: House) -> None:
    teen, mum = await person(house, "Lina", born="1985-03-01"), await person(house, "Sara")
    register(house, mum.account, teen.record)  # the row alone opens nothing
    assert (await looked(house, teen.record, BOTH)).told == 1
    assert [one["to"] for one in mails(house)] == [teen.email]


async def test_nobody_to_tell_a_dead_person_a_closed_record(house: House) -> None:
    alone = await house.open_record()
    assert await looked(house, alone, BOTH) == sending.Looked()
    assert next_change(house, alone) == TODAY + sending.NOBODY_YET
    assert [tag for tag in tags(house, alone) if tag == Tag.PREVENTION.value] == []
    dead = await person(house)
    patient = (await dead.caller().get(dead.patient)).json()
    answer = await house.operator().put(dead.patient, {**patient, "deceasedBoolean": True})
    if answer.status_code == 200:
        assert (await looked(house, dead.record, BOTH)).told == 0
    shut = await person(house)
    await looked(house, shut.record, BOTH, NOW)
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(record).where(record.c.id == shut.record).values(closed=NOW))
    assert await looked(house, shut.record, BOTH) == sending.Looked()
    with Session(house.parts.engine) as session:
        listed = select(watch.prevention_watch).where(watch.prevention_watch.c.record == shut.record)
        assert session.execute(listed).all() == []


FAMILY = programme(rule("one", years=(0, 75), channels=("inbox", "email", "push")))
PUSHING = Programme(
    FAMILY.rules, (campaign("one", channels=frozenset({"inbox", "email", "push"}), stop_after_declined=False),), "m"
)


async def with_device(who: Person, name: str, where: str) -> None:
    """Their browser, registered in a record."""
    caller = who.caller() if name == who.record else who.acting(name)
    given = parameters(**Subscription(f"https://push.example/{where}").given())
    answer = await caller.post(f"Patient/{name}/$register-device", given)
    assert answer.status_code == 201, answer.text


async def test_a_message_is_in_the_one_centre_and_pushed_as_the_person_prefers(house: House) -> None:
    mute = programme(rule("one"), campaigns=PUSHING.campaigns)
    cases = [(PUSHING, "", 1, 1), (FAMILY, "", 1, 0), (mute, "", 1, 0)]
    cases += [(PUSHING, "push-prevention", 1, 0), (PUSHING, "notify-prevention", 0, 1)]
    for n, (spoken, refused, mailed, pushed) in enumerate(cases):
        who = await person(house)
        await with_device(who, who.record, str(n))
        if refused:
            await house.lend(who.record, Terms(Right.PREFERENCE, permits=False, purpose=refused))
        before = len(mails(house)), len(waiting(house, "push"))
        found = await looked(house, who.record, spoken)
        assert (len(found.mailed), len(found.pushed)) == (mailed, pushed), n
        assert (len(mails(house)) - before[0], len(waiting(house, "push")) - before[1]) == (mailed, pushed), n
        [message] = await inbox(who.caller(), who.record)
        [entry] = await centre(who.caller(), who.record)
        assert (entry["kind"], entry["about"]) == ("prevention", f"Communication/{message['id']}")
        if pushed:
            sent = waiting(house, "push")[-1]
            assert set(sent) == {"account", "device", "notification", "quiet"}
            assert sent["notification"] == entry["id"]
    no_device = await person(house)
    assert (await looked(house, no_device.record, PUSHING)).pushed == frozenset()


async def test_what_was_not_sent_before_the_quiet_hours_waits_until_they_end(house: House, claire: Person) -> None:
    await with_device(claire, claire.record, "claire")
    await looked(house, claire.record, PUSHING)
    sent: list[str] = []
    evening = datetime(2026, 11, 23, 19, 59, tzinfo=PARIS)
    clock = [evening]
    server = house.parts.server

    def refuse(message: Json) -> None:
        sent.append("refused")
        raise OSError

    kinds = ("mail", "push")
    with Session(server.engine) as session, session.begin():
        session.execute(update(outbox.outbox).values(due=evening, created=evening))
    send(house, {kind: quiet.kept(refuse, lambda: clock[0]) for kind in kinds}, evening)
    assert sent == ["refused"] * 2
    night = {kind: quiet.kept(lambda one: sent.append("sent"), lambda: clock[0]) for kind in kinds}
    for hour in range(12):
        clock[0] = evening + timedelta(minutes=1, hours=hour)
        send(house, night, clock[0])
    assert (sent, clock[0].hour) == (["refused"] * 2, 7)
    with Session(server.engine) as session:
        assert {one.tries for one in outbox.listed(session, dead=False)} == {1}, "to wait is no try"
    morning = clock[0] = datetime(2026, 11, 24, 8, tzinfo=PARIS)
    assert send(house, night, morning) == 2
    assert sent[2:] == ["sent"] * 2


async def family(house: House, size: int) -> tuple[Person, list[str]]:
    """A mother, and the records she reads: hers, and her children's."""
    mum = await person(house, "Sara")
    children = [await person(house, f"N{n}", born="2016-05-17", account=False) for n in range(size)]
    for child in children:
        await represent(child, mum)
    return mum, [mum.record, *(child.record for child in children)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_who_reads_several_records_is_reached_once_a_day(house: House, at_once: bool) -> None:
    mum, names = await family(house, 4)
    for name in names:
        await with_device(mum, name, "phone")
    if at_once:
        await asyncio.gather(*(looked(house, name, PUSHING) for name in names))
    else:
        for name in names:
            await looked(house, name, PUSHING)
    to_mum = [one for one in mails(house) if "rappel" in one["subject"]]
    assert (len(to_mum), len(waiting(house, "push"))) == (1, 1)
    for name in names:
        caller = mum.caller() if name == mum.record else mum.acting(name)
        assert len(await inbox(caller, name)) == 1
        assert "prevention" in {one["kind"] for one in await centre(caller, name)}
    again = replace(PUSHING, campaigns=(replace(PUSHING.campaigns[0], id="again", per_week=9),))
    tomorrow = NOW + timedelta(days=1)
    for name in names:
        await looked(house, name, again, tomorrow)
    assert len([one for one in mails(house) if "rappel" in one["subject"]]) == 2
    with Session(house.parts.engine) as session:
        rows = session.execute(
            select(watch.prevention_message).where(watch.prevention_message.c.record == watch.ACCOUNTS)
        ).all()
        assert len(rows) == 4
        assert not {str(mum.account), mum.account.hex} & {str(one.recipient) for one in rows}


async def test_what_reaches_nobody_leaves_the_day_to_what_does(house: House) -> None:
    mum, (own, child) = await family(house, 1)
    quietly = programme(rule("one", years=(0, 75)), campaigns=[campaign("one", channels=frozenset({"inbox"}))])
    await looked(house, own, quietly)
    await house.lend(child, Terms(Right.PREFERENCE, permits=False, purpose="notify-prevention"))
    await with_device(mum, child, "phone")
    await looked(house, child, PUSHING)
    assert ([one for one in mails(house) if "rappel" in one["subject"]], len(waiting(house, "push"))) == ([], 1)
    loud = replace(PUSHING, campaigns=(replace(PUSHING.campaigns[0], id="loud", per_week=9),))
    other, _ = await family(house, 0)
    await looked(house, other.record, loud)
    assert [one["to"] for one in mails(house) if "rappel" in one["subject"]] == [other.email]


async def test_two_who_read_each_other_are_told_without_waiting_for_each_other(house: House) -> None:
    ada, bob = await person(house, "Ada"), await person(house, "Bob")
    await care(ada, bob, "consult", "agenda")
    await care(bob, ada, "consult", "agenda")
    for n in range(6):
        spoken = replace(PUSHING, campaigns=(replace(PUSHING.campaigns[0], id=f"c{n}", per_week=9),))
        found = await asyncio.gather(
            *(looked(house, one.record, spoken, NOW + timedelta(days=n)) for one in (ada, bob))
        )
        assert [one.told for one in found] == [2, 2]


@pytest.mark.parametrize(("powers", "told"), [(("consult",), 1), (("consult", "agenda"), 2), (("agenda",), 1)])
async def test_a_caregiver_is_told_who_looks_after_the_agenda(
    house: House, claire: Person, powers: tuple[str, ...], told: int
) -> None:
    carer = await person(house, "Bob")
    await care(claire, carer, *powers)
    found = await looked(house, claire.record, BOTH)
    assert (found.told, len(found.mailed)) == (told, told)
    if told == 2:
        [message] = [
            one
            for one in await inbox(carer.acting(claire.record), claire.record)
            if "identifier" in one["recipient"][0]
        ]
        assert "personne que vous aidez" in message["payload"][0]["contentString"]
        [entry] = await centre(carer.acting(claire.record), claire.record)
        assert entry["about"] == f"Communication/{message['id']}"


async def test_it_is_looked_at_again_when_what_awaits_its_announcement_is_shown(house: House, claire: Person) -> None:
    """Nobody writes then: a result that the person sees from that day may make something due."""
    hidden = {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": claire.patient},
        "code": {"coding": [{"system": FACT, "code": "chronic-disease"}]},
        "effectiveDateTime": "2026-01-20",
        "valueBoolean": True,
        "meta": {"security": label("INVISIBLE_PATIENT")["coding"]},
    }
    ill = programme(rule("ill", all=("chronic-disease",), sets=frozenset({"zoster-recombinant"})))
    assert (await house.depositor().post("Observation", hidden)).status_code == 201
    assert (await looked(house, claire.record, ill, house.now())).told == 0
    shown = next_change(house, claire.record)
    assert shown is not None
    assert timedelta(27) < shown - house.now().date() < timedelta(33)
    later = datetime.combine(shown + timedelta(days=1), time(10), PARIS)
    found = await sending.look(house.parts.installation, ill, claire.record, later, later)
    assert found.told == 1


class Killed(Exception):  # noqa: N818
    """The process is gone."""


async def test_killed_at_each_step_nobody_is_told_twice_nor_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection dies at the first statement of a look, then at the second, and so on until it is done."""
    mum, (_, child) = await family(house, 1)
    await with_device(mum, child, "phone")
    steps = 0

    def dying(patched: pytest.MonkeyPatch, after: int) -> None:
        left = [after]
        for name in ("fetch", "one", "execute_many"):
            real = getattr(database.Session, name)

            async def step(self: Any, *given: Any, real: Any = real) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    self._connection.terminate()
                    raise Killed
                return await real(self, *given)

            patched.setattr(database.Session, name, step)

    def counted() -> tuple[int, ...]:
        with Session(house.parts.engine) as session:
            marks = select(func.count()).select_from(watch.prevention_message)
            kept = [
                session.execute(marks.where(one)).scalar_one()
                for one in (
                    watch.prevention_message.c.record == child,
                    watch.prevention_message.c.record == watch.ACCOUNTS,
                )
            ]
            entries = select(func.count()).select_from(notification).where(notification.c.record == child)
            messages = select(func.count()).select_from(resource).where(resource.c.kind == "Communication")
            kept += [session.execute(one).scalar_one() for one in (entries, messages)]
        reminders = [one for one in mails(house) if "rappel" in one["subject"]]
        return (*kept, len(reminders), len(waiting(house, "push")))

    before = counted()
    while True:
        steps += 1
        with monkeypatch.context() as patched:
            dying(patched, steps)
            try:
                done = (await looked(house, child, PUSHING)).told == 1
            except (Killed, InterfaceError):
                done = False
        if done:
            break
        assert counted() == before, f"step {steps}"
    assert steps > 20
    once = tuple(one + more for one, more in zip(before, (1, 2, 1, 1, 1, 1), strict=True))
    assert counted() == once
    await looked(house, child, PUSHING)
    assert counted() == once


async def test_a_dry_run_counts_who_would_be_reached_as_they_prefer(house: House) -> None:
    mum, names = await family(house, 3)
    await with_device(mum, names[1], "phone")
    refuses = await person(house)
    await house.lend(refuses.record, Terms(Right.PREFERENCE, permits=False, purpose="notify-prevention"))
    *_, counted = [
        one async for one in rehearsal.rehearse(house.parts.installation, PUSHING, PUSHING.campaigns[0], TODAY)
    ]
    assert (counted.people, counted.messages, counted.mailed, counted.pushed) == (5, 5, {mum.account}, {mum.account})


async def test_what_is_written_by_an_operation_is_looked_at_again(house: House, claire: Person) -> None:
    await looked(house, claire.record, BOTH)
    assert next_change(house, claire.record) == date(2060, 5, 17)
    visit = Visit(house.parts.installation, System("tests"), (), (), house.now())
    async with visit.act(claire.record, READ, Tag.PREVENTION, "tests") as deed:
        await watch.look_again(deed.session, claire.record, house.now())
    assert next_change(house, claire.record) == day(house.now())
    unknown = await house.open_record()
    async with house.parts.installation.database.session() as session:
        await watch.look_again(session, unknown, house.now())
    assert next_change(house, unknown) == day(house.now())


def tags(house: House, name: str) -> list[str]:
    with Session(house.parts.engine) as session:
        found = session.execute(select(journal.c.tag).where(journal.c.chain == name)).scalars()
        return list(found)


def pass_time(house: House) -> None:
    """As if what was written so far had been an hour ago."""
    with Session(house.parts.engine) as session, session.begin():
        session.execute(update(journal).values(at=journal.c.at - timedelta(hours=1)))


async def test_only_what_changed_or_has_come_is_looked_at(house: House, database_url: str) -> None:
    queue.install(database_url)
    queue.install(database_url)
    people = [await person(house) for _ in range(4)]
    seen: list[sending.Looked] = []
    rounds = queue.Rounds(house.parts.installation, BOTH, database_url, NOW, seen.append)
    assert await rounds.run(once=True) == len(people)
    assert (len(seen), sum(one.told for one in seen)) == (4, 4)
    seen.clear()
    pass_time(house)
    assert (await rounds.run(once=True), seen) == (0, []), "nothing changed"

    weight = {"resourceType": "Observation", "status": "final", "code": {"text": "Poids"}}
    answer = await people[1].caller().post("Observation", {**weight, "subject": {"reference": people[1].patient}})
    assert answer.status_code == 201, answer.text
    await people[2].caller().get(people[2].patient)
    assert (await rounds.run(once=True), len(seen)) == (1, 1), "the one that was written in, not the one that was read"
    pass_time(house)
    await house.lend(people[2].record, Terms(Right.PREFERENCE, permits=False, purpose="remind-dental"))
    assert await rounds.run(once=True) == 1, "whose preferences changed"

    pass_time(house)
    with Session(house.parts.engine) as session, session.begin():
        mine = watch.prevention_watch.c.record == people[3].record
        session.execute(update(watch.prevention_watch).where(mine).values(next_change=TODAY))
    assert await rounds.run(once=True) == 1, "whose day has come"
    other = replace(BOTH, mark="other")
    assert await queue.Rounds(house.parts.installation, other, database_url, NOW).run(once=True) == 4, "new rules"
    assert len(mails(house)) == 4, "nobody twice"


async def test_what_is_silent_at_night_waits_in_the_queue(house: House, database_url: str) -> None:
    queue.install(database_url)
    await person(house)
    morning = datetime.combine((datetime.now(PARIS) + timedelta(days=2)).date(), time(8), PARIS)
    rounds = queue.Rounds(house.parts.installation, BOTH, database_url, morning - timedelta(hours=3))
    assert [await rounds.run(once=True) for _ in range(2)] == [1, 0], "it is in the queue already"
    with Session(house.parts.engine) as session:
        jobs = table("procrastinate_jobs", column("scheduled_at"), column("status"), schema=queue.SCHEMA)
        assert session.execute(select(jobs.c.scheduled_at, jobs.c.status)).all() == [(morning, "todo")]
    assert mails(house) == []


async def test_one_that_fails_waits_and_the_others_have_their_turn(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.install(database_url)
    bad, *others = [await person(house) for _ in range(3)]

    async def broken(here: Any, spoken: Programme, name: str, *more: Any, **named: Any) -> sending.Looked:
        if name == bad.record:
            raise ValueError(name)
        return await sending.look(here, spoken, name, *more, **named)

    with monkeypatch.context() as patched:
        patched.setattr(queue, "look", broken)
        await queue.Rounds(house.parts.installation, BOTH, database_url, NOW).run(once=True)
    assert sorted(one["to"] for one in mails(house)) == sorted(one.email for one in others)
    assert next_change(house, bad.record) is not None
    await sending.look(house.parts.installation, BOTH, bad.record, datetime.now(UTC), NOW)
    assert len(mails(house)) == 3


async def test_a_record_that_is_closed_or_gone_is_watched_no_more(house: House) -> None:
    """Also where nobody would be told: a job that waited is no reason to write of a record again."""
    name = await house.open_record()
    assert await looked(house, name, BOTH) == sending.Looked()
    assert watched(house, name)
    await closing.shut(operator(house), name, Closing.ERASURE, "close")
    await looked(house, name, BOTH, rehearsing=True)
    assert watched(house, name)
    await looked(house, name, BOTH)
    assert not watched(house, name)
    later = datetime.now(UTC) + timedelta(days=40)
    assert [one async for one in destruction.destroy_due(house.parts.installation, later)] == [name]
    await looked(house, name, BOTH)
    assert not watched(house, name)


def watched(house: House, name: str) -> bool:
    with Session(house.parts.engine) as session:
        mine = select(watch.prevention_watch.c.record).where(watch.prevention_watch.c.record == name)
        return session.execute(mine).one_or_none() is not None


async def test_a_dry_run_counts_and_writes_nothing(house: House) -> None:
    people = [await person(house, born="1985-05-17") for _ in range(6)] + [await person(house, born="1960-05-17")]
    await person(house, born="2015-05-17")
    spoken = programme(ONE, TWO, campaigns=[campaign("one", name="a"), campaign("two", name="b")])
    rehearsed = rehearsal.rehearse(house.parts.installation, spoken, spoken.campaigns[0], TODAY)
    *_, counted = [one async for one in rehearsed]
    assert (counted.looked, counted.people, counted.messages, len(counted.mailed)) == (8, 7, 7, 7)
    assert counted.cells == {(40, "female"): 6, (65, "female"): 1}
    assert mails(house) == []
    assert tags(house, people[0].record).count(Tag.PREVENTION.value) == 1
    with Session(house.parts.engine) as session:
        assert session.execute(select(watch.prevention_message)).all() == []
        assert session.execute(select(watch.prevention_watch)).all() == []
    drawing = pyramid.drawn("<Octobre>", counted.cells)
    assert "&lt;Octobre&gt;" in drawing
    assert drawing.count("<rect") == 3
    assert ">6</text>" in drawing
    assert ">&lt;5</text>" in drawing
    assert ">1</text>" not in drawing
    assert 'role="img"' in drawing
    assert (rehearsal.told(0), rehearsal.told(4), rehearsal.told(5)) == ("0", "<5", "5")
