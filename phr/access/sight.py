"""The policy: who sees what of a record. The page an auditor reads.

The rule: no rule that applies means nothing is seen. Pure: facts in, predicate and reason out; the only interpreter.
"""

from datetime import datetime

from fhir.criteria import TokenAny
from fhir.predicate import (
    And,
    AuthoredBy,
    CategoryIn,
    Chosen,
    Commons,
    Everything,
    Flagged,
    IdIn,
    KindIn,
    Not,
    Nothing,
    Or,
    Predicate,
    Withheld,
    Within,
)
from phr.access.decision import BLIND, Because, Facts, Sight
from phr.access.provision import (
    DELEGATIONS,
    DISPENSE,
    SHOWN,
    TELL_PRESCRIBER,
    Provision,
    Right,
    in_force,
    preference,
)
from phr.access.reader import Citizen, Delegate, Depositor, Professional, Reader, System

CONSULT = "consult"


def sight(reader: Reader, facts: Facts, now: datetime) -> Sight:
    """What `reader` may see of the record `facts` are about, at `now`."""
    if facts.closed is not None and facts.closed <= now:
        return BLIND
    inside = Within(facts.bucket, facts.record)
    match reader:
        case Citizen(record=record) if record == facts.record:
            # R1111-53: what awaits its announcement is not shown to the person yet.
            return Sight(And((inside, Not(Withheld(now)))), Because.OWN_RECORD)
        case Delegate(record=record) if record == facts.record:
            return _delegate(facts, inside, now)
        case Professional():
            return _professional(reader, facts, inside, now)
        case Depositor():
            # R1111-49: an author still sees their own, whatever is masked since.
            return Sight(And((inside, AuthoredBy(facts.author))), Because.OWN_DEPOSITS)
        case System():
            return Sight(And((inside, AuthoredBy(facts.author))), Because.IMPORTING)
    return BLIND


def _delegate(facts: Facts, inside: Within, now: datetime) -> Sight:
    """A representative sees what the person does, a caregiver what they may consult; never what is kept from them."""
    mine = [one for one in facts.provisions if one.actor == facts.author and one.lasts(now)]
    mandates = [one for one in mine if one.right in DELEGATIONS]
    if len(mandates) != 1 or not mandates[0].permits:
        return BLIND  # two that conflict give nothing
    [mandate] = mandates
    kept = (inside, Not(Withheld(now)), Not(Flagged("hidden_from_proxies")))
    if mandate.right is Right.LEGAL_REPRESENTATIVE:
        return Sight(And(kept), Because.REPRESENTS, mandate.id)
    own = IdIn(frozenset({mandate.id}))
    near = KindIn(frozenset({"Consent", "RelatedPerson"}))  # who else may see is no business of theirs
    others = Not(near) if CONSULT in mandate.powers else AuthoredBy(facts.author)
    return Sight(And((*kept, Or((own, others)))), Because.CARES_FOR, mandate.id, powers=mandate.powers)


def _professional(reader: Professional, facts: Facts, inside: Within, now: datetime) -> Sight:
    """Their own deposits, masked or not (R1111-49); under each right, what the matrix lets their profession see."""
    mine = [one for one in facts.provisions if one.right not in DELEGATIONS and one.actor and one.lasts(now)]
    blocked = any(one.right is Right.BLOCK or not one.permits for one in mine)
    own_or_shown = [one for one in mine if one.actor == facts.author or one.right in SHOWN]
    held = [one for one in own_or_shown if _stands(one, reader, facts, blocked, now)]
    held.sort(key=lambda one: (_ORDER.index(one.right), one.confidential, one.id))
    ways = dict.fromkeys(_way(one, facts, now) for one in held)
    own = AuthoredBy(facts.author)
    if not held:
        return Sight(And((inside, own)), Because.OWN_DEPOSITS)
    seen = Or((own, IdIn(frozenset(one.id for one in held)), *ways))
    return Sight(And((inside, seen)), Because(held[0].right.value), held[0].id, held[0].confidential)


_ORDER = (
    Right.TREATING_PHYSICIAN,
    Right.ADMINISTRATOR,
    Right.CARE_RELATION,
    Right.CODE_LEASE,
    Right.EMERGENCY,
    Right.PRESCRIPTION,
    Right.CONVERSATION,
)


def _stands(one: Provision, reader: Professional, facts: Facts, blocked: bool, now: datetime) -> bool:
    """Whether a right gives sight: a block ends all but the emergency, which the person may have refused."""
    if one.right is Right.EMERGENCY:
        return one.permits and preference(facts.provisions, one.purpose, now) is not False
    profession = (reader.identity.system, reader.identity.profession)
    if one.right is Right.TREATING_PHYSICIAN and profession != _PHYSICIAN:
        return False
    if one.right is Right.PRESCRIPTION and one.purpose == DISPENSE and profession != _PHARMACIST:
        return False
    if one.right is Right.PRESCRIPTION and one.purpose != DISPENSE:  # who prescribed is told what the person agrees to
        return not blocked and preference(facts.provisions, TELL_PRESCRIBER, now) is True
    return one.right in _ORDER and not blocked


_PHYSICIAN = ("TRE_G15", "10")
_PHARMACIST = ("TRE_G15", "21")


def _way(one: Provision, facts: Facts, now: datetime) -> Predicate:
    """What one right shows: within the matrix, within what it is narrowed to, and not what is masked."""
    if one.right in SHOWN:  # whole, and nothing else: the person hands it over, or writes in it
        return selected(one) if one.tokens or one.resources else Nothing()
    parts = [facts.entitled, selected(one, frozenset({"Patient"}))]
    match one.right:
        case Right.TREATING_PHYSICIAN | Right.ADMINISTRATOR:  # L1111-16: masked documents too
            return And(tuple(parts))
        case Right.EMERGENCY if preference(facts.provisions, "MASKED", now):
            return And(tuple(parts))
    masks = in_force(facts.provisions, Right.MASK, now)
    masked = Or((Flagged("masked"), *(selected(mask) for mask in masks)))
    return And((*parts, Not(masked)))


def selected(one: Provision, always: frozenset[str] = frozenset()) -> Predicate:
    """What a right is narrowed to, or masks: by type, by category, by choice; everything when it says nothing."""
    parts: list[Predicate] = [KindIn(one.kinds)] if one.kinds else []
    parts += [CategoryIn(one.categories)] if one.categories else []
    parts += [TokenAny(one.tokens)] if one.tokens else []
    parts += [Chosen(one.resources)] if one.resources else []
    return Or((*parts, *([KindIn(always)] if always else []))) if parts else Everything()


def commons_sight(reader: Reader) -> Sight:
    """Professionals, structures and questionnaires are open to every reader that a scope lets ask."""
    return Sight(Commons(), Because.COMMONS)
