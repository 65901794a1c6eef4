"""Every way out of the record that reads: how it is asked, and what it shows to one who sees what they see."""

import base64
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlencode, urlsplit

import httpx

from tests import oracle
from tests.access.city import SYSTEM, City, Someone, Thing
from tests.house import Caller

FORM = "application/x-www-form-urlencoded"
SEARCHED = ("Observation", "Encounter", "DiagnosticReport", "DocumentReference", "Patient")


async def every_page(caller: Caller, first: httpx.Response) -> str:
    """The text of a page and of all that follow it."""
    texts = [first.text]
    answer = first
    while answer.status_code == 200:
        links = {link["relation"]: link["url"] for link in answer.json().get("link", ())}
        if "next" not in links:
            break
        split = urlsplit(links["next"])
        answer = await caller.get(f"{split.path.removeprefix('/fhir/')}?{split.query}")
        assert answer.status_code == 200, answer.text
        texts.append(answer.text)
    return "\n".join(texts)


async def gathered(caller: Caller, paths: Iterable[str], **headers: str) -> str:
    answers = [await caller.get(path, **headers) for path in paths]
    return "\n".join(answer.text for answer in answers)


async def searched(city: City, caller: Caller, more: str, *kinds: str) -> str:
    """A search on the types, all pages."""
    texts = []
    for kind in kinds or SEARCHED:
        person = f"_id={city.ada}" if kind == "Patient" else f"patient={city.ada}"
        texts.append(await every_page(caller, await caller.get(f"{kind}?{person}{more}")))
    return "\n".join(texts)


async def read(city: City, caller: Caller) -> str:
    return await gathered(caller, (thing.address for thing in city.among() if thing.kind != "Binary"))


async def vread(city: City, caller: Caller) -> str:
    return await gathered(caller, (f"{t.address}/_history/{v}" for t in city.among("Observation") for v in (1, 2)))


async def history(city: City, caller: Caller) -> str:
    things = city.among("Observation", "Encounter", "DocumentReference", "Patient", "Practitioner")
    return await gathered(caller, (f"{thing.address}/_history" for thing in things))


async def history_of_type(city: City, caller: Caller) -> str:
    texts = [
        await every_page(caller, await caller.get(f"{k}/_history?patient={city.ada}&_count=3")) for k in SEARCHED[:4]
    ]
    return "\n".join(texts)


async def search(city: City, caller: Caller) -> str:
    return await searched(city, caller, "")


