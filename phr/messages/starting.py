"""Who may start a thread, and with whom.

The rule: a professional who has a right to see the person's record, or whom the person wrote to; the person with a
pharmacy, or with whoever lets people write to them. To anybody else the person is absent, as to who is blocked.
"""

from collections.abc import Sequence

from fhir import tokens
from fhir.criteria import TokenAny
from fhir.parameters import KINDS
from fhir.predicate import And, KindIn
from fhir.search import all_of
from fhir.stored import Stored
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor
from phr.access.decision import Because
from phr.access.provision import Right, in_force
from phr.access.reader import Citizen, Person
from phr.access.right import may_act_for
from phr.access.visit import Deed
from phr.blocks import blocked
from phr.core.errors import DomainError, Issue, Reason, absent, forbidden
from phr.messages.openness import open_to_people
from phr.messages.parties import shut_out
from phr.messages.thread import COMMUNICATION, Json
from phr.operated import keys_of
from phr.plan import obey
from phr.relations import PHARMACIES

_RELATED = frozenset(
    {
        Because.TREATING_PHYSICIAN,
        Because.ADMINISTRATOR,
        Because.CARE_RELATION,
        Because.CODE_LEASE,
        Because.EMERGENCY,
        Because.PRESCRIPTION,
    }
)
_BARE = {PROFESSIONALS: (RPPS, "8"), STRUCTURES: (FINESS, "1")}
"""The register a national id is a number of, and the digit that says so."""
_KINDS = {PROFESSIONALS: "Practitioner", STRUCTURES: "Organization"}


async def check(deed: Deed) -> None:
    """Whether the reader may start anything here. Raises ABSENT, and FORBIDDEN to who has no power to write."""
    if isinstance(deed.visit.reader, Person):
        obey(may_act_for(deed.decision.powers, COMMUNICATION))
        return
    if blocked(deed) or not (deed.decision.because in _RELATED or await _was_written_to(deed)):
        raise absent()


async def addressed(deed: Deed, to: Sequence[Actor]) -> tuple[Actor, ...]:
    """Those written to, each with the name the directory has for them.

    Raises, to a person, FORBIDDEN when one of them takes no first message, CONFLICT when they blocked one themself. An
    other reader is not told who is blocked: `parties.show` shows them nothing.
    """
    found = [(one, await _listed(deed, one)) for one in to]
    if isinstance(deed.visit.reader, Person):
        welcome = await open_to_people(deed.session, deed.visit.installation.system_keys, to)
        if any(one.name not in welcome and not is_pharmacy(one, page) for one, page in found):
            raise forbidden("One of them takes no new message: people answer theirs.")
        if isinstance(deed.visit.reader, Citizen) and await shut_out(deed, to):
            raise DomainError(Reason.CONFLICT, Issue("conflict", "You blocked one of them: allow them first."))
    return tuple(Actor(one.system, one.value, name_of(page)) for one, page in found)


async def _was_written_to(deed: Deed) -> bool:
    """Whether the person wrote in a thread that is shown to the professional."""
    keys = keys_of(deed)
    held = in_force(deed.provisions, Right.CONVERSATION, deed.visit.now)
    shown = frozenset(tag for one in held if one.actor is not None for tag in one.tokens)
    person = keys.hashed(tokens.literal("sender", f"Patient/{keys.record}"))
    match = (KindIn(frozenset({COMMUNICATION.name})), TokenAny(shown), TokenAny(frozenset({person})))
    return bool(shown) and bool(await deed.fetch(all_of(deed.unscoped().inside, And(match), 1)))


async def _listed(deed: Deed, actor: Actor) -> Json:
    """Their page in the directory; empty when there is none, or several."""
    kind, commons = KINDS[_KINDS[actor.system]], deed.visit.installation.commons
    forms = [(actor.system, actor.value)]
    bare, first = _BARE[actor.system]
    if actor.value.startswith(first):
        forms.append((bare, actor.value[1:]))
    known = frozenset(commons.hashed(tokens.coded("identifier", *form)) for form in forms)
    rows = await deed.fetch(all_of(deed.unscoped().commons, And((KindIn(frozenset({kind.name})), TokenAny(known))), 2))
    return Stored.from_row(rows[0]).json(deed.view.keyring) if len(rows) == 1 else {}


def is_pharmacy(actor: Actor, page: Json) -> bool:
    codings = [coding for one in page.get("type", ()) for coding in one.get("coding", ())]
    return actor.system == STRUCTURES and any(coding.get("code") in PHARMACIES for coding in codings)


def name_of(page: Json) -> str:
    """An organization's name, or a practitioner's."""
    names = page.get("name")
    if not isinstance(names, list):
        return str(names or "")
    first = names[0] if names else {}
    parts = (*first.get("prefix", ()), *first.get("given", ())[:1], first.get("family", ""))
    return " ".join(filter(None, parts))
