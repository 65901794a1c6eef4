"""The people of the sandbox providers. The rule: invented, with test numbers, in exactly the shape the real ones have.

Professionals follow the userinfo example of ansforge/PSC-POC. Not verified, and chosen for the sandbox: the codes of
pharmacist sections, and role 99 (JDV_J65's TRE_R291) for a medical secretary.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stdnum import luhn

ROLES = "1.2.250.1.213.1.1.5.5"
SECTORS = "1.2.250.1.71.4.2.4"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in: a stable id for the picker, what the picker says, and their userinfo."""

    id: str
    label: str
    note: str
    userinfo: Mapping[str, Any]

    @property
    def sub(self) -> str:
        """The provider's name for them."""
        return str(self.userinfo["sub"])

    def get_user_id(self) -> str:
        """For Authlib."""
        return self.id


@dataclass(frozen=True, slots=True)
class Place:
    """A structure. `finess` has nine digits and `siret` fourteen; a place has one of them, or neither."""

    name: str
    sector: str
    finess: str = ""
    siret: str = ""
    technical: str = ""


def _finess(stem: str) -> str:
    return stem + str(luhn.calc_check_digit(stem))


PRACTICE = Place("Maison de santé des Tilleuls", "SA52", finess=_finess("69099101"))
HOSPITAL = Place("Centre hospitalier du Confluent", "SA01", finess=_finess("69099102"))
PHARMACY = Place("Pharmacie du Parc", "SA33", finess=_finess("69099104"))
OFFICE = Place("Cabinet du docteur Vernet", "SA07", siret="99999999900018")
REGULATION = Place("Centre 15 du Rhône (essai)", "SA01", finess=_finess("69099106"))
ROUND = Place("Cabinet infirmier Les Pentes", "SA08", technical="C99000000042")


def rpps(serial: int) -> str:
    """A national id `8` + RPPS of the test range, with a good check digit."""
    stem = f"99700990{serial:02d}"
    return f"8{stem}{luhn.calc_check_digit(stem)}"


def _activity(place: Place, mode: str, role: str = "", section: str = "") -> dict[str, str]:
    empty = (
        "numeroSirenSite", "numeroFinessetablissementJuridique", "enseigneCommercialeSite", "complementDestinataire",
        "complementPointGeographique", "numeroVoie", "indiceRepetitionVoie", "codeTypeDeVoie", "libelleVoie",
        "mentionDistribution", "bureauCedex", "codePostal", "codeCommune", "codePays", "telephone", "telephone2",
        "telecopie", "adresseEMail", "codeDepartement", "ancienIdentifiantDeLaStructure", "autoriteDenregistrement",
    )  # fmt: skip
    return {
        "codeModeExercice": mode,
        "codeSecteurDactivite": place.sector,
        "codeSectionPharmacien": section,
        "codeRole": role,
        "codeGenreActivite": "GENR01",
        "numeroSiretSite": place.siret,
        "numeroFinessSite": place.finess,
        "identifiantTechniqueDeLaStructure": place.technical,
        "raisonSocialeSite": place.name,
        **dict.fromkeys(empty, ""),
    }


