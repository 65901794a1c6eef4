"""Masks: what a person keeps from professionals, one document, one section or one category at a time (L1111-15).

The rule: a mask hides, and nobody is told that it does. Its author still sees what they wrote (R1111-49), the treating
physician sees all (L1111-16); who asks twice has asked once; all that is asked together is done, or none of it.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fhir import tokens
from fhir.parameters import KINDS
from fhir.stored import Stored
from phr import codes, documents, rights
from phr.access.consent import Terms, consent_of, provision_of
from phr.access.journal import Tag
from phr.access.provision import Provision, Right
from phr.access.right import MASK
from phr.access.scope import CREATE, READ, UPDATE
from phr.access.visit import Deed, Visit, asked_of
from phr.core.errors import absent, invalid
from phr.plan import DEFAULT_MASKED, Item, Plan
from phr.preferences import at_home, prefers, refused, standing
from phr.reading import require
from phr.writing import locked

Json = dict[str, Any]
What = tuple[frozenset[Any], ...]
DOCUMENT = KINDS["DocumentReference"]
NORMAL = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}
"""The label that stands where no other does (TD3.3: a document shown again is `N`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the record that is masked as a whole: `kinds` of resources, or what bears one of `codes`."""

    fr: str
    en: str
    kinds: tuple[str, ...]
    codes: tuple[tuple[str, str], ...]

    def terms(self) -> Terms:
        """The Consent that masks it."""
        return Terms(Right.MASK, permits=False, kinds=self.kinds, codes=self.codes)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be masked, or unmasked: ids of documents, codes of SECTIONS and of CATEGORIES, every document."""

    documents: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Masked:
    """What is masked as a whole; `everything`: every document; `new`: each new one, until it is unmasked."""

    sections: tuple[str, ...]
    categories: tuple[str, ...]
    everything: bool
    new: bool


def _load() -> tuple[Mapping[str, Part], Mapping[str, Part]]:
    read = tomllib.loads(Path(__file__).with_name("masks.toml").read_text(encoding="utf-8"))
    sections = {one["code"]: _section(one) for one in read["section"]}
    named = {code for one in read["category"] for code in one.get("types", ())}
    categories = {one["code"]: _category(one, named) for one in read["category"]}
    return MappingProxyType(sections), MappingProxyType(categories)


def _section(read: Mapping[str, Any]) -> Part:
    pairs = [tuple(word.split("|")) for word in read.get("codes", ())]
    return Part(read["fr"], read["en"], tuple(read.get("kinds", ())), tuple((system, code) for system, code in pairs))


def _category(read: Mapping[str, Any], named: Iterable[str]) -> Part:
    """`named`: the types that some category names, whatever their class."""
    classes, own, apart = read.get("classes", ()), read.get("types", ()), frozenset(named)
    listed = codes.table("document_types").concepts  # each type under both forms of its system
    found = tuple(
        (system, code)
        for (system, code), one in listed.items()
        if code in own or (isinstance(one, codes.DocumentType) and one.class_code in classes and code not in apart)
    )
    return Part(read["fr"], read["en"], (), found)


SECTIONS, CATEGORIES = _load()
"""By code: the sections of the health profile, the categories of documents."""
EVERY_DOCUMENT = Part("Tous les documents", "Every document", (DOCUMENT.name,), ())


async def change(visit: Visit, record: str, chosen: Chosen, base: str, *, masks: bool) -> Masked:
    """Mask what is chosen, or unmask it; what is masked then.

    A document's own label, and a mask of all of them, are two things: ending the one leaves the other, so that what was
    masked one by one stays so when everything is unmasked. Unmasking ends the Consents that say exactly what is named.

    Raises CONTENT (a code that is not known), FORBIDDEN, and ABSENT for the whole when a document is not in sight.
    """
    at_home(visit, record, READ, CREATE, UPDATE)
    if chosen.documents:
        require(visit, UPDATE, DOCUMENT)
    parts = _parts(chosen)
    asked = asked_of(("Patient", record, "$mask" if masks else "$unmask"))
    async with visit.act(record, UPDATE, Tag.SHARE, asked, deciding=True) as deed:
        refusal = refused(deed)
        found = None if refusal else await _found(deed, chosen.documents)
        if found is not None:
            await _label(deed, found, base, masks=masks)
            return _told(deed, await _decide(deed, parts, masks=masks))
        deed.refused = deed.refused or "absent"
    raise refusal or absent()


def _parts(chosen: Chosen) -> list[Part]:
    found = [EVERY_DOCUMENT] if chosen.everything else []
    for name, table, wanted in (("section", SECTIONS, chosen.sections), ("category", CATEGORIES, chosen.categories)):
        if not set(wanted) <= set(table):
            raise invalid(
                f"One of: {', '.join(table)}.", f"Parameters.parameter.where(name = '{name}')", "code-invalid"
            )
        found += [table[code] for code in dict.fromkeys(wanted)]
    return found


async def _found(deed: Deed, ids: Iterable[str]) -> list[tuple[Stored, bool]] | None:
    """The documents, locked, and whether each is the reader's own; None when one is not in sight."""
    targets = [await locked(deed, UPDATE, DOCUMENT, identifier) for identifier in sorted(set(ids))]
    found = [one for one in targets if one is not None and not one[0].gone]
    return found if len(found) == len(targets) else None


async def _label(deed: Deed, found: Iterable[tuple[Stored, bool]], base: str, *, masks: bool) -> None:
    plan = Plan(deed, base)
    for stored, mine in found:
        old = stored.json(deed.view.keyring)
        body = masked(old) if masks else unmasked(old)
        if body != old:
            await plan.add(Item(DOCUMENT, stored.id, body, DOCUMENT.name, stored, old, mine))
    if plan.items:
        await plan.store()


async def _decide(deed: Deed, parts: Iterable[Part], *, masks: bool) -> set[What]:
    """Write the Consents that are missing, or end those that say so; what the masks in force say then."""
    held = standing(deed, Right.MASK)
    for part in parts:
        same = [one for one in held if _says(one) == _what(deed, part)]
        if not masks:
            await rights.end(deed, [one.id for one in same], "unmasked")
            held = [one for one in held if one not in same]
        elif all(one.until is not None for one in same):
            held.append(_row(deed, (await rights.write(deed, part.terms())).json))
    return {_says(one) for one in held}


def _told(deed: Deed, said: set[What]) -> Masked:
    sections, categories = (
        tuple(code for code, part in table.items() if _what(deed, part) in said) for table in (SECTIONS, CATEGORIES)
    )
    new = prefers(deed.provisions, DEFAULT_MASKED, deed.visit.now)
    return Masked(sections, categories, _what(deed, EVERY_DOCUMENT) in said, new)


def _what(deed: Deed, part: Part) -> What:
    keys = rights.keys_of(deed)
    return _says(_row(deed, {**consent_of(part.terms(), keys.record, deed.visit.now), "id": keys.record}))


def _says(one: Provision) -> What:
    return one.kinds, one.categories, one.tokens, one.resources


def _row(deed: Deed, consent: Json) -> Provision:
    found = provision_of(consent, rights.keys_of(deed))
    if found is None:
        raise ValueError("a mask is a right")
    return found


def masked(document: Json) -> Json:
    """The document with the label MASQUE_PS (TRE_A07), in the place of N."""
    if MASK in documents.labels(document):
        return document
    return documents.with_labels(
        {**document, "securityLabel": _without(document.get("securityLabel", []), "N")}, [MASK]
    )


def unmasked(document: Json) -> Json:
    """The document without its mask, wherever and however it was written; N where no label is left."""
    meta, given = dict(document.get("meta", {})), document.get("securityLabel", [])
    kept, tagged = _without(given, MASK), _without(meta.pop("security", []), MASK)
    whole = {**document, "meta": {**meta, **({"security": tagged} if tagged else {})}}
    return {**whole, "securityLabel": kept or [{"coding": [NORMAL]}]} if kept != given else whole


def _without(labels: Iterable[Json], code: str) -> list[Json]:
    """Codings, or concepts, but those of this code (or text: `fhir.index` reads both); a concept left empty goes."""
    kept = []
    for label in labels:
        if "coding" not in label:
            kept += [] if _is(label, code) else [label]
            continue
        codings = [coding for coding in label["coding"] if not _is(coding, code)]
        if codings and not _is(label, code):
            kept.append({**label, "coding": codings})
    return kept


def _is(label: Json, code: str) -> bool:
    return any(str(label.get(name, "")).strip().upper() == code for name in ("code", "text"))


def document_id(reference: str) -> str:
    """The id in `DocumentReference/<id>`. Raises CONTENT."""
    pair = tokens.local(reference)
    if pair is None or pair[0] != DOCUMENT.name:
        raise invalid("A document is named DocumentReference/<id>.", "Parameters.parameter.where(name = 'document')")
    return pair[1]
