"""Each thing PDSm makes mandatory is asked for by name, and each rule can fail."""

import base64
import copy
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phr import codes
from phr.core.errors import DomainError, Reason
from phr.documents import (
    check_content,
    check_reference,
    check_replacement,
    inline_attachment,
    is_archived,
    labels,
    replaced,
    same_reference,
    sha1,
)

DATA = b"%PDF-1.7 laboratory"
Document = dict[str, Any]


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@pytest.fixture
def report() -> Document:
    """A laboratory report from a professional."""
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:1"},
        "status": "current",
        "type": coded(codes.LOINC, "11502-2"),
        "category": [coded(codes.CLASS, "10")],
        "subject": {"reference": "Patient/p"},
        "date": "2026-04-29T12:00:00+02:00",
        "author": [{"reference": "PractitionerRole/r"}],
        "custodian": {"reference": "Organization/o"},
        "securityLabel": [coded(codes.CONFIDENTIALITY, "N")],
        "content": [
            {
                "attachment": {
                    "contentType": "application/pdf",
                    "language": "fr-FR",
                    "size": len(DATA),
                    "hash": base64.b64encode(hashlib.sha1(DATA).digest()).decode(),
                    "title": "Laboratory report",
                }
            }
        ],
        "context": {
            "period": {"start": "2026-04-29"},
            "facilityType": coded(codes.SECTOR, "SA25"),
            "practiceSetting": coded(codes.SETTING, "AMBULATOIRE"),
        },
    }


@pytest.fixture
def directives(report: Document) -> Document:
    """Advance directives, from the citizen's own application."""
    del report["custodian"]
    report |= {
        "type": coded(codes.TYPE, "EXPPAT_3"),
        "category": [coded(codes.CLASS, "90")],
        "author": [{"reference": "Patient/p"}],
    }
    report["context"]["facilityType"] = coded(codes.PRODUCER, "EXP_PATIENT")
    report["context"]["practiceSetting"] = coded(codes.PRODUCER, "EXP_PATIENT")
    return report


def attachment(document: Document) -> dict[str, Any]:
    found: dict[str, Any] = document["content"][0]["attachment"]
    return found


def expressions(document: Document, **options: bool) -> set[str | None]:
    return {issue.expression for issue in check_reference(document, **options)}


def test_good_directives_have_no_issue(directives: Document) -> None:
    assert check_reference(directives, by_citizen=True, new=True) == ()


def test_a_good_report_has_no_issue(report: Document) -> None:
    assert check_reference(report, new=True) == ()
    assert check_reference(report | {"status": "superseded"}) == ()


@pytest.mark.parametrize(
    "path",
    [
        "masterIdentifier",
        "status",
        "type",
        "category",
        "subject",
        "date",
        "author",
        "custodian",
        "content",
        "content.attachment.contentType",
        "content.attachment.language",
        "content.attachment.title",
        "content.attachment.size",
        "content.attachment.hash",
        "context.period.start",
        "context.facilityType",
        "context.practiceSetting",
    ],
)
def test_what_is_missing_is_named(report: Document, path: str) -> None:
    element: Any = report
    *parents, last = path.split(".")
    for parent in parents:
        element = element[parent]
        element = element[0] if isinstance(element, list) else element
    del element[last]
    (issue,) = check_reference(report)
    assert issue.expression == f"DocumentReference.{path}"
    assert issue.code == "required"
    assert issue.severity == "error"


def test_an_empty_document_is_missing_everything_but_what_is_optional() -> None:
    found = expressions({})
    assert len(found) == 12
    assert "DocumentReference.securityLabel" not in found
    assert "DocumentReference.custodian" not in expressions({}, by_citizen=True)


