"""The checker on what is loaded: the compositions of the public database, the interactions of the operator's file.

The rule: without a release, a code or a composition it says what it could not look for; what the words and the codes
still tell is compared all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import ARRAY, Integer, String, any_, bindparam, literal, select

from phr.core.database import Session, compile_query
from phr.medicines import tables
from phr.medicines.checker import Allergy, Case, Finding, Gap, Judged, Unchecked
from phr.medicines.comparison import Contents, Row, allergic, duplicates, interacting
from phr.medicines.content import Active, content, substances
from phr.medicines.interactions import Level
from phr.medicines.lookup import CODE, by_code, current
from phr.medicines.medication import ATC, CIP, CIS
from phr.medicines.medicine import Medicine
from phr.medicines.naming import spellings

_NOTHING = 0
"""The number of no release: nothing is found in it."""
_release = bindparam("release", type_=Integer())
_names = any_(bindparam("names", type_=ARRAY(String)))
_i, _m, _s = tables.interaction.c, tables.member.c, tables.ingredient.c
_SPELLED = compile_query(
    select(_s.folded, _s.name, _s.code).distinct().where(_s.release == _release, _s.folded == _names).order_by(_s.code)
)
_OF_CLASSES = compile_query(select(_m.member, _m.name).where(_m.release == _release, _m.member == _names))
_CLASSES = compile_query(select(_m.name).distinct().where(_m.release == _release, _m.name == _names))
_ROWS = compile_query(
    select(tables.interaction).where(_i.release == _release, _i.a == _names, _i.b == _names).order_by(_i.position)
)
_ANY = compile_query(select(literal(1).label("one")).where(_i.release == _release).limit(1))
_ORDER = ("high", "moderate", "low")


class LoadedTables:
    """The one implementation of `checker.Checker`."""

    async def judge(self, case: Case, session: Session) -> Judged:
        """Judge a case with the release in use. A case without lines has nothing to say."""
        if not case.lines:
            return Judged((), ())
        release = await current(session) or _NOTHING
        known = await _known(session, release, case)
        texts = [text for one in case.everything for text in one.texts]
        spelled = sorted(frozenset[str]().union(*map(spellings, texts)))
        named = await _spelled(session, release, spelled)
        contents = {one: content(one, known, named) for one in (*case.lines, *case.taken)}
        names = {name for one in contents.values() for active in one.actives for name in active.names}
        classes = defaultdict[str, frozenset[str]](frozenset)
        for row in await session.fetch(_OF_CLASSES, {"release": release, "names": sorted(names)}):
            classes[row["member"]] |= {row["name"]}
        bearing = sorted(names.union(*classes.values()))
        rows = await session.fetch(_ROWS, {"release": release, "names": bearing})
        table = [Row(row["a"], row["b"], Level(row["level"]), row["text"]) for row in rows]
        meant = {one: substances(one.codes, known) for one in case.allergies}
        found = [
            *duplicates(case, contents),
            *allergic(case, contents, meant, classes),
            *interacting(case, contents, table, classes),
        ]
        if release == _NOTHING:
            return Judged(_sorted(found), (Unchecked(Gap.NO_BASE, case.lines),))
        told = await session.fetch(_CLASSES, {"release": release, "names": spelled})
        said = named.keys() | {row["name"] for row in told}
        gaps = list(_gaps(case, contents))
        lost = tuple(one for one in case.allergies if not (meant[one] or _comparable(one, case, contents, said)))
        gaps += [Unchecked(Gap.ALLERGY, lost)] if lost else []
        if not await session.fetch(_ANY, {"release": release}):
            gaps.append(Unchecked(Gap.NO_INTERACTIONS, case.lines))
        return Judged(_sorted(found), gaps)


async def _known(session: Session, release: int, case: Case) -> dict[str, Medicine]:
    """The loaded medicines that the case names, by CIS and by CIP13."""
    codes = {
        code for one in case.everything for system, code in one.codes if system in (CIS, CIP) and CODE.fullmatch(code)
    }
    found = await by_code(session, release, *sorted(codes)) if codes else []
    return {one.cis: one for one in found} | {box.cip13: one for one in found for box in one.boxes}


async def _spelled(session: Session, release: int, names: list[str]) -> dict[str, Active]:
    found: dict[str, Active] = {}
    for row in await session.fetch(_SPELLED, {"release": release, "names": names}):
        before = found[row["folded"]].keys if row["folded"] in found else {f"name:{row['folded']}"}
        keys = frozenset({*before, f"code:{row['code']}"})
        found[row["folded"]] = Active(row["name"], keys, frozenset({row["folded"]}))
    return found


def _gaps(case: Case, contents: Contents) -> Iterator[Unchecked]:
    for gap in (Gap.NO_CODE, Gap.UNKNOWN_CODE, Gap.NO_COMPOSITION):
        about = tuple(one for one in case.lines if contents[one].gap is gap)
        if about:
            yield Unchecked(gap, about)
    taken = tuple(one for one in case.taken if contents[one].gap is not None)
    if taken:
        yield Unchecked(Gap.TAKEN, taken)


def _comparable(one: Allergy, case: Case, contents: Contents, said: Iterable[str]) -> bool:
    """Whether nothing found of it means something: it names a substance or a class that is known, or is an ATC code

    and so is every line; or it is to no medicine.
    """
    by_atc = any(system in ATC for system, _ in one.codes) and all(contents[line].atc for line in case.lines)
    known = frozenset(said)
    return not one.medicinal or by_atc or any(not known.isdisjoint(spellings(text)) for text in one.texts)


def _sorted(found: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.severity)))
