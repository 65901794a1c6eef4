"""A small world made over HTTP, each thing with a mark of its own, and the oracle's description of each."""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from auth.professionals import Professional as Identity
from phr import codes
from phr.access.consent import PROFESSIONALS, STRUCTURES, Actor, Terms
from phr.access.provision import Right
from tests import oracle
from tests.access.rights import LINES, MATRIX, plain_of, read_as
from tests.access.worlds import DOCTOR, HL7, SECRETARY
from tests.access.worlds import professional as professional_
from tests.house import ALL, Caller, House, account_of, observation

Json = dict[str, Any]
SYSTEM = "urn:oid:1.2.3"
HIDDEN, MASKED, FROM_PROXIES = "INVISIBLE_PATIENT", "MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"
LOINC = "http://loinc.org"


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


@dataclass(frozen=True, slots=True)
class Thing:
    """One resource. `mark` is a text only its content holds; `labels` as they are now."""

    name: str
    kind: str
    id: str
    mark: str
    record: str | None
    author: str
    labels: frozenset[str]
    codes: frozenset[tuple[str, str, str]] = frozenset()
    gone: bool = False
    content: tuple[str, str] | None = None

    @property
    def address(self) -> str:
        return f"{self.kind}/{self.id}"

    def plain(self) -> Json:
        """As the oracle reads it."""
        return {
            "record": self.record,
            "type": self.kind,
            "author": self.author,
            "labels": self.labels,
            "codes": self.codes,
            "id": self.id,
            "content of": self.content,
        }


@dataclass(frozen=True, slots=True)
class Someone:
    """A reader with a token, and as the oracle reads them."""

    name: str
    caller: Caller
    plain: Json
    scopes: tuple[str, ...]
    city: "City"

    def sees(self, thing: Thing, verb: str) -> bool:
        """What the oracle says."""
        rights = [one for record, one in self.city.rights if record == thing.record]
        now = datetime.now(UTC)
        return oracle.sees(self.plain, list(self.scopes), verb, thing.plain(), None, now, rights, LINES)


