"""A document that takes another's place: the old one is superseded, and the new one is as hidden as it (MHD §2:3.65).

The rule: only its author replaces a document, and a correction never shows what the person hid.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fhir import store, tokens
from fhir.parameters import KINDS
from fhir.predicate import IdIn, KindIn
from fhir.search import one_of
from fhir.store import Draft, draft
from fhir.stored import Stored
from phr import documents
from phr.access.provision import Right, in_force
from phr.access.right import HIDDEN_FROM_PROXIES, MASK
from phr.access.visit import Deed
from phr.core.errors import forbidden, invalid
from phr.operated import keys_of

Json = dict[str, Any]
_DOCUMENT = KINDS["DocumentReference"]
_TARGET = "DocumentReference.relatesTo[0].target"


async def hiding(deed: Deed, body: Json, base: str) -> list[str]:
    """The labels a new document takes from the one it replaces: what the person hid, one by one.

    INVISIBLE_PATIENT is not among them: whoever deposits says whether the person is to be told first.
    """
    target = documents.replaced(body)
    rows = [] if target is None else await _found(deed, target, base)
    if not rows:
        return []
    old = Stored.from_row(rows[0])
    labels = documents.labels(old.json(deed.view.keyring)) & {MASK, HIDDEN_FROM_PROXIES}
    masks = in_force(deed.provisions, Right.MASK, deed.visit.now)
    return sorted(labels | ({MASK} if any(old.id in one.resources for one in masks) else set()))


async def supersede(deed: Deed, made: Draft, together: Collection[str], base: str) -> None:
    """MHD §2:3.65.4.1.2: the document replaced becomes `superseded`, in the same transaction, by its author.

    `together`: ids of all that is deposited at once, where nothing takes the place of anything. Raises CONTENT (422),
    FORBIDDEN.
    """
    target = documents.replaced(made.json)
    if target is None:
        return
    pair = tokens.local(str(target.get("reference", "")), base)
    if pair is None:
        raise invalid("The document replaced is named by its reference.", _TARGET)
    if pair[1] in together:
        raise invalid("A document does not replace one that is deposited with it.", _TARGET)
    rows = await _found(deed, target, base)
    if not rows:
        raise invalid("The document replaced is not in this record.", _TARGET, "not-found")
    old = Stored.from_row(rows[0])
    if rows[0]["author"] != made.author:
        raise forbidden("Only its author replaces a document.")
    body = old.json(deed.view.keyring)
    if body.get("status") != "current":
        raise invalid("The document replaced is not current.", _TARGET)
    body, keys, now = {**body, "status": "superseded"}, keys_of(deed), deed.visit.now
    new = draft(_DOCUMENT, old.id, old.version + 1, body, old.record, made.author, keys, now, base)
    await store.replace(deed.session, new, keys)
    deed.touched.append(new.reference)


async def _found(deed: Deed, target: Mapping[str, Any], base: str) -> list[Any]:
    """The row of the document named, locked, if the reader sees it."""
    pair = tokens.local(str(target.get("reference", "")), base)
    if pair is None or deed.view.record is None:
        return []
    match = (KindIn(frozenset({_DOCUMENT.name})), IdIn(frozenset({pair[1]})))
    return await deed.fetch(one_of(deed.unscoped().inside, match, gone=False, lock=True))
