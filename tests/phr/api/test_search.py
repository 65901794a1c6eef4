"""Search over HTTP: every kind of parameter, what is brought along, order, pages, and what is not understood."""

from fhir.validation import validate
from tests.house import Caller, House, observation
from tests.phr.api.asking import NEVER, created, found, matches


async def test_tokens(app: Caller, record: str) -> None:
    typed = {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}]},
        "system": "urn:example:lab",
        "value": "L|1",
    }
    one = (await created(app, observation(record, identifier=[typed])))["id"]
    two = (await created(app, observation(record, code={"text": "humeur"}, status="amended", category=None)
           | {"category": [{"text": "x"}]}))["id"]  # fmt: skip
    loinc = "http://loinc.org|29463-7"
    for query, expected in {
        f"code={loinc}": {one},
        "code=29463-7": {one},
        "code=http://loinc.org|": {one},
        "code=|29463-7": set(),
        "code=29463-7,nothing": {one},
        f"code=nothing&code={loinc}": set(),
        f"code:not={loinc}": {two},
        "code:missing=false": {one, two},
        "identifier:missing=true": {two},
        "status=final": {one},
        "status:not=final": {two},
        "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|FILL|L\\|1": {one},
        "identifier=urn:example:lab|L\\|1": {one},
        f"_id={one}": {one},
        f"_id={one},{two}": {one, two},
        f"_id={NEVER}": set(),
    }.items():
        assert await found(app, f"Observation?{query}") == expected, query
        by_post = await app.ask(
            "POST", "Observation/_search", {"Content-Type": "application/x-www-form-urlencoded"}, content=query.encode()
        )
        assert {each["id"] for each in matches(by_post.json())} == expected


async def test_dates(app: Caller, record: str) -> None:
    day = (await created(app, observation(record, effectiveDateTime="2024-03-10")))["id"]
    morning = (await created(app, observation(record, effectiveDateTime="2024-03-10T01:30:00+02:00")))["id"]
    bare = {key: value for key, value in observation(record).items() if key != "effectiveDateTime"}
    span = (await created(app, {**bare, "effectivePeriod": {"start": "2024-02-01", "end": "2024-04"}}))["id"]
    open_ = (await created(app, {**bare, "effectivePeriod": {"start": "2024-06-01"}}))["id"]
    none = (await created(app, bare))["id"]
    for query, expected in {
        "date=2024-03-10": {day},
        "date=2024-03-09": {morning},
        "date=2024-03": {day, morning},
        "date=2024": {day, morning, span},
        "date=ne2024": {open_},
        "date=gt2024-03-10": {span, open_},
        "date=ge2024-03-10": {day, span, open_},
        "date=lt2024-03-10": {morning, span},
        "date=le2024-03-10": {day, morning, span},
        "date=sa2024-04-30": {open_},
        "date=eb2024-03-11": {day, morning},
        "date=ap2024-03-10T12:00:00Z": {day, morning, span, open_},
        "date=ge2024-03-09&date=lt2024-03-11": {day, morning, span},
        "date=2024-03-09T23:30:00Z": {morning},
        "date=2024-03-10T00:30:00%2B01:00": {morning},
        "date:missing=true": {none},
        "date=2024-03-10,2024-03-09": {day, morning},
    }.items():
        assert await found(app, f"Observation?{query}") == expected, query
    everything = {day, morning, span, open_, none}
    assert await found(app, "Observation?_lastUpdated=gt2020") == everything
    assert await found(app, "Observation?_lastUpdated=lt2020") == set()


async def test_references(house: House, app: Caller, record: str) -> None:
    doctor = (await house.operator().post("Practitioner", {"resourceType": "Practitioner"})).json()["id"]
    logical = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "801234567890"}}
    one = (await created(app, observation(record, performer=[{"reference": f"Practitioner/{doctor}"}])))["id"]
    two = (await created(app, observation(record, performer=[logical])))["id"]
    for query, expected in {
        f"performer=Practitioner/{doctor}": {one},
        f"performer={doctor}": {one},
        f"performer=http://carnet.test/fhir/Practitioner/{doctor}": {one},
        f"performer:Practitioner={doctor}": {one},
        f"performer:Organization={doctor}": set(),
        "performer=https://elsewhere.example/fhir/Practitioner/1": set(),
        "performer:identifier=urn:oid:1.2.250.1.71.4.2.1|801234567890": {two},
        f"subject=Patient/{record}": {one, two},
        f"patient={record}": {one, two},
        f"patient={NEVER}": set(),
        "performer:missing=true": set(),
        "specimen:missing=true": {one, two},
    }.items():
        assert await found(app, f"Observation?{query}") == expected, query


