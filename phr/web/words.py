"""What pages say, in French and in English. A scope is told in the words of the person it concerns."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from auth import scopes

LANGUAGES = ("fr", "en")

_FOLDER = Path(__file__).parent / "texts"


def _texts() -> dict[str, dict[str, str]]:
    """Every text file, merged. Raises ValueError when two files name one text."""
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for path in sorted(_FOLDER.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        for language in LANGUAGES:
            twice = found[language].keys() & content[language].keys()
            if twice:
                raise ValueError(f"{path.name} names again: {sorted(twice)}")
            found[language] |= content[language]
    return found


TEXTS: Mapping[str, Mapping[str, str]] = _texts()

_PLAIN = {
    scopes.OPENID: ("Savoir que c’est vous, sans votre nom", "Know that it is you, without your name"),
    scopes.FHIR_USER: ("Savoir quelle fiche du carnet est la vôtre", "Know which page of the record is yours"),
    scopes.LAUNCH: ("Savoir quel carnet ouvrir", "Know which record to open"),
}

_VERBS = (
    (frozenset("rs"), "consulter", "view"),
    (frozenset("c"), "ajouter", "add"),
    (frozenset("u"), "modifier", "change"),
    (frozenset("d"), "supprimer", "delete"),
)

_KINDS = {
    "*": ("tout ce que contient votre carnet", "everything in your record"),
    "AllergyIntolerance": ("vos allergies", "your allergies"),
    "Appointment": ("vos rendez-vous", "your appointments"),
    "Binary": ("le contenu de vos documents", "the content of your documents"),
    "CarePlan": ("vos plans de soins", "your care plans"),
    "Communication": ("vos messages", "your messages"),
    "Condition": ("vos maladies et antécédents", "your conditions and history"),
    "Consent": ("vos autorisations", "your permissions"),
    "Coverage": ("votre couverture santé", "your health insurance"),
    "DiagnosticReport": ("vos comptes rendus d’examens", "your test reports"),
    "DocumentReference": ("vos documents de santé", "your health documents"),
    "Encounter": ("vos consultations et séjours", "your visits and stays"),
    "Immunization": ("vos vaccinations", "your vaccinations"),
    "MedicationDispense": ("vos médicaments délivrés", "the medicines dispensed to you"),
    "MedicationRequest": ("vos ordonnances", "your prescriptions"),
    "MedicationStatement": ("les médicaments que vous prenez", "the medicines you take"),
    "Observation": ("vos résultats et mesures", "your results and measurements"),
    "Patient": ("votre identité et vos coordonnées", "your identity and contact details"),
    "Procedure": ("vos opérations et actes", "your operations and procedures"),
    "QuestionnaireResponse": ("vos réponses aux questionnaires", "your questionnaire answers"),
}


def scope_words(scope: str, language: str) -> str:
    """One scope as a sentence: « Consulter et ajouter vos documents de santé »."""
    french = language == "fr"
    if scope in _PLAIN:
        return _PLAIN[scope][0 if french else 1]
    parsed = scopes.parse(scope)
    if parsed is None:
        return scope
    verbs = [fr if french else en for letters, fr, en in _VERBS if letters & parsed.verbs]
    kind = _KINDS.get(parsed.kind)
    told = (kind[0] if french else kind[1]) if kind else (f"vos {parsed.kind}" if french else f"your {parsed.kind}")
    listed = verbs[0] if len(verbs) == 1 else ", ".join(verbs[:-1]) + (" et " if french else " and ") + verbs[-1]
    return f"{listed[0].upper()}{listed[1:]} {told}"


def preferred(ui_locales: str | None, accept_language: str | None) -> str:
    """French or English: what the request asks (OpenID `ui_locales`), else the browser, else French."""
    wanted = [tag for tag in (ui_locales or "").split() if tag]
    weighted = []
    for place, item in enumerate((accept_language or "").split(",")[:20]):
        tag, _, weight = item.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), place, tag))
        except ValueError:
            continue
    wanted += [tag for _, _, tag in sorted(weighted)]
    for tag in wanted:
        if tag[:2].lower() in LANGUAGES:
            return tag[:2].lower()
    return "fr"
