"""Every entry that can be has a sentence, in both languages, short and whole, whoever acted and whoever reads."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

import phr
from fhir.narrative import judge
from fhir.parameters import KINDS
from phr.access.audit import PAGES, Act, Group
from phr.access.decision import Because
from phr.access.journal import Actor, Note, Tag
from phr.journal_words import LANGUAGES, LONGEST, Viewer, preferred, tell, texts_in
from phr.web import api

PERSON, PARENT = Viewer("ada"), Viewer("mum", represents=True)
LOU = Actor("810001", "Lou Petit", "TRE_G15", "10", "1690000001", "Cabinet du Port")
LONG = Actor("8" + "1" * 40, "Marie-Antoinette " * 9, "TRE_G15", "39", "1" * 30, "Centre hospitalier " * 9)
ZOE = Actor("810002", "Zoé Roux")
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
    assert sentence.endswith("."), sentence
    assert not re.search(r"[{}\[\]]|  |,,| ,|\(\)|de le |None", sentence), sentence


def test_both_languages_say_the_same_things() -> None:
    def names(texts: object, at: str = "") -> set[str]:
        if not isinstance(texts, dict):
            return {at}
        return {name for key, one in texts.items() for name in names(one, f"{at}.{key}")}

    french, english = (names(texts_in(language)) for language in LANGUAGES)
    assert french == {name for name in english if not name.startswith(".professions")}


def test_every_refusal_in_the_code_has_a_reason() -> None:
    lines = [line for path in Path(phr.__file__).parent.glob("*.py") for line in path.read_text("utf-8").splitlines()]
    written = [line for line in lines if ".refused = " in line or "Refusal(" in line]
    codes = {code for line in written for code in re.findall(r'"([a-z]+(?:-[a-z]+)*)"', line)}
    assert {"blocked", "caregiver"} <= codes
    assert codes - set(texts_in("fr")["reasons"]) - {"business-rule"} == set()


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
        act(Tag.CREATE, Note("Depositor", "lab", "own-deposits", "x"), ("DocumentReference/1", "Binary/1")),
        "Le 23 septembre 2026 à 14 h 05, le logiciel Doctosoft a ajouté 1 document, en tant qu’auteur.",
        "On 23 September 2026 at 14:05, the software Doctosoft added 1 document, as the author.",
    ),
)


@pytest.mark.parametrize(("entry", "french", "english"), SAID)
def test_what_is_said(entry: Act, french: str, english: str) -> None:
    assert tell(entry, PERSON, "fr", "Doctosoft").sentence == french
    assert tell(entry, PERSON, "en", "Doctosoft").sentence == english


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
