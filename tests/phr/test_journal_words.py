"""Every entry that can be has a sentence, in both languages, short and whole, whoever acted and whoever reads."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

import phr
from auth.launches import PAGES
from fhir.narrative import judge
from fhir.parameters import KINDS
from phr import destruction
from phr.access.audit import Act, Group, audit_event, facets
from phr.access.consent import STRUCTURES
from phr.access.decision import Because
from phr.access.journal import Actor, Note, Tag
from phr.access.reader import SELF
from phr.journal_words import LANGUAGES, LONGEST, Viewer, preferred, tell, texts_in
from phr.messages import retention
from phr.mssante import gateway
from phr.prescription.life import OVER
from phr.prevention import feed
from phr.web import api

PERSON, PARENT = Viewer("ada"), Viewer("mum", represents=True)
LOU = Actor("810001", "Lou Petit", "TRE_G15", "10", "1690000001", "Cabinet du Port")
LONG = Actor("8" + "1" * 40, "Marie-Antoinette " * 9, "TRE_G15", "39", "1" * 30, "Centre hospitalier " * 9)
ZOE = Actor("810002", "Zoé Roux")
CLINIC = Actor("", structure="1690000002", structure_name="Clinique du Parc")
MUM, NURSE = Actor("mum", behalf="r"), Actor("810003", "", "TRE_G15", "60")
READERS: tuple[tuple[str, tuple[Actor, ...]], ...] = (
    ("Citizen", ()),
    ("Delegate", (MUM,)),
    ("Delegate", (Actor("dad", behalf="r"),)),
    ("Professional", (LOU,)),
    ("Professional", (LONG, LONG)),
    ("Professional", (LOU, ZOE)),
    ("Professional", (NURSE,)),
    ("Professional", ()),
    ("Professional", (CLINIC,)),
    ("Depositor", ()),
    ("Operator", ()),
    ("System", ()),
    ("SomethingOlder", ()),
)
RESOURCES: tuple[tuple[str, ...], ...] = (
    (),
    ("DocumentReference/1",),
    ("ImmunizationRecommendation/1", *(f"QuestionnaireResponse/{n}" for n in range(999)), "Task/1", "Flag/2"),
)
MARKUP = re.compile(r"<[^>]*>")


def act(tag: Tag, note: Note, resources: tuple[str, ...] = (), at: datetime | None = None) -> Act:
    return Act(1, UUID(int=1), at or datetime(2026, 9, 23, 12, 5, tzinfo=UTC), tag, resources, note)


def notes() -> Iterator[Note]:
    """Every reason and refusal, whoever acted."""
    reasons = ["", "no-such-reason", *texts_in("fr")["reasons"]]
    for because, refused, (reader, actors) in product([*Because, "older"], reasons, READERS):
        yield Note(reader, "Logiciel " * 9, because, "x", actors, refused=refused)


@pytest.mark.parametrize("tag", list(Tag))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_has_a_sentence(tag: Tag, language: str) -> None:
    for note in notes():
        for viewer in (PERSON, PARENT):
            for resources in RESOURCES if not note.refused else RESOURCES[:1]:
                told = tell(act(tag, note, resources), viewer, language)
                _sound(told.sentence, language)
                assert told.who
                assert told.capacity or note.reader == "Professional"
                assert bool(told.reason) is bool(note.refused)
                assert told.why or note.because in ("older", "own-deposits", "no-rule")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_operation_has_a_sentence(language: str) -> None:
    operations = texts_in(language)["operations"]
    asked = product(operations, ("", "blocked"), (Tag.ACCESS, Tag.CLOSE), READERS, (PERSON, PARENT))
    for operation, refused, tag, (reader, actors), viewer in asked:
        note = Note(reader, "app", Because.OWN_RECORD, f"Patient/x/${operation}", actors, refused=refused)
        told = tell(act(tag, note), viewer, language).sentence
        _sound(told, language)
        other = tell(act(tag, Note(reader, "app", Because.OWN_RECORD, "x", actors, refused=refused)), viewer, language)
        assert told != other.sentence or (operation, tag) == ("close", Tag.CLOSE) or operation == "open-access"


def _sound(sentence: str, language: str) -> None:
    assert 20 < len(sentence) <= LONGEST, sentence
    assert sentence.startswith("Le " if language == "fr" else "On "), sentence
    assert sentence.endswith((".", "…")), sentence
    assert not sentence.endswith("…."), sentence
    assert not re.search(r"[{}\[\]]|  |,,| ,|\(\)|de le |None", sentence), sentence


def test_both_languages_say_the_same_things() -> None:
    def names(texts: object, at: str = "") -> set[str]:
        if not isinstance(texts, dict):
            return {at}
        return {name for key, one in texts.items() for name in names(one, f"{at}.{key}")}

    french, english = (names(texts_in(language)) for language in LANGUAGES)
    assert french == {name for name in english if not name.startswith(".professions")}


def test_every_refusal_in_the_code_has_a_reason() -> None:
    written = [line for line in _source().splitlines() if ".refused = " in line or "Refusal(" in line]
    codes = {code for line in written for code in re.findall(r'"([a-z]+(?:-[a-z]+)*)"', line)}
    assert {"blocked", "caregiver", "not-entitled"} <= codes
    named = {"wrong", *OVER}  # a prescription that is over is refused by its state
    assert (codes | named) - set(texts_in("fr")["reasons"]) - {"business-rule"} == set()


BY_THE_TAG = frozenset({"check-medicines", "everything", "immds-forecast", "prevention"})
"""What is said of the tag says what these do."""
NO_RECORD = frozenset({"allow-messages", "lookup", "provenance", "validate"})
"""These leave no entry of their own in a record."""


def test_every_operation_in_the_code_has_its_words() -> None:
    named = set(re.findall(r"\$([a-z]+(?:-[a-z]+)*)\b", _source()))
    named |= {f"invite-{who}" for who in ("caregiver", "parent")}
    told = {name.removesuffix("-read").removesuffix("-delegate") for name in texts_in("fr")["operations"]}
    told |= set(texts_in("fr")["operations"])
    assert {"tell-reminders", "share-check-up", "undelivered", "expire"} <= named
    assert named - told == BY_THE_TAG | NO_RECORD


def _source() -> str:
    """All of the code that leaves entries: not the pages, which ask it over HTTP."""
    folder = Path(phr.__file__).parent
    found = [path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in ("web", "demo")]
    return "\n".join(path.read_text("utf-8") for path in found)


def test_each_name_the_installation_acts_under_is_told_in_words() -> None:
    names = {SELF, feed.CLIENT, gateway.CLIENT, api.CLIENT}
    names |= {retention.BY.client, destruction.BY.client}
    for language in LANGUAGES:
        assert set(texts_in(language)["software"]) == names


def test_every_type_served_and_every_rule_has_words() -> None:
    for language in LANGUAGES:
        texts = texts_in(language)
        assert set(texts["kinds"]) == {*KINDS, "other"}
        assert set(texts["because"]) >= set(Because)
        assert set(texts["groups"]) == set(Group)
        assert set(texts["done"]) == set(texts["tried"]) == set(Tag)


SAID = (
    (
        act(Tag.SEARCH, Note("Professional", "d", "care-relation", "x", (LOU,)), ("DocumentReference/1", "Binary/2")),
        "Le 23 septembre 2026 à 14 h 05, le Dr Lou Petit (médecin, Cabinet du Port) a consulté 1 document, "
        "au titre d’une relation de soins, avec Doctosoft.",
        "On 23 September 2026 at 14:05, Dr Lou Petit (physician, Cabinet du Port) viewed 1 document, "
        "in a care relation, with Doctosoft.",
    ),
    (
        act(Tag.ACCESS, Note("Professional", "d", "no-rule", "Patient/$open-access", (LOU,), refused="blocked")),
        "Le 23 septembre 2026 à 14 h 05, le Dr Lou Petit (médecin, Cabinet du Port) a tenté d’ouvrir votre carnet, "
        "avec Doctosoft : refusé, vous l’avez bloqué.",
        "On 23 September 2026 at 14:05, Dr Lou Petit (physician, Cabinet du Port) tried to open your record, "
        "with Doctosoft: refused, you blocked them.",
    ),
    (
        act(Tag.READ, Note("Professional", "d", "own-deposits", "x", (LOU, ZOE))),
        "Le 23 septembre 2026 à 14 h 05, Zoé Roux, agissant pour le Dr Lou Petit (médecin, Cabinet du Port), a cherché "
        "dans votre carnet, en tant qu’auteur, avec Doctosoft : aucun document n’a été montré.",
        "On 23 September 2026 at 14:05, Zoé Roux, on behalf of Dr Lou Petit (physician, Cabinet du Port), looked into "
        "your record, as the author, with Doctosoft: no document was shown.",
    ),
    (
        act(Tag.ACCESS, Note("Citizen", PAGES, "own-record", "Patient/x/$mask"), ("Consent/1",)),
        "Le 23 septembre 2026 à 14 h 05, vous avez masqué des éléments aux professionnels, avec les pages de Carnet.",
        "On 23 September 2026 at 14:05, you hid items from professionals, with the pages of Carnet.",
    ),
    (
        act(Tag.CREATE, Note("Delegate", "a", "represents", "x", (MUM,)), ("Observation/1", "Observation/2", "Flag/1")),
        "Le 23 septembre 2026 à 14 h 05, votre représentant légal a ajouté 2 résultats ou mesures et 1 alerte, "
        "avec Doctosoft.",
        "On 23 September 2026 at 14:05, your legal representative added 2 results or measurements and 1 alert, "
        "with Doctosoft.",
    ),
    (
        act(Tag.AGENDA, Note("System", "carnet", "importing", "Patient/x/$tell-reminders"), ("Task/1",)),
        "Le 23 septembre 2026 à 14 h 05, le service lui-même a envoyé les rappels arrivés à leur heure.",
        "On 23 September 2026 at 14:05, the service itself sent the reminders that were due.",
    ),
    (
        act(Tag.DELEGATE, Note("System", "carnet", "importing", "Consent/$expire"), ("Consent/1",)),
        "Le 23 septembre 2026 à 14 h 05, le service lui-même a mis fin à une invitation restée sans réponse.",
        "On 23 September 2026 at 14:05, the service itself ended an invitation that nobody answered.",
    ),
    (
        act(Tag.PRESCRIPTION, Note("System", "carnet", "importing", "Task/$expire"), ("Task/1",)),
        "Le 23 septembre 2026 à 14 h 05, le service lui-même a noté qu’une ordonnance est périmée.",
        "On 23 September 2026 at 14:05, the service itself recorded that a prescription is out of date.",
    ),
    (
        act(Tag.IMPORT, Note("System", "his", "importing", "Bundle"), ("Observation/1",)),
        "Le 23 septembre 2026 à 14 h 05, le service lui-même (Doctosoft) a importé 1 résultat ou mesure, "
        "pour reprendre des données existantes.",
        "On 23 September 2026 at 14:05, the service itself (Doctosoft) imported 1 result or measurement, "
        "to take over existing data.",
    ),
    (
        act(Tag.MESSAGE, Note("Professional", "mssante", "conversation", "Communication/$receive-message", (CLINIC,))),
        "Le 23 septembre 2026 à 14 h 05, la structure Clinique du Parc a reçu un message par messagerie sécurisée, "
        "avec la messagerie sécurisée.",
        "On 23 September 2026 at 14:05, the structure Clinique du Parc received a message by secure mail, "
        "with secure mail.",
    ),
    (
        act(Tag.OPEN, Note("Operator", "op", "no-rule", "Patient"), ("Patient/1",)),
        "Le 23 septembre 2026 à 14 h 05, l’opérateur du service (Doctosoft) a créé votre carnet.",
        "On 23 September 2026 at 14:05, the operator of the service (Doctosoft) created your record.",
    ),
    (
        act(Tag.READ, Note("Citizen", PAGES, "own-record", "Patient/x/$preferences")),
        "Le 23 septembre 2026 à 14 h 05, vous avez consulté les préférences d’accès, avec les pages de Carnet.",
        "On 23 September 2026 at 14:05, you viewed the access preferences, with the pages of Carnet.",
    ),
    (
        act(Tag.CREATE, Note("Depositor", "lab", "own-deposits", "x"), ("DocumentReference/1", "Binary/1")),
        "Le 23 septembre 2026 à 14 h 05, le logiciel Doctosoft a ajouté 1 document, en tant qu’auteur.",
        "On 23 September 2026 at 14:05, the software Doctosoft added 1 document, as the author.",
    ),
)


@pytest.mark.parametrize(("entry", "french", "english"), SAID)
def test_what_is_said(entry: Act, french: str, english: str) -> None:
    assert tell(entry, PERSON, "fr", "Doctosoft").sentence == french
    assert tell(entry, PERSON, "en", "Doctosoft").sentence == english


def test_why_the_installation_acts_is_not_that_it_imports() -> None:
    """What it writes in its course is not data taken over: nor is its software a name that nobody knows."""
    for client, software in (("carnet", "Carnet"), ("mssante", "la messagerie sécurisée")):
        told = tell(act(Tag.AGENDA, Note("System", client, Because.IMPORTING, "x")), PERSON, "fr")
        assert (told.who, told.why, told.software) == ("le service lui-même", "Fonctionnement du service", software)
    told = tell(act(Tag.IMPORT, Note("System", "his", Because.IMPORTING, "Bundle")), PERSON, "fr", "Hôpital")
    assert (told.who, told.why, told.software) == ("le service lui-même (Hôpital)", "Reprise de données", "Hôpital")


def test_a_software_has_its_whole_name_beside_the_sentence() -> None:
    name = "Logiciel de gestion de la maison de santé pluriprofessionnelle des Tilleuls"
    told = tell(act(Tag.READ, Note("Professional", "d", Because.CARE_RELATION, "x", (LOU,))), PERSON, "fr", name)
    assert told.software == name
    assert "avec Logiciel de gestion de la maison de santé pluri…" in told.sentence


def test_a_structure_s_mailbox_is_named_by_its_structure() -> None:
    entry = act(Tag.MESSAGE, Note("Professional", "mssante", Because.CONVERSATION, "x", (CLINIC,)))
    assert tell(entry, PERSON, "fr").who == "Clinique du Parc"
    who = audit_event(entry, "r")["agent"][0]["who"]
    assert who == {"identifier": {"system": STRUCTURES, "value": "1690000002"}, "display": "Clinique du Parc"}
    assert facets(entry, "r")["agent"] == frozenset()


def test_who_reads_changes_who_is_you() -> None:
    def who(reader: str, because: Because, viewer: Viewer, actor: str = "mum") -> str:
        actors = (Actor(actor, behalf="r"),) if reader == "Delegate" else ()
        return tell(act(Tag.JOURNAL, Note(reader, "a", because, "x", actors)), viewer, "fr").who

    assert who("Citizen", Because.OWN_RECORD, PERSON) == "vous"
    assert who("Citizen", Because.OWN_RECORD, PARENT) == "la personne"
    assert who("Delegate", Because.REPRESENTS, PARENT) == "vous"
    assert who("Delegate", Because.REPRESENTS, PARENT, "dad") == "un autre représentant légal"
    assert who("Delegate", Because.REPRESENTS, PERSON) == "votre représentant légal"
    assert who("Delegate", Because.CARES_FOR, PERSON) == "votre aidant"
    assert who("Delegate", Because.CARES_FOR, PARENT, "aunt") == "un aidant"


def test_a_moment_is_told_in_paris_across_the_change_of_hour() -> None:
    note = Note("Citizen", "a", "own-record", "x")
    for at, told in (
        (datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "Le 2 mars 2026 à 0 h 30"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Le 25 octobre 2026 à 2 h 30"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Le 25 octobre 2026 à 2 h 30"),
        (datetime(2026, 5, 31, 22, 0, tzinfo=UTC), "Le 1er juin 2026 à 0 h 00"),
    ):
        assert tell(act(Tag.JOURNAL, note, at=at), PERSON, "fr").moment == told


def test_a_narrative_holds_words_and_nothing_that_acts() -> None:
    bad = Actor("1", "<script>alert('&')</script>", "TRE_G15", "10", "", '"><img src=x>')
    told = tell(act(Tag.READ, Note("Professional", "a", "care-relation", "x", (bad,))), PERSON, "fr", "<b>&")
    div = told.narrative("fr")["div"]
    assert judge(div) is None
    assert "<script" not in div
    assert "<img" not in div
    assert "avec &lt;b&gt;&amp;" in div


def test_the_pages_are_known_by_the_name_they_ask_under() -> None:
    assert api.CLIENT == PAGES


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, None, "fr"),
        (None, "de, en;q=0.5", "en"),
        (None, "en;q=0.2, fr-FR;q=0.9", "fr"),
        ("en", "fr", "en"),
        ("xx", "en-GB", "en"),
        (None, "en;q=x, fr", "fr"),
        (None, "*", "fr"),
    ],
)
def test_which_language(wanted: str | None, accepted: str | None, language: str) -> None:
    assert preferred(wanted, accepted) == language