async def test_labels_tags_profiles_and_uris(app: Caller, record: str) -> None:
    meta = {
        "tag": [{"system": "urn:t", "code": "home"}],
        "security": [{"system": "urn:s", "code": "N"}],
        "profile": ["http://example.org/p|1.0"],
    }
    one = (await created(app, observation(record, meta=meta)))["id"]
    for query in ("_tag=urn:t|home", "_security=N", "_profile=http://example.org/p", "_tag:not=x", "_tag=home,x"):
        assert await found(app, f"Observation?{query}") == {one}, query
    for query in ("_tag=urn:t|away", "_security=R", "_profile=http://example.org/q", "_tag:missing=true"):
        assert await found(app, f"Observation?{query}") == set(), query


async def test_words_and_uris_of_the_commons(house: House, app: Caller) -> None:
    operator = house.operator()
    curie = (
        await operator.post(
            "Practitioner",
            {"resourceType": "Practitioner", "name": [{"family": "Skłodowska-Curie", "given": ["Élise"]}]},
        )
    ).json()["id"]
    form = {"resourceType": "Questionnaire", "status": "active", "url": "urn:q:1", "title": "Tabac"}
    asked = (await operator.post("Questionnaire", form)).json()["id"]
    for query, expected in {
        "Practitioner?family=skl": set(),
        "Practitioner?family:contains=curie": {curie},
        "Practitioner?family:exact=Skłodowska-Curie": {curie},
        "Practitioner?family:exact=skłodowska-curie": set(),
        "Practitioner?name=elise": {curie},
        "Practitioner?given=éL": {curie},
        "Practitioner?family=curie": set(),
        "Questionnaire?url=urn:q:1": {asked},
        "Questionnaire?url=urn:q": set(),
        "Questionnaire?title=tab": {asked},
    }.items():
        assert await found(app, query) == expected, query


async def test_chains_has_and_what_is_brought_along(house: House, app: Caller, record: str) -> None:
    operator = house.operator()
    place = (await operator.post("Organization", {"resourceType": "Organization", "name": "Hôpital Nord"})).json()["id"]
    doctor = (
        await operator.post("Practitioner", {"resourceType": "Practitioner", "name": [{"family": "Curie"}]})
    ).json()["id"]
    role = (
        await operator.post(
            "PractitionerRole",
            {
                "resourceType": "PractitionerRole",
                "practitioner": {"reference": f"Practitioner/{doctor}"},
                "organization": {"reference": f"Organization/{place}"},
            },
        )
    ).json()["id"]
    visit = await created(
        app,
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": f"Patient/{record}"},
            "serviceProvider": {"reference": f"Organization/{place}"},
        },
    )
    seen = observation(
        record,
        encounter={"reference": f"Encounter/{visit['id']}"},
        performer=[{"reference": f"PractitionerRole/{role}"}],
    )
    one = (await created(app, seen))["id"]
    await created(app, observation(record))
    for query, expected in {
        "Observation?encounter.class=AMB": {one},
        "Observation?encounter.class=IMP": set(),
        "Observation?encounter:Encounter.service-provider:Organization.name=hopital": {one},
        "Observation?performer:PractitionerRole.practitioner.family=curie": {one},
        "Encounter?_has:Observation:encounter:code=29463-7": {visit["id"]},
        "Encounter?_has:Observation:encounter:code=none": set(),
        "Patient?_has:Observation:subject:code=29463-7": {record},
        "Practitioner?_has:PractitionerRole:practitioner:organization.name=hôpital": {doctor},
    }.items():
        assert await found(app, query) == expected, query
    for query, expected in {
        f"Observation?_id={one}&_include=Observation:encounter": {visit["id"]},
        f"Observation?_id={one}&_include=Observation:performer": {role},
        f"Observation?_id={one}&_include=Observation:performer:Practitioner": set(),
        f"Observation?_id={one}&_include=Observation:performer&_include:iterate=PractitionerRole:practitioner": {
            role, doctor},
        f"Observation?_id={one}&_include=*": {visit["id"], role, record},
        f"Observation?_id={one}&_include=*&_include:iterate=*": {visit["id"], role, record, place, doctor},
        f"Observation?_id={one}&_include=Observation:*": {visit["id"], role, record},
        "Encounter?_revinclude=Observation:encounter": {one},
        "Encounter?_revinclude=Observation:*": {one},
        "Encounter?_revinclude=Observation:encounter&_include:iterate=Observation:performer": {one, role},
    }.items():  # fmt: skip
        page = (await app.get(query)).json()
        assert {each["id"] for each in matches(page, "include")} == expected, query
        assert validate("Bundle", page) == ()
        assert matches(page, "outcome") == []
