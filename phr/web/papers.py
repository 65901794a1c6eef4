"""The paper of a prescription, as the API gives it to who reads it: its PDF, saved or opened by the browser."""

from fastapi.responses import Response

from fhir import tokens
from phr.web.api import Api
from phr.web.pages import PRIVATE

_PASSED_ON = frozenset({"content-type", "content-disposition", "content-security-policy"})


async def paper(api: Api, document: str) -> Response | None:
    """The content of a DocumentReference (`DocumentReference/id`); None when there is none to read."""
    answer = await api.get(document)
    attachments = [one["attachment"] for one in answer.json()["content"]] if answer.status_code == 200 else []
    contents = [found for one in attachments if (found := tokens.local(one.get("url", ""))) is not None]
    binary = next((id for kind, id in contents if kind == "Binary"), None)  # noqa: A001
    if binary is None:
        return None
    content = await api.get(f"Binary/{binary}", accept="*/*")
    if content.status_code != 200:
        return None
    kept = {name: value for name, value in content.headers.items() if name in _PASSED_ON}
    return Response(content.content, 200, {**kept, **PRIVATE, "X-Content-Type-Options": "nosniff"})
