"""The Benali family: Karim, with years of type 2 diabetes, and Inès, sixteen, who has her own secrets."""

from datetime import date, timedelta

from phr.demo import medicines, vocabulary
from phr.demo.clinic import COHEN, DELMAS, GARNIER, STEIN
from phr.demo.dossier import Dossier
from phr.demo.filing import Paper, file, letter_paper, submit, visibility
from phr.demo.laboratory import biology, number
from phr.demo.moments import months_after
from phr.demo.paper import Heading, Letter, Lines, Paragraph
from phr.demo.people import contact, ines, karim
from phr.demo.photograph import photograph
from phr.demo.vocabulary import CCAM, CIM10, LOINC, SNOMED, concept

HBA1C = (8.9, 8.4, 8.1, 7.8, 7.6, 7.7, 7.4, 7.3, 7.5, 7.2, 7.1, 7.3, 7.0, 6.9, 7.0, 6.8)
"""Every three months, oldest first, in %."""

TREATMENT = (
    (medicines.METFORMIN, "1 comprimé matin et soir au cours des repas, pendant 3 mois"),
    (medicines.EMPAGLIFLOZIN, "1 comprimé le matin, pendant 3 mois"),
    (medicines.RAMIPRIL, "1 comprimé le soir, pendant 3 mois"),
    (medicines.ATORVASTATIN, "1 comprimé le soir, pendant 3 mois"),
)