@dataclass(slots=True)
class City:
    """Two people, two depositors, and what was deposited."""

    house: House
    ada: str = ""
    bob: str = ""
    things: dict[str, Thing] = field(default_factory=dict)
    rights: list[tuple[str, Json]] = field(default_factory=list)

    def __repr__(self) -> str:
        return "City(…)"

    def among(self, *kinds: str) -> list[Thing]:
        """The things of these types, or all."""
        return [thing for thing in self.things.values() if not kinds or thing.kind in kinds]

    def read(self, text: str) -> set[str]:
        """The names of the things whose content shows in a text."""
        return {thing.name for thing in self.things.values() if thing.mark in text}

    def readers(self) -> list[Someone]:
        """Everybody who asks, with all scopes and with few."""
        everything, house = ("patient/*.cruds",), self.house
        few = ("patient/Observation.rs", "patient/Practitioner.s")
        found = [self._citizen("ada", self.ada, everything), self._citizen("ada, few scopes", self.ada, few)]
        found += [self._citizen("ada, no search", self.ada, ("patient/*.r",))]
        found += [self._citizen("ada, vital signs", self.ada, VITAL_SIGNS)]
        found += [self._citizen("bob", self.bob, everything)]
        found += [self._mum("mum", self.ada, everything), self._mum("bob's mum", self.bob, everything)]
        found += [self._mum("mum, laboratory", self.ada, ("patient/Observation.read", LABORATORY))]
        found += [self._doctor("doctor", None, ("user/*.cruds",)), self._doctor("doctor, few", None, ("user/*.s",))]
        found += [self._doctor("doctor at ada's", self.ada, everything)]
        found += [self._doctor("doctor at bob's", self.bob, everything)]
        for client, scopes in (
            ("hospital", ("system/*.cruds",)),
            ("hospital", ("system/Observation.rs", "system/Binary.r")),
            ("hospital", ("patient/*.cruds",)),
            ("laboratory", ("system/*.cruds",)),
            ("stranger", ("system/*.cruds",)),
        ):
            plain = {"is": "depositor", "name": f"client:{client}"}
            found.append(Someone(f"{client} {scopes[0]}", house.depositor(client, scopes), plain, scopes, self))
        scopes = ("system/*.cruds",)
        plain = {"is": "operator", "name": "client:operator"}
        found.append(Someone("operator", house.operator(), plain, scopes, self))
        return [*found, *self._with_rights()]

    def _with_rights(self) -> Iterator[Someone]:
        """Those to whom Ada lent something: professionals under each right, and caregivers."""
        for name, who in HELD.items():
            scopes = ("user/*.cruds",)
            yield Someone(name, as_professional(self.house, who), read_as(who), scopes, self)
        for name in ("dad", "aunt"):
            plain = {"is": "delegate", "name": f"account:{account_of(name)}", "record": self.ada}
            yield Someone(name, delegate(self.house, self.ada, ALL, name), plain, ALL, self)

    async def lend(self, record: str, terms: Terms) -> str:
        """Write a right, and remember it as the oracle reads it; the id of its Consent."""
        terms = replace(terms, since=self.house.now() - timedelta(minutes=1))
        made = await self.house.lend(record, terms)
        ended = [one for one in self.rights if one[0] == record and _ends(terms, one[1])]
        self.rights[:] = [one for one in self.rights if one not in ended]
        self.rights.append((record, {**plain_of(terms), "id": made}))
        return made

    def _citizen(self, name: str, record: str, scopes: Sequence[str]) -> Someone:
        plain = {"is": "citizen", "name": f"account:{account_of(record)}", "record": record}
        return Someone(name, self.house.citizen(record, scopes), plain, tuple(scopes), self)

    def _mum(self, name: str, record: str, scopes: Sequence[str]) -> Someone:
        plain = {"is": "delegate", "name": f"account:{account_of('mum')}", "record": record}
        return Someone(name, delegate(self.house, record, scopes), plain, tuple(scopes), self)

    def _doctor(self, name: str, record: str | None, scopes: Sequence[str]) -> Someone:
        plain = {**read_as(DOCTOR), "record": record}
        return Someone(name, professional(self.house, record, scopes), plain, tuple(scopes), self)

    def mark(self, name: str) -> str:
        """The mark of a thing to come."""
        return f"zz{len(self.things):03d}{''.join(c for c in name if c.isalpha())}zz"

    def keep(
        self,
        name: str,
        kind: str,
        id: str,
        mark: str,
        record: str | None,
        author: str,
        labels: Iterable[str] = (),
        body: Json | None = None,
    ) -> Thing:
        """Remember what was made."""
        found = codes_of(body or {})
        made = self.things[name] = Thing(name, kind, id, mark, record, author, frozenset(labels), found)
        return made

    async def post(
        self, name: str, caller: Caller, author: str, body: Json, labels: Sequence[str] = (), record: str | None = None
    ) -> Thing:
        """Deposit a resource that carries its mark as text and as an identifier."""
        mark = self.mark(name)
        body = labelled({**body, "identifier": [{"system": SYSTEM, "value": mark}]}, labels)
        answer = await caller.post(body["resourceType"], body)
        assert answer.status_code == 201, answer.text
        return self.keep(name, body["resourceType"], answer.json()["id"], mark, record, author, labels, body)

    async def document(self, name: str, author: str, labels: Sequence[str], org: str, role: str, record: str) -> None:
        """Deposit a document by ITI-105; its content becomes a Binary with a mark of its own."""
        caller = self.house.depositor(author)
        mark = self.mark(name)
        inside = mark.replace("zz", "ww")
        body = document(record, org, role, f"content {inside}", {"description": mark})
        body["identifier"] = [{"system": SYSTEM, "value": mark}]
        body["securityLabel"] += [coded(codes.VISIBILITY, label) for label in labels]
        answer = await caller.post("DocumentReference", body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        self.keep(name, "DocumentReference", made["id"], mark, record, f"client:{author}", labels, body)
        binary = made["content"][0]["attachment"]["url"].removeprefix("Binary/")
        made = self.keep(f"{name} content", "Binary", binary, inside, record, f"client:{author}", labels)
        self.things[made.name] = replace(made, content=(LOINC, "11502-2"))


VITAL_SIGNS = (
    f"patient/Observation.cruds?category={HL7}|vital-signs",
    f"patient/DocumentReference.rs?type={LOINC}|11502-2",
    "patient/Encounter.rs",
    "patient/Patient.r",
)
LABORATORY = f"patient/DiagnosticReport.rs?category={HL7}|nothing"


def delegate(house: House, record: str, scopes: Sequence[str] = ALL, name: str = "mum") -> Caller:
    """An app of who represents the person whose record this is."""
    account = account_of(name)
    return house.caller(replace(house.claims("citizen-app", "app", scopes, record, subject=account), actor=account))


def professional(
    house: House, record: str | None = None, scopes: Sequence[str] = ("user/*.cruds",), *, helped: bool = False
) -> Caller:
    """A professional's software, opened on a record if any; `helped`: by an assistant, who acts for them."""
    claims = house.claims("professional", "software", scopes, record, subject=DOCTOR.id)
    act = {"actor": SECRETARY.id, "assistant": SECRETARY} if helped else {}
    return house.caller(replace(claims, professional=DOCTOR, **act))  # type: ignore[arg-type]


def as_professional(house: House, who: Identity) -> Caller:
    """The software of any professional."""
    claims = house.claims("professional", "software", ("user/*.cruds",), subject=who.id)
    return house.caller(replace(claims, professional=who))


def codes_of(body: Json) -> frozenset[tuple[str, str, str]]:
    """What the oracle knows a resource is searched by."""
    concepts = [("category", one) for one in body.get("category", ())]
    concepts += [("type", body["type"])] if body.get("resourceType") == "DocumentReference" else []
    return frozenset((name, one["system"], one["code"]) for name, concept in concepts for one in concept["coding"])


def results(record: str, **more: Any) -> Json:
    """A laboratory's observation."""
    return observation(record, category=[coded(HL7, "laboratory")], **more)


def labelled(body: Json, labels: Sequence[str]) -> Json:
    """The body with these visibility labels."""
    if not labels:
        return body
    return {**body, "meta": {"security": [{"system": codes.VISIBILITY, "code": label} for label in labels]}}


def document(record: str, org: str, role: str, content: str, more: Json) -> Json:
    """A laboratory report as PDSm wants it, its content inline."""
    data = base64.b64encode(content.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:1.2.3.{abs(hash(content))}"},
        "status": "current",
        "type": coded(LOINC, "11502-2"),
        "category": [coded(codes.CLASS, "10")],
        "subject": {"reference": f"Patient/{record}"},
        "date": "2026-04-29T12:00:00+02:00",
        "author": [{"reference": f"PractitionerRole/{role}"}],
        "custodian": {"reference": f"Organization/{org}"},
        "securityLabel": [coded(codes.CONFIDENTIALITY, "N")],
        "content": [
            {"attachment": {"contentType": "text/plain", "language": "fr-FR", "title": "Report", "data": data}}
        ],
        "context": {
            "period": {"start": "2026-04-29"},
            "facilityType": coded(codes.SECTOR, "SA25"),
            "practiceSetting": coded(codes.SETTING, "AMBULATOIRE"),
        },
        **more,
    }


def encounter(record: str) -> Json:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{record}"},
    }


