"""What the decision costs: a professional's read under a right, against its author's read of the same document.

The rule: nothing is measured but reading by id, on one record each, with as many leases on it as a lifetime gives. Both
find the record by the document's id; the author needs no right.
"""

from datetime import UTC, datetime
from uuid import uuid4

from auth.claims import Claims
from auth.professionals import Professional
from auth.rfc9068 import mint
from auth.server import AuthServer
from bench.town import Seeded, settle
from phr import imports, rights
from phr.access.consent import PROFESSIONALS, Actor, Terms
from phr.access.installation import Installation
from phr.access.journal import Tag
from phr.access.provision import Right
from phr.access.scope import CREATE

LEASES = (0, 10, 1_000)
_DOCTOR = Professional("810000000001", "PETIT", "Lou", "10", "C", "", "1690000001", "Cabinet", "SA07", "L")


async def lend(installation: Installation) -> list[tuple[int, Seeded]]:
    """One record for each number of leases: the doctor is its treating physician, or holds the last of the leases."""
    found = []
    for n, leases in enumerate(LEASES):
        seeded = await settle(installation, 2 * 10**9 + n, 1)
        visit = imports.visit_of(installation, "bench", datetime.now(UTC))
        async with visit.act(seeded.record, CREATE, Tag.SHARE, "Consent", deciding=True) as deed:
            for m in range(leases - 1):
                another = Actor(PROFESSIONALS, f"81000001{m:04d}")
                await rights.write(deed, Terms(Right.CARE_RELATION, another, purpose="treating"))
            right = Right.CARE_RELATION if leases else Right.TREATING_PHYSICIAN
            await rights.write(deed, Terms(right, Actor(PROFESSIONALS, _DOCTOR.id), purpose="treating"))
        found.append((leases, seeded))
    return found


def author_token(server: AuthServer, until: datetime) -> str:
    """The software that deposited, which sees its own without any right."""
    claims = Claims("bench", "deposit", "bench", None, ("system/*.rs",), str(uuid4()), None, until)
    return mint(server.issuer, server.signing, server.subjects, claims, claims.client, datetime.now(UTC))


def professional_token(server: AuthServer, until: datetime) -> str:
    """The doctor's software, for as long as the bench lasts."""
    claims = Claims(
        *("carnet-bench-pro", "professional", _DOCTOR.id, None, ("user/*.rs",), str(uuid4()), None, until),
        professional=_DOCTOR,
    )
    return mint(server.issuer, server.signing, server.subjects, claims, claims.client, datetime.now(UTC))
