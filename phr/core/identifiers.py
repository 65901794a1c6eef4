"""The national identifiers: INS (people), RPPS (professionals), FINESS (structures), prefixed forms.

A value of these types has passed its check digits. None of them shows its number in `repr` or in an error.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from stdnum import luhn
from stdnum.fr import nir

INS_NIR = "1.2.250.1.213.1.4.8"
INS_NIA = "1.2.250.1.213.1.4.9"
INS_NIR_TEST = "1.2.250.1.213.1.4.10"
INS_NIR_DEMO = "1.2.250.1.213.1.4.11"
INS_OIDS = (INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMO)
INS_SYSTEMS = tuple(f"urn:oid:{oid}" for oid in INS_OIDS)

RPPS_SYSTEM = "https://rpps.esante.gouv.fr"
FINESS_SYSTEM = "https://finess.esante.gouv.fr"
PS_ID_NAT_SYSTEM = "urn:oid:1.2.250.1.71.4.2.1"
STRUCT_ID_NAT_SYSTEM = "urn:oid:1.2.250.1.71.4.2.2"

_MATRICULE = re.compile(r"[1-478][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}", re.ASCII)
_NATIONAL = re.compile(r"[0-9A-Za-z/_.-]{1,64}", re.ASCII)


def ins_key(first13: str) -> str:
    """The two check digits of a 13-character matricule: 97 minus the number modulo 97, Corsica 2A→19, 2B→18.

    Source: INSEE, numéro d'inscription au répertoire. ValueError when it is not a matricule.
    """
    if not _MATRICULE.fullmatch(first13):
        raise ValueError("not a 13-character matricule")
    return str(nir.calc_check_digits(first13))


@dataclass(frozen=True, slots=True)
class INS:
    """A person's matricule INS (15 characters, key included) and the OID of its assigning authority."""

    value: str = field(repr=False)
    oid: str = INS_NIR

    def __post_init__(self) -> None:
        if self.oid not in INS_OIDS:
            raise ValueError("not an INS assigning authority")
        if len(self.value) != 15 or ins_key(self.value[:13]) != self.value[13:]:
            raise ValueError("not an INS matricule, or its key is wrong")

    @classmethod
    def parse(cls, value: str, authority: str = INS_NIR) -> Self:
        """From a number as people type it (spaces allowed, key required) and an OID or `urn:oid:` system.

        ValueError, without the number, when the form, the key or the authority is wrong.
        """
        return cls(value.replace(" ", "").upper(), authority.removeprefix("urn:oid:"))

    @property
    def system(self) -> str:
        """The FHIR `Identifier.system`."""
        return f"urn:oid:{self.oid}"

    @property
    def test(self) -> bool:
        """Whether the authority is one of the test or demonstration ones."""
        return self.oid in (INS_NIR_TEST, INS_NIR_DEMO)


@dataclass(frozen=True, slots=True)
class RPPS:
    """A professional's number in the Répertoire partagé des professionnels de santé: 11 digits, Luhn."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{11}", self.value) or not luhn.is_valid(self.value):
            raise ValueError("not an RPPS number, or its check digit is wrong")

    @classmethod
    def parse(cls, value: str) -> Self:
        """From 11 digits, or from the national id `8` + 11 digits. ValueError without the number."""
        return cls(value[1:] if len(value) == 12 and value.startswith("8") else value)

    @property
    def system(self) -> str:
        """The FHIR `Identifier.system` of the bare number."""
        return RPPS_SYSTEM

    @property
    def national(self) -> "NationalProfessional":
        """The prefixed form, as Pro Santé Connect's SubjectNameID carries it."""
        return NationalProfessional(f"8{self.value}")


@dataclass(frozen=True, slots=True)
class FINESS:
    """A structure's number in the FINESS register: 9 characters, Luhn.

    Corsica (2A, 2B): the form only. How its letter counts was not read in any specification, and a real
    structure must not be refused on a guess.
    """

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        corsican = re.fullmatch(r"2[AB][0-9]{7}", self.value)
        if not corsican and (not re.fullmatch(r"[0-9]{9}", self.value) or not luhn.is_valid(self.value)):
            raise ValueError("not a FINESS number, or its check digit is wrong")

    @classmethod
    def parse(cls, value: str) -> Self:
        """From 9 characters, or from the national id `1` + 9 characters. ValueError without the number."""
        upper = value.upper()
        return cls(upper[1:] if len(upper) == 10 and upper.startswith("1") else upper)

    @property
    def system(self) -> str:
        """The FHIR `Identifier.system` of the bare number."""
        return FINESS_SYSTEM

    @property
    def national(self) -> "NationalStructure":
        """The prefixed form."""
        return NationalStructure(f"1{self.value}")


@dataclass(frozen=True, slots=True)
class NationalProfessional:
    """PSIdNat: a professional's national id, whose first digit says the register (8: RPPS).

    Test identities have none (they look like `ANS2021…`): accepted, and never taken for an RPPS number.
    """

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _NATIONAL.fullmatch(self.value):
            raise ValueError("not a national id of a professional")
        if re.fullmatch(r"8[0-9]{11}", self.value):
            RPPS(self.value[1:])

    @classmethod
    def parse(cls, value: str) -> Self:
        """From the prefixed id. ValueError, without the id, when an RPPS number inside is wrong."""
        return cls(value)

    @property
    def system(self) -> str:
        """The FHIR `Identifier.system` of the prefixed id."""
        return PS_ID_NAT_SYSTEM

    @property
    def rpps(self) -> RPPS | None:
        """The RPPS number it carries, if the register is RPPS."""
        return RPPS(self.value[1:]) if re.fullmatch(r"8[0-9]{11}", self.value) else None


@dataclass(frozen=True, slots=True)
class NationalStructure:
    """StructIdNat: a structure's national id, whose first digit says the register (1: FINESS, 3: SIRET)."""

    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _NATIONAL.fullmatch(self.value):
            raise ValueError("not a national id of a structure")
        if self.value.startswith("1") and len(self.value) == 10:
            FINESS(self.value[1:])

    @classmethod
    def parse(cls, value: str) -> Self:
        """From the prefixed id. ValueError, without the id, when a FINESS number inside is wrong."""
        return cls(value)

    @property
    def system(self) -> str:
        """The FHIR `Identifier.system` of the prefixed id."""
        return STRUCT_ID_NAT_SYSTEM

    @property
    def finess(self) -> FINESS | None:
        """The FINESS number it carries, if the register is FINESS."""
        return FINESS(self.value[1:]) if self.value.startswith("1") and len(self.value) == 10 else None
