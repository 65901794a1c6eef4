"""A right as FHIR: what a Consent of ours says, read strictly, and the Consent that says it.

The rule: a Consent of our category that cannot be read whole is refused when it is written, and gives nothing. Any
other Consent (organ donation, research of another) is not a right here: it is kept, and decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fhir import tokens
from fhir.parameters import KINDS
from fhir.record import RecordKeys
from phr.access.provision import SHOWN, Provision, Right
from phr.core.errors import invalid

Json = dict[str, Any]

RIGHT = "https://carnet.example/CodeSystem/right"
PURPOSE = "https://carnet.example/CodeSystem/purpose"
POWER = "https://carnet.example/CodeSystem/power"
CLIENT = "https://carnet.example/client"
PROFESSIONALS = "urn:oid:1.2.250.1.71.4.2.1"
STRUCTURES = "urn:oid:1.2.250.1.71.4.2.2"
RPPS, FINESS = "https://rpps.esante.gouv.fr", "https://finess.esante.gouv.fr"
URI = "urn:ietf:rfc:3986"
_SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
_ROLE = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
_LAW = "https://www.legifrance.gouv.fr/codes/texte_lc/LEGITEXT000006072665"
_PARIS = ZoneInfo("Europe/Paris")
_DENIALS = frozenset({Right.BLOCK, Right.MASK})
_DOCUMENTS = frozenset({"DocumentReference", "Binary"})
_UNREAD = ("provision", "dataPeriod", "securityLabel")
"""Elements of a provision that would narrow it in a way we do not keep: refused, for they would be believed."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom a right is about, by an identifier: a professional, a structure, an account, an application."""

    system: str
    value: str
    display: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """What is hashed under the record's key (`phr.access.reader.names` says the same of a reader)."""
        match self.system:
            case "urn:oid:1.2.250.1.71.4.2.1":
                return f"professional:{self.value}"
            case "https://rpps.esante.gouv.fr":
                return f"professional:8{self.value}"
            case "urn:oid:1.2.250.1.71.4.2.2":
                return f"structure:{self.value}"
            case "https://finess.esante.gouv.fr":
                return f"structure:1{self.value}"
            case "https://carnet.example/client":
                return f"client:{self.value}"
            case "urn:ietf:rfc:3986" if self.value.startswith("urn:uuid:"):
                return f"account:{self.value.removeprefix('urn:uuid:')}"
        raise invalid("Whom the right is about is named by an identifier of a system known here.", _ACTOR)

    @classmethod
    def account(cls, id: UUID | str, display: str = "") -> "Actor":
        """A citizen's account."""
        return cls(URI, f"urn:uuid:{id}", display)


