"""The lists of the page "who sees my record": one line for each right in force, with what its buttons do.

The rule: a line says who, why, of what, since when and until when; and what ends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phr.access.consent import Actor
from phr.access.provision import DELEGATIONS, DISPENSE, SHOWN, TELL_PRESCRIBER, Right
from phr.web import held
from phr.web.held import Held
from phr.web.words import TEXTS

SECTIONS: Mapping[str, tuple[Right, ...]] = {
    "designated": (Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR),
    "care": (Right.CARE_RELATION,),
    "emergencies": (Right.EMERGENCY,),
    "leases": (Right.CODE_LEASE,),
    "codes": (Right.ACCESS_CODE,),
    "pieces": (Right.PRESCRIPTION, Right.CONVERSATION),
    "delegates": (Right.CAREGIVER, Right.LEGAL_REPRESENTATIVE),
    "applications": (Right.APPLICATION,),
    "blocks": (Right.BLOCK,),
}
"""The lists, in the order of the page."""
ROLES = ("treating-physician", "administrator")
_PROFESSIONALS = SECTIONS["designated"] + SECTIONS["care"] + SECTIONS["emergencies"] + SECTIONS["leases"]
_ENDS = {
    **dict.fromkeys(_PROFESSIONALS, "end"),
    Right.ACCESS_CODE: "revoke",
    Right.CAREGIVER: "undelegate",
    Right.APPLICATION: "withdraw",
    Right.BLOCK: "allow",
}
"""What the button of each does. Parental authority is not ended here."""

Purposes = Mapping[tuple[str, str], str]
"""What an application said of a purpose: by its client and the purpose's code."""


@dataclass(frozen=True, slots=True)
class Line:
    """One of a list. `end`: what its button does, if it has one; `choices`: what else can be done about them."""

    consent: str
    who: str
    told: tuple[str, ...]
    end: str
    choices: tuple[str, ...] = ()
    structure: str = ""


def sections(found: Sequence[Held], purposes: Purposes, now: datetime, language: str) -> list[tuple[str, list[Line]]]:
    """The lists of the page, in its order; empty ones too."""
    listed = []
    for name, rights in SECTIONS.items():
        ones = held.of(found, *rights)
        if name == "applications":  # one line for each, whatever the number of its purposes
            ones = list({_name(one.terms.actor): one for one in ones}.values())
        if name == "pieces":
            ones = pieces(found)
        listed.append((name, [_line(one, found, purposes, now, language) for one in ones]))
    return listed


def professionals(found: Sequence[Held]) -> int:
    """How many professionals see the record: each counted once."""
    return len({_name(one.terms.actor) for one in held.of(found, *_PROFESSIONALS)})


def pieces(found: Sequence[Held]) -> list[Held]:
    """Who is shown a prescription or a conversation alone: one for each, whatever the number of these."""
    shown = [one for one in held.of(found, *SECTIONS["pieces"]) if _shows(one, found)]
    return list({(one.right, _name(one.terms.actor)): one for one in shown}.values())


def _shows(one: Held, found: Sequence[Held]) -> bool:
    """Whether a prescription is shown by this right: to who prescribed it, only if the person says so."""
    told = held.of(found, Right.PREFERENCE)
    agreed = any(two.terms.purpose == TELL_PRESCRIBER and two.terms.permits for two in told)
    return one.right is not Right.PRESCRIPTION or one.terms.purpose == DISPENSE or agreed


def _line(one: Held, found: Sequence[Held], purposes: Purposes, now: datetime, language: str) -> Line:
    texts, terms, structure = TEXTS[language], one.terms, held.shown(one.terms.organization)
    told = [structure, held.reason(one, language)]
    told += [texts["access_motive"].format(motive=one.motive)] if one.motive else []
    match one.right:
        case Right.APPLICATION:
            same = [two for two in held.of(found, one.right) if _name(two.terms.actor) == _name(terms.actor)]
            client = "" if terms.actor is None else terms.actor.value
            told += [purposes.get((client, two.terms.purpose), "") for two in same]
        case Right.ACCESS_CODE | Right.CODE_LEASE:
            told += [held.lent(terms, language), _opened_by(terms.source, found, now, language)]
            told.append(_used_by(one, found, texts))
        case Right.CARE_RELATION if terms.data:
            told.append(held.lent(terms, language))
        case right if right in DELEGATIONS:
            told.append(", ".join(texts[f"power_{power}"] for power in terms.powers))
    told += [] if one.right in SHOWN else [f"{held.period(terms, now, language)}."]
    choices: tuple[str, ...] = ("block",) if one.right in SHOWN else ()
    if one.right in _PROFESSIONALS:
        choices = ("block", *(("block-structure",) if terms.organization else ()), *_roles(one, found))
    return Line(one.id, _who(one, texts), tuple(filter(None, told)), _ENDS.get(one.right, ""), choices, structure)


def _who(one: Held, texts: Mapping[str, str]) -> str:
    if one.own:
        return texts["held_you"]
    if one.right is Right.ACCESS_CODE and one.terms.purpose:  # whom a code is for: a profession
        return texts.get(f"profession_{one.terms.purpose}", texts["access_unnamed_access-code"])
    return one.who or texts.get(f"access_unnamed_{one.right}", texts["access_unnamed"])


def _opened_by(source: str | None, found: Sequence[Held], now: datetime, language: str) -> str:
    """Which code a lease came from, when it runs still: a code has no other name than when it was made."""
    code = next((one for one in held.of(found, Right.ACCESS_CODE) if one.id == source), None)
    if code is None or code.terms.since is None:
        return ""
    return TEXTS[language]["access_from_code"].format(moment=held.moment(code.terms.since, now, language))


def _used_by(code: Held, found: Sequence[Held], texts: Mapping[str, str]) -> str:
    """Who used a code, of those whose lease runs still."""
    users = [one.who for one in held.of(found, Right.CODE_LEASE) if one.terms.source == code.id]
    return texts["access_used_by"].format(names=", ".join(filter(None, users))) if users else ""


def _roles(one: Held, found: Sequence[Held]) -> tuple[str, ...]:
    """What a professional can be designated as: what they are not already."""
    name = _name(one.terms.actor)
    are = {two.right.value for two in held.of(found, *SECTIONS["designated"]) if _name(two.terms.actor) == name}
    return tuple(role for role in ROLES if role not in are)


def _name(actor: Actor | None) -> str:
    return "" if actor is None else actor.name