def report(record: str, results: Sequence[Thing]) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": coded(LOINC, "58410-2"),
        "subject": {"reference": f"Patient/{record}"},
        "result": [{"reference": thing.address} for thing in results],
    }


LABELS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "hidden": (HIDDEN,),
    "masked": (MASKED,),
    "from proxies": (FROM_PROXIES,),
    "hidden and masked": (HIDDEN, MASKED),
}


def _ends(terms: Terms, other: Json) -> bool:
    """Whether a right ends another for good: a block what it forbids, a treating physician the one before."""
    if terms.right is Right.TREATING_PHYSICIAN:
        return bool(other["right"] == terms.right.value)
    blocked = terms.right is Right.BLOCK and terms.actor is not None and other["about"] == terms.actor.name
    return blocked and other["right"] in oracle.SHOWING


HELD = {
    "relation": professional_("810011"),
    "nurse": professional_("810012", "60"),
    "treating": professional_("810013"),
    "administrator": professional_("810014", "60"),
    "blocked": professional_("810015"),
    "emergency": professional_("810016"),
    "code": professional_("810017"),
    "in a blocked structure": professional_("810018", structure="1690000009"),
}
"""Professionals by the right they hold at Ada's."""


def _lent() -> Iterator[Terms]:
    def held(name: str, right: Right, **more: Any) -> Terms:
        return Terms(right, Actor(PROFESSIONALS, HELD[name].id), **more)

    yield held("blocked", Right.BLOCK, permits=False)
    yield Terms(Right.BLOCK, Actor(STRUCTURES, "1690000009"), permits=False)
    for name in ("relation", "nurse", "blocked", "in a blocked structure"):
        yield held(name, Right.CARE_RELATION, purpose="treating")
    yield held("treating", Right.TREATING_PHYSICIAN)
    yield held("administrator", Right.ADMINISTRATOR)
    yield held("emergency", Right.EMERGENCY, purpose="BTG")
    yield held("code", Right.CODE_LEASE, codes=((LOINC, "11502-2"), (HL7, "laboratory")))
    yield Terms(Right.CAREGIVER, Actor.account(account_of("dad")), powers=("consult",))
    yield Terms(Right.CAREGIVER, Actor.account(account_of("aunt")), powers=("documents",))


