"""The Moreau family: Claire, pregnant; Nicolas, who masks a document; and Lina, eight."""

from datetime import date, timedelta

from phr.demo import medicines, vocabulary
from phr.demo.clinic import DELMAS, GARNIER, PERRIN, STEIN, VIDALIN
from phr.demo.dossier import Dossier, Json
from phr.demo.filing import Paper, file, letter_paper, submit, visibility
from phr.demo.laboratory import biology
from phr.demo.moments import french, months_after
from phr.demo.paper import Heading, Letter, Lines, Paragraph, Table
from phr.demo.people import claire, contact, lina, nicolas
from phr.demo.photograph import photograph
from phr.demo.vocabulary import CCAM, CIM10, LOINC, SNOMED, TERMINOLOGY, concept


def mother(today: date) -> Dossier:
    """Claire: a pregnancy followed by a midwife, iron deficiency, and the photograph of her old vaccination card."""
    dossier = Dossier(claire(today), today, GARNIER, (contact(nicolas(today), "HUSB", "husband"),))
    began = dossier.ago(182)
    due = began + timedelta(days=287)
    dossier.problem("Z34.0", "Surveillance d'une première grossesse normale", began + timedelta(days=49), PERRIN)
    dossier.problem("D50.9", "Anémie par carence en fer, sans précision", dossier.ago(70), PERRIN)
    status = concept(LOINC, "82810-3", "Pregnancy status", "Grossesse")
    pregnant = {"valueCodeableConcept": concept(LOINC, "LA15173-0", "Pregnant", "Enceinte")}
    dossier.finding("social-history", status, pregnant, began + timedelta(days=49), PERRIN)
    expected = concept(LOINC, "11778-8", "Delivery date Estimated", "Terme prévu")
    dossier.finding("exam", expected, {"valueDateTime": due.isoformat()}, began + timedelta(days=84), VIDALIN)
    dossier.finding("social-history", _smoking(), _never(), began + timedelta(days=49), PERRIN)
    dossier.allergy(concept(SNOMED, "111088007", "Latex (substance)", "Latex"), "Urticaire de contact", "mild",
                  dossier.ago(2900), GARNIER, "environment")  # fmt: skip
    visits = ((133, 61.2, 108, 66), (104, 62.4, 112, 68), (76, 64.1, 110, 64), (48, 65.8, 114, 70), (20, 67.3, 116, 72))
    for days, weight, high, low in visits:
        day = dossier.ago(days)
        dossier.encounter(day, PERRIN, "Consultation prénatale")
        dossier.vital(vocabulary.WEIGHT, weight, day, PERRIN)
        dossier.pressure(high, low, day, PERRIN)
    dossier.vital(vocabulary.HEIGHT, 167, began + timedelta(days=49), PERRIN)
    dossier.vaccine(vocabulary.INFLUENZA, dossier.ago(90), PERRIN, 1, "DEMO-G2411")
    dossier.vaccine(vocabulary.DTCAP, dossier.ago(20), PERRIN, 1, "DEMO-C1877")
    values = ((vocabulary.HAEMOGLOBIN, 10.4), (vocabulary.LEUCOCYTES, 8.9), (vocabulary.PLATELETS, 231),
              (vocabulary.FERRITIN, 9), (vocabulary.GLUCOSE, 0.82), (vocabulary.TSH, 1.9))  # fmt: skip
    told = "Anémie modérée par carence en fer. Glycémie à jeun normale : pas d'argument pour un diabète gestationnel."
    biology(dossier, "biology", dossier.ago(71), values, told, PERRIN)
    _iron(dossier, dossier.ago(70))
    _ultrasound(dossier, dossier.ago(27), began, due)
    scan = concept(CCAM, "JQQM018", "Échographie biométrique et morphologique d'une grossesse unifoetale")
    dossier.procedure(scan, dossier.ago(27), VIDALIN)
    dossier.relative("MTH", "mother", "Mère", concept(CIM10, "I48.9", "Fibrillation auriculaire"), dossier.ago(133))
    card = photograph("Carnet de vaccinations", ("DTPolio rappel - 25 ans", "ROR 1re dose - 12 mois",
                      "ROR 2e dose - 18 mois", "Hepatite B - 3 doses", "Tampon : PMI de Rennes"))  # fmt: skip
    paper = Paper("photo", "Photo de mon ancien carnet de vaccination", "EXPPAT_2", None, dossier.ago(15),
                  card, "image/png")  # fmt: skip
    file(dossier, paper)
    return dossier