WRONG: dict[str, tuple[str, Callable[[Document], Any]]] = {
    "unknown type": ("type", lambda d: d.update(type=coded(codes.LOINC, "99999-9"))),
    "type of another system": ("type", lambda d: d.update(type=coded(codes.TYPE, "11502-2"))),
    "type in words": ("type", lambda d: d.update(type={"text": "report"})),
    "two types": (
        "type",
        lambda d: d["type"]["coding"].append({"system": codes.LOINC, "code": "68599-0"}),
    ),
    "class of another type": ("category", lambda d: d.update(category=[coded(codes.CLASS, "11")])),
    "unknown class": ("category", lambda d: d.update(category=[coded(codes.CLASS, "12")])),
    "two categories": ("category", lambda d: d["category"].append(coded(codes.CLASS, "10"))),
    "not a status": ("status", lambda d: d.update(status="final")),
    "a subject that refers to nobody": ("subject", lambda d: d.update(subject={"display": "x"})),
    "an author that refers to nobody": ("author", lambda d: d["author"].append({"display": "x"})),
    "unknown facility": (
        "context.facilityType",
        lambda d: d["context"].update(facilityType=coded(codes.SECTOR, "SA62")),
    ),
    "a facility as setting": (
        "context.practiceSetting",
        lambda d: d["context"].update(practiceSetting=coded(codes.SECTOR, "SA25")),
    ),
    "unknown label": ("securityLabel[0]", lambda d: d.update(securityLabel=[coded("x", "SECRET")])),
    "label of the code system only": (
        "securityLabel[1]",
        lambda d: d["securityLabel"].append(coded(codes.VISIBILITY, "MASQUE_PT")),
    ),
    "label in words": ("securityLabel[0]", lambda d: d.update(securityLabel=[{"text": "MASQUE_PS"}])),
    "five labels": ("securityLabel", lambda d: d.update(securityLabel=[coded("x", "N")] * 5)),
    "two contents": ("content", lambda d: d["content"].append(d["content"][0])),
    "a hexadecimal hash": (
        "content.attachment.hash",
        lambda d: attachment(d).update(hash=hashlib.sha1(DATA).hexdigest()),
    ),
    "a SHA-256": (
        "content.attachment.hash",
        lambda d: attachment(d).update(hash=base64.b64encode(hashlib.sha256(DATA).digest()).decode()),
    ),
    "a negative size": ("content.attachment.size", lambda d: attachment(d).update(size=-1)),
    "a boolean size": ("content.attachment.size", lambda d: attachment(d).update(size=True)),
    "another relation": (
        "relatesTo.code",
        lambda d: d.update(relatesTo=[{"code": "appends", "target": {"reference": "DocumentReference/1"}}]),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_and_not_repeated(report: Document, name: str) -> None:
    path, spoil = WRONG[name]
    spoil(report)
    (issue,) = check_reference(report)
    assert issue.expression == f"DocumentReference.{path}"
    assert issue.code != "required" or "missing" in issue.diagnostics
    for value in ("99999-9", "SECRET", "SA62", "final", "appends"):
        assert value not in issue.diagnostics


def test_a_deposit_is_current(report: Document) -> None:
    assert expressions(report | {"status": "superseded"}, new=True) == {"DocumentReference.status"}


def test_labels_are_judged_by_code_whatever_the_system(report: Document) -> None:
    v3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    report["securityLabel"] = [coded(v3, "R"), coded("urn:misspelt", "MASQUE_PS")]
    assert check_reference(report) == ()


def test_what_a_citizen_may_not_deposit(directives: Document) -> None:
    cases: dict[str, Callable[[Document], Any]] = {
        "type": lambda d: d.update(type=coded(codes.LOINC, "11502-2"), category=[coded(codes.CLASS, "10")]),
        "author": lambda d: d["author"].append({"reference": "Practitioner/x"}),
        "context.facilityType": lambda d: d["context"].update(facilityType=coded(codes.SECTOR, "SA25")),
        "context.practiceSetting": lambda d: d["context"].update(practiceSetting=coded(codes.SETTING, "HAD")),
        "securityLabel": lambda d: d["securityLabel"].append(coded(codes.VISIBILITY, "INVISIBLE_PATIENT")),
    }
    for path, spoil in cases.items():
        document = copy.deepcopy(directives)
        spoil(document)
        assert expressions(document, by_citizen=True) == {f"DocumentReference.{path}"}
    assert expressions(directives) == {"DocumentReference.custodian"}


def test_a_citizen_may_deposit_a_report_of_their_own(directives: Document) -> None:
    directives |= {"type": coded(codes.TYPE, "DOCPAT05"), "category": [coded(codes.CLASS, "10")]}
    directives["author"] = [{"reference": "https://phr.example/fhir/Patient/p/_history/2"}]
    assert check_reference(directives, by_citizen=True) == ()


ELEMENTS = [
    "type",
    "category",
    "coding",
    "system",
    "code",
    "subject",
    "reference",
    "identifier",
    "author",
    "content",
    "attachment",
    "hash",
    "size",
    "context",
    "period",
    "start",
    "facilityType",
    "securityLabel",
    "meta",
    "security",
    "relatesTo",
    "target",
    "extension",
    "url",
    "valueBoolean",
    "masterIdentifier",
    "value",
    "data",
    "status",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ELEMENTS), inner, max_size=6),
)


