"""What pages say, in French and in English. A scope is told in the words of the person it concerns."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from auth import scopes
from fhir import criterion
from phr import codes

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

_VERBS = ("rs", "c", "u", "d")
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_CATEGORIES = (None, f"{_TERMINOLOGY}/observation-category", f"{_TERMINOLOGY}/condition-category")
_LONGEST = 60


def scope_words(scope: str, language: str, until: str | None = None) -> str:
    """One scope as a sentence: « Consulter vos résultats et mesures : signes vitaux seulement ».

    `until`: for `offline_access`, the day it ends, in words. What cannot be read is given back as it is.
    """
    texts = TEXTS[language]
    if scope == scopes.OFFLINE and until is not None:
        return texts["scope_offline_until"].format(until=until)
    if scope in scopes.PLAIN:
        return texts[f"scope_{scope.replace('/', '_')}"]
    parsed = scopes.parse(scope)
    if parsed is None:
        return scope
    verbs = [texts[f"scope_verb_{letters}"] for letters in _VERBS if parsed.verbs.intersection(letters)]
    own = texts[f"scope_own_{parsed.context}"]
    named = f"scope_kind_{parsed.kind}" if parsed.kind != "*" else f"scope_kind_all_{parsed.context}"
    kind = texts.get(named, texts["scope_kind_other"]).format(own=own, kind=parsed.kind)
    told = f"{_listed(verbs, texts['scope_and'])} {kind}"
    if parsed.query:
        only = [
            _listed([_code(texts, parsed.kind, name, one) for one in criterion.split(value, ",")], texts["scope_or"])
            for name, value in parsed.query
        ]
        told = texts["scope_only"].format(told=told, only=_listed(only, texts["scope_and"]))
    sentence = texts[f"scope_for_{parsed.context}"].format(told=told)
    return f"{sentence[0].upper()}{sentence[1:]}"


def _listed(parts: list[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def _code(texts: Mapping[str, str], kind: str, name: str, value: str) -> str:
    """One value of a token parameter: known by its label, or else quoted, with whose code it is."""
    parts = [criterion.unescaped(part) for part in criterion.split(value, "|")]
    system, code = (parts[0], "|".join(parts[1:])) if len(parts) > 1 else (None, parts[0])
    category = f"scope_category_{code}"
    if kind != "DocumentReference" and name == "category" and system in _CATEGORIES and category in texts:
        return texts[category]
    known = {"type": codes.document_type, "category": codes.document_class}.get(name)
    found = known(system or codes.LOINC, code) if kind == "DocumentReference" and known is not None else None
    if found is not None:
        return texts["scope_document"].format(label=found.display)
    host = _host(system or "")
    told = "scope_code_any" if not code else "scope_code_of" if host else "scope_code"
    return texts[told].format(name=name, code=_cut(code), host=host)


def _host(system: str) -> str:
    """Whose system it is, shortly: the host of a URL, or what else names it."""
    try:
        return _cut(urlsplit(system).hostname or system)
    except ValueError:
        return _cut(system)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


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