_ACTOR = "Consent.provision.actor[0].reference.identifier"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a right says, before it is a Consent. `codes`: (system, code) of document types, or of categories.

    `data`: references `Type/id`. `source`: the id of the Consent that opened it; `organization`: the structure
    it was opened for. `label`: a security label, such as the one of a session that
    is kept from representatives. `status`: R4 consent-state-codes.
    """

    right: Right
    actor: Actor | None = None
    permits: bool = True
    since: datetime | None = None
    until: datetime | None = None
    purpose: str = ""
    kinds: tuple[str, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    data: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    source: str | None = None
    organization: Actor | None = None
    status: str = "active"
    label: tuple[str, str] | None = None
    extension: tuple[Mapping[str, Any], ...] = ()


def consent_of(terms: Terms, record: str, now: datetime) -> Json:
    """The Consent that says these terms, without an id."""
    period = {"start": _stamp(terms.since or now)}
    if terms.until is not None:
        period["end"] = _stamp(terms.until)
    provision: Json = {"type": "permit" if terms.permits else "deny", "period": period}
    if terms.actor is not None:
        provision["actor"] = [{"role": {"coding": [_ROLE]}, "reference": _named(terms.actor)}]
    if terms.powers:
        provision["action"] = [{"coding": [{"system": POWER, "code": power}]} for power in terms.powers]
    if terms.purpose:
        provision["purpose"] = [{"system": PURPOSE, "code": terms.purpose}]
    if terms.kinds:
        provision["class"] = [{"system": tokens.RESOURCE_TYPES, "code": kind} for kind in terms.kinds]
    if terms.codes:
        provision["code"] = [{"coding": [{"system": system, "code": code}]} for system, code in terms.codes]
    if terms.data:
        provision["data"] = [{"meaning": "instance", "reference": {"reference": name}} for name in terms.data]
    body: Json = {"resourceType": "Consent", "status": terms.status}
    if terms.label is not None:
        body["meta"] = {"security": [{"system": terms.label[0], "code": terms.label[1]}]}
    body |= {
        "scope": {"coding": [_SCOPE]},
        "category": [{"coding": [{"system": RIGHT, "code": terms.right.value}]}],
        "patient": {"reference": f"Patient/{record}"},
        "dateTime": _stamp(now),
        "policy": [{"uri": _LAW}],
    }
    if terms.organization is not None:
        body["organization"] = [_named(terms.organization)]
    if terms.source is not None:
        body["sourceReference"] = {"reference": f"Consent/{terms.source}"}
    if terms.extension:
        body["extension"] = [dict(one) for one in terms.extension]
    return {**body, "provision": provision}


def _named(actor: Actor) -> Json:
    shown = {"display": actor.display} if actor.display else {}
    return {"identifier": {"system": actor.system, "value": actor.value}, **shown}


def right_of(consent: Mapping[str, Any]) -> Right | None:
    """Which right a Consent is about; None when none of ours. Two, or one that is not known, are refused (422)."""
    coded = [c for one in _objects(consent.get("category")) for c in _objects(one.get("coding"))]
    ours = [coding.get("code") for coding in coded if coding.get("system") == RIGHT]
    if not ours:
        return None
    if len(ours) > 1 or ours[0] not in set(Right):
        raise invalid("The category is one code of the rights known here.", "Consent.category")
    return Right(str(ours[0]))


def provision_of(consent: Mapping[str, Any], keys: RecordKeys) -> Provision | None:
    """The row that a stored Consent gives: None when it is no right of ours, or not active. Raises CONTENT (422)."""
    right = right_of(consent)
    if right is None:
        return None
    read = terms_of(consent)
    if read.status != "active" or read.since is None:
        return None
    # A Binary has the category of what it is the content of: that document's type, or that resource's own.
    contents = [(tokens.RESOURCE_TYPES, kind) for kind in read.kinds if kind not in _DOCUMENTS]
    listed = frozenset(keys.hashed(tokens.category(system, code)) for system, code in (*read.codes, *contents))
    kinds = frozenset(read.kinds) | (_DOCUMENTS if _DOCUMENTS & set(read.kinds) else frozenset())
    searched = frozenset(
        keys.hashed(tokens.coded(name, system, code)) for system, code in read.codes for name in ("category", "type")
    )
    if right in SHOWN:
        listed, kinds = frozenset(), frozenset()
        searched = frozenset(keys.hashed(tokens.coded("_tag", system, code)) for system, code in read.codes)
    return Provision(
        id=str(consent["id"]),
        right=right,
        actor=None if read.actor is None else keys.hashed(read.actor.name),
        permits=read.permits,
        since=read.since,
        until=read.until,
        purpose=read.purpose,
        kinds=kinds,
        categories=listed,
        tokens=searched,
        resources=frozenset(name.partition("/")[2] for name in read.data),
        powers=frozenset(read.powers),
        confidential=_is_confidential(consent),
        source=read.source,
        structure=None if read.organization is None else keys.hashed(read.organization.name),
    )


def terms_of(consent: Mapping[str, Any]) -> Terms:
    """What a Consent of ours says. Raises CONTENT (422), with where, on what it could be believed to say besides."""
    right = right_of(consent)
    provision = consent.get("provision")
    if right is None or not isinstance(provision, dict):
        raise invalid("A right has one provision.", "Consent.provision", "required")
    for name in _UNREAD:
        if name in provision:
            raise invalid("A right is one plain provision: this element is not kept.", f"Consent.provision.{name}")
    if provision.get("type") not in ("permit", "deny"):
        raise invalid("A provision permits or denies.", "Consent.provision.type", "required")
    if right is not Right.PREFERENCE and (provision["type"] == "deny") is not (right in _DENIALS):
        raise invalid("A block or a mask denies, every other right permits.", "Consent.provision.type")
    period = provision.get("period")
    if not isinstance(period, dict) or "start" not in period:
        raise invalid("A right says since when.", "Consent.provision.period", "required")
    source = consent.get("sourceReference", {}).get("reference", "")
    since = _instant(period["start"], "Consent.provision.period.start", end=False)
    until = _instant(period["end"], "Consent.provision.period.end", end=True) if "end" in period else None
    if until is not None and until < since:
        raise invalid("The period ends before it begins.", "Consent.provision.period")
    purposes = [str(one.get("code")) for one in _coded(provision, "purpose", PURPOSE)]
    if len(purposes) > 1:
        raise invalid("A right has one purpose.", "Consent.provision.purpose")
    kinds = tuple(str(one.get("code")) for one in _coded(provision, "class", tokens.RESOURCE_TYPES))
    if not set(kinds) <= set(KINDS):
        raise invalid("A resource type is not served here.", "Consent.provision.class")
    if right in (Right.ACCESS_CODE, Right.CODE_LEASE) and _DOCUMENTS & set(kinds):
        raise invalid("Documents are lent by their types, or one by one.", "Consent.provision.class")
    concepts = {name: _objects(provision.get(name)) for name in ("code", "action")}
    codes = [c for one in concepts["code"] for c in _objects(one.get("coding"))]
    powers = [c for one in concepts["action"] for c in _objects(one.get("coding"))]
    if len(codes) < len(concepts["code"]) or not all(c.get("system") and c.get("code") for c in codes):
        raise invalid("A document type is a code with its system.", "Consent.provision.code")
    if len(powers) < len(concepts["action"]) or not all(c.get("system") == POWER and c.get("code") for c in powers):
        raise invalid("What a delegate may do is coded in the system of powers.", "Consent.provision.action")
    return Terms(
        right=right,
        actor=_actor(provision),
        permits=provision["type"] == "permit",
        since=since,
        until=until,
        purpose=purposes[0] if purposes else "",
        kinds=kinds,
        codes=tuple((str(c["system"]), str(c["code"])) for c in codes),
        data=_data(provision),
        powers=tuple(str(c["code"]) for c in powers),
        source=source.partition("/")[2] if source.startswith("Consent/") else None,
        organization=_organization(consent),
        status=str(consent.get("status")),
    )


def end_of_day(now: datetime, days: int) -> datetime:
    """The instant, in Paris, at which the `days`-th day after today's is over. Calendar days: midnight to midnight."""
    day = now.astimezone(_PARIS).date() + timedelta(days=days + 1)
    return datetime(day.year, day.month, day.day, tzinfo=_PARIS).astimezone(UTC)