async def build(house: House) -> City:
    """The whole city."""
    city = City(house)
    operator = house.operator()
    org = (
        await city.post("organisation", operator, "client:operator", {"resourceType": "Organization", "name": "CHU"})
    ).id
    role = (await city.post("role", operator, "client:operator", {"resourceType": "PractitionerRole"})).id
    doctor = {"resourceType": "Practitioner", "name": [{"family": "Petit"}]}
    await city.post("doctor", operator, "client:operator", doctor)
    for person in ("ada", "bob"):
        mark = city.mark(person)
        record = await house.open_record(name=[{"family": mark}])
        city.keep(person, "Patient", record, mark, record, "client:operator")
    city.ada, city.bob = city.things["ada"].id, city.things["bob"].id
    for client in ("hospital", "laboratory"):
        await _deposits(city, client, org, role)
    await _changed(city)
    house.parts.installation.matrix = MATRIX
    for record in (city.ada, city.bob):
        await city.lend(record, Terms(Right.LEGAL_REPRESENTATIVE, Actor.account(account_of("mum"))))
    for terms in _lent():
        await city.lend(city.ada, terms)
    own = house.citizen(city.ada)
    author = f"account:{account_of(city.ada)}"
    await city.post("own observation", own, author, observation(city.ada), record=city.ada)
    await city.post("bob's", house.depositor(), "client:hospital", observation(city.bob), record=city.bob)
    return city


async def _deposits(city: City, client: str, org: str, role: str) -> None:
    caller, author, ada = city.house.depositor(client), f"client:{client}", city.ada
    few = LABELS if client == "hospital" else {name: LABELS[name] for name in ("plain", "hidden")}
    for n, (name, labels) in enumerate(few.items()):
        dated = {"effectiveDateTime": f"2026-03-{n + 1:02d}"}
        await city.post(f"{client} {name}", caller, author, observation(ada, **dated), labels, ada)
    for name in ("plain", "hidden"):
        labels = LABELS[name]
        await city.document(f"{client} {name} document", client, labels, org, role, ada)
        where = await city.post(f"{client} {name} encounter", caller, author, encounter(ada), labels, ada)
        seen = observation(ada, encounter={"reference": where.address})
        await city.post(f"{client} seen at {name}", caller, author, seen, (), ada)
        results = [city.things[f"{client} {one}"] for one in ("plain", "hidden")]
        await city.post(f"{client} {name} report", caller, author, report(ada, results), labels, ada)


async def _changed(city: City) -> None:
    """One that was shown and is hidden now; one that was hidden and is shown now; one that was deleted."""
    caller, author, ada = city.house.depositor(), "client:hospital", city.ada
    for name, before, after in (("was shown", (), (HIDDEN,)), ("was hidden", (HIDDEN,), ())):
        made = await city.post(name, caller, author, observation(ada), before, ada)
        body = {**observation(ada), "id": made.id, "identifier": [{"system": SYSTEM, "value": made.mark}]}
        answer = await caller.put(made.address, labelled(body, after))
        assert answer.status_code == 200, answer.text
        city.keep(name, made.kind, made.id, made.mark, ada, author, after, body)


Expected = Callable[[City, Callable[[Thing, str], bool]], set[str]]