def _professional(
    slug: str,
    national: str,
    given: str,
    family: str,
    note: str,
    profession: str,
    activities: list[dict[str, str]],
    *,
    category: str = "C",
    skill: str = "",
    regulation: bool = False,
) -> Person:
    exercice = {
        "codeProfession": profession,
        "codeCategorieProfessionnelle": category,
        "codeCiviliteDexercice": "",
        "nomDexercice": family,
        "prenomDexercice": given,
        "codeTypeSavoirFaire": "S" if skill else "",
        "codeSavoirFaire": skill,
        "activities": activities,
    }
    role = profession or activities[0]["codeRole"]
    userinfo = {
        "Secteur_Activite": f"{activities[0]['codeSecteurDactivite']}^{SECTORS}",
        "sub": f"f:5a9d0c3e-0000-4000-8000-000000000000:{national}",
        "email_verified": False,
        "preferred_username": national,
        "given_name": given,
        "family_name": family,
        "SubjectNameID": national,
        "SubjectOrganization": activities[0]["raisonSocialeSite"],
        "SubjectOrganizationID": "",
        "SubjectRole": [f"{role}^{ROLES}"],
        "Mode_Acces_Raison": "",
        "Acces_Regulation_Medicale": "VRAI" if regulation else "FAUX",
        "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
        "PSI_Locale": "1.2.250.1.213.1.3.1.1",
        "UITVersion": "1.0",
        "otherIds": [{"identifiant": national, "origine": "EDIT", "qualite": 1}],
        "SubjectRefPro": {"codeCivilite": "", "exercices": [exercice]},
    }
    return Person(slug, f"{given} {family}", note, userinfo)


def professionals() -> tuple[Person, ...]:
    """One of each, and one person in two structures. Some also work in the demo world's commons."""
    practice = _activity(PRACTICE, "L")
    return (
        _professional("gp", rpps(11), "Hélène", "GARNIER", "Médecin généraliste", "10", [practice], skill="SM54"),
        _professional(
            "geriatrician", rpps(14), "Antoine", "ROUSSET", "Médecin gériatre, à l’hôpital", "10",
            [_activity(HOSPITAL, "S")], skill="SM18",
        ),
        _professional(
            "pharmacist", rpps(18), "Yanis", "COHEN", "Pharmacien d’officine", "21",
            [_activity(PHARMACY, "L", section="A")],
        ),
        _professional(
            "nurse", rpps(31), "Samia", "BRAHIMI", "Infirmière libérale", "60", [_activity(ROUND, "L")]
        ),
        _professional("midwife", rpps(13), "Louise", "PERRIN", "Sage-femme", "50", [practice]),
        _professional("dentist", rpps(32), "Hugo", "MARCHAND", "Chirurgien-dentiste", "40", [_activity(OFFICE, "L")]),
        _professional(
            "emergency", rpps(33), "Leïla", "FOURNIER", "Médecin urgentiste, au centre 15", "10",
            [_activity(REGULATION, "S")], skill="SM59", regulation=True,
        ),
        _professional(
            "secretary", "ANS20260000000041", "Maud", "TESSIER", "Secrétaire médicale (Maison de santé des Tilleuls)",
            "", [_activity(PRACTICE, "S", role="99")], category="",
        ),
        _professional(
            "trainee", "ANS20260000000042", "Théo", "LAMBERT", "Interne en médecine", "10",
            [_activity(HOSPITAL, "S")], category="E",
        ),
        _professional(
            "two-places", rpps(34), "Claire", "VERNET", "Médecin généraliste, en cabinet et à l’hôpital", "10",
            [_activity(OFFICE, "L"), _activity(HOSPITAL, "S")], skill="SM54",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Citizen:
    """A person's civil identity, as a civil registry has it. `place`: INSEE commune, or 99xxx abroad."""

    id: str
    given: tuple[str, ...]
    family: str
    used: str
    gender: str
    birth: str
    place: str
    email: str


def citizens(identities: Iterable[Citizen]) -> tuple[Person, ...]:
    """Them as FranceConnect tells them: a `sub` of 66 hexadecimal digits and `v`, traits and no matricule."""
    return tuple(
        Person(
            one.id,
            f"{one.given[0]} {one.used or one.family}",
            one.birth,
            {
                "sub": f"{one.id.encode().hex():0>66.66}v",
                "given_name": " ".join(one.given),
                "family_name": one.family,
                "preferred_username": one.used,
                "gender": one.gender,
                "birthdate": one.birth,
                "birthplace": "" if one.place.startswith("99") else one.place,
                "birthcountry": one.place if one.place.startswith("99") else "99100",
                "email": one.email,
            },
        )
        for one in identities
    )
