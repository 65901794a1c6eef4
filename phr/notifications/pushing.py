"""Pushing to devices, from the outbox: Web Push (RFC 8030, 8291, 8292), and the operator's webhook for mobile ones.

The rule: what is pushed is an entry's id and one neutral sentence; it is sent at least once, and the same id each time
lets who receives it show it once. A device that is gone is forgotten at once.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine
from sqlalchemy.orm import Session as Sync

from phr.core import egress, outbox
from phr.core.database import Session
from phr.core.keys import SystemKeys
from phr.core.settings import Settings
from phr.notifications import device, web_push
from phr.notifications.device import MOBILE, WEB, Device
from phr.notifications.web_push import Post

KINDS = {WEB: "push", MOBILE: "mobile-push"}
"""The kind of the outbox's message, by the device's."""
_GONE = (404, 410)


class NotPushedError(Exception):
    """The push service, or the operator, did not take it: it is tried again."""


async def enqueue(
    session: Session, keys: SystemKeys, account: UUID, record: str, entry: UUID, now: datetime, more: Mapping[str, Any]
) -> None:
    """Push an entry to every device that its account registered in this record, once the transaction commits.

    `more`: what else the message bears while it waits, such as its quiet hours.
    """
    for one in await device.listed(session, keys, account, record, now):
        message = {"account": str(account), "device": str(one.id), "notification": entry.hex, **more}
        await outbox.enqueue(session, keys, KINDS[one.kind], message, now)


def deliverers(engine: Engine, keys: SystemKeys, settings: Settings, post: Post | None = None) -> dict[str, Any]:
    """What delivers each kind of push. `post`: how, for Web Push; `phr.core.egress` unless said."""

    def posted(url: str, body: bytes, headers: dict[str, str]) -> int:
        return egress.post(url, body, headers, sandbox=settings.sandbox)

    send = web_push.sender(keys, settings.mail_from, post or posted)
    found = {KINDS[WEB]: _deliverer(engine, keys, send)}
    if settings.push_webhook is not None:
        found[KINDS[MOBILE]] = _deliverer(engine, keys, _mobile(settings))
    return found


def _deliverer(engine: Engine, keys: SystemKeys, send: Callable[[Device, str], int]) -> outbox.Deliver:
    def deliver(message: dict[str, Any]) -> None:
        account, id = UUID(message["account"]), UUID(message["device"])  # noqa: A001
        with Sync(engine) as session:
            found = device.find(session, keys, account, id, datetime.now(UTC))
        if found is None:
            return
        status = send(found, message["notification"])
        if status in _GONE:
            with Sync(engine) as session, session.begin():
                device.gone(session, account, id)
        elif not httpx.codes.is_success(status):
            raise NotPushedError

    return deliver


def _mobile(settings: Settings) -> Callable[[Device, str], int]:
    webhook = settings.push_webhook
    if webhook is None:
        raise ValueError("PHR_PUSH_WEBHOOK is not set")
    url, secret = webhook.url, webhook.secret.encode()

    def send(to: Device, notification: str) -> int:
        body = json.dumps({"notification": notification, **to.reached}).encode()
        signed = egress.signature(secret, body, datetime.now(UTC))
        headers = {"Content-Type": "application/json", "Carnet-Signature": signed}
        verify = egress.authorities()
        return httpx.post(url, content=body, headers=headers, timeout=egress.SECONDS, verify=verify).status_code

    return send
