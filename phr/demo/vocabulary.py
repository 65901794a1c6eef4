"""The code systems the demo world speaks, and the measures, vaccines and medicines it names.

LOINC for measures, UCUM units, ATC (CIS of the BDPM where stated) for medicines, CIM-10 problems, CCAM acts.
"""

from dataclasses import dataclass
from typing import Any

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
BDPM = "https://smt.esante.gouv.fr/terminologie-bdpm"
CIM10 = "http://hl7.org/fhir/sid/icd-10"
CCAM = "https://smt.esante.gouv.fr/terminologie-ccam"
SNOMED = "http://snomed.info/sct"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
FR_CORE = "https://hl7.fr/ig/fhir/core"
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"


def nos(name: str) -> str:
    """The canonical of a table of the Nomenclature des objets de santé, from `TRE_A03-ClasseDocument`."""
    return f"https://mos.esante.gouv.fr/NOS/{name}/FHIR/{name.replace('_', '-', 1)}"


CLASS = nos("TRE_A03-ClasseDocument")
TYPE_MORE = nos("TRE_A05-TypeDocComplementaire")
VISIBILITY = nos("TRE_A07-StatutVisibiliteDocument")
PRODUCER = nos("TRE_A00-ProducteurDocNonPS")
SETTING = nos("TRE_A01-CadreExercice")
SECTOR = nos("TRE_R02-SecteurActivite")
COMMUNE = nos("TRE_R13-CommuneOM")
PROFESSION = nos("TRE_G15-ProfessionSante")
SPECIALTY = nos("TRE_R38-SpecialiteOrdinale")
CONFIDENTIALITY = f"{TERMINOLOGY}/v3-Confidentiality"


def coding(system: str, code: str, display: str) -> dict[str, Any]:
    """A FHIR Coding."""
    return {"system": system, "code": code, "display": display}


