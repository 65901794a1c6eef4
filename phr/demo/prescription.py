"""A prescription of the demo world, as a practice's software sends it: two lines, the paper, the signature."""

import base64
from datetime import datetime
from typing import Any

from fpdf import FPDF
from joserfc import jws
from joserfc.jwk import ECKey

from auth.professionals import Professional
from phr.demo.clients import demo_clients
from phr.demo.clinic import GARNIER
from phr.operated import PRESCRIPTION
from phr.prescription import signature

Json = dict[str, Any]
SOFTWARE = "carnet-demo-practice"
NUMBER = "DEM0XC1A"
_LINES = (
    ("Paracétamol 1 g, comprimé", "1 comprimé en cas de douleur, 3 par jour au plus", 24, 8, 0),
    ("Cétirizine 10 mg, comprimé", "1 comprimé le soir pendant la saison des pollens", 30, 30, 2),
)
"""Name, dosage, quantity of one dispensing, its days, repeats."""


def prescriber() -> Professional:
    """The general practitioner of the demo world, as signed in."""
    who, place = GARNIER, GARNIER.structure
    blank = {"category": "C", "skill": "", "mode": "L", "sector": place.sector}
    return Professional(
        id=f"8{who.rpps}",
        family=who.family,
        given=who.given,
        profession=who.profession,
        structure=f"1{place.finess}",
        structure_name=place.name,
        **blank,
    )


def prescribed(record: str, now: datetime) -> tuple[Json, str]:
    """The Bundle and its signature, for the person of this record."""
    who, paper = prescriber(), _paper(now)
    lines = [_line(record, who, now, *one) for one in _LINES]
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(paper).decode()}
    content = signature.canonical(record, who.id, NUMBER, lines, paper)
    [private] = [one.private_jwk for one in demo_clients() if one.client_id == SOFTWARE]
    key = ECKey.import_key(dict(private or {}))
    signed = jws.serialize_compact({"alg": "ES256", "kid": str(key.kid)}, content, key)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in (*lines, binary)],
    }, signed


def _line(
    record: str, who: Professional, now: datetime, name: str, dose: str, quantity: int, days: int, repeats: int
) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "groupIdentifier": {"system": PRESCRIPTION, "value": NUMBER},
        "subject": {"reference": f"Patient/{record}"},
        "authoredOn": now.isoformat(timespec="seconds"),
        "requester": {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": who.id}, "display": who.name},
        "medicationCodeableConcept": {"text": name},
        "dosageInstruction": [{"text": dose}],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": repeats,
            "quantity": {"value": quantity, "unit": "comprimés"},
            "expectedSupplyDuration": {
                "value": days,
                "unit": "jour",
                "system": "http://unitsofmeasure.org",
                "code": "d",
            },
        },
    }


def _paper(now: datetime) -> bytes:
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_creation_date(now)
    pdf.set_title("Ordonnance")
    pdf.set_margins(22, 24, 22)
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 15)
    pdf.multi_cell(0, 8, f"{GARNIER.name}\n{GARNIER.structure.name}", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(10)
    pdf.set_font("Helvetica", "", 12)
    for name, dose, quantity, _, repeats in _LINES:
        again = f", à renouveler {repeats} fois" if repeats else ""
        text = f"{name}\n{dose}\n{quantity} comprimés{again}"
        pdf.multi_cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(4)
    return bytes(pdf.output())
