"""Taking a message's content away for good: its past versions, its files, or the whole of it.

The rule: what is taken back, or past its time, is deleted, not hidden: nothing of what it said is left to open.
"""

from collections.abc import Sequence

from fhir import store
from fhir.record import bucket_of
from phr.access.visit import Deed
from phr.operated import keys_of


async def past(deed: Deed, ids: Sequence[str]) -> None:
    """Delete the superseded versions of these resources of the record."""
    await store.erase_past(deed.session, bucket_of(keys_of(deed).record) or 0, ids)


async def whole(deed: Deed, ids: Sequence[str]) -> None:
    """Delete these resources of the record, what hangs on them first."""
    await store.erase(deed.session, bucket_of(keys_of(deed).record) or 0, ids)
