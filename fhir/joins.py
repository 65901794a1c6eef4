"""Chains, `_has`, `_include` and `_revinclude`: from one set of rows to another, each found through its own lens.

The rule: references are stored as keyed hashes, so the other end is found first, behind the lens, and what it gives
is a set of hashes or ids. A hidden resource can therefore neither match, nor be followed, nor be brought along.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from fhir import paths, tokens
from fhir.criteria import TokenAny
from fhir.criterion import Chain, Criterion, Has
from fhir.index import references_of
from fhir.lens import Statement
from fhir.parameters import KINDS, Kind, Parameter
from fhir.predicate import And, IdIn, KindIn, Or, Predicate
from fhir.query import Include, Query
from fhir.search import all_of
from fhir.stored import Stored
from fhir.view import View

Fetch = Callable[[Statement], Awaitable[list[Any]]]

MOST = 1_000_000
"""More rows than a record holds: one end of a join is never silently cut."""
MOST_INCLUDED = 1000
"""Resources brought along with one page, at most; beyond, the searcher is told."""


async def resolve(fetch: Fetch, view: View, kind: Kind, asked: Criterion) -> Predicate:
    """What a criterion asks of a row of `kind`, its other ends found."""
    if isinstance(asked, Predicate):
        return asked
    if isinstance(asked, Has):
        return await _pointed_at(fetch, view, kind, asked)
    return Or(tuple([await _pointing(fetch, view, kind, chain) for chain in asked]))


async def conditions(fetch: Fetch, view: View, query: Query) -> Predicate:
    """All that a query asks of a row."""
    asked: tuple[Criterion, ...] = (*query.criteria, *query.chains, *query.has)
    return And(tuple([await resolve(fetch, view, query.kind, criterion) for criterion in asked]))


async def _matching(fetch: Fetch, view: View, kind: Kind, asked: Criterion) -> list[Stored]:
    match = And((KindIn(frozenset({kind.name})), await resolve(fetch, view, kind, asked)))
    return [Stored.from_row(row) for row in await fetch(all_of(view.of(kind), match, MOST))]


def _to(view: View, kind: Kind, parameter: Parameter, references: Iterator[str]) -> TokenAny:
    """Rows of `kind` that point at one of these `Type/id` through a parameter."""
    hashed = view.hashed(kind)
    return TokenAny(frozenset(hashed(tokens.literal(parameter.name, name)) for name in references))


async def _pointing(fetch: Fetch, view: View, kind: Kind, chain: Chain) -> Predicate:
    found = await _matching(fetch, view, chain.target, chain.criterion)
    return _to(view, kind, chain.parameter, (f"{target.kind}/{target.id}" for target in found))


async def _pointed_at(fetch: Fetch, view: View, kind: Kind, has: Has) -> Predicate:
    ids: set[str] = set()
    for source in await _matching(fetch, view, has.kind, has.criterion):
        for type_, identifier in _followed(source.json(view.keyring), has.parameter):
            if type_ == kind.name:
                ids.add(identifier)
    return IdIn(frozenset(ids))


def _followed(resource: dict[str, Any], parameter: Parameter) -> Iterator[tuple[str, str]]:
    for value in paths.values(parameter.paths, resource):
        text = value.get("reference") if isinstance(value, dict) else value
        pair = tokens.local(text) if isinstance(text, str) else None
        if pair is not None and pair[0] in parameter.targets:
            yield pair


async def included(fetch: Fetch, view: View, query: Query, page: Sequence[Stored]) -> tuple[list[Stored], bool]:
    """What `_include` and `_revinclude` bring along with a page, each resource once, and whether that is all of it.

    At most MOST_INCLUDED.
    """
    have = {(row.kind, row.id): row for row in page}
    brought: list[Stored] = []
    fresh: Sequence[Stored] = page
    first = True
    while fresh and len(brought) < MOST_INCLUDED:
        found: list[Stored] = []
        for include in (*query.includes, *query.revincludes):
            if first or include.iterate:
                step = _pointing_back if include.reverse else _forward
                found += await step(fetch, view, include, fresh)
        fresh = [row for row in {(r.kind, r.id): r for r in found}.values() if (row.kind, row.id) not in have]
        have |= {(row.kind, row.id): row for row in fresh}
        brought += fresh
        first = False
    return brought[:MOST_INCLUDED], len(brought) < MOST_INCLUDED


async def _forward(fetch: Fetch, view: View, include: Include, rows: Sequence[Stored]) -> list[Stored]:
    wanted: set[tuple[str, str]] = set()
    for row in rows:
        if include.source is not None and row.kind != include.source.name:
            continue
        resource = row.json(view.keyring)
        if include.parameter is None:
            wanted |= {pair for name in references_of(resource).local if (pair := tokens.local(name))}
        else:
            wanted |= set(_followed(resource, include.parameter))
    if include.target is not None:
        wanted = {pair for pair in wanted if pair[0] == include.target.name}
    return await by_reference(fetch, view, wanted)


async def by_reference(fetch: Fetch, view: View, wanted: set[tuple[str, str]]) -> list[Stored]:
    """The visible ones among these (type, id)."""
    found: list[Stored] = []
    for lens, commons in ((view.inside, False), (view.commons, True)):
        ids = frozenset(i for type_, i in wanted if type_ in KINDS and KINDS[type_].commons is commons)
        if ids:
            rows = [Stored.from_row(row) for row in await fetch(all_of(lens, IdIn(ids), MOST))]
            found += [row for row in rows if (row.kind, row.id) in wanted]
    return found


async def _pointing_back(fetch: Fetch, view: View, include: Include, rows: Sequence[Stored]) -> list[Stored]:
    if include.source is None:
        return []
    kind = include.source
    names = [f"{row.kind}/{row.id}" for row in rows if include.target is None or row.kind == include.target.name]
    reverse = (
        [include.parameter] if include.parameter else [p for p in kind.parameters.values() if p.type == "reference"]
    )
    points = Or(tuple(_to(view, kind, parameter, iter(names)) for parameter in reverse))
    match = And((KindIn(frozenset({kind.name})), points))
    return [Stored.from_row(row) for row in await fetch(all_of(view.of(kind), match, MOST))]