def _actor(provision: Mapping[str, Any]) -> Actor | None:
    listed = _objects(provision.get("actor"))
    if not listed:
        return None
    reference = listed[0].get("reference")
    if len(listed) > 1 or not isinstance(reference, dict):
        raise invalid("A right is about one person or structure, named by an identifier.", _ACTOR)
    return _read(reference, _ACTOR)


def _organization(consent: Mapping[str, Any]) -> Actor | None:
    listed = _objects(consent.get("organization"))
    if len(listed) > 1:
        raise invalid("A right is opened for one structure.", "Consent.organization")
    return _read(listed[0], "Consent.organization[0].identifier") if listed else None


def _read(reference: Mapping[str, Any], where: str) -> Actor:
    identifier = reference.get("identifier")
    if "reference" in reference or not isinstance(identifier, dict):
        raise invalid("Whom the right is about is named by an identifier alone.", where)
    system, value = str(identifier.get("system", "")), str(identifier.get("value", ""))
    found = Actor(system, value, str(reference.get("display", "")))
    if not found.value or not found.name:
        raise invalid("The identifier has no value.", where, "required")
    return found


def _coded(provision: Mapping[str, Any], name: str, system: str) -> Sequence[Mapping[str, Any]]:
    listed = _objects(provision.get(name))
    if not all(one.get("system") == system and one.get("code") for one in listed):
        raise invalid(f"Coded in {system}.", f"Consent.provision.{name}")
    return listed


def _data(provision: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for one in _objects(provision.get("data")):
        reference = one.get("reference")
        name = reference.get("reference") if isinstance(reference, dict) else None
        if one.get("meaning") != "instance" or not isinstance(name, str) or tokens.local(name) is None:
            raise invalid("Chosen resources are instances of this record.", "Consent.provision.data")
        found.append(name)
    return tuple(found)


def _is_confidential(consent: Mapping[str, Any]) -> bool:
    meta = consent.get("meta")
    labels = _objects(meta.get("security")) if isinstance(meta, dict) else []
    return any(str(label.get("code", "")).strip().upper() == "INVISIBLE_REPRESENTANTS_LEGAUX" for label in labels)


def _instant(text: object, where: str, *, end: bool) -> datetime:
    """An instant as it is written; of a whole day, its first instant in Paris, or the first of the next (`end`)."""
    try:
        if isinstance(text, str) and "T" in text:
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        day = date.fromisoformat(str(text)) + timedelta(days=1 if end else 0)
        return datetime(day.year, day.month, day.day, tzinfo=_PARIS).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid("A day, or an instant with its time zone.", where) from None


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
