"""What a reminder says: a message in the record.

The rule: what is said of health is in the record alone, kept from whoever may see less of it than its recipient.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from auth import mail
from auth.accounts import Account
from phr.access.consent import URI
from phr.access.decision import Because
from phr.access.right import HIDDEN_FROM_PROXIES, MASK
from phr.documents import with_labels
from phr.prevention.advice import Advice
from phr.prevention.canonical import plan_of

Json = dict[str, Any]
CATEGORY = {"system": "https://carnet.example/CodeSystem/communication-category", "code": "prevention"}
_MESSAGE = Path(__file__).with_name("message.toml")
_OPENING = {Because.OWN_RECORD: "own", Because.REPRESENTS: "child", Because.CARES_FOR: "helped"}


def communication(name: str, account: Account, advices: Sequence[Advice], at: datetime, because: Because) -> Json:
    """A FHIR R4 Communication, kept from who may see less than its recipient: professionals, representatives.

    `because`: why its recipient sees the record.
    """
    own = because is Because.OWN_RECORD
    to = {"reference": f"Patient/{name}"} if own else {"identifier": {"system": URI, "value": f"urn:uuid:{account.id}"}}
    body = {
        "resourceType": "Communication",
        "status": "completed",
        "category": [{"coding": [CATEGORY]}],
        "instantiatesCanonical": [plan_of(one.rule.id) for one in advices],
        "subject": {"reference": f"Patient/{name}"},
        "recipient": [to],
        "sent": at.isoformat(timespec="seconds"),
        "payload": [{"contentString": _text(advices, language, because)} for language in mail.LANGUAGES],
    }
    return with_labels(body, [MASK, HIDDEN_FROM_PROXIES] if own else [MASK])


def _text(advices: Sequence[Advice], language: str, because: Because) -> str:
    words = _words()[language]
    lines = [words[_OPENING[because]], ""]
    for one in advices:
        if one.version is None:
            continue
        standing = words.get(one.status.value, "")
        title, say = getattr(one.rule.title, language), getattr(one.version.say, language)
        lines += [f"• {title}{f' ({standing})' if standing else ''}", f"  {say}"]
    return "\n".join([*lines, "", words["end"]])


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(_MESSAGE.read_text(encoding="utf-8"))
