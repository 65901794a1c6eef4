"""Each rule as a FHIR PlanDefinition: computed from the rules when it is asked for, never stored.

The rule: they are searched by the same parameters, and through the same lens, as those the operator keeps, and come
first.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from fhir import paging, wire
from fhir.index import index
from fhir.parameters import KINDS
from fhir.predicate import And, Everything, Predicate, Row
from fhir.stored import Stored, seal_resource
from fhir.view import View
from phr import reading
from phr.access.journal import Tag
from phr.access.reader import identity
from phr.access.scope import READ
from phr.access.visit import Visit, asked_of
from phr.core.errors import absent
from phr.prevention.canonical import RULE, RULESET, plan_of
from phr.prevention.dates import Duration, day
from phr.prevention.rule import Rule, Rules, Version, Words
from phr.prevention.rulebook import RULES
from phr.prevention.words import audience
from phr.reading import DEFAULT_COUNT, Found, Pairs, home_of, require

Json = dict[str, Any]
KIND = "PlanDefinition"
_CONTEXT = "http://terminology.hl7.org/CodeSystem/usage-context-type"
_TYPE = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_THEME = "https://carnet.example/CodeSystem/prevention-theme"
_RULES = "rules"
"""Marks a cursor as one among the rules."""


def plan_definition(rules: Rules, rule: Rule, on: date) -> Json:
    """A rule as it is on a day: the version in force, or the first one to come, as a draft."""
    now = rule.at(on)
    version = now or rule.versions[-1]
    later = [one.in_force for one in rule.versions if one.in_force > version.in_force]
    source = version.source
    return {
        "resourceType": KIND,
        "id": rule.id,
        "language": "fr",
        "extension": [{"url": RULESET, "valueString": rules.version}],
        "url": plan_of(rule.id),
        "version": version.in_force.isoformat(),
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        **_said("title", rule.title),
        "type": {"coding": [{"system": _TYPE, "code": "eca-rule"}]},
        "status": "active" if now is not None else "draft",
        "date": source.checked.isoformat(),
        "publisher": "Carnet",
        **_said("description", version.say),
        "useContext": _contexts(rule, version),
        "jurisdiction": [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "FR"}]}],
        "lastReviewDate": source.checked.isoformat(),
        "effectivePeriod": {"start": version.in_force.isoformat(), **_until(later)},
        "topic": [{"coding": [{"system": _THEME, "code": rule.theme}]}],
        "relatedArtifact": [_artifact(one) for one in rule.versions],
        "action": [_action(rule, version)],
    }


def _said(name: str, words: Words) -> Json:
    """In French, and its translation (R4 §2.23.0.1)."""
    parts = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": words.en}]
    return {name: words.fr, f"_{name}": {"extension": [{"url": _TRANSLATION, "extension": parts}]}}


def _until(later: list[date]) -> Json:
    """The last day before the next version. TRAP: the end of a Period is inside it."""
    return {"end": Duration(days=1).before(min(later)).isoformat()} if later else {}


def _artifact(version: Version) -> Json:
    source = version.source
    label = "verified at the issuing authority" if source.verified else "secondary source"
    return {
        "type": "citation",
        "label": f"{version.in_force.isoformat()}, {label}",
        "display": source.title,
        "citation": source.quote,
        "url": source.link,
    }


def _contexts(rule: Rule, version: Version) -> list[Json]:
    found = [_context("focus", {"valueCodeableConcept": {"coding": [{"system": RULE, "code": rule.id}]}})]
    who = version.who
    if who.sex is not None:
        coding = {"system": "http://hl7.org/fhir/administrative-gender", "code": who.sex}
        found.append(_context("gender", {"valueCodeableConcept": {"coding": [coding]}}))
    low, high = _age(who.age.start), None if who.age.before is None else _age(who.age.before, completed=True)
    ends = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    return [*found, _context("age", {"valueRange": ends})] if ends else found


def _context(code: str, value: Json) -> Json:
    return {"code": {"system": _CONTEXT, "code": code}, **value}


def _age(span: Duration, *, completed: bool = False) -> Json | None:
    """In whole units; `completed`: the last one that is still before it. None for birth, or what no unit says."""
    if (span.months and span.days) or not (span.months or span.days):
        return None
    value, unit, code = span.days, "d", "d"
    if span.days % 7 == 0:
        value, unit, code = span.days // 7, "wk", "wk"
    if span.months:
        value, unit, code = span.months, "mo", "mo"
    if span.months and span.months % 12 == 0:
        value, unit, code = span.months // 12, "a", "a"
    return {
        "value": value - 1 if completed else value,
        "unit": unit,
        "system": "http://unitsofmeasure.org",
        "code": code,
    }


def _action(rule: Rule, version: Version) -> Json:
    """Whom it is for, in words: the rules are in no expression language."""
    told = audience(version, "fr")
    condition = {"description": told, "language": "text/plain", "expression": told}
    return {
        "title": rule.title.fr,
        "description": version.say.fr,
        "code": [{"coding": [{"system": RULE, "code": rule.id}]}],
        "condition": [{"kind": "applicability", "expression": condition}],
    }


def _matching(rule: Rule, visit: Visit, view: View, base: str, match: Predicate) -> Stored | None:
    """A rule as a row of the commons, if the lens shows it and it matches. Its version is a mark of its content."""
    kind, keys = KINDS[KIND], visit.installation.commons
    body = plan_definition(RULES, rule, day(visit.now))
    mark = int.from_bytes(hashlib.blake2b(wire.encode(body), digest_size=4).digest(), "big") >> 1
    at = datetime.combine(date.fromisoformat(body["date"]), time(), UTC)
    meta = {"versionId": str(mark), "lastUpdated": at.isoformat(timespec="milliseconds")}
    body = {"resourceType": KIND, "id": rule.id, "meta": meta, **body}
    found = index(kind, body, keys.hashed, base)
    words = frozenset((name, word) for name, said in found.words.items() for word in said)
    hidden = (False, False, False, None, None)
    row = Row(0, rule.id, KIND, at, False, None, *hidden, found.category, found.tokens, found.dates, words)
    if not (view.commons.sight.holds(row) and match.holds(row)):
        return None
    return Stored(0, rule.id, KIND, mark, at, False, None, seal_resource(keys, KIND, rule.id, mark, wire.encode(body)))


def is_rule(identifier: str) -> bool:
    """Whether a PlanDefinition of this id is one of the rules."""
    return RULES.get(identifier) is not None


async def read(visit: Visit, identifier: str, base: str) -> tuple[Stored, View]:
    """A rule's PlanDefinition, journaled as any read. Raises ABSENT, FORBIDDEN."""
    kind, rule = KINDS[KIND], RULES.get(identifier)
    require(visit, READ, kind)
    home = await home_of(visit, kind, identifier)
    async with visit.act(home, READ, Tag.READ, asked_of((KIND, identifier))) as deed:
        found = None if rule is None else _matching(rule, visit, deed.view, base, Everything())
        if found is None:
            raise absent()
        deed.touched.append(f"{KIND}/{identifier}")
    return found, deed.view


