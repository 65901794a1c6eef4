"""The life of a prescription: which move is open to it in each state, as one table.

The rule: pure; what is not in the table is illegal, and is answered with the state it is in (409).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a prescription is: the code of its Task's businessStatus."""

    READY = "ready"
    ACCEPTED = "accepted"
    PARTIAL = "partially-dispensed"
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Move(StrEnum):
    """What is done to it, by the operation of that name."""

    SEND = "send"
    TAKE_BACK = "take-back"
    ACCEPT = "accept"
    DISPENSE = "dispense"
    RELEASE = "release"
    REJECT = "reject"
    COMPLETE = "complete"
    CANCEL = "cancel"
    EXPIRE = "expire"


STATUS: Mapping[State, str] = MappingProxyType(
    {
        State.READY: "ready",
        State.ACCEPTED: "accepted",
        State.PARTIAL: "in-progress",
        State.COMPLETED: "completed",
        State.REJECTED: "rejected",
        State.CANCELLED: "cancelled",
        State.EXPIRED: "failed",
    }
)
"""R4 task-status of each state."""
OVER = frozenset({State.COMPLETED, State.CANCELLED, State.EXPIRED})
"""What comes back from nothing."""
HELD = frozenset({State.ACCEPTED, State.PARTIAL})
"""In the hands of one pharmacy."""

_LEGAL: Mapping[State, Mapping[Move, State]] = {
    State.READY: {
        Move.SEND: State.READY,
        Move.TAKE_BACK: State.READY,
        Move.ACCEPT: State.ACCEPTED,
        Move.REJECT: State.REJECTED,
        Move.CANCEL: State.CANCELLED,
        Move.EXPIRE: State.EXPIRED,
    },
    State.ACCEPTED: {
        Move.DISPENSE: State.PARTIAL,
        Move.RELEASE: State.READY,
        Move.REJECT: State.REJECTED,
        Move.COMPLETE: State.COMPLETED,
        Move.EXPIRE: State.EXPIRED,
    },
    State.PARTIAL: {
        Move.DISPENSE: State.PARTIAL,
        Move.RELEASE: State.READY,
        Move.COMPLETE: State.COMPLETED,
        Move.EXPIRE: State.EXPIRED,
    },
    State.REJECTED: {
        Move.SEND: State.READY,
        Move.TAKE_BACK: State.READY,
        Move.ACCEPT: State.ACCEPTED,
        Move.CANCEL: State.CANCELLED,
        Move.EXPIRE: State.EXPIRED,
    },
}


def after(state: State, move: Move, *, dispensed: bool, finished: bool) -> State | None:
    """The state a move leads to; None: it is illegal now.

    `dispensed`: something was dispensed of it; `finished`: nothing will be left once this is done. A prescription is
    not closed without a dispense, nor rejected once something was dispensed: it is released.
    """
    if (move is Move.COMPLETE and not dispensed) or (move is Move.REJECT and dispensed):
        return None
    found = _LEGAL.get(state, {}).get(move)
    return State.COMPLETED if move is Move.DISPENSE and found is not None and finished else found
