"""A submission hangs together: one SubmissionSet, documents listed in it, bytes for each of them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from phr import codes
from phr.documents import sha1
from phr.submission import LIST_TYPES, binaries, check_submission, is_pdsm

Bundle = dict[str, Any]
PROFILES = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def document(n: int) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"value": f"urn:uuid:master-{n}"},
        "status": "current",
        "type": coded(codes.LOINC, "11502-2"),
        "category": [coded(codes.CLASS, "10")],
        "subject": {"reference": "Patient/p"},
        "date": "2026-04-29T12:00:00+02:00",
        "author": [{"reference": "PractitionerRole/r"}],
        "custodian": {"reference": "Organization/o"},
        "content": [
            {
                "attachment": {
                    "contentType": "application/pdf",
                    "language": "fr-FR",
                    "size": 1,
                    "hash": sha1(b"x"),
                    "title": "Report",
                    "url": f"urn:uuid:binary-{n}",
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
def bundle() -> Bundle:
    submission = {
        "resourceType": "List",
        "meta": {"profile": [f"{PROFILES}/pdsm-submission-set-comprehensive"]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:set"}],
        "status": "current",
        "mode": "working",
        "code": coded(LIST_TYPES, "submissionset"),
        "subject": {"reference": "Patient/p"},
        "date": "2026-04-29T12:00:00+02:00",
        "source": {"reference": "PractitionerRole/r"},
        "entry": [{"item": {"reference": f"urn:uuid:document-{n}"}} for n in (1, 2)],
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": "urn:uuid:set", "resource": submission},
            *({"fullUrl": f"urn:uuid:document-{n}", "resource": document(n)} for n in (1, 2)),
            *(
                {"fullUrl": f"urn:uuid:binary-{n}", "resource": {"resourceType": "Binary", "data": "eA=="}}
                for n in (1, 2)
            ),
        ],
    }


def resource(bundle: Bundle, n: int) -> dict[str, Any]:
    found: dict[str, Any] = bundle["entry"][n]["resource"]
    return found


def attachment(bundle: Bundle, n: int) -> dict[str, Any]:
    found: dict[str, Any] = resource(bundle, n)["content"][0]["attachment"]
    return found


def test_a_good_submission(bundle: Bundle) -> None:
    assert is_pdsm(bundle)
    assert check_submission(bundle) == ()


WRONG: dict[str, tuple[str, Callable[[Bundle], Any]]] = {
    "a batch": ("Bundle.type", lambda b: b.update(type="batch")),
    "no set": ("Bundle.entry", lambda b: b["entry"].pop(0)),
    "two sets": ("Bundle.entry", lambda b: b["entry"].append(copy.deepcopy(b["entry"][0]))),
    "no profile": ("Bundle.entry[0].resource.meta.profile", lambda b: resource(b, 0).pop("meta")),
    "no code": ("Bundle.entry[0].resource.code", lambda b: resource(b, 0).pop("code")),
    "a folder's code": (
        "Bundle.entry[0].resource.code",
        lambda b: resource(b, 0).update(code=coded(LIST_TYPES, "folder")),
    ),
    "no identifier": ("Bundle.entry[0].resource.identifier", lambda b: resource(b, 0).pop("identifier")),
    "empty identifiers": (
        "Bundle.entry[0].resource.identifier",
        lambda b: resource(b, 0).update(identifier=[]),
    ),
    "retired": ("Bundle.entry[0].resource.status", lambda b: resource(b, 0).update(status="retired")),
    "a snapshot": ("Bundle.entry[0].resource.mode", lambda b: resource(b, 0).update(mode="snapshot")),
    "no date": ("Bundle.entry[0].resource.date", lambda b: resource(b, 0).pop("date")),
    "no subject": ("Bundle.entry[0].resource.subject", lambda b: resource(b, 0).pop("subject")),
    "no source": ("Bundle.entry[0].resource.source", lambda b: resource(b, 0).pop("source")),
    "not listed": ("Bundle.entry[2].resource", lambda b: resource(b, 0)["entry"].pop()),
    "someone else's document": (
        "Bundle.entry[1].resource.subject",
        lambda b: resource(b, 1).update(subject={"reference": "Patient/other"}),
    ),
    "a document without a type": ("Bundle.entry[2].resource.type", lambda b: resource(b, 2).pop("type")),
    "superseded on arrival": (
        "Bundle.entry[2].resource.status",
        lambda b: resource(b, 2).update(status="superseded"),
    ),
    "bytes for nobody": (
        "Bundle.entry[5].resource",
        lambda b: b["entry"].append({"fullUrl": "urn:uuid:orphan", "resource": {"resourceType": "Binary"}}),
    ),
    "bytes without a name": (
        "Bundle.entry[5].resource",
        lambda b: b["entry"].append({"resource": {"resourceType": "Binary"}}),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(bundle: Bundle, name: str) -> None:
    expression, spoil = WRONG[name]
    spoil(bundle)
    assert [issue.expression for issue in check_submission(bundle)] == [expression]


def test_a_url_points_to_bytes_of_the_submission(bundle: Bundle) -> None:
    attachment(bundle, 1)["url"] = "Binary/of-someone-else"
    assert [issue.expression for issue in check_submission(bundle)] == [
        "Bundle.entry[1].resource.content.attachment.url",
        "Bundle.entry[3].resource",
    ]


def test_two_documents_do_not_share_bytes(bundle: Bundle) -> None:
    attachment(bundle, 2)["url"] = "urn:uuid:binary-1"
    assert [issue.expression for issue in check_submission(bundle)] == [
        "Bundle.entry[3].resource",
        "Bundle.entry[4].resource",
    ]


def test_bytes_are_named_by_id_or_address(bundle: Bundle) -> None:
    resource(bundle, 3)["id"] = "one"
    attachment(bundle, 1)["url"] = "Binary/one"
    bundle["entry"][4]["fullUrl"] = "https://lab.example/fhir/Binary/two"
    attachment(bundle, 2)["url"] = "Binary/two"
    assert check_submission(bundle) == ()
    assert binaries(bundle)["Binary/one"] == 3
    assert binaries(bundle)["Binary/two"] == binaries(bundle)["https://lab.example/fhir/Binary/two"] == 4


def test_no_document_at_all(bundle: Bundle) -> None:
    del bundle["entry"][1:]
    resource(bundle, 0)["entry"] = []
    assert {issue.expression for issue in check_submission(bundle)} == {
        "Bundle.entry",
        "Bundle.entry[0].resource.entry",
    }


@pytest.mark.parametrize(("value", "issues"), [("1", 0), ("2", 1)])
def test_contained_subjects_are_compared_by_identifier(bundle: Bundle, value: str, issues: int) -> None:
    for n, number in ((0, "1"), (1, value), (2, "1")):
        patient = {"resourceType": "Patient", "id": f"p{n}", "identifier": [{"system": "s", "value": number}]}
        resource(bundle, n).update(contained=[patient], subject={"reference": f"#p{n}"})
    assert len(check_submission(bundle)) == issues


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], False),
        ([{"resource": {"resourceType": "List", "code": coded(LIST_TYPES, "folder")}}], False),
        ([{"resource": {"resourceType": "DocumentReference"}}], False),
        ([{"resource": {"resourceType": "List", "code": coded(LIST_TYPES, "submissionset")}}], True),
        (
            [
                {
                    "resource": {
                        "resourceType": "List",
                        "code": coded("http://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes", "submissionset"),
                    }
                }
            ],
            True,
        ),
        (
            [{"resource": {"resourceType": "List", "meta": {"profile": ["IHE.MHD.Minimal.SubmissionSet"]}}}],
            True,
        ),
        ([None, 3, {"resource": None}], False),
    ],
)
def test_is_pdsm(entries: list[Any], expected: bool) -> None:
    assert is_pdsm({"resourceType": "Bundle", "entry": entries}) is expected


def test_is_pdsm_by_the_profile_of_the_bundle() -> None:
    profile = f"{PROFILES}/pdsm-comprehensive-provide-document-bundle"
    assert is_pdsm({"meta": {"profile": [profile]}})
    assert is_pdsm({"meta": {"profile": ["IHE.MHD.Comprehensive.ProvideBundle"]}})
    assert check_submission({"meta": {"profile": [profile]}})


def test_by_citizen(bundle: Bundle) -> None:
    assert {issue.expression for issue in check_submission(bundle, by_citizen=True)} >= {
        "Bundle.entry[1].resource.author",
        "Bundle.entry[2].resource.type",
    }


def test_many_entries_cost_in_proportion(bundle: Bundle) -> None:
    for n in range(3, 2_500):
        bundle["entry"] += [
            {"fullUrl": f"urn:uuid:document-{n}", "resource": document(n)},
            {"fullUrl": f"urn:uuid:binary-{n}", "resource": {"resourceType": "Binary"}},
        ]
        resource(bundle, 0)["entry"].append({"item": {"reference": f"urn:uuid:document-{n}"}})
    assert check_submission(bundle) == ()