def concept(system: str, code: str, display: str, text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept of one coding; `text` is what a person reads, the display unless told."""
    return {"coding": [coding(system, code, display)], "text": text or display}


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured: LOINC code and display, French label, unit as printed and in UCUM, usual range."""

    loinc: str
    display: str
    label: str
    unit: str
    ucum: str
    low: float | None = None
    high: float | None = None


WEIGHT = Measure("29463-7", "Body weight", "Poids", "kg", "kg")
HEIGHT = Measure("8302-2", "Body height", "Taille", "cm", "cm")
BMI = Measure("39156-5", "Body mass index (BMI) [Ratio]", "Indice de masse corporelle", "kg/m²", "kg/m2")
HEAD = Measure("9843-4", "Head Occipital-frontal circumference", "Périmètre crânien", "cm", "cm")
HEART_RATE = Measure("8867-4", "Heart rate", "Fréquence cardiaque", "/min", "/min")
TEMPERATURE = Measure("8310-5", "Body temperature", "Température", "°C", "Cel")
SATURATION = Measure("2708-6", "Oxygen saturation in Arterial blood", "Saturation en oxygène", "%", "%", 95, 100)
SYSTOLIC = Measure("8480-6", "Systolic blood pressure", "Pression systolique", "mmHg", "mm[Hg]")
DIASTOLIC = Measure("8462-4", "Diastolic blood pressure", "Pression diastolique", "mmHg", "mm[Hg]")

HBA1C = Measure("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "Hémoglobine glyquée (HbA1c)", "%", "%", 4.0, 6.0)
GLUCOSE = Measure("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "Glycémie à jeun", "g/L", "g/L", 0.74, 1.06)
CREATININE = Measure(
    "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "Créatinine", "µmol/L", "umol/L", 45, 104
)
GFR = Measure(
    "62238-1",
    "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by "
    "Creatinine-based formula (CKD-EPI)",
    "Débit de filtration glomérulaire (CKD-EPI)",
    "mL/min/1,73 m²",
    "mL/min/{1.73_m2}",
    60,
)
CHOLESTEROL = Measure(
    "2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "Cholestérol total", "g/L", "g/L", None, 2.0
)
HDL = Measure("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "Cholestérol HDL", "g/L", "g/L", 0.4)
LDL = Measure(
    "13457-7",
    "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation",
    "Cholestérol LDL (calculé)",
    "g/L",
    "g/L",
    None,
    1.6,
)
TRIGLYCERIDES = Measure(
    "2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "Triglycérides", "g/L", "g/L", None, 1.5
)
ALBUMINURIA = Measure(
    "14959-1",
    "Microalbumin/Creatinine [Mass Ratio] in Urine",
    "Rapport albuminurie / créatininurie",
    "mg/g",
    "mg/g",
    None,
    30,
)
HAEMOGLOBIN = Measure("718-7", "Hemoglobin [Mass/volume] in Blood", "Hémoglobine", "g/dL", "g/dL", 12.0, 16.0)
LEUCOCYTES = Measure(
    "6690-2", "Leukocytes [#/volume] in Blood by Automated count", "Leucocytes", "G/L", "10*9/L", 4.0, 10.0
)
PLATELETS = Measure(
    "777-3", "Platelets [#/volume] in Blood by Automated count", "Plaquettes", "G/L", "10*9/L", 150, 400
)
FERRITIN = Measure("2276-4", "Ferritin [Mass/volume] in Serum or Plasma", "Ferritine", "µg/L", "ug/L", 15, 150)
TSH = Measure("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "TSH", "mUI/L", "m[IU]/L", 0.4, 4.0)
CRP = Measure(
    "1988-5",
    "C reactive protein [Mass/volume] in Serum or Plasma",
    "Protéine C réactive",
    "mg/L",
    "mg/L",
    None,
    5,
)
SODIUM = Measure("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "Sodium", "mmol/L", "mmol/L", 136, 145)
POTASSIUM = Measure("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "Potassium", "mmol/L", "mmol/L", 3.5, 5.1)


@dataclass(frozen=True, slots=True)
class Product:
    """A medicine or a vaccine: ATC code, its name there, what the French label says, CIS when stated."""

    atc: str
    display: str
    label: str
    cis: str | None = None

    def concept(self) -> dict[str, Any]:
        """Its CodeableConcept, CIS first when known."""
        codings = [coding(ATC, self.atc, self.display)]
        if self.cis:
            codings.insert(0, coding(BDPM, self.cis, self.label))
        return {"coding": codings, "text": self.label}


HEXAVALENT = Product(
    "J07CA09",
    "diphtheria-haemophilus influenzae B-pertussis-poliomyelitis-tetanus-hepatitis B",
    "Vaccin hexavalent DTCaP-Hib-Hépatite B",
)
PNEUMO = Product(
    "J07AL02", "pneumococcus, purified polysaccharides antigen, conjugated", "Vaccin pneumococcique conjugué"
)
MEN_ACWY = Product(
    "J07AH08",
    "meningococcus A,C,Y,W-135, tetravalent purified polysaccharides antigen conjugated",
    "Vaccin méningococcique ACWY",
)
MEN_B = Product("J07AH09", "meningococcus B, multicomponent vaccine", "Vaccin méningococcique B")
MEN_C = Product("J07AH07", "meningococcus C, purified polysaccharides antigen conjugated", "Vaccin méningococcique C")
MMR = Product(
    "J07BD52",
    "measles, combinations with mumps and rubella, live attenuated",
    "Vaccin rougeole-oreillons-rubéole",
)
DTCAP = Product("J07CA02", "diphtheria-pertussis-poliomyelitis-tetanus", "Vaccin DTCaP (tétravalent)")
DTP = Product("J07CA01", "diphtheria-poliomyelitis-tetanus", "Vaccin dTP")
HPV = Product(
    "J07BM03",
    "papillomavirus (human types 6, 11, 16, 18, 31, 33, 45, 52, 58)",
    "Vaccin papillomavirus 9-valent",
)
INFLUENZA = Product("J07BB02", "influenza, inactivated, split virus or surface antigen", "VAXIGRIPTETRA", "61402736")
ZOSTER = Product("J07BK03", "zoster, purified antigen", "Vaccin zona recombinant")
COVID = Product("J07BN01", "covid-19, RNA-based vaccine", "Vaccin Covid-19 à ARN messager")