def _iron(dossier: Dossier, day: date) -> None:
    lines = ((medicines.IRON, "1 comprimé le matin à jeun, pendant 3 mois. À renouveler 2 fois."),
             (medicines.FOLIC_ACID, "1 comprimé par jour, pendant 3 mois."))  # fmt: skip
    for product, dosage in lines:
        dossier.prescribe(product, dosage, day, PERRIN)
    blocks = (
        Lines(tuple((product.label, dosage) for product, dosage in lines)),
        Heading("Conseils"),
        Paragraph("Prendre le fer à distance du thé et du café. Contrôle de la numération et de la ferritine "
                  "dans 8 semaines."),
    )  # fmt: skip
    letter = Letter(PERRIN, dossier.who, day, "Ordonnance", blocks, barcode=True)
    file(dossier, letter_paper("iron", "57833-6", letter))


def _ultrasound(dossier: Dossier, day: date, began: date, due: date) -> None:
    weeks, days = divmod((day - began).days, 7)
    found = (("Diamètre bipariétal", "55 mm", "50e percentile"), ("Périmètre céphalique", "201 mm", "48e percentile"),
             ("Périmètre abdominal", "178 mm", "52e percentile"), ("Longueur fémorale", "39 mm", "50e percentile"),
             ("Estimation du poids foetal", "490 g", "51e percentile"))  # fmt: skip
    told = "Croissance harmonieuse, morphologie sans particularité visible, liquide et placenta normaux."
    blocks = (
        Paragraph(f"Demandé par {PERRIN.name}, sage-femme. Grossesse unique évolutive, "
                  f"{weeks} semaines d'aménorrhée + {days} j. Terme prévu le {french(due)}. "
                  "Voie abdominale, bonne échogénicité."),
        Heading("Biométrie"),
        Table(("Mesure", "Valeur", "Référence"), (90, 40, 44), found),
        Heading("Morphologie"),
        Paragraph("Pôle céphalique, face, coeur (quatre cavités et gros vaisseaux), estomac, reins, vessie, rachis "
                  "et membres vus et sans anomalie décelée. Activité cardiaque à 148 battements par minute."),
        Heading("Annexes"),
        Paragraph("Placenta antérieur, non bas inséré. Quantité de liquide normale. Col fermé, 38 mm."),
        Heading("Conclusion"),
        Paragraph(told + " Échographie de contrôle à 32 semaines d'aménorrhée."),
    )  # fmt: skip
    letter = Letter(VIDALIN, dossier.who, day, "Compte rendu d'échographie du deuxième trimestre", blocks)
    code = concept(LOINC, "11525-3", "US Pelvis Fetus for pregnancy", "Échographie obstétricale")
    dossier.report(code, concept(f"{TERMINOLOGY}/v2-0074", "RAD", "Radiology", "Imagerie"), day, VIDALIN, [], told)
    file(dossier, letter_paper("ultrasound", "18748-4", letter))


