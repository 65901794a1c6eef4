"""A laboratory's work on one sample: the results, the report over them, and the paper that is sent."""

from datetime import date, timedelta

from phr.demo.clinic import HADDAD, Professional
from phr.demo.dossier import Dossier, Json, out_of_range
from phr.demo.filing import file, letter_paper
from phr.demo.moments import french
from phr.demo.paper import Block, Heading, Letter, Paragraph, Table
from phr.demo.vocabulary import LOINC, TERMINOLOGY, Measure, concept

Values = tuple[tuple[Measure, float], ...]


def number(value: float) -> str:
    """A number as France writes it, `7,2`."""
    return f"{value:g}".replace(".", ",")


def biology(
    dossier: Dossier, slug: str, day: date, values: Values, told: str, asked: Professional
) -> tuple[Json, Json]:
    """Results, DiagnosticReport and filed PDF of a blood test; references to the report and to the document."""
    results = [dossier.result(what, value, day, HADDAD) for what, value in values]
    code = concept(LOINC, "11502-2", "Laboratory report", "Compte rendu d'examens biologiques")
    section = concept(f"{TERMINOLOGY}/v2-0074", "LAB", "Laboratory", "Biologie médicale")
    report = dossier.report(code, section, day, HADDAD, results, told)
    letter = Letter(HADDAD, dossier.who, day + timedelta(days=1), "Compte rendu d'examens biologiques",
                    _blocks(day, values, told, asked), barcode=True)  # fmt: skip
    return report, file(dossier, letter_paper(slug, "11502-2", letter))


def _blocks(day: date, values: Values, told: str, asked: Professional) -> tuple[Block, ...]:
    rows = tuple((what.label, number(value), what.unit, _range(what), _mark(what, value)) for what, value in values)
    marked = frozenset(n for n, (what, value) in enumerate(values) if out_of_range(what, value))
    return (
        Paragraph(f"Prescripteur : {asked.name}, {asked.structure.name}. Prélèvement du {french(day)} à 08:00, "
                  "à jeun, au laboratoire. Dossier validé."),
        Heading("Résultats"),
        Table(("Analyse", "Résultat", "Unité", "Valeurs usuelles", ""), (78, 24, 32, 32, 8), rows, marked),
        Heading("Commentaire du biologiste"),
        Paragraph(told),
        Paragraph("Les résultats hors des valeurs usuelles sont en gras. Ils s'interprètent avec le médecin "
                  "prescripteur, selon l'âge, le sexe et le traitement."),
    )  # fmt: skip


def _range(what: Measure) -> str:
    if what.low is not None and what.high is not None:
        return f"{number(what.low)} à {number(what.high)}"
    if what.low is not None:
        return f"> {number(what.low)}"
    return f"< {number(what.high)}" if what.high is not None else ""


def _mark(what: Measure, value: float) -> str:
    found = out_of_range(what, value)
    return {"L": "-", "H": "+"}[found[0]] if found else ""
