"""A subscription, opened: its row, what was asked, as whom it is told, and the key that signs what it is told."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from fhir import wire
from phr.core.keys import SystemKeys
from phr.core.vault import seal, unseal
from phr.subscriptions.channel import hidden
from phr.subscriptions.notification import Standing, instant
from phr.subscriptions.subscriber import Subscriber
from phr.subscriptions.wish import PROFILE, Wish, wish_of

Json = dict[str, Any]
SIGNING_KEY = "https://carnet.example/StructureDefinition/subscription-secret"
"""The extension of the channel that tells the signing key, once: in the answer that creates the subscription."""
ENDED = "The access this rests on has ended."
REFUSED = "The endpoint did not take what it was told."


@dataclass(frozen=True, slots=True)
class Held:
    """One subscription. `resource`: what was asked, secrets and all; `secret`: in hexadecimal."""

    id: str
    record: str | None
    status: str
    since: datetime
    told: int
    failures: int
    retry: datetime | None
    beat: datetime | None
    until: datetime
    version: int
    updated: datetime
    resource: Json = field(repr=False)
    subscriber: Subscriber = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def of(cls, keys: SystemKeys, row: Any) -> Self:
        """From its row. Raises BrokenSealError."""
        said = wire.restore(unseal(keys.get("accounts"), row["sealed"], _context(row["id"])))
        plain = {name: row[name] for name in cls.__slots__ if name not in ("resource", "subscriber", "secret")}
        return cls(
            **plain, resource=said["resource"], subscriber=Subscriber.read(said["claims"]), secret=said["secret"]
        )

    @property
    def wish(self) -> Wish:
        """What is asked."""
        return wish_of(self.resource)

    @property
    def etag(self) -> str:
        """The weak ETag of the version."""
        return f'W/"{self.version}"'

    def standing(self, *, stands: bool = True, told: int | None = None) -> Standing:
        """Where it stands; off once what it rests on has ended. The topic is not said to who asked for nothing.

        `told`: how many events it was told of, this one included.
        """
        wish = self.wish
        topic = wish.topic.canonical if wish.content != "empty" else ""
        return Standing(self.id, topic, self.status if stands else "off", self.told if told is None else told)

    def shown(self, *, stands: bool = True, secret: bool = False) -> Json:
        """As its owner reads it. `secret`: with its key, as when it is made."""
        channel = hidden(self.resource["channel"])
        if secret:
            told = {"url": SIGNING_KEY, "valueString": self.secret}
            channel["extension"] = [*channel.get("extension", ()), told]
        error = ENDED if not stands else REFUSED if self.status == "error" else None
        meta = {"versionId": str(self.version), "lastUpdated": instant(self.updated), "profile": [PROFILE]}
        return {
            **self.resource,
            "id": self.id,
            "meta": meta,
            "status": self.status if stands else "off",
            **({} if error is None else {"error": error}),
            "end": instant(self.until),
            "channel": channel,
        }


def new_secret() -> str:
    """A fresh signing key of 256 bits, in hexadecimal."""
    return secrets.token_hex(32)


def sealing(keys: SystemKeys, id: str, resource: Json, subscriber: Subscriber, secret: str) -> bytes:
    """What a row keeps sealed."""
    said = {"resource": resource, "claims": subscriber.kept(), "secret": secret}
    return seal(keys.get("accounts"), wire.encode(said), _context(id))


def _context(id: str) -> bytes:
    return b"subscription|" + id.encode()
