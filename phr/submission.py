"""What the French profile of MHD asks of a submission (ITI-65): one SubmissionSet, its documents, their bytes.

Pure rules over the JSON of a transaction Bundle. The documents themselves are judged by `phr.documents`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from phr.core.errors import Issue
from phr.documents import check_reference, same_reference

Json = Mapping[str, Any]
LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"


def is_pdsm(bundle: Json) -> bool:
    """Whether a Bundle is meant as an ITI-65 submission: by its profile, or because it carries a SubmissionSet."""
    return any("providedocumentbundle" in p or "providebundle" in p for p in _profiles(bundle)) or any(
        _is_submission_set(entry["resource"]) for entry in _entries(bundle)
    )


def check_submission(bundle: Json, *, by_citizen: bool = False) -> tuple[Issue, ...]:
    """Everything ITI-65 and PDSm ask of a submission, each of its documents included. Empty: nothing wrong.

    Source: MHD 4.2 §2:3.65.4.1.2; PDSm 3.1.1, pdsm-comprehensive-provide-document-bundle.
    """
    return tuple(_check(bundle, by_citizen))


def binaries(bundle: Json) -> dict[str, int]:
    """The Binaries of a Bundle: each name an attachment's url may use (fullUrl, `Binary/[id]`) → entry index."""
    found: dict[str, int] = {}
    for n, entry in enumerate(_entries(bundle)):
        if entry["resource"].get("resourceType") == "Binary":
            found |= dict.fromkeys(_names(entry), n)
    return found


def _check(bundle: Json, by_citizen: bool) -> Iterator[Issue]:
    if bundle.get("type") != "transaction":
        yield Issue("business-rule", "A submission is a transaction.", "Bundle.type")
    numbered = list(enumerate(_entries(bundle)))
    sets = [(n, e) for n, e in numbered if _is_submission_set(e["resource"])]
    documents = [(n, e) for n, e in numbered if e["resource"].get("resourceType") == "DocumentReference"]
    if len(sets) != 1:
        yield Issue("business-rule", "A submission has exactly one SubmissionSet.", "Bundle.entry")
        return
    if not documents:
        yield Issue("required", "A submission has at least one DocumentReference.", "Bundle.entry")
    yield from _submission_set(*sets[0])
    submission = sets[0][1]["resource"]
    listed = _listed(submission)
    held = binaries(bundle)
    used = Counter(held[url] for _, entry in documents for url in _urls(entry["resource"]) if url in held)
    for n, entry in documents:
        document, at = entry["resource"], f"Bundle.entry[{n}].resource"
        for issue in check_reference(document, by_citizen=by_citizen, new=True):
            path = (issue.expression or "").removeprefix("DocumentReference")
            yield replace(issue, expression=at + path)
        if not listed & _names(entry):
            yield Issue("business-rule", "The document is not listed in the SubmissionSet.", at)
        if not _urls(document) & held.keys():
            text = "The attachment's url does not point to a Binary of the submission."
            yield Issue("not-found", text, f"{at}.content.attachment.url")
        if _differ(_subject(document), _subject(submission)):
            yield Issue("business-rule", "The subject is not that of the SubmissionSet.", f"{at}.subject")
    for n, entry in numbered:
        if entry["resource"].get("resourceType") == "Binary" and used[n] != 1:
            text = "A Binary holds the bytes of exactly one document of the submission."
            yield Issue("business-rule", text, f"Bundle.entry[{n}].resource")


def _submission_set(n: int, entry: Json) -> Iterator[Issue]:
    submission, at = entry["resource"], f"Bundle.entry[{n}].resource"
    if not any("submissionset" in profile for profile in _profiles(submission)):
        yield Issue("required", "The profile of the SubmissionSet is missing.", f"{at}.meta.profile")
    if not _has_code(submission):
        yield Issue("required", "The SubmissionSet's code is not `submissionset`.", f"{at}.code")
    identifiers = submission.get("identifier")
    if not any(isinstance(i, dict) and i.get("value") for i in identifiers or ()):
        yield Issue("required", "The SubmissionSet's identifier is missing.", f"{at}.identifier")
    for name, value in (("status", "current"), ("mode", "working")):
        if submission.get(name) != value:
            yield Issue("business-rule", f"The SubmissionSet's {name} is not `{value}`.", f"{at}.{name}")
    for name in ("date", "subject", "source"):
        if not submission.get(name):
            yield Issue("required", f"The SubmissionSet's {name} is missing.", f"{at}.{name}")
    if not _listed(submission):
        yield Issue("required", "The SubmissionSet lists no document.", f"{at}.entry")


def _subject(resource: Json) -> dict[str, Any]:
    """The subject, through the contained Patient when it is one (PDSm contains it in the SubmissionSet)."""
    subject = resource.get("subject")
    if not isinstance(subject, dict):
        return {}
    for contained in resource.get("contained") or ():
        if isinstance(contained, dict) and subject.get("reference") == f"#{contained.get('id')}":
            identifiers = contained.get("identifier")
            return {"identifier": identifiers[0]} if isinstance(identifiers, list) and identifiers else {}
    return subject


def _differ(one: Json, other: Json) -> bool:
    """Whether two subjects can be compared and are not the same. What cannot be is judged with the record."""
    comparable = any(one.get(name) and other.get(name) for name in ("reference", "identifier"))
    return comparable and not same_reference(one, other)


def _listed(submission: Json) -> set[str]:
    items = (e.get("item") for e in submission.get("entry") or () if isinstance(e, dict))
    return {i["reference"] for i in items if isinstance(i, dict) and isinstance(i.get("reference"), str)}


def _is_submission_set(resource: Json) -> bool:
    return resource.get("resourceType") == "List" and (
        _has_code(resource) or any("submissionset" in profile for profile in _profiles(resource))
    )


def _has_code(resource: Json) -> bool:
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    return any(
        # The system's address changed from one MHD version to the next.
        str(coding.get("system")).endswith("/MHDlistTypes") and coding.get("code") == "submissionset"
        for coding in codings or ()
        if isinstance(coding, dict)
    )


def _profiles(resource: Json) -> list[str]:
    """The profiles a resource claims, without the punctuation that changes from version to version."""
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    names = [claimed] if isinstance(claimed, str) else claimed or ()
    return [str(p).rsplit("/", 1)[-1].replace("-", "").replace("_", "").replace(".", "").lower() for p in names]


def _entries(bundle: Json) -> list[dict[str, Any]]:
    entries = bundle.get("entry")
    found = entries if isinstance(entries, list) else []
    return [
        entry if isinstance(entry, dict) and isinstance(entry.get("resource"), dict) else {"resource": {}}
        for entry in found
    ]


def _names(entry: Json) -> set[str]:
    """What references inside the Bundle may call an entry."""
    names = {entry["fullUrl"]} if isinstance(entry.get("fullUrl"), str) else set()
    resource = entry["resource"]
    kind = resource.get("resourceType")
    names |= {f"{kind}/{resource['id']}"} if resource.get("id") else set()
    return names | {"/".join(n.rsplit("/", 2)[-2:]) for n in names if f"/{kind}/" in n}


def _urls(document: Json) -> set[str]:
    contents = document.get("content")
    attachments = [c.get("attachment") for c in contents or () if isinstance(c, dict)]
    return {a["url"] for a in attachments if isinstance(a, dict) and isinstance(a.get("url"), str)}
