"""What pages say, in French and in English. A scope is told in the words of the person it concerns."""

from collections.abc import Mapping

from auth import scopes

LANGUAGES = ("fr", "en")

TEXTS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "skip": "Aller au contenu",
        "other_language": "English",
        "tagline": "Votre carnet de santé, sous votre contrôle",
        "sign_in": "Se connecter",
        "sign_in_for": "Connectez-vous pour continuer vers",
        "name": "Identifiant ou adresse e-mail",
        "password": "Mot de passe",
        "wrong": "L’identifiant ou le mot de passe ne correspond pas. Vérifiez-les et réessayez.",
        "throttled": "Trop d’essais. Attendez un quart d’heure avant de réessayer.",
        "expired": "Cette page est restée ouverte trop longtemps. Recommencez, rien n’a été enregistré.",
        "consent_title": "Autoriser une application",
        "consent_intro": "souhaite accéder à votre carnet de santé.",
        "signed_in_as": "Vous êtes connecté en tant que",
        "choose": "Ce que vous autorisez",
        "choose_hint": "Décochez ce que vous ne voulez pas partager.",
        "after": "Vous reviendrez ensuite vers",
        "allow": "Autoriser",
        "deny": "Refuser",
        "change": "Ce n’est pas vous ? Changer de compte",
        "error_title": "Cette demande n’a pas abouti",
        "error_text": "L’application qui vous a envoyé ici a fait une demande que nous ne pouvons pas accepter. "
        "Rien n’a été partagé. Retournez dans l’application et réessayez, ou prévenez son éditeur.",
        "error_detail": "Détail pour l’éditeur",
    },
    "en": {
        "skip": "Skip to content",
        "other_language": "Français",
        "tagline": "Your health record, under your control",
        "sign_in": "Sign in",
        "sign_in_for": "Sign in to continue to",
        "name": "Sign-in name or e-mail address",
        "password": "Password",
        "wrong": "The name or the password does not match. Check them and try again.",
        "throttled": "Too many tries. Wait a quarter of an hour before trying again.",
        "expired": "This page stayed open for too long. Start again, nothing was saved.",
        "consent_title": "Allow an application",
        "consent_intro": "asks for access to your health record.",
        "signed_in_as": "You are signed in as",
        "choose": "What you allow",
        "choose_hint": "Untick what you do not want to share.",
        "after": "You will then return to",
        "allow": "Allow",
        "deny": "Refuse",
        "change": "Not you? Use another account",
        "error_title": "This request did not succeed",
        "error_text": "The application that sent you here made a request we cannot accept. Nothing was shared. "
        "Go back to the application and try again, or tell its publisher.",
        "error_detail": "Detail for the publisher",
    },
}

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
