"""Access codes, over HTTP: a person makes and ends one, a professional redeems it.

The rule: a code travels in a body, never in an address; the link of its drawing holds it in the fragment.
"""

import base64
from datetime import UTC

from fastapi.responses import Response

from fhir.operation import parameters
from phr import qr, redeeming, sharing
from phr.api import answers, described
from phr.api.asked import Asked
from phr.api.doors import Doors
from phr.api.parameters import Given, given
from phr.blocks import named
from phr.sharing import Shared, Wish

LENT = ("all", "category", "document", "minutes", "until", "profession", "professional", "once")


def open_doors(doors: Doors) -> None:
    """$share, $redeem and $revoke-code."""

    @doors.opens("POST", "/Patient/{id:id}/$share", described.taking([], described.RESOURCE), status_code=201)
    async def share(asked: Asked, id: str) -> Response:
        """Make an access code: what is lent, for how long, for whom. The code is shown once."""
        made = await sharing.share(asked.visit, id, _wish(await given(asked, LENT)), asked.base)
        body = _drawn(made, asked.visit.installation.settings.issuer)
        return answers.json_answer(asked, body, 201, {"Location": f"{asked.base}/Consent/{made.consent['id']}"})

    @doors.opens("POST", "/Patient/$redeem", described.taking([], described.RESOURCE), status_code=201)
    async def redeem(asked: Asked) -> Response:
        """Show an access code, and hold a lease on what it lends."""
        typed = (await given(asked, {"code"})).required("code", str)
        return answers.wrote(asked, await redeeming.redeem(asked.visit, typed))

    @doors.opens("POST", "/Patient/{id:id}/$revoke-code", described.taking([], described.RESOURCE))
    async def revoke(asked: Asked, id: str) -> Response:
        """End an access code, and the leases it opened unless they are to stay."""
        told = await given(asked, {"consent", "leases"})
        consent, leases = told.required("consent", str), told.one("leases", bool)
        ended = await sharing.revoke(asked.visit, id, consent, leases=leases is not False)
        return answers.json_answer(asked, ended)


def _wish(told: Given) -> Wish:
    identifier, once = told.one("professional", dict), told.one("once", bool)
    return Wish(
        everything=told.one("all", bool) is True,
        categories=told.every("category", str),
        documents=told.every("document", str),
        minutes=told.one("minutes", int),
        until=told.instant("until"),
        profession=told.coded("profession") or "",
        professional=None if identifier is None else named("professional", identifier),
        once=once is not False,
    )


def _drawn(made: Shared, issuer: str) -> dict[str, object]:
    """The code, its link, and the link drawn twice: SVG that stands alone or inside a page, and PNG."""
    link = f"{issuer}/pro/redeem#{made.code}"
    return parameters(
        code=sharing.shown(made.code),
        link=link,
        svg=qr.svg(link),
        png={"valueBase64Binary": base64.b64encode(qr.png(link)).decode()},
        until={"valueInstant": made.until.astimezone(UTC).isoformat(timespec="milliseconds")},
        consent=made.consent,
    )
