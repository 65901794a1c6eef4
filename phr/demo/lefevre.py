"""Jeanne Lefèvre, 78: heart and hip, a hospital stay, a medical summary, and a result she must first be told."""

from datetime import date, timedelta

from phr.demo import medicines, vocabulary
from phr.demo.cda import Section, summary
from phr.demo.clinic import GARNIER, ROUSSET, VIDALIN
from phr.demo.dossier import Dossier
from phr.demo.filing import Paper, file, letter_paper
from phr.demo.laboratory import biology
from phr.demo.moments import french
from phr.demo.paper import Heading, Letter, Lines, Paragraph
from phr.demo.people import claire, contact, jeanne
from phr.demo.vocabulary import CCAM, CIM10, LOINC, SNOMED, TERMINOLOGY, Product, concept

TREATMENT: tuple[tuple[Product, str], ...] = (
    (medicines.APIXABAN, "1 comprimé matin et soir, pendant 3 mois"),
    (medicines.BISOPROLOL, "1 comprimé le matin, pendant 3 mois"),
    (medicines.FUROSEMIDE, "1 comprimé le matin, pendant 3 mois"),
    (medicines.PARACETAMOL, "1 comprimé si douleur, 3 par jour au plus, 6 heures entre deux prises"),
    (medicines.CHOLECALCIFEROL, "1 ampoule tous les 2 mois, pendant 6 mois"),
)


def grandmother(today: date) -> Dossier:
    """Jeanne: atrial fibrillation, a broken hip repaired this year, and a memory consultation not yet announced."""
    dossier = Dossier(jeanne(today), today, GARNIER, (contact(claire(today), "DAUC", "daughter"),))
    fell = dossier.ago(118)
    home = fell + timedelta(days=11)
    dossier.problem("I48.9", "Fibrillation et flutter auriculaires, sans précision", dossier.ago(2200), GARNIER)
    dossier.problem("I10", "Hypertension essentielle (primitive)", dossier.ago(5400), GARNIER)
    dossier.problem("I50.9", "Insuffisance cardiaque, sans précision", dossier.ago(600), GARNIER)
    dossier.problem("M81.9", "Ostéoporose, sans précision", home, ROUSSET)
    dossier.problem("S72.0", "Fracture du col du fémur", fell, ROUSSET, ended=dossier.ago(25))
    dossier.allergy(concept(SNOMED, "764146007", "Penicillin (substance)", "Pénicilline"), "Oedème du visage", "severe",
                  dossier.ago(9000), GARNIER, "medication")  # fmt: skip
    stay = dossier.encounter(fell, ROUSSET, "Fracture du col du fémur", days=11)
    dossier.procedure(
        concept(CCAM, "NEKA018", "Remplacement de l'articulation coxofémorale"), fell + timedelta(days=1), ROUSSET
    )
    dossier.report(concept(LOINC, "37740-8", "XR Femur and Hip Views", "Radiographie de la hanche"),
                 concept(f"{TERMINOLOGY}/v2-0074", "RAD", "Radiology", "Imagerie"), fell, VIDALIN, [],
                 "Fracture cervicale vraie du fémur droit, déplacée.")  # fmt: skip
    for product, dosage in TREATMENT:
        dossier.prescribe(product, dosage, home, ROUSSET)
    visits = (
        (700, 68.4, 148, 82, 78), (560, 67.9, 146, 80, 76), (420, 67.2, 142, 80, 72), (300, 66.8, 144, 78, 74),
        (200, 66.5, 141, 78, 70), (90, 63.1, 134, 74, 68), (60, 63.4, 132, 74, 70), (25, 63.9, 130, 72, 68),
    )  # fmt: skip
    for days, weight, high, low, rate in visits:
        day = dossier.ago(days)
        dossier.vital(vocabulary.WEIGHT, weight, day, GARNIER)
        dossier.pressure(high, low, day, GARNIER)
        dossier.vital(vocabulary.HEART_RATE, rate, day, GARNIER)
        dossier.encounter(day, GARNIER, "Suivi à domicile")
    for back, dose in ((1100, 1), (730, 2), (365, 3)):
        dossier.vaccine(vocabulary.INFLUENZA, dossier.ago(back), GARNIER, dose, f"DEMO-J{back}")
    dossier.vaccine(vocabulary.ZOSTER, dossier.ago(330), GARNIER, 1, "DEMO-Z100")
    dossier.vaccine(vocabulary.ZOSTER, dossier.ago(270), GARNIER, 2, "DEMO-Z101")
    dossier.relative("FTH", "father", "Père", concept(CIM10, "I64", "Accident vasculaire cérébral"), dossier.ago(700))
    values = ((vocabulary.HAEMOGLOBIN, 11.2), (vocabulary.LEUCOCYTES, 7.4), (vocabulary.PLATELETS, 262),
              (vocabulary.CREATININE, 92), (vocabulary.GFR, 54), (vocabulary.SODIUM, 138), (vocabulary.POTASSIUM, 4.3),
              (vocabulary.CRP, 7))  # fmt: skip
    told = "Anémie discrète après la chirurgie. Fonction rénale modérément diminuée, à surveiller sous apixaban."
    biology(dossier, "biology", dossier.ago(60), values, told, GARNIER)
    discharge = letter_paper("discharge", "11490-0", _discharge(dossier, fell, home), until=home)
    file(dossier, discharge, stay)
    blocks = (Lines(tuple((product.label, dosage) for product, dosage in TREATMENT)),
              Paragraph("Surveillance : fonction rénale et ionogramme dans 6 semaines."))  # fmt: skip
    prescription = Letter(ROUSSET, dossier.who, home, "Ordonnance de sortie", blocks, barcode=True)
    file(dossier, letter_paper("treatment", "57833-6", prescription), stay)
    _summary(dossier, dossier.ago(24))
    _memory(dossier, dossier.ago(6))
    return dossier