def father(today: date) -> Dossier:
    """Nicolas: hay fever, his back, cholesterol, and a consultation that he masked from professionals."""
    dossier = Dossier(nicolas(today), today, GARNIER, (contact(claire(today), "WIFE", "wife"),))
    day = dossier.ago(64)
    dossier.problem("J30.1", "Rhinite allergique due au pollen", dossier.ago(4700), GARNIER)
    dossier.problem("M54.5", "Lombalgie basse", dossier.ago(800), GARNIER, ended=dossier.ago(740))
    dossier.problem("E78.0", "Hypercholestérolémie essentielle", dossier.ago(62), GARNIER)
    pollen = concept(SNOMED, "256277009", "Grass pollen (substance)", "Pollen de graminées")
    dossier.allergy(pollen, "Rhinite et conjonctivite", "moderate", dossier.ago(4700), GARNIER, "environment")
    dossier.takes(medicines.CETIRIZINE, "1 comprimé le soir d'avril à juillet", dossier.ago(400))
    former = {"valueCodeableConcept": concept(SNOMED, "8517006", "Ex-smoker (finding)", "Ancien fumeur")}
    dossier.finding("social-history", _smoking(), former, day, GARNIER)
    for days, weight, high, low in ((790, 84.0, 128, 82), (430, 85.5, 131, 84), (64, 86.2, 129, 83)):
        seen = dossier.ago(days)
        dossier.encounter(seen, GARNIER, "Consultation de médecine générale")
        dossier.vital(vocabulary.WEIGHT, weight, seen, GARNIER)
        dossier.pressure(high, low, seen, GARNIER)
    dossier.vital(vocabulary.HEIGHT, 181, day, GARNIER)
    dossier.vaccine(vocabulary.COVID, dossier.ago(1400), GARNIER, 3, "DEMO-V0312")
    dossier.vaccine(vocabulary.DTP, dossier.ago(5100), GARNIER, 1, "DEMO-R2255")
    values = ((vocabulary.CHOLESTEROL, 2.42), (vocabulary.HDL, 0.48), (vocabulary.LDL, 1.68),
              (vocabulary.TRIGLYCERIDES, 1.31), (vocabulary.GLUCOSE, 0.94), (vocabulary.CREATININE, 84))  # fmt: skip
    told = "Hypercholestérolémie de type LDL, modérée. Le reste du bilan est normal."
    biology(dossier, "biology", dossier.ago(63), values, told, GARNIER)
    dossier.relative("FTH", "father", "Père", concept(CIM10, "I21.9", "Infarctus aigu du myocarde"), day)
    _masked(dossier, dossier.ago(150))
    return dossier


def _masked(dossier: Dossier, day: date) -> None:
    visit = dossier.encounter(day, STEIN, "Consultation", label=visibility("MASQUE_PS"))
    blocks = (
        Paragraph("Monsieur Moreau consulte pour des troubles du sommeil et une anxiété, dans un contexte de "
                  "surcharge au travail depuis quatre mois. Pas d'idée suicidaire, pas de consommation à risque."),
        Heading("Conclusion"),
        Paragraph("Trouble de l'adaptation avec humeur anxieuse. Pas de traitement médicamenteux. Hygiène du sommeil, "
                  "quatre séances de soutien, point prévu dans six semaines."),
        Paragraph("À la demande du patient, ce compte rendu est masqué aux autres professionnels de santé."),
    )  # fmt: skip
    letter = Letter(STEIN, dossier.who, day, "Compte rendu de consultation", blocks)
    file(dossier, letter_paper("masked", "11488-4", letter, ("MASQUE_PS",)), visit)