async def search(visit: Visit, pairs: Pairs, base: str, *, strict: bool) -> Found:
    """`reading.search` of PlanDefinitions, the rules that match before those stored. Raises as it does.

    What does not fit on one page with the last rules comes on the next ones.
    """
    key, who, begin = visit.installation.system_keys.get("cursor"), identity(visit.reader), 0
    cursor = dict(pairs).get("_cursor")
    if cursor is not None:
        continued = paging.read(key, who, KIND, cursor)
        if continued.after[0] != _RULES:
            return await reading.search(visit, KINDS[KIND], pairs, base, strict=strict)
        pairs, begin = continued.pairs, int(continued.after[1])
    found = await reading.search(visit, KINDS[KIND], pairs, base, strict=strict)
    asked = found.query
    joined = asked.chains or asked.has  # nothing that these rules refer to, or that refers to them, is stored here
    rows = (_matching(rule, visit, found.view, base, And(asked.criteria)) for rule in RULES.all if not joined)
    rules = [row for row in rows if row is not None]
    total = None if found.total is None else found.total + len(rules)
    limit, rest = DEFAULT_COUNT if asked.count is None else asked.count, rules[begin:]
    if asked.counting or len(rest) + len(found.matches) <= limit:
        return replace(found, matches=[*rest, *found.matches], total=total)
    if not rest:
        return replace(found, total=total)
    after = paging.Cursor(tuple(pairs), (_RULES, begin + len(rest[:limit])))
    more = paging.issue(key, who, KIND, after) if len(rest) > limit or found.matches else None
    return replace(found, matches=rest[:limit], included=[], total=total, next=more)
