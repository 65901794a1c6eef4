"""What a person decides by writing a Consent themselves, by plain REST: held to what the operations ask.

The rule: what would be believed and not kept is refused; nothing is given to who is blocked; what is written either
way is the same right, listed alike.
"""

from collections.abc import Callable, Mapping
from typing import Any

from phr import inbox, rights
from phr.access.consent import FINESS, PROFESSIONALS, RPPS, STRUCTURES, Actor, provision_of, right_of, terms_of
from phr.access.provision import Provision, Right
from phr.access.right import DECIDED
from phr.access.visit import Deed
from phr.core import identifiers
from phr.core.errors import DomainError, Issue, Reason, invalid
from phr.preferences import PREFERENCES

Json = Mapping[str, Any]
FORMS: Mapping[str, Mapping[str, Callable[[str], object]]] = {
    "professional": {PROFESSIONALS: identifiers.NationalProfessional, RPPS: identifiers.RPPS},
    "structure": {STRUCTURES: identifiers.NationalStructure, FINESS: identifiers.FINESS},
}
"""How a professional or a structure is named, by system, and what says that an identifier is well written."""
_PLACES = frozenset({Right.CARE_RELATION, Right.TREATING_PHYSICIAN, Right.ADMINISTRATOR})
_ABOUT = {Right.BLOCK: ("professional", "structure"), **dict.fromkeys(_PLACES, ("professional",))}
_WHO = "Consent.provision.actor"
BLOCKED = "This professional is blocked: allow them first."


def check(consent: Json) -> None:
    """Whether a right about to be in force says all that it needs, and no more than is kept. Raises CONTENT (422)."""
    right = right_of(consent)
    if right not in DECIDED or consent.get("status") != "active":
        return
    said = terms_of(consent)
    about = _ABOUT.get(right, ())
    if not about and said.actor is not None:
        raise invalid("This right is about everybody: to keep one professional out, block them.", _WHO)
    if about and not _named(said.actor, about):
        raise invalid(f"This right names a {' or a '.join(about)}, by a valid identifier.", _WHO, "required")
    if right is Right.BLOCK and (said.kinds or said.codes or said.data):
        raise invalid("A block is of the whole record: to hide a part of it, mask it.", "Consent.provision")
    if right is Right.PREFERENCE and said.purpose not in PREFERENCES:
        listed = ", ".join(PREFERENCES)
        raise invalid(f"The purpose of a preference is one of: {listed}.", "Consent.provision.purpose", "code-invalid")
    if said.powers:
        raise invalid("Only a caregiver is given powers.", "Consent.provision.action")


def _named(actor: Actor | None, about: tuple[str, ...]) -> bool:
    if actor is None:
        return False
    form = next((FORMS[one][actor.system] for one in about if actor.system in FORMS[one]), None)
    if form is None:
        return False
    try:
        form(actor.value)
    except ValueError:
        return False
    return True


async def write(deed: Deed, consent: Json) -> None:
    """Keep the register, and a professional's list of relations, in step with a Consent. Raises CONTENT, CONFLICT."""
    found = provision_of(consent, rights.keys_of(deed))
    if found is not None and found.right in _PLACES:
        await _refuse_blocked(deed, found)
    await rights.derive(deed, consent)
    actor = None if found is None else terms_of(consent).actor
    if found is not None and found.right is Right.CARE_RELATION and actor is not None:
        await inbox.put(deed, actor.name.removeprefix("professional:"), inbox.RELATION, found.id, found.until)


async def _refuse_blocked(deed: Deed, found: Provision) -> None:
    """Lifting a block brings nothing back: neither what it ended, nor what would have waited behind it."""
    if await rights.blocks(deed, found.actor, found.structure):
        raise DomainError(Reason.CONFLICT, Issue("conflict", BLOCKED, _WHO))