@given(ANYTHING, ANYTHING)
def test_no_json_breaks_the_rules(anything: Any, other: Any) -> None:
    document = anything if isinstance(anything, dict) else {"content": [{"attachment": other}], "type": anything}
    for by_citizen in (True, False):
        assert check_reference(document, by_citizen=by_citizen)
    assert check_content(document, 3, "x")
    assert labels(document) == frozenset()
    is_archived(document)
    replaced(document)
    with suppress(DomainError):
        inline_attachment(document)


def test_content_is_compared_with_what_was_declared(report: Document) -> None:
    assert check_content(report, len(DATA), sha1(DATA)) == ()
    (size,) = check_content(report, len(DATA) + 1, sha1(DATA))
    assert size.expression == "DocumentReference.content.attachment.size"
    (digest,) = check_content(report, len(DATA), sha1(b"other"))
    assert digest.expression == "DocumentReference.content.attachment.hash"
    assert len(check_content({}, 0, sha1(b""))) == 2


def test_replacement() -> None:
    target = {"reference": "DocumentReference/1"}
    document: Document = {"relatesTo": [{"code": "replaces", "target": target}]}
    assert check_replacement({}) == ()
    assert check_replacement(document) == ()
    assert replaced(document) == target
    assert replaced({}) is None
    (issue,) = check_replacement({"relatesTo": [{"code": "replaces"}]})
    assert issue.expression == "DocumentReference.relatesTo.target"
    assert len(check_replacement({"relatesTo": document["relatesTo"] * 2})) == 1
    assert len(check_replacement({"relatesTo": []})) == 1
    assert len(check_replacement({"relatesTo": [{}]})) == 2


def test_inline_content_is_taken_out_and_described(report: Document) -> None:
    inline = attachment(report)
    del inline["size"], inline["hash"]
    inline["data"] = base64.encodebytes(DATA).decode()
    before = copy.deepcopy(report)
    bare, data = inline_attachment(report)
    assert data == DATA
    assert report == before
    assert "data" not in attachment(bare)
    assert attachment(bare)["size"] == len(DATA)
    assert attachment(bare)["hash"] == base64.b64encode(hashlib.sha1(DATA).digest()).decode()
    assert check_reference(bare, new=True) == ()


def test_nothing_inline(report: Document) -> None:
    assert inline_attachment(report) == (report, None)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"data": "not base64!"}, "attachment.data"),
        ({"data": "QQ"}, "attachment.data"),
        ({"data": "QQ==QQ=="}, "attachment.data"),
        ({"data": ""}, "attachment.data"),
        ({"data": "é"}, "attachment.data"),
        ({"data": 5}, "attachment.data"),
        ({"size": 1}, "attachment.size"),
        ({"size": None}, "attachment.size"),
        ({"hash": sha1(b"other")}, "attachment.hash"),
        ({"url": "Binary/1"}, "attachment.url"),
    ],
)
def test_inline_content_that_is_not_what_it_says(report: Document, change: Document, path: str) -> None:
    attachment(report).update({"data": base64.b64encode(DATA).decode()} | change)
    with pytest.raises(DomainError) as caught:
        inline_attachment(report)
    assert caught.value.reason is Reason.CONTENT
    assert {i.expression for i in caught.value.issues} == {f"DocumentReference.content.{path}"}


def test_inline_content_stands_alone(report: Document) -> None:
    attachment(report)["data"] = base64.b64encode(DATA).decode()
    report["content"].append({"attachment": {"url": "Binary/1"}})
    with pytest.raises(DomainError):
        inline_attachment(report)


def test_same_reference() -> None:
    assert same_reference({"reference": "Patient/1"}, {"reference": "https://x/fhir/Patient/1"})
    assert not same_reference({"reference": "Patient/1"}, {"reference": "Practitioner/1"})
    by_number = {"identifier": {"system": "s", "value": "v"}}
    assert same_reference(by_number, copy.deepcopy(by_number))
    assert not same_reference(by_number, {"identifier": {"system": "t", "value": "v"}})
    assert not same_reference({}, {})
    assert not same_reference({"reference": "Patient/1"}, by_number)