async def pages(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_count=2")


async def search_by_post(city: City, caller: Caller) -> str:
    texts = []
    for kind in SEARCHED[:4]:
        form = urlencode({"patient": city.ada, "_count": "200"})
        answer = await caller.ask("POST", f"{kind}/_search", {"Content-Type": FORM}, content=form)
        texts.append(answer.text)
    return "\n".join(texts)


async def sorted_up(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_sort=date&_count=2", "Observation")


async def sorted_down(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_sort=-date,_lastUpdated&_count=2", "Observation")


async def by_condition(city: City, caller: Caller) -> str:
    paths = [f"Observation?patient={city.ada}&identifier={SYSTEM}|{t.mark}&_elements=code" for t in city.among()]
    answers = [await caller.get(path) for path in paths]
    hits = [path for path, answer in zip(paths, answers, strict=True) if '"match"' in answer.text]
    return "\n".join(hits)


async def negated(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&code:not=x&_security:not=none&date:missing=false", "Observation")


async def included(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_include=Observation:encounter&_count=200", "Observation")


async def included_all(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_include=*&_count=200", "Observation")


async def included_back(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_revinclude=DiagnosticReport:result&_count=200", "Observation")


async def included_on(city: City, caller: Caller) -> str:
    more = "&_include=DiagnosticReport:result&_revinclude:iterate=DiagnosticReport:result"
    return await searched(city, caller, more, "DiagnosticReport")


async def chained(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&encounter:Encounter.status=finished", "Observation")


async def having(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_has:DiagnosticReport:result:status=final", "Observation")


async def having_back(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_has:Observation:encounter:status=final", "Encounter")


async def chain_inside_has(city: City, caller: Caller) -> str:
    return await searched(city, caller, "&_has:Observation:encounter:encounter.status=finished", "Encounter")


async def everything(city: City, caller: Caller) -> str:
    text = await every_page(caller, await caller.get(f"Patient/{city.ada}/$everything?_count=3"))
    return f"{text}\n{by_address(city, text)}"


async def everything_of_types(city: City, caller: Caller) -> str:
    types = "Observation,Encounter"
    return await every_page(caller, await caller.get(f"Patient/{city.ada}/$everything?_type={types}&_count=200"))


async def batch(city: City, caller: Caller) -> str:
    entries = [{"request": {"method": "GET", "url": t.address}} for t in city.among() if t.kind != "Binary"]
    url = f"Observation?patient={city.ada}&_count=200"
    entries.append({"request": {"method": "GET", "url": url}})
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    return (await caller.post("", bundle)).text


async def batch_searches(city: City, caller: Caller) -> str:
    urls = [f"{kind}?patient={city.ada}&_count=200" for kind in SEARCHED[:4]]
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    return (await caller.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries})).text


async def content(city: City, caller: Caller) -> str:
    return await gathered(caller, (t.address for t in city.among("Binary")), Accept="*/*")


async def content_in_json(city: City, caller: Caller) -> str:
    answers = [await caller.get(thing.address) for thing in city.among("Binary")]
    return "\n".join(base64.b64decode(answer.json().get("data", "")).decode() for answer in answers)


async def content_in_part(city: City, caller: Caller) -> str:
    return await gathered(caller, (t.address for t in city.among("Binary")), Accept="*/*", Range="bytes=2-")


async def had_already(city: City, caller: Caller) -> str:
    """A 304 says that the version is there: it counts as shown."""
    marks = []
    for thing in city.among("Observation", "Binary"):
        for headers in ({"If_None_Match": "*"}, {"If_Modified_Since": _LATER}):
            answer = await caller.get(thing.address, Accept="*/*", **headers)
            if answer.status_code not in (403, 404):
                assert answer.status_code == 304
                marks.append(thing.mark)
    return "\n".join(marks)


_LATER = "Fri, 01 Jan 2100 00:00:00 GMT"


async def summaries(city: City, caller: Caller) -> str:
    """What is asked for less of: it counts as shown when its id is in the answer."""
    text = await searched(city, caller, "&_summary=true&_count=200")
    text += await searched(city, caller, "&_elements=status&_count=200")
    return by_address(city, text)


def by_address(city: City, text: str) -> str:
    """The marks of what a Bundle holds, by the address of its entries."""
    return "\n".join(thing.mark for thing in city.among() if f'/fhir/{thing.address}","resource"' in text)


async def everything_of_commons(city: City, caller: Caller) -> str:
    return "\n".join([(await caller.get(f"{kind}?_count=100")).text for kind in ("Practitioner", "Organization")])


async def history_of_commons(city: City, caller: Caller) -> str:
    return (await caller.get("Practitioner/_history?_count=100")).text


Ask = Callable[[City, Caller], Awaitable[str]]
Shows = Callable[[City, Someone], set[str]]


def of(verb: str, *kinds: str, inside: bool = True) -> Shows:
    """What is of these types, in Ada's record or (not `inside`) anywhere."""

    def shows(city: City, who: Someone) -> set[str]:
        found = (t for t in city.among(*kinds) if not inside or t.record == city.ada)
        return {thing.name for thing in found if who.sees(thing, verb)}

    return shows


def _observations(city: City, who: Someone, ok: Callable[[Thing], bool]) -> set[str]:
    return {t.name for t in city.among("Observation") if t.record == city.ada and who.sees(t, "s") and ok(t)}


def _place(city: City, thing: Thing) -> Thing | None:
    head, _, label = thing.name.partition(" seen at ")
    return city.things.get(f"{head} {label} encounter") if label else None


def _with_places(city: City, who: Someone) -> set[str]:
    shown = _observations(city, who, lambda _: True)
    places = [place for name in shown if (place := _place(city, city.things[name])) is not None]
    return shown | {place.name for place in places if who.sees(place, "s")}


def _with_all(city: City, who: Someone) -> set[str]:
    shown = _with_places(city, who)
    me = city.things["ada"]
    return shown | ({me.name} if shown and who.sees(me, "s") else set())


def _results(city: City, thing: Thing) -> list[Thing]:
    client = thing.name.split(" ")[0]
    return [city.things[f"{client} {label}"] for label in ("plain", "hidden")]


def _reports(city: City, who: Someone) -> list[Thing]:
    return [t for t in city.among("DiagnosticReport") if who.sees(t, "s")]


def _with_reports(city: City, who: Someone) -> set[str]:
    shown = _observations(city, who, lambda _: True)
    found = {t.name for t in _reports(city, who) if any(one.name in shown for one in _results(city, t))}
    return shown | found


def _reports_on(city: City, who: Someone) -> set[str]:
    reports = _reports(city, who)
    results = {one.name for t in reports for one in _results(city, t) if who.sees(one, "s")}
    return {t.name for t in reports} | results


def _chained(city: City, who: Someone) -> set[str]:
    return _observations(city, who, lambda t: (place := _place(city, t)) is not None and who.sees(place, "s"))


def _having(city: City, who: Someone) -> set[str]:
    reported = {one.name for t in _reports(city, who) for one in _results(city, t)}
    return _observations(city, who, lambda t: t.name in reported)


def _having_back(city: City, who: Someone) -> set[str]:
    seen = {
        place.name for name in _observations(city, who, lambda _: True) if (place := _place(city, city.things[name]))
    }
    return {t.name for t in city.among("Encounter") if t.name in seen and who.sees(t, "s")}


def _everything(city: City, who: Someone) -> set[str]:
    """Every resource in sight, once the Patient may be asked about, and the commons it names."""
    if not oracle_allows(who):
        return set()
    own = of("r")(city, who)
    documents = any(city.things[name].kind == "DocumentReference" for name in own)
    commons = [city.things[name] for name in ("organisation", "role")] if documents else []
    return own | {thing.name for thing in commons if who.sees(thing, "r")}


def oracle_allows(who: Someone) -> bool:
    """Whether $everything may be asked at all: it is asked of the Patient."""
    return oracle.scoped(who.plain, list(who.scopes), "r", "Patient")


def _everything_of_types(city: City, who: Someone) -> set[str]:
    return of("r", "Observation", "Encounter")(city, who) if oracle_allows(who) else set()


def _batch(city: City, who: Someone) -> set[str]:
    alone = {t.name for t in city.among() if t.kind != "Binary" and who.sees(t, "r")}
    return alone | of("s", "Observation")(city, who)


WAYS: dict[str, tuple[Ask, Shows]] = {
    "read": (read, lambda c, w: of("r", inside=False)(c, w) - of("r", "Binary", inside=False)(c, w)),
    "vread": (vread, of("r", "Observation", inside=False)),
    "history": (
        history,
        of("r", "Observation", "Encounter", "DocumentReference", "Patient", "Practitioner", inside=False),
    ),
    "history of a type": (history_of_type, of("s", *SEARCHED[:4])),
    "search": (search, of("s", *SEARCHED)),
    "pages": (pages, of("s", *SEARCHED)),
    "POST _search": (search_by_post, of("s", *SEARCHED[:4])),
    "_sort ascending": (sorted_up, of("s", "Observation")),
    "_sort descending": (sorted_down, of("s", "Observation")),
    "one by one": (by_condition, of("s", "Observation")),
    ":not": (negated, of("s", "Observation")),
    "_summary and _elements": (summaries, of("s", *SEARCHED)),
    "_include": (included, _with_places),
    "_include *": (included_all, _with_all),
    "_revinclude": (included_back, _with_reports),
    ":iterate": (included_on, _reports_on),
    "chain": (chained, _chained),
    "_has": (having, _having),
    "_has, the other way": (having_back, _having_back),
    "chain inside _has": (chain_inside_has, _having_back),
    "$everything": (everything, _everything),
    "$everything of types": (everything_of_types, _everything_of_types),
    "batch": (batch, _batch),
    "searches in a batch": (batch_searches, of("s", *SEARCHED[:4])),
    "content": (content, of("r", "Binary")),
    "content in JSON": (content_in_json, of("r", "Binary")),
    "a range of the content": (content_in_part, of("r", "Binary")),
    "not modified": (had_already, of("r", "Observation", "Binary", inside=False)),
    "the commons": (everything_of_commons, of("s", "Practitioner", "Organization", inside=False)),
    "history of the commons": (history_of_commons, of("s", "Practitioner", inside=False)),
}
"""Name: how to ask, and the names of the things that show."""


async def check(city: City, names: Iterable[str] = WAYS, readers: Iterable[Someone] | None = None) -> None:
    """Every way out shows every reader what the oracle says, no more and no less."""
    for who in readers if readers is not None else city.readers():
        for name in names:
            ask, shows = WAYS[name]
            found, expected = city.read(await ask(city, who.caller)), shows(city, who)
            assert found == expected, (
                f"{name} by {who.name}: too much {found - expected}, too little {expected - found}"
            )
