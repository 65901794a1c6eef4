"""The addresses of secure messaging: a person's is their INS at the domain of this installation.

The rule: an address says nothing of whether its person has a record here; only its form is judged before a mail is in.
"""

from phr.core.identifiers import INS, INS_OIDS
from phr.core.settings import Mssante


def domain_of(address: str) -> str:
    """What follows the last `@`, in small letters; empty when there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


def ins_of(settings: Mssante, address: str) -> str | None:
    """The INS of a person's address, its key checked; None when it is not one."""
    name, _, domain = address.rpartition("@")
    if domain.lower() != settings.domain or len(name) != 15:
        return None
    try:
        return INS.parse(name, INS_OIDS[0]).value
    except ValueError:
        return None


def of_person(settings: Mssante, ins: str) -> str:
    """The address of the person who has this INS."""
    return f"{ins}@{settings.domain}"
