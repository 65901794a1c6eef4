"""People, professionals and pharmacies who write to each other, over HTTP."""

from base64 import b64encode
from typing import Any

import httpx

from auth.professionals import Professional as Identity
from tests.house import Caller, House
from tests.phr.care import PS, STRUCT, finess, software, who

Json = dict[str, Any]
PHARMACIST = who(31, "21", structure=finess(31), structure_name="Pharmacie du Parc", sector="SA33")
COLLEAGUE = who(32, "21", structure=finess(31), structure_name="Pharmacie du Parc", sector="SA33")
SURGEON, NURSE, STRANGER = who(33), who(34, "60"), who(35)
PHARMACY = (STRUCT, finess(31))
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def named(identity: Identity) -> tuple[str, str]:
    """A professional, by their national identifier."""
    return PS, identity.id


def letter(text: str = "Bonjour.", *to: tuple[str, str], **more: Any) -> Json:
    """The Parameters of a message: `to` pairs, `attachment` (references as strings, files as dicts), the rest as is."""
    listed: list[Json] = [{"name": "text", "valueString": text}]
    listed += [{"name": "to", "valueIdentifier": {"system": system, "value": value}} for system, value in to]
    for one in more.pop("attachment", ()):
        kind = {"valueReference": {"reference": one}} if isinstance(one, str) else {"valueAttachment": one}
        listed.append({"name": "attachment", **kind})
    for name, value in more.items():
        sort = "valueBoolean" if isinstance(value, bool) else "valueString"
        listed.append({"name": name.replace("_", "-"), sort: value})
    return {"resourceType": "Parameters", "parameter": listed}


def file(data: bytes = PDF, kind: str = "application/pdf", title: str = "Courrier.pdf") -> Json:
    """A file to send."""
    return {"contentType": kind, "title": title, "data": b64encode(data).decode()}


async def send(caller: Caller, record: str, body: Json, **headers: str) -> httpx.Response:
    """Send a message; underscores in header names become dashes."""
    return await caller.post(f"Patient/{record}/$send-message", body, **headers)


async def start(caller: Caller, record: str, *to: tuple[str, str], text: str = "Bonjour.", **more: Any) -> str:
    """Start a thread: its id."""
    answer = await send(caller, record, letter(text, *to, subject="Une question", **more))
    assert answer.status_code == 201, answer.text
    return str(reference(answer, "thread"))


async def reply(caller: Caller, record: str, thread: str, text: str = "Merci.", **more: Any) -> str:
    """Answer in a thread: the message's id."""
    answer = await send(caller, record, letter(text, thread=thread, **more))
    assert answer.status_code == 201, answer.text
    return str(reference(answer, "message"))


def reference(answer: httpx.Response, name: str) -> str:
    """The id that an answer names."""
    found = next(one for one in answer.json()["parameter"] if one["name"] == name)
    return str(found["valueReference"]["reference"]).removeprefix("Communication/")


async def texts(caller: Caller, thread: str) -> list[str]:
    """What the messages of a thread say to a reader, oldest first; a message taken back says nothing."""
    return [said(one["communication"]) for one in await messages(caller, thread)]


async def messages(caller: Caller, thread: str) -> list[Json]:
    """The messages of a thread: {communication, mine, unread}."""
    answer = await caller.get(f"Communication/{thread}/$thread")
    assert answer.status_code == 200, answer.text
    return [parts(one) for one in answer.json()["parameter"] if one["name"] == "message"]


async def threads(caller: Caller, path: str) -> dict[str, Json]:
    """The threads at a path, by id: {header, last, unread, archived, unsubscribed}."""
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    found = [parts(one) for one in answer.json().get("parameter", ()) if one["name"] == "thread"]
    return {one["header"]["id"]: one for one in found}


def parts(parameter: Json) -> Json:
    """The parts of a parameter, by name."""
    return {
        one["name"]: next(value for key, value in one.items() if key == "resource" or key.startswith("value"))
        for one in parameter["part"]
    }


def said(message: Json) -> str:
    """The text of a message."""
    return str(next((one["contentString"] for one in message.get("payload", ()) if "contentString" in one), ""))


async def pharmacy(house: House) -> None:
    """The pharmacy's page in the directory."""
    page = {
        "resourceType": "Organization",
        "identifier": [{"system": STRUCT, "value": finess(31)}],
        "type": [
            {
                "coding": [
                    {
                        "system": "https://mos.esante.gouv.fr/NOS/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite",
                        "code": "SA33",
                    }
                ]
            }
        ],
        "name": "Pharmacie du Parc",
    }
    answer = await house.operator().post("Organization", page)
    assert answer.status_code == 201, answer.text


async def known(house: House, record: str, *identities: Identity) -> list[Caller]:
    """Professionals who have a care relation with a person."""
    for identity in identities:
        await house.relate(record, identity.id)
    return [software(house, identity) for identity in identities]
