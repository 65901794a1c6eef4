"""What a provider shaped like Pro Santé Connect says of a professional, read as `Professional`s.

The rule: one for each exercice × activity, and it is the person who chooses; what is not understood is refused.
Sources: the PSC documentation and the userinfo example of ansforge/PSC-POC. Not verified: the algorithm of production
id_tokens, whether PKCE is obligatory there, whether userinfo can be signed, and the spelling "VRAI" of a true boolean
(only "FAUX" was seen). So all are accepted here: an allow-list of algorithms, PKCE always, both userinfo forms.
"""

import re
from collections.abc import Mapping
from typing import Any

from auth.professionals import Professional
from phr.core.settings import EIDAS

REQUEST = {"scope": "openid scope_all", "acr_values": "eidas1"}
"""The documentation's example says `acr=`; connectors send `acr_values`, the OpenID parameter."""

ACCEPTED = EIDAS
"""The levels that open a session: `eidas1` is what is asked, and all there is today."""

_RPPS = re.compile(r"8[0-9]{11}", re.ASCII)
_TEST = re.compile(r"ANS[0-9A-Za-z]{1,40}", re.ASCII)
_NATIONAL = re.compile(r"[013456][0-9A-Za-z/_.-]{1,62}", re.ASCII)
"""PSIdNat: 0 ADELI, 1 ADELI office, 3 FINESS, 4 SIREN, 5 SIRET, 6 RPPS office, each with an internal number."""


def rpps(id: str) -> str | None:
    """The RPPS number in a national id: `8` and eleven digits, nothing else."""
    return id[1:] if _RPPS.fullmatch(id) else None


def known(id: object, *, sandbox: bool) -> bool:
    """Whether this is a national id of a person. Test identities (`ANS…`) exist in a sandbox only."""
    if not isinstance(id, str):
        return False
    return bool(_RPPS.fullmatch(id) or _NATIONAL.fullmatch(id) or (sandbox and _TEST.fullmatch(id)))


def coded(value: object) -> tuple[str, str]:
    """A `code^OID` text as code and OID; both empty when it says nothing. Raises ValueError."""
    if value in (None, ""):
        return "", ""
    if not isinstance(value, str) or value.count("^") > 1:
        raise ValueError("not a code^OID")
    code, _, oid = value.partition("^")
    return code, oid


def true(value: object) -> bool:
    """A French boolean. Raises ValueError: neither VRAI nor FAUX nor empty."""
    if value in ("VRAI", True):
        return True
    if value in ("FAUX", "", None, False):
        return False
    raise ValueError("not a boolean")


def structure_of(activity: Mapping[str, Any]) -> str:
    """StructIdNat: `1` + the site's FINESS, else `3` + its SIRET, else the provider's own id, else empty."""
    finess, siret = _text(activity, "numeroFinessSite"), _text(activity, "numeroSiretSite")
    if finess:
        return f"1{finess}"
    return f"3{siret}" if siret else _text(activity, "identifiantTechniqueDeLaStructure")


def professionals(userinfo: Mapping[str, Any], *, sandbox: bool) -> tuple[Professional, ...]:
    """Everyone this person can be, one for each exercice × activity, in the provider's order. Raises ValueError.

    Who exercises no regulated profession (a medical secretary) has an empty `profession`. Somebody without any
    exercice has one entry, of the organisation alone.
    """
    national = userinfo.get("SubjectNameID")
    if not isinstance(national, str) or not known(national, sandbox=sandbox):
        raise ValueError("not a national id")
    regulation = "1" if true(userinfo.get("Acces_Regulation_Medicale")) else ""
    sector = coded(userinfo.get("Secteur_Activite"))[0]
    reference = userinfo.get("SubjectRefPro") or {}
    if not isinstance(reference, dict):
        raise ValueError("not a professional reference")
    found: list[Professional] = []
    for exercice in _list(reference, "exercices"):
        for activity in _list(exercice, "activities") or [{}]:
            found.append(
                Professional(
                    id=national,
                    family=_text(exercice, "nomDexercice") or _text(userinfo, "family_name"),
                    given=_text(exercice, "prenomDexercice") or _text(userinfo, "given_name"),
                    profession=_text(exercice, "codeProfession"),
                    category=_text(exercice, "codeCategorieProfessionnelle"),
                    skill=_text(exercice, "codeSavoirFaire"),
                    structure=structure_of(activity),
                    structure_name=_text(activity, "raisonSocialeSite") or _text(activity, "enseigneCommercialeSite"),
                    sector=_text(activity, "codeSecteurDactivite"),
                    mode=_text(activity, "codeModeExercice"),
                    role=_text(activity, "codeRole"),
                    section=_text(activity, "codeSectionPharmacien"),
                    activity=_text(activity, "codeGenreActivite"),
                    regulation=regulation,
                )
            )
    if not found:
        family, given = _text(userinfo, "family_name"), _text(userinfo, "given_name")
        place, name = _text(userinfo, "SubjectOrganizationID"), _text(userinfo, "SubjectOrganization")
        found = [Professional(national, family, given, "", "", "", place, name, sector, "", regulation=regulation)]
    return tuple(dict.fromkeys(found))


def _list(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = values.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is not a list of objects")
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > 200:
        raise ValueError(f"{name} is not a short text")
    return found.strip()
