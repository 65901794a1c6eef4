"""Searching the reader's own subscriptions: they are few, so they are opened and looked at one by one."""

from typing import Any
from urllib.parse import urlencode

from fhir import query
from fhir.criterion import split
from fhir.outcome import outcome
from phr.access.visit import Visit
from phr.core.errors import Issue
from phr.reading import Pairs, refuse
from phr.subscriptions.asking import KIND
from phr.subscriptions.held import Held
from phr.subscriptions.owned import listed, still_stands

Json = dict[str, Any]
SEARCHED = frozenset({"_id", *KIND.parameters})


async def search(visit: Visit, pairs: Pairs, base: str, *, strict: bool) -> Json:
    """The reader's own, latest first, by `_id`, `payload`, `status`, `type`, `url` (the endpoint, whole)."""
    used = [(name, value) for name, value in pairs if name in SEARCHED]
    names = [name for name, _ in pairs if name not in SEARCHED and name not in query.SKIPPED]
    ignored = [(name, f"not a search parameter of {KIND.name} here") for name in names]
    if strict:
        refuse(ignored)
    entries: list[Json] = []
    for held in await listed(visit):
        shown = held.shown(stands=await still_stands(visit, held))
        if all(_matches(held, shown, name, value) for name, value in used):
            full = f"{base}/{KIND.name}/{held.id}"
            entries.append({"fullUrl": full, "resource": shown, "search": {"mode": "match"}})
    total = len(entries)
    if ignored:
        issues = [Issue("not-supported", f"{name}: {why}", severity="warning") for name, why in ignored]
        entries.append({"resource": outcome(issues), "search": {"mode": "outcome"}})
    asked = urlencode([pair for pair in used if pair[0] != "url"])  # the endpoint is a secret
    link = [{"relation": "self", "url": f"{base}/{KIND.name}?{asked}" if asked else f"{base}/{KIND.name}"}]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": link}
    return {**bundle, "entry": entries} if entries else bundle


def _matches(held: Held, shown: Json, name: str, value: str) -> bool:
    """One parameter; a comma is OR, and what comes before a token's bar is not looked at."""
    channel = held.resource["channel"]
    kept = {"_id": held.id, "status": shown["status"], "url": channel["endpoint"]}
    kept |= {one: channel[one] for one in ("type", "payload")}
    return any(kept[name] in (one, one.rpartition("|")[2]) for one in split(value, ","))
