"""Filing the documents of a mail in the record, as software that deposits would (`phr.access.reader.Depositor`).

The rule: a document that came by mail obeys every rule of a deposit, and its person's preferences.
"""

from collections.abc import Sequence

from auth.scopes import Scope
from fhir.parameters import KINDS
from phr import blobs
from phr.access.reader import Depositor
from phr.access.scope import CREATE
from phr.access.visit import Deed
from phr.mssante.filing import reference
from phr.mssante.xdm import Document
from phr.operated import keys_of
from phr.plan import Item, Plan
from phr.prevention import watch

SCOPES = tuple(Scope("system", kind, frozenset("cr")) for kind in ("DocumentReference", "Binary"))
_DOCUMENT, _BINARY = KINDS["DocumentReference"], KINDS["Binary"]


async def deposit(deed: Deed, client: str, documents: Sequence[Document]) -> tuple[str, ...]:
    """Write them, in the deed's transaction, as this client; `DocumentReference/id` of each. Raises DomainError."""
    if not documents:
        return ()
    record, now = keys_of(deed).record, deed.visit.now
    settings = deed.visit.installation.settings
    plan = Plan(await deed.through(Depositor(client), SCOPES, CREATE), f"{settings.issuer}/fhir")
    made = []
    for one in documents:
        document, binary = plan.new_id(_DOCUMENT), plan.new_id(_BINARY)
        name, where = f"{_DOCUMENT.name}/{document}", _DOCUMENT.name
        content = await blobs.admit(one.data, one.entry.mime, settings)
        held = {"resourceType": "Binary", "contentType": one.entry.mime, "securityContext": {"reference": name}}
        await plan.add(Item(_BINARY, binary, held, where, content=content))
        await plan.add(Item(_DOCUMENT, document, reference(one, record, now, f"Binary/{binary}"), where))
        made.append(name)
    await plan.store()
    await watch.look_again(deed.session, record, now)  # a report that came may be what was due
    return tuple(made)