def _discharge(dossier: Dossier, fell: date, home: date) -> Letter:
    blocks = (
        Paragraph(f"Cher confrère, Madame Lefevre a été hospitalisée en chirurgie puis en court séjour gériatrique du "
                  f"{french(fell)} au {french(home)} pour une fracture du col du fémur droit, après une chute "
                  "à son domicile. Médecin traitant : " + GARNIER.name + "."),
        Heading("Antécédents"),
        Paragraph("Fibrillation auriculaire anticoagulée, hypertension artérielle, insuffisance cardiaque à fonction "
                  "préservée. Allergie à la pénicilline (oedème du visage)."),
        Heading("Évolution"),
        Paragraph("Prothèse totale de hanche le lendemain, sans complication. Anticoagulation reprise au deuxième "
                  "jour. Lever au premier jour, marche avec déambulateur sur 50 mètres à la sortie. Pas de "
                  "transfusion."),
        Heading("À la sortie"),
        Paragraph("Retour à domicile avec kinésithérapie, infirmière matin et soir pendant trois semaines, aide à la "
                  "toilette. Traitement : voir l'ordonnance jointe. Bilan d'ostéoporose à compléter."),
        Heading("Suites à donner"),
        Paragraph("Créatinine et ionogramme à 6 semaines. Consultation de chirurgie à 2 mois. Consultation mémoire "
                  "proposée devant une désorientation passagère pendant le séjour."),
    )  # fmt: skip
    return Letter(ROUSSET, dossier.who, home, "Lettre de liaison à la sortie", blocks)


def _summary(dossier: Dossier, day: date) -> None:
    sections = (
        Section("11450-4", "Problem list", "Pathologies en cours", (
            "Fibrillation auriculaire", "Hypertension artérielle", "Insuffisance cardiaque", "Ostéoporose")),
        Section("11348-0", "History of past illness", "Antécédents", (
            "Fracture du col du fémur droit, prothèse totale de hanche",)),
        Section("48765-2", "Allergies", "Allergies et intolérances", ("Pénicilline : œdème du visage, sévère",)),
        Section("10160-0", "History of medication use", "Traitements au long cours", tuple(
            f"{product.label} : {dosage}" for product, dosage in TREATMENT)),
        Section("11369-6", "History of immunization", "Vaccinations", ("Grippe : annuelle", "Zona : 2 doses")),
    )  # fmt: skip
    title = "Volet de synthèse médicale"
    data = summary(dossier.who, GARNIER, day, title, sections)
    file(dossier, Paper("summary", title, "60591-5", GARNIER, day, data, "text/xml"))


def _memory(dossier: Dossier, day: date) -> None:
    blocks = (
        Paragraph("Évaluation de mémoire demandée après l'hospitalisation. MMSE 22/30, rappel différé 1/3, "
                  "test de l'horloge 4/7. Autonomie conservée pour les actes essentiels."),
        Heading("Conclusion provisoire"),
        Paragraph("Profil évocateur d'une maladie neuro-cognitive débutante. IRM cérébrale et bilan demandés."),
        Paragraph("Ce compte rendu reste non visible par la patiente jusqu'à la consultation d'annonce."),
    )  # fmt: skip
    letter = Letter(ROUSSET, dossier.who, day, "Compte rendu de consultation mémoire", blocks)
    file(dossier, letter_paper("memory", "11488-4", letter, ("INVISIBLE_PATIENT",)))
