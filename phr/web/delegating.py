"""What the forms of the page of caregivers and parents ask of the API, and what its refusals mean there.

The rule: what is typed is read as people write it, and refused in the words of its form.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from fhir.operation import parameters
from phr.core.identifiers import INS_NIA, INS_NIR
from phr.web.api import Api
from phr.web.enrolment import birth_date
from phr.web.mine import Json, Mine
from phr.web.pages import Pairs

_PARIS = ZoneInfo("Europe/Paris")
_PROBLEMS = {
    ("invite-caregiver", "me_conflict"): "people_twice",
    ("invite-parent", "me_conflict"): "people_twice",
    ("accept", "me_conflict"): "people_twice_mine",
    ("invite-caregiver", "me_refused"): "people_full",
    ("invite-parent", "me_refused"): "people_full",
    ("accept", "me_refused"): "people_accept_refused",
    ("refuse", "me_refused"): "me_over",
    ("change", "me_refused"): "people_not_narrower",
    ("end", "me_refused"): "me_over",
    ("cancel", "me_refused"): "me_over",
    ("leave", "me_refused"): "me_over",
}
"""What a refusal means in one form: the API says the rule, the page says it about what was just tried."""


class Wrong(Exception):  # noqa: N818
    """What is typed cannot be asked: the name of the text that says so."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def meant(do: str, problem: str) -> str:
    """What a refusal means in this form, as the name of a text."""
    return _PROBLEMS.get((do, problem), problem)


async def wish(mine: Mine, api: Api, form: Pairs) -> tuple[str, Json, str]:
    """What a form asks of the API: an operation, its parameters, and what was done. Raises Wrong."""
    given = {name: value.strip() for name, value in form}
    consent, powers = given.get("consent", ""), [value for name, value in form if name == "power"]
    match given.get("do"):
        case "accept" | "refuse" as do:
            accept = do == "accept"
            done = "accepted" if accept else "refused"
            return "answer-invitation", parameters(consent=consent, accept=accept), done
        case "end" | "cancel" | "leave" as do:
            done = {"end": "ended", "cancel": "cancelled", "leave": "left"}[do]
            return "end-delegation", parameters(consent=consent), done
        case "change":
            until = _until(given)
            return "change-delegation", _repeated(parameters(consent=consent, until=until), "power", powers), "changed"
        case "invite-caregiver" if not powers:
            raise Wrong("people_no_power")
        case "invite-caregiver":
            until = _until(given)
            body = parameters(**await _named(mine, api, given), until=until)
            return "invite-caregiver", _repeated(body, "power", powers), "invited"
        case "invite-parent":
            return "invite-parent", parameters(**await _named(mine, api, given)), "invited"
    raise Wrong("me_over")


def _repeated(body: Json, name: str, values: Sequence[str]) -> Json:
    return {**body, "parameter": [*body["parameter"], *({"name": name, "valueString": value} for value in values)]}


def _until(given: Mapping[str, str]) -> str | None:
    """The end of a day that is typed, in Paris, or None. Raises Wrong."""
    if not given.get("until"):
        return None
    day = _day(given["until"], "me_until_wrong") + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=_PARIS).astimezone(UTC).isoformat()


def _day(text: str, wrong: str) -> date:
    """A day as a date field or a person writes it. Raises Wrong, with the name of a text."""
    try:
        found = date.fromisoformat(birth_date(text))
    except ValueError:
        raise Wrong(wrong) from None
    if not 1900 <= found.year < 2400:
        raise Wrong(wrong)
    return found


async def _named(mine: Mine, api: Api, given: Mapping[str, str]) -> Json:
    """Who is invited, as they are typed. The authority of an INS goes without saying: that of whoever invites.

    A person whose own number is a provisional one (NIA) invites by NIR, which almost everybody has. Raises Wrong.
    """
    born = _day(given.get("birth", ""), "me_names_wrong").isoformat()
    if not all(given.get(name) for name in ("ins", "family", "given")):
        raise Wrong("me_names_wrong")
    patient = (await api.get(f"Patient/{mine.record}")).json()
    systems = [str(one.get("system", "")) for one in patient.get("identifier", ())]
    system = next((one for one in systems if one.startswith("urn:oid:1.2.250.1.213.1.4.")), f"urn:oid:{INS_NIR}")
    system = f"urn:oid:{INS_NIR}" if system == f"urn:oid:{INS_NIA}" else system
    identifier = {"valueIdentifier": {"system": system, "value": given["ins"]}}
    return {"identifier": identifier, "family": given["family"], "given": given["given"], "birthDate": born}
