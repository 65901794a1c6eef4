"""Files in the format of the public database of medicines, all made up: no code nor product of theirs exists."""

from collections.abc import Sequence
from pathlib import Path

Lines = Sequence[Sequence[str]]
AMOXI, CLAV, IBU, KETO, AMLO, PERINDO, MORPH, HOMEO = (f"6900000{n}" for n in range(1, 9))
BOX, OLD_BOX = "3400990000011", "3400990000028"
ATC, CIS, CIP = (
    "http://www.whocc.no/atc",
    "https://smt.esante.gouv.fr/terminologie-bdpm",
    "https://smt.esante.gouv.fr/terminologie-cip_ucd",
)


def medicine(cis: str, name: str, form: str = "gélule", state: str = "Autorisation active") -> list[str]:
    made = ["orale; rectale", state, "Procédure nationale", "Commercialisée", "01/02/2003", "", "", " LABO ", "Non"]
    return [cis, name, form, *made]


def box(cis: str, cip13: str, label: str, state: str = "Déclaration de commercialisation") -> list[str]:
    return [
        cis,
        cip13[5:12],
        label,
        "Présentation active",
        state,
        "01/02/2003",
        cip13,
        "oui",
        "65%",
        "1,00",
        "",
        "",
        "",
    ]


def holds(cis: str, code: str, name: str, strength: str, nature: str = "SA", link: str = "1") -> list[str]:
    return [cis, "gélule", code, name, strength, "une gélule", nature, link]


MEDICINES: Lines = [
    medicine(AMOXI, "AMOXIFICTIF 500 mg, gélule"),
    medicine(CLAV, "CLAVUFICTIF ÉLAN 1 g/125 mg, comprimé pelliculé", "comprimé pelliculé"),
    medicine(IBU, "IBUFICTIF 400 mg, comprimé", "comprimé"),
    medicine(KETO, "KÉTOFICTIF 100 mg, comprimé", "comprimé", "Autorisation archivée"),
    medicine(AMLO, "AMLOFICTIF 5 mg, gélule"),
    medicine(PERINDO, "PERIFICTIF DUO, comprimé", "comprimé"),
    medicine(MORPH, "MORPHIFICTIF 10 mg, gélule"),
    medicine(HOMEO, "GRANULOFICTIF, granules", "granules"),
]
BOXES: Lines = [
    box(AMOXI, BOX, "plaquette(s) de 12 gélule(s)"),
    box(AMOXI, OLD_BOX, "plaquette(s) de 6 gélule(s)", "Déclaration d'arrêt de commercialisation"),
]
COMPOSITIONS: Lines = [
    holds(AMOXI, "90001", "AMOXICILLINE TRIHYDRATÉE", ""),
    holds(AMOXI, "90002", "AMOXICILLINE", "500 mg", "FT"),
    holds(CLAV, "90001", "AMOXICILLINE TRIHYDRATÉE", ""),
    holds(CLAV, "90002", "AMOXICILLINE", "1 g", "FT"),
    holds(CLAV, "90003", "CLAVULANATE DE POTASSIUM", "", "SA", "2"),
    holds(CLAV, "90004", "CLAVULANIQUE (ACIDE)", "125 mg", "FT", "2"),
    holds(IBU, "90005", "IBUPROFÈNE", "400 mg"),
    holds(KETO, "90006", "KÉTOPROFÈNE", "100,50 mg"),
    holds(AMLO, "90007", "BÉSILATE D'AMLODIPINE", ""),
    holds(AMLO, "90008", "AMLODIPINE", "5 mg", "ST"),
    holds(PERINDO, "90009", "MALÉATE D'AMLODIPINE", "", "SA", "1"),
    holds(PERINDO, "90008", "AMLODIPINE", "5 mg", "FT", "1"),
    holds(PERINDO, "90010", "PÉRINDOPRIL ARGININE", "10 mg", "SA", "2"),
    holds(MORPH, "90011", "SULFATE DE MORPHINE", "10 mg")[:7],  # the real files leave the last column out at times
    holds(HOMEO, "90012", "HEKLA LAVA", "3CH à 30CH"),
]
CONDITIONS: Lines = [
    [AMOXI, "liste I"],
    [IBU, "liste II"],
    [MORPH, "stupéfiants"],
    [MORPH, "prescription limitée à 28 jours"],
    [CLAV, "prescription hospitalière"],
]
GENERICS: Lines = [["77", "AMOXICILLINE 500 mg - AMOXIFICTIF 500 mg, gélule", AMOXI, "0", "1"]]
INTERACTIONS = """a;b;level;text
AINS;ibuprofène;class;
AINS;kétoprofène;class;
AINS;AINS;association déconseillée;"Risque hémorragique; ne pas associer."
AINS;périndopril arginine;Précaution d'emploi;Surveiller la fonction rénale.
amlodipine;sulfate de morphine;à prendre en compte;
clavulanique (acide);hekla lava;Contre-indication;Jamais.
pénicillines;amoxicilline;class;
"""


def write(folder: Path, encoding: str = "utf-8", **changes: Lines) -> Path:
    """All the files in a folder; `medicines`, `boxes`, `compositions`, `conditions`, `generics` may be others."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "CIS_bdpm.txt": changes.get("medicines", MEDICINES),
        "CIS_CIP_bdpm.txt": changes.get("boxes", BOXES),
        "CIS_COMPO_bdpm.txt": changes.get("compositions", COMPOSITIONS),
        "CIS_CPD_bdpm.txt": changes.get("conditions", CONDITIONS),
        "CIS_GENER_bdpm.txt": changes.get("generics", GENERICS),
    }
    for name, lines in files.items():
        text = "".join("\t".join(line) + "\r\n" for line in lines) + "\r\n"
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def interactions(path: Path, text: str = INTERACTIONS, encoding: str = "utf-8") -> Path:
    """The operator's file of interactions."""
    path.write_bytes(text.encode(encoding))
    return path
