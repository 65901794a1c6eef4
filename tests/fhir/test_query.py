"""Search parameters read to values; what is ignored is named; what is malformed is refused without repeating it."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir import dates
from fhir.capability import VIRTUAL
from fhir.criteria import DateMatch, HasDate, TokenAny, UpdatedMatch, Word
from fhir.parameters import KINDS
from fhir.predicate import IdIn, Not, Or, Predicate
from fhir.query import Chain, Has, Include, Query, RecordAsk, Sort, parse, record_asked
from phr.core.errors import DomainError, Reason

NOW, BASE = datetime(2024, 6, 1, tzinfo=UTC), "http://me/fhir"


def hashed(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, text)


def commons(text: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, text)


def read(kind: str, *pairs: tuple[str, str], known: dict[str, str] | None = None) -> Query:
    return parse(KINDS[kind], pairs, hashed, NOW, commons=commons, base=BASE, known=known)


def one(kind: str, name: str, value: str) -> Predicate:
    query = read(kind, (name, value))
    assert not query.ignored
    (criterion,) = query.criteria
    assert query.understood == ((name, value),)
    return criterion


def any_of(*texts: str, by: Any = hashed) -> TokenAny:
    return TokenAny(frozenset(map(by, texts)))


def refused(kind: str, *pairs: tuple[str, str]) -> None:
    with pytest.raises(DomainError) as error:
        read(kind, *pairs)
    assert error.value.reason is Reason.SYNTAX
    said = " ".join(issue.diagnostics for issue in error.value.issues)
    assert said
    assert not any("secret" in text for text in (said, str(error.value)))


def ignored(kind: str, name: str, value: str = "secret") -> str:
    query = read(kind, (name, value))
    ((named, why),) = query.ignored
    assert named == name
    assert not query.understood
    assert query == Query(KINDS[kind], ignored=query.ignored)
    assert "secret" not in why
    return why


@pytest.mark.parametrize(
    ("name", "value", "tokens"),
    [
        ("code", "c", ["code\x1fc"]),
        ("code", "http://s|c", ["code\x1fhttp://s|c"]),
        ("code", "|c", ["code\x1f|c"]),
        ("code", "http://s|", ["code\x1fhttp://s|"]),
        ("code", "a,s|b", ["code\x1fa", "code\x1fs|b"]),
        ("code", r"a\,b", ["code\x1fa,b"]),
        ("code", r"s|a\|b", ["code\x1fs|a\\|b"]),
        ("code", r"a\$b\\c", ["code\x1fa$b\\\\c"]),
        ("code", "a\\", ["code\x1fa\\\\"]),
        ("_tag", "s|t", ["_tag\x1fs|t"]),
        ("_security", "R", ["_security\x1fR"]),
        ("_profile", "http://p", ["_profile\x1fhttp://p"]),
        ("identifier:of-type", "http://t|MR|1", ["identifier:of-type\x1fhttp://t|MR|1"]),
        ("code:missing", "false", ["code\x1f"]),
        ("subject", "1", ["subject\x1f1"]),
        ("subject", "Patient/1", ["subject\x1fPatient/1"]),
        ("subject", "Patient/1/_history/2", ["subject\x1fPatient/1"]),
        ("subject", "Group/1", ["subject\x1fGroup/1"]),
        ("subject:Patient", "1", ["subject\x1fPatient/1"]),
        ("subject:Patient", "Patient/1", ["subject\x1fPatient/1"]),
        ("subject", "http://me/fhir/Patient/1", ["subject\x1fPatient/1"]),
        ("subject", "http://else/Patient/1", ["subject\x1fhttp://else/Patient/1"]),
        ("subject", "urn:uuid:1", ["subject\x1furn:uuid:1"]),
        ("subject", "1,Patient/2", ["subject\x1f1", "subject\x1fPatient/2"]),
        ("performer:identifier", "s|v", ["performer:identifier\x1fs|v"]),
        ("performer:identifier", "v,|w", ["performer:identifier\x1fv", "performer:identifier\x1f|w"]),
    ],
)
def test_tokens(name: str, value: str, tokens: list[str]) -> None:
    assert one("Observation", name, value) == any_of(*tokens)


def test_not_and_missing() -> None:
    assert one("Observation", "code:not", "a,b") == Not(any_of("code\x1fa", "code\x1fb"))
    assert one("Observation", "subject:missing", "true") == Not(any_of("subject\x1f"))
    assert one("Observation", "date:missing", "true") == Not(HasDate("date"))
    assert one("Observation", "date:missing", "false") == HasDate("date")
    assert one("Practitioner", "name:missing", "false") == any_of("name\x1f", by=commons)


def test_repeated_is_and() -> None:
    query = read("Observation", ("code", "a"), ("code", "b"))
    assert query.criteria == (any_of("code\x1fa"), any_of("code\x1fb"))


def test_uris_and_the_key_of_the_commons() -> None:
    assert one("Questionnaire", "url", "http://a|1,http://b") == any_of(
        "url\x1fhttp://a|1", "url\x1fhttp://b", by=commons
    )
    assert parse(KINDS["Questionnaire"], [("url", "u")], hashed, NOW).criteria == (any_of("url\x1fu"),)


def test_ids() -> None:
    assert one("Observation", "_id", "a,b-1.2") == IdIn(frozenset({"a", "b-1.2"}))


def test_dates() -> None:
    day = dates.span("2024-01-01")
    assert one("Observation", "date", "2024-01-01") == DateMatch("date", "eq", *day)
    assert one("Observation", "date", "ge2024-01-01,lt2024") == Or(
        (DateMatch("date", "ge", *day), DateMatch("date", "lt", *dates.span("2024")))
    )
    whole = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    assert one("Observation", "_lastUpdated", "gt2024") == UpdatedMatch("gt", *whole)


def test_words() -> None:
    assert one("Practitioner", "name", "  LEFÈVRE ") == Word("name", "starts", "lefevre")
    assert one("Practitioner", "name:contains", "É") == Word("name", "contains", "e")
    assert one("Practitioner", "name:exact", r"É\,a,b") == Or(
        (Word("name", "exact", "É,a"), Word("name", "exact", "b"))
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", ""),
        ("code", "a,,secret"),
        ("code", "|"),
        ("code", "secret|b|c"),
        ("code", ",".join(["secret"] * 501)),
        ("code", "secret\0"),
        ("code\0", "a"),
        ("code", "secret\ud800"),
        ("code:", "secret"),
        ("code:missing", "secret"),
        ("identifier:of-type", "secret|b"),
        ("identifier:of-type", "secret||c"),
        ("date", "secret"),
        ("date", "xx2024"),
        ("date", ""),
        ("_lastUpdated", "2024-13"),
        ("_id", "secret space"),
        ("subject", "secret/1"),
        ("subject", "#secret"),
        ("subject", "Patient/secret/3"),
        ("subject", "Patient/" + "s" * 65),
        ("subject", "http://a secret"),
        ("subject:Patient", "Group/1"),
        ("subject:identifier", "a|b|secret"),
        ("_count", "-1"),
        ("_count", "secret"),
        ("_count", "٣"),
        ("_count", "1" * 10),
        ("_total", "secret"),
        ("_summary", "secret"),
        ("_elements", "id,sec ret"),
        ("_elements", ""),
        ("_cursor", ""),
        ("_has:Observation:patient", "secret"),
        ("subject.subject.subject.subject.subject", "secret"),
    ],
)
def test_malformed(name: str, value: str) -> None:
    refused(
        "Composition" if name.startswith("subject.s") else "Patient" if "_has" in name else "Observation", (name, value)
    )


def test_a_search_has_limits() -> None:
    refused("Observation", *[("code", "secret")] * 101)
    refused("Observation", ("date", ",".join(["2024"] * 51)))
    refused("Practitioner", ("name", "!!"))
    assert len(read("Observation", *[("code", "a")] * 100).criteria) == 100


def test_two_values_of_what_has_one() -> None:
    refused("Observation", ("_count", "1"), ("_count", "2"))
    assert read("Observation", ("_count", "1"), ("_count", "1")).count == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Observation", "nothing"),
        ("Observation", "value-quantity"),
        ("Observation", "_text"),
        ("Patient", "name"),
        ("Observation", "code:text"),
        ("Observation", "code:in"),
        ("Observation", "subject:not"),
        ("Observation", "subject:Practitioner"),
        ("Observation", "date:exact"),
        ("Observation", "_id:not"),
        ("Observation", "_lastUpdated:missing"),
        ("Questionnaire", "url:below"),
        ("Practitioner", "name:text"),
        ("Observation", "code.display"),
        ("Observation", "_id.x"),
        ("Observation", "subject:Practitioner.identifier"),
        ("Observation", "subject.nothing"),
        ("Observation", "subject:Patient.name"),
        ("Observation", "_has:Nobody:x:y"),
        ("Observation", "_has:Condition:nothing:code"),
        ("Observation", "_has:Condition:patient:code"),
        ("Patient", "_has:Condition:patient:nothing"),
    ],
)
def test_what_is_not_understood_is_named(kind: str, name: str) -> None:
    assert ignored(kind, name, "2024")


def test_formats_are_no_parameters_and_the_cursor_is_not_echoed() -> None:
    query = read("Observation", ("_format", "json"), ("_pretty", "true"), ("_cursor", "x"))
    assert query == Query(KINDS["Observation"], cursor="x")


def test_controls() -> None:
    pairs = (("_count", "1000"), ("_total", "accurate"), ("_summary", "count"), ("_elements", "id,code,id"))
    query = read("Observation", *pairs)
    assert (query.count, query.total, query.summary, query.elements) == (200, "accurate", "count", ("id", "code"))
    assert query.understood == pairs
    assert read("Observation", ("_count", "0")).count == 0
    assert read("Observation").count is None


def test_sort() -> None:
    assert read("Observation", ("_sort", "-date,_lastUpdated"), ("_sort", "date,_id")).sort == (
        Sort("date", True),
        Sort("_lastUpdated"),
        Sort("_id"),
    )
    for value in ("code", "date,-code", "nothing", "", "_tag"):
        assert ignored("Observation", "_sort", value)


def test_chains() -> None:
    kind = KINDS["Observation"]
    query = read("Observation", ("subject:Patient.identifier", "s|v"))
    chain = Chain(kind.parameters["subject"], KINDS["Patient"], any_of("identifier\x1fs|v"))
    assert query.chains == ((chain,),)
    assert query.understood == (("subject:Patient.identifier", "s|v"),)
    (alternatives,) = read("Observation", ("performer.identifier", "v")).chains
    keys = {chain.target.name: chain.criterion for chain in alternatives}
    assert keys["Patient"] == any_of("identifier\x1fv")
    assert keys["Practitioner"] == any_of("identifier\x1fv", by=commons)
    assert set(keys) == set(kind.parameters["performer"].targets)


def test_chains_of_chains() -> None:
    (chains,) = read("Observation", ("encounter.service-provider.name", "Hôpital")).chains
    (outer,) = chains
    assert isinstance(outer.criterion, tuple)
    (inner,) = outer.criterion
    assert (outer.target.name, inner.target.name, inner.criterion) == (
        "Encounter",
        "Organization",
        Word("name", "starts", "hopital"),
    )


def test_a_chain_with_too_many_meanings() -> None:
    refused("Composition", ("subject.subject._id", "1"))
    assert len(read("Composition", ("subject._id", "1")).chains[0]) == len(KINDS) - len(VIRTUAL)


def test_a_known_identifier_spares_the_chain() -> None:
    known = {"s|v": "p1"}
    for name in ("patient.identifier", "subject:Patient.identifier"):
        query = read("Observation", (name, "s|v"), known=known)
        assert query.criteria == (any_of(f"{name.partition('.')[0].partition(':')[0]}\x1fPatient/p1"),)
        assert query.understood == ((name, "s|v"),)
        assert read("Observation", (name, "s|other"), known=known).chains
    assert read("Observation", ("patient._tag", "s|v"), known=known).chains
    assert read("Observation", ("encounter.identifier", "s|v"), known=known).chains


def test_has() -> None:
    (has,) = read("Patient", ("_has:Observation:patient:code", "c")).has
    observation = KINDS["Observation"]
    assert has == Has(observation, observation.parameters["patient"], any_of("code\x1fc"))
    (outer,) = read("Patient", ("_has:Observation:patient:_has:DiagnosticReport:result:status", "final")).has
    report = KINDS["DiagnosticReport"]
    assert outer.criterion == Has(report, report.parameters["result"], any_of("status\x1ffinal"))
    (chained,) = read("Patient", ("_has:Observation:patient:performer:Organization.name", "x")).has
    assert isinstance(chained.criterion, tuple)
    (within,) = read("Observation", ("subject:Patient._has:Condition:patient:code", "c")).chains
    assert isinstance(within[0].criterion, Has)


def test_includes() -> None:
    kind, patient = KINDS["Observation"], KINDS["Patient"]
    query = read(
        "Observation",
        ("_include", "Observation:subject:Patient"),
        ("_include", "*"),
        ("_include:iterate", "Encounter:*"),
        ("_revinclude", "DiagnosticReport:result"),
        ("_revinclude", "Provenance:*"),
        ("_revinclude:iterate", "Provenance:target:DiagnosticReport"),
    )
    report, provenance = KINDS["DiagnosticReport"], KINDS["Provenance"]
    assert query.includes == (
        Include(kind, kind.parameters["subject"], patient, False, False),
        Include(None, None, None, False, False),
        Include(KINDS["Encounter"], None, None, True, False),
    )
    assert query.revincludes == (
        Include(report, report.parameters["result"], None, False, True),
        Include(provenance, None, None, False, True),
        Include(provenance, provenance.parameters["target"], report, True, True),
    )
    assert len(query.understood) == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_include:recurse", "*"),
        ("_include", "secret:subject"),
        ("_include", "Observation:nothing"),
        ("_include", "Observation"),
        ("_include", "Observation:code"),
        ("_include", "Observation:subject:Nobody"),
        ("_include", "Observation:subject:Practitioner"),
        ("_include", "Encounter:subject"),
        ("_revinclude", "*"),
        ("_revinclude", "Encounter:subject"),
        ("_revinclude", "Provenance:target:Patient"),
    ],
)
def test_includes_that_mean_nothing_here(name: str, value: str) -> None:
    assert ignored("Observation", name, value)


@pytest.mark.parametrize(
    ("kind", "pairs", "asked"),
    [
        ("Observation", [("patient", "1")], RecordAsk("1", None)),
        ("Observation", [("subject", "Patient/1")], RecordAsk("1", None)),
        ("Observation", [("subject", "http://me/fhir/Patient/1")], RecordAsk("1", None)),
        ("Observation", [("subject:Patient", "1"), ("patient", "Patient/1")], RecordAsk("1", None)),
        ("Observation", [("subject:Patient._id", "1")], RecordAsk("1", None)),
        ("Observation", [("patient.identifier", "s|v")], RecordAsk(None, "s|v")),
        ("Observation", [("patient:identifier", "s|v")], RecordAsk(None, "s|v")),
        ("DocumentReference", [("subject:Patient.identifier", "s|v"), ("patient", "1")], RecordAsk("1", "s|v")),
        ("Coverage", [("beneficiary", "1")], RecordAsk("1", None)),
        ("Appointment", [("actor", "Patient/1")], RecordAsk("1", None)),
        ("Appointment", [("actor:Patient", "1")], RecordAsk("1", None)),
        ("Appointment", [("actor", "1")], None),
        ("Task", [("patient", "1")], RecordAsk("1", None)),
        ("Patient", [("_id", "1")], RecordAsk("1", None)),
        ("Patient", [("identifier", "s|v")], RecordAsk(None, "s|v")),
        ("Patient", [("link", "1")], None),
        ("Observation", [("subject", "Group/1")], None),
        ("Observation", [("subject", "http://else/Patient/1")], None),
        ("Observation", [("subject:Group", "1")], None),
        ("Observation", [("patient.identifier", "v")], None),
        ("Observation", [("patient.birthdate", "2024")], None),
        ("Observation", [("patient:missing", "true")], None),
        ("Observation", [("performer", "Patient/1")], None),
        ("Observation", [("code", "1"), ("nothing", "2")], None),
        ("Practitioner", [("identifier", "s|v")], None),
        ("Binary", [("patient", "1")], None),
    ],
)
def test_whose_record(kind: str, pairs: list[tuple[str, str]], asked: RecordAsk | None) -> None:
    assert record_asked(KINDS[kind], pairs, BASE) == asked


@pytest.mark.parametrize(
    "pairs",
    [
        [("patient", "1,2")],
        [("patient", "1"), ("subject", "Patient/2")],
        [("patient.identifier", "s|secret"), ("subject.identifier", "s|w")],
        [("patient", "secret\0")],
    ],
)
def test_one_record_at_a_time(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(DomainError) as error:
        record_asked(KINDS["Observation"], pairs)
    assert error.value.reason is Reason.SYNTAX
    assert "secret" not in error.value.issues[0].diagnostics
