"""Who is believed: the operators of the circle of trust, the domains each may speak for, the structures' mailboxes.

The rule: a domain is believed from the operator that has it, known by its certificate, and from nobody else.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path


class PeersError(ValueError):
    """A list that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure that has a mailbox. `id`: StructIdNat, such as `1` + FINESS."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Peers:
    """Domains, each with the certificate names that may speak for it; structures by mail address."""

    domains: Mapping[str, frozenset[str]]
    mailboxes: Mapping[str, Structure]

    def trusts(self, domain: str) -> bool:
        """Whether mail goes to, and comes from, this domain."""
        return domain.lower() in self.domains

    def speaks(self, names: Collection[str], domain: str) -> bool:
        """Whether who shows a certificate of these names may speak for this domain."""
        return not self.domains.get(domain.lower(), frozenset()).isdisjoint(one.lower() for one in names)

    def structure(self, address: str) -> Structure | None:
        """Whose mailbox this is, if it is a structure's."""
        return self.mailboxes.get(address.lower())


def read(path: Path) -> Peers:
    """The list in a TOML file. Raises PeersError.

    `[[operator]]`: `certificate` (its DNS names), `domains`. `[[mailbox]]`: `address`, `structure`, `name`.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        domains: dict[str, frozenset[str]] = {}
        for operator in told.get("operator", []):
            names = frozenset(str(one).lower() for one in operator["certificate"])
            for domain in operator["domains"]:
                domains[domain.lower()] = domains.get(domain.lower(), frozenset()) | names
        mailboxes = {
            str(one["address"]).lower(): Structure(one["structure"], one["name"]) for one in told.get("mailbox", [])
        }
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PeersError(f"{path.name} cannot be read") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise PeersError(f"{path.name} is not a list of operators and mailboxes") from error
    if not domains:
        raise PeersError(f"{path.name} trusts no domain")
    return Peers(domains, mailboxes)


def names_of(certificate: Mapping[str, object] | None) -> frozenset[str]:
    """The DNS names of a verified certificate, as `ssl.SSLSocket.getpeercert()` tells it."""
    listed = (certificate or {}).get("subjectAltName", ())
    pairs = listed if isinstance(listed, tuple) else ()
    return frozenset(str(value).lower() for kind, value in pairs if kind == "DNS")
