"""The page of the second factor, the same for a sign-in, a fresh proof and a forgotten password.

The rule: one way at a time, the others one button away, and everything but passkeys works without a script.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from auth.passkeys import Challenge
from auth.second import Purpose, Refusal, Wait, Way
from auth.signin import SignIn
from phr.web.pages import PRIVATE, Pages, Pairs, form_of, query_of, to

STATUS = {Refusal.WRONG: 401, Refusal.SPENT: 401, Refusal.THROTTLED: 429, Refusal.GONE: 400}


@dataclass(frozen=True, slots=True)
class SecondPage:
    """The page for one purpose. `title` and `intro` name texts; `path` is where its forms go."""

    pages: Pages
    signin: SignIn
    purpose: Purpose
    title: str
    intro: str

    def show(
        self,
        request: Request,
        wait: Wait,
        path: str,
        way: Way | None = None,
        problem: str | None = None,
        status: int = 200,
    ) -> Response:
        """Ask for one way: the one given, else the code already sent, else the strongest there is."""
        query = query_of(request)
        others_than_key = [one for one in wait.ways if one is not Way.PASSKEY]
        shown = way or (Way.MAIL if wait.sent and Way.MAIL in wait.ways else next(iter(wait.ways)))
        values = {
            "title": self.title,
            "intro": self.intro,
            "way": shown.value,
            "others": [one.value for one in wait.ways if one is not shown],
            "alone": not others_than_key,
            "sent": wait.sent,
            "problem": problem,
            "action": to(path, query),
            "options": to(f"{path}/options", query),
        }
        script = Way.PASSKEY in wait.ways
        return self.pages.page(request, "second_factor.html", values, status=status, script=script)

    async def choose(self, request: Request, secret: str, wait: Wait, path: str, asked: str) -> Response:
        """Show another way; for a code by e-mail, send it."""
        way = next((one for one in wait.ways if one.value == asked), None)
        if way is Way.MAIL:
            language = self.pages.language(request, query_of(request))
            refusal = await run_in_threadpool(self.signin.send_code, secret, language, self.purpose)
            if refusal is not None:
                return self.refused(request, wait, path, way, refusal)
            waiting = await run_in_threadpool(self.signin.waiting, secret, self.purpose)
            wait = wait if waiting is None else waiting
        return self.show(request, wait, path, way)

    def refused(self, request: Request, wait: Wait, path: str, way: Way | None, refusal: Refusal) -> Response:
        """The same page, and what went wrong."""
        no_key = way is Way.PASSKEY and refusal is Refusal.WRONG
        return self.show(request, wait, path, way, "passkey_wrong" if no_key else refusal.value, STATUS[refusal])

    async def options(self, request: Request, secret: str) -> Response:
        """What the script of the page asks the authenticator."""
        if not self.pages.honest(request, await form_of(request)):
            return problem(403)
        return challenge(await run_in_threadpool(self.signin.challenge, secret, self.purpose))


def way_of(form: Pairs) -> Way | None:
    """The way a posted form answers by."""
    given = dict(form).get("way", "")
    return Way(given) if given in set(Way) else None


def answer_of(form: Pairs) -> str:
    """What was typed, or made by the authenticator."""
    return dict(form).get("answer", "")


def challenge(found: Challenge | None) -> Response:
    """A challenge for the script, or the news that there is none."""
    return problem(400) if found is None else JSONResponse(found.document(), headers=dict(PRIVATE))


def problem(status: int) -> Response:
    """A refusal the script reads; it tells the person in its own words (RFC 9457)."""
    body: Mapping[str, object] = {"type": "about:blank", "status": status}
    return JSONResponse(body, status, dict(PRIVATE), "application/problem+json")