def father(today: date) -> Dossier:
    """Karim: four years of HbA1c, blood pressure and weight, yearly biology, and a diary he photographed."""
    dossier = Dossier(karim(today), today, GARNIER, (contact(ines(today), "DAUC", "daughter"),))
    first = today - timedelta(days=91 * len(HBA1C))
    dossier.problem("E11.9", "Diabète sucré de type 2, sans complication", first - timedelta(days=20), GARNIER)
    dossier.problem("I10", "Hypertension essentielle (primitive)", first - timedelta(days=900), GARNIER)
    dossier.problem("E78.2", "Hyperlipidémie mixte", first + timedelta(days=30), GARNIER)
    former = {"valueCodeableConcept": concept(SNOMED, "8517006", "Ex-smoker (finding)", "Ancien fumeur")}
    smoking = concept(LOINC, "72166-2", "Tobacco smoking status", "Tabagisme")
    dossier.finding("social-history", smoking, former, first, GARNIER)
    dossier.vital(vocabulary.HEIGHT, 174, first, GARNIER)
    for rank, value in enumerate(HBA1C):
        day = first + timedelta(days=91 * rank + 60)
        dossier.encounter(day, GARNIER, "Suivi du diabète")
        dossier.vital(vocabulary.WEIGHT, round(96.4 - 0.6 * rank + (rank % 3) * 0.4, 1), day, GARNIER)
        dossier.pressure(152 - rank - rank % 4, 92 - rank // 2 - rank % 3, day, GARNIER)
        if rank % 4 != 3:
            dossier.result(vocabulary.HBA1C, value, day - timedelta(days=5), GARNIER)
            continue
        values = (
            (vocabulary.HBA1C, value), (vocabulary.GLUCOSE, round(value * 0.18 - 0.02, 2)),
            (vocabulary.CREATININE, 82 + rank // 2), (vocabulary.GFR, 94 - rank // 2),
            (vocabulary.CHOLESTEROL, round(2.2 - rank * 0.035, 2)), (vocabulary.HDL, 0.42),
            (vocabulary.LDL, round(1.4 - rank * 0.035, 2)), (vocabulary.TRIGLYCERIDES, 1.62),
            (vocabulary.ALBUMINURIA, 24 - rank // 2),
        )  # fmt: skip
        told = f"HbA1c à {number(value)} %. Pas d'albuminurie significative, fonction rénale conservée."
        biology(dossier, f"biology-{rank // 4}", day - timedelta(days=5), values, told, GARNIER)
    _home(dossier, today)
    last = first + timedelta(days=91 * (len(HBA1C) - 1) + 60)
    for product, dosage in TREATMENT:
        dossier.prescribe(product, dosage, last, GARNIER)
    blocks = (
        Heading("Prescriptions relatives à l'affection de longue durée reconnue"),
        Lines(tuple((product.label, dosage) for product, dosage in TREATMENT)),
        Paragraph("Bandelettes et lancettes pour autosurveillance : 1 boîte de 100. À renouveler 2 fois."),
        Heading("Prescriptions sans rapport avec l'affection de longue durée"),
        Lines(((medicines.PARACETAMOL.label, "1 comprimé si douleur, 3 par jour au plus, pendant 5 jours"),)),
    )
    letter = Letter(GARNIER, dossier.who, last, "Ordonnance bizone - affection de longue durée", blocks, barcode=True)
    file(dossier, letter_paper("treatment", "57833-6", letter))
    dossier.vaccine(vocabulary.INFLUENZA, dossier.ago(200), COHEN, 1, "DEMO-K0200")
    dossier.vaccine(vocabulary.COVID, dossier.ago(205), COHEN, 4, "DEMO-K0205")
    eyes = concept(CCAM, "BGQP002", "Examen du fond d'oeil par biomicroscopie")
    dossier.procedure(eyes, dossier.ago(240), GARNIER)
    dossier.relative("MTH", "mother", "Mère", concept(CIM10, "E11.9", "Diabète sucré de type 2"), first)
    return dossier


def _home(dossier: Dossier, today: date) -> None:
    """What he measures himself, and the page he photographed."""
    lines = []
    for days, high, low, glucose in ((12, 134, 82, 1.21), (9, 131, 80, 1.14), (6, 136, 83, 1.28), (3, 129, 79, 1.09)):
        day = dossier.ago(days)
        dossier.pressure(high, low, day)
        lines.append(f"{day:%d/%m}   TA {high // 10}/{low // 10}   glyc. {number(glucose)}")
    page = photograph("Mon carnet de mesures", tuple(lines))
    title = "Photo de mon carnet d'autosurveillance"
    file(dossier, Paper("diary", title, "EXPPAT_2", None, dossier.ago(2), page, "image/png"))


def teenager(today: date) -> Dossier:
    """Inès: vaccines, a sprain, and a psychiatrist's note that her legal representatives do not see."""
    dossier = Dossier(ines(today), today, DELMAS, (contact(karim(today), "FTH", "father"),))
    birth = dossier.who.birth
    vaccines = (
        (2, vocabulary.HEXAVALENT, 1), (4, vocabulary.HEXAVALENT, 2), (11, vocabulary.HEXAVALENT, 3),
        (2, vocabulary.PNEUMO, 1), (4, vocabulary.PNEUMO, 2), (11, vocabulary.PNEUMO, 3), (12, vocabulary.MMR, 1),
        (17, vocabulary.MMR, 2), (73, vocabulary.DTCAP, 1), (138, vocabulary.DTCAP, 2), (138, vocabulary.HPV, 1),
        (144, vocabulary.HPV, 2), (170, vocabulary.MEN_ACWY, 1),
    )  # fmt: skip
    for rank, (months, product, dose) in enumerate(vaccines):
        dossier.vaccine(product, months_after(birth, months), DELMAS, dose, f"DEMO-I{rank:04d}")
    for months, weight, height in (
        (120, 33.0, 139),
        (138, 39.5, 149),
        (156, 46.0, 157),
        (174, 51.5, 162),
        (189, 53.0, 164),
    ):
        day = months_after(birth, months)
        dossier.vital(vocabulary.WEIGHT, weight, day, DELMAS)
        dossier.vital(vocabulary.HEIGHT, height, day, DELMAS)
    sprain = months_after(birth, 182)
    dossier.problem("S93.4", "Entorse et foulure de la cheville", sprain, GARNIER, ended=months_after(birth, 184))
    dossier.prescribe(medicines.PARACETAMOL, "1 comprimé si douleur, 3 par jour au plus", sprain, GARNIER, active=False)
    dossier.allergy(concept(SNOMED, "260147004", "House dust mite (organism)", "Acariens"), "Rhinite", "mild",
                  months_after(birth, 100), DELMAS, "environment")  # fmt: skip
    day = dossier.ago(40)
    visit = dossier.encounter(day, STEIN, "Consultation", label=visibility("INVISIBLE_REPRESENTANTS_LEGAUX"))
    note = file(
        dossier, letter_paper("secret", "11488-4", _secret(dossier, day), ("INVISIBLE_REPRESENTANTS_LEGAUX",)), visit
    )
    submit(dossier, [note], STEIN, day, "Consultation de psychiatrie")
    return dossier


def _secret(dossier: Dossier, day: date) -> Letter:
    blocks = (
        Paragraph("Inès est vue seule, à sa demande, accompagnée d'une personne majeure de son choix. Elle décrit "
                  "depuis la rentrée une anxiété avant les cours, un sommeil écourté et un retrait de ses activités."),
        Heading("Examen"),
        Paragraph("Bon contact. Humeur anxieuse, sans tristesse durable. Pas d'idée suicidaire, pas de scarification. "
                  "Appétit conservé."),
        Heading("Conclusion"),
        Paragraph("Anxiété de performance scolaire. Suivi psychologique proposé, six séances, et contact avec "
                  "l'infirmière du lycée, avec son accord."),
        Paragraph("La patiente mineure s'oppose à ce que ses représentants légaux soient informés (article L. 1111-5 "
                  "du code de la santé publique). Document non visible par les représentants légaux."),
    )  # fmt: skip
    return Letter(STEIN, dossier.who, day, "Compte rendu de consultation de psychiatrie", blocks)