def daughter(today: date) -> Dossier:
    """Lina: the French vaccination schedule, her growth, asthma, an allergy to peanuts; filed by one submission."""
    contacts = (contact(claire(today), "MTH", "mother"), contact(nicolas(today), "FTH", "father"))
    dossier = Dossier(lina(today), today, DELMAS, contacts)
    birth = dossier.who.birth
    schedule = (
        (2, vocabulary.HEXAVALENT, 1), (2, vocabulary.PNEUMO, 1), (4, vocabulary.HEXAVALENT, 2),
        (4, vocabulary.PNEUMO, 2), (5, vocabulary.MEN_C, 1), (11, vocabulary.HEXAVALENT, 3),
        (11, vocabulary.PNEUMO, 3), (12, vocabulary.MEN_C, 2), (12, vocabulary.MMR, 1), (17, vocabulary.MMR, 2),
        (73, vocabulary.DTCAP, 1),
    )  # fmt: skip
    for rank, (months, product, dose) in enumerate(schedule):
        dossier.vaccine(product, months_after(birth, months), DELMAS, dose, f"DEMO-L{rank:04d}")
    growth = (
        (1, 4.2, 54, 37.0), (4, 6.4, 62.5, 41.0), (9, 8.5, 71, 44.4), (12, 9.4, 75.5, 45.6), (24, 12.0, 87, 48.0),
        (36, 14.3, 96, 0), (48, 16.2, 103, 0), (60, 18.4, 110, 0), (73, 20.9, 116.5, 0), (90, 24.1, 124, 0),
    )  # fmt: skip
    for months, weight, height, head in growth:
        day = months_after(birth, months)
        dossier.vital(vocabulary.WEIGHT, weight, day, DELMAS)
        dossier.vital(vocabulary.HEIGHT, height, day, DELMAS)
        if head:
            dossier.vital(vocabulary.HEAD, head, day, DELMAS)
        if months >= 36:
            dossier.vital(vocabulary.BMI, round(weight / (height / 100) ** 2, 1), day, DELMAS)
    dossier.problem("H66.9", "Otite moyenne, sans précision", months_after(birth, 26), DELMAS,
                    ended=months_after(birth, 27))  # fmt: skip
    dossier.prescribe(medicines.AMOXICILLIN, "1 dose-poids matin et soir, 8 jours", months_after(birth, 26), DELMAS,
                    active=False)  # fmt: skip
    dossier.problem("J45.0", "Asthme à prédominance allergique", months_after(birth, 62), DELMAS)
    dossier.prescribe(
        medicines.FLUTICASONE, "1 bouffée matin et soir avec chambre d'inhalation", months_after(birth, 90), DELMAS
    )
    dossier.prescribe(medicines.SALBUTAMOL, "2 bouffées en cas de gêne, à renouveler", months_after(birth, 90), DELMAS)
    dossier.allergy(concept(SNOMED, "762952008", "Peanut (substance)", "Arachide"),
                  "Urticaire étendue et vomissements", "severe", months_after(birth, 40), DELMAS, "food")  # fmt: skip
    seen = months_after(birth, 90)
    visit = dossier.encounter(seen, DELMAS, "Suivi de l'asthme")
    note = _vaccination_note(dossier, [(months_after(birth, m), p.label, d) for m, p, d in schedule])
    asthma = file(dossier, letter_paper("asthma", "11488-4", _asthma(dossier, seen)), visit)
    submit(dossier, [note, asthma], DELMAS, seen, "Suivi pédiatrique")
    return dossier


def _vaccination_note(dossier: Dossier, given: list[tuple[date, str, int]]) -> Json:
    rows = tuple((label, f"dose {dose}", french(day)) for day, label, dose in given)
    blocks = (
        Paragraph("Vaccinations reçues depuis la naissance, d'après le carnet de santé et les actes du cabinet."),
        Table(("Vaccin", "Rang", "Date"), (104, 30, 40), rows),
        Paragraph("Schéma complet pour l'âge. Prochain rendez-vous vaccinal entre 11 et 13 ans."),
    )
    letter = Letter(DELMAS, dossier.who, given[-1][0], "Note de vaccination", blocks)
    return file(dossier, letter_paper("vaccination", "87273-9", letter))


def _asthma(dossier: Dossier, day: date) -> Letter:
    blocks = (
        Paragraph("Lina est vue pour le suivi de son asthme. Deux gênes à l'effort dans le mois, pas de réveil "
                  "nocturne, pas de passage aux urgences depuis la dernière consultation."),
        Heading("Examen"),
        Paragraph("Poids 24,1 kg, taille 124 cm. Auscultation claire. Débit expiratoire de pointe à 215 L/min."),
        Heading("Conclusion"),
        Paragraph("Asthme contrôlé. Poursuite du traitement de fond à la même dose. Projet d'accueil individualisé "
                  "renouvelé pour l'école : asthme et allergie à l'arachide, trousse d'urgence avec adrénaline."),
    )  # fmt: skip
    return Letter(DELMAS, dossier.who, day, "Compte rendu de consultation de pédiatrie", blocks)


def _smoking() -> Json:
    return concept(LOINC, "72166-2", "Tobacco smoking status", "Tabagisme")


def _never() -> Json:
    return {"valueCodeableConcept": concept(SNOMED, "266919005", "Never smoked tobacco (finding)", "N'a jamais fumé")}
