"""Who is told of what happens in a record: its person, who represents them in law, and caregivers within their powers.

The rule: each is judged with their own eyes, in the transaction that causes it: who does not see what it is about is
not told of it, and what is said in confidence is for the person alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from auth import accounts
from auth.accounts import Account
from auth.scopes import Scope
from fhir.predicate import IdIn
from fhir.search import all_of
from fhir.view import View
from phr import rights
from phr.access.consent import terms_of
from phr.access.decision import BLIND, Because, Sight
from phr.access.provision import DELEGATIONS, in_force
from phr.access.reader import SELF, Citizen, Delegate
from phr.access.right import AGENDA, MESSAGE, PRESCRIPTIONS
from phr.access.scope import READ
from phr.access.sight import CONSULT
from phr.access.visit import Deed
from phr.notifications.entry import Kind

POWERS: Mapping[str, frozenset[str]] = {
    "document": frozenset({CONSULT}),
    "prevention": frozenset({CONSULT, AGENDA}),
    "prescription": frozenset({CONSULT, PRESCRIPTIONS}),
    "message": frozenset({CONSULT, MESSAGE}),
    "agenda": frozenset({CONSULT, AGENDA}),
}
"""The powers a caregiver must have to be told of a kind. Who sees the record, who acts in it: not theirs to know."""
_EVERYTHING = (Scope("patient", "*", frozenset("rs")),)


@dataclass(frozen=True, slots=True)
class Listener:
    """An account that is told, and the transaction as it sees it. `sees`: what it is about is in their sight now."""

    account: Account
    deed: Deed
    sees: bool


async def audience(deed: Deed, kind: Kind, about: str, *, confidential: bool) -> list[Listener]:
    """Who is told. `confidential`: the person alone. Who has no account, or a disabled one, is told of nothing."""
    keys = rights.keys_of(deed)
    others = [] if confidential or deed.confidential else await _delegates(deed)
    found = await accounts.reached(deed.session, deed.visit.installation.system_keys, keys.record, others)
    listeners = [await listening(deed, account, about) for account in found]
    return [one for one in listeners if may_know(kind, one.deed.decision)]


async def listening(deed: Deed, account: Account, about: str) -> Listener:
    """One account, with its own eyes."""
    if deed.opened is not None:
        # TRAP: what this transaction changed of the rights is not committed: it is not to be remembered for others.
        deed = replace(deed, opened=replace(deed.opened, known={}))
    name = rights.keys_of(deed).record
    reader = (Citizen if account.record == name else Delegate)(SELF, str(account.id), name)
    through = await deed.through(reader, _EVERYTHING, READ)
    return Listener(account, through, not about or about in await in_sight(through, through.view, [about]))


def may_know(kind: str, decision: Sight) -> bool:
    """Whether a decision leaves room for a kind: a caregiver is told within their powers, who sees nothing is not."""
    if decision.because is Because.CARES_FOR:
        return kind in POWERS and POWERS[kind] <= (decision.powers or frozenset())
    return decision is not BLIND


async def in_sight(deed: Deed, view: View, references: Iterable[str]) -> set[str]:
    """Those of these `Type/id` that a view shows."""
    wanted = set(references)
    ids = frozenset(one.partition("/")[2] for one in wanted)
    rows = await deed.fetch(all_of(view.inside, IdIn(ids), len(ids))) if ids else []
    return wanted & {f"{row['kind']}/{row['id']}" for row in rows}


async def _delegates(deed: Deed) -> list[UUID]:
    """The accounts of who acts for the person, read from their Consents: the register has hashes only."""
    listed = await rights.listed(deed, DELEGATIONS)
    standing = [one.id for right in DELEGATIONS for one in in_force(listed, right, deed.visit.now)]
    actors = [terms_of(one.json).actor for one in await rights.find(deed, standing)]
    names = [one.name for one in actors if one is not None]
    return [UUID(name.removeprefix("account:")) for name in names if name.startswith("account:")]
