"""The attestation of a delegation: who lets whom do what, until when, as a PDF filed in the person's own record.

The rule: it says what the Consent says and nothing more; in French, for whoever is shown it on paper. Core fonts only,
so what Latin-1 cannot write is spelled with the letters it has.
"""

import unicodedata
from datetime import datetime
from typing import Any

from fpdf import FPDF

from phr import paper
from phr.access.consent import Terms
from phr.access.provision import Right
from phr.paper import Paper
from phr.representation import PARIS

Json = dict[str, Any]
TYPE = "59284-0"
"""LOINC: Attestation de consentement, of class 95 (JDV_J66-TypeCode-DMP)."""
_POWERS = {
    "consult": "consulter le dossier",
    "documents": "ajouter et modifier des documents et des données",
    "message": "écrire aux professionnels de santé",
    "prescriptions": "suivre les ordonnances",
    "agenda": "tenir l'agenda",
}
_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
_LETTERS = str.maketrans("’‘“”–—łŁđĐ", "''\"\"--lLdD") | {ord("œ"): "oe", ord("Œ"): "OE"}
_INK, _BLUE = (33, 37, 41), (0, 0, 145)


def document(patient: Json, terms: Terms, now: datetime, issuer: str) -> Json:
    """The DocumentReference, its PDF inline (ITI-105), about this Patient."""
    return paper.document(
        Paper(
            printed(patient, terms, now),
            title=_title(terms),
            type=TYPE,
            family="95",
            subject={"reference": f"Patient/{patient['id']}"},
            author={"reference": f"Patient/{patient['id']}"},
            at=now,
            custodian=issuer,
        )
    )


def printed(patient: Json, terms: Terms, now: datetime) -> bytes:
    """The PDF: one page of A4."""
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_creation_date(now)
    pdf.set_title(latin(_title(terms)))
    pdf.set_lang("fr-FR")
    pdf.set_margins(22, 24, 22)
    pdf.add_page()
    pdf.set_text_color(*_BLUE)
    pdf.set_font("Helvetica", "B", 17)
    pdf.multi_cell(0, 9, latin(_title(terms)), new_x="LMARGIN", new_y="NEXT")
    pdf.ln(6)
    pdf.set_text_color(*_INK)
    for style, text in _lines(patient, terms, now):
        pdf.set_font("Helvetica", style, 11.5)
        pdf.multi_cell(0, 6.5, latin(text), new_x="LMARGIN", new_y="NEXT")
        pdf.ln(1.5)
    return bytes(pdf.output())


def latin(text: str) -> str:
    """The same text in Latin-1: letters it lacks lose their marks, what remains is a question mark."""
    letters = (
        one
        if ord(one) < 256
        else unicodedata.normalize("NFKD", one).encode("latin-1", "ignore").decode("latin-1") or "?"
        for one in unicodedata.normalize("NFC", text).translate(_LETTERS)
    )
    return "".join(letters)


def _title(terms: Terms) -> str:
    parent = terms.right is Right.LEGAL_REPRESENTATIVE
    return "Attestation de représentation légale" if parent else "Attestation de délégation à un aidant"


def _lines(patient: Json, terms: Terms, now: datetime) -> list[tuple[str, str]]:
    whom = terms.actor.display if terms.actor is not None else ""
    until = "jusqu'à ce que l'accord soit retiré" if terms.until is None else f"jusqu'au {_moment(terms.until)}"
    person = name_of(patient)
    if terms.right is Right.LEGAL_REPRESENTATIVE:
        said = [("", f"{whom} représente {person}, mineur, et agit en son nom dans son dossier Carnet.")]
    else:
        may = [("", f"-  {_POWERS[power]} ;") for power in terms.powers]
        said = [("", f"{person} autorise {whom} à agir comme aidant dans son dossier Carnet, pour :"), *may]
    return [
        *said,
        ("B", f"À compter du {_moment(terms.since or now)}, {until}."),
        ("", "Cet accord peut être retiré à tout moment. L'aidant peut aussi y mettre fin lui-même."
             if terms.right is Right.CAREGIVER else "Il prend fin de lui-même à la majorité."),
        ("", "Chaque action faite dans le dossier est inscrite dans son journal, sous le nom de son auteur."),
        ("", f"Fait le {_moment(now)}."),
    ]  # fmt: skip


def name_of(patient: Json) -> str:
    """What a Patient is called: usual name first."""
    named = sorted(patient.get("name", ()), key=lambda name: name.get("use") != "usual")
    first = named[0] if named else {}
    return " ".join((*first.get("given", ())[:1], first.get("family", ""))).strip()


def _moment(at: datetime) -> str:
    local = at.astimezone(PARIS)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{day} {_MONTHS[local.month - 1]} {local.year} à {local.hour} h {local:%M} (heure de Paris)"
