"""Ports of a runtime that may be written in Python.

Each is a class with the methods named here, sync or async; they take their arguments by name, as JSON values, and give
JSON values. An exception is an error of that call; a `NfaError` keeps its code. They run on the event loop where the
runtime was opened (async), or on a thread, one after the other (sync)::

    runtime = Runtime(store=MyStore(), keys=MyKeys())
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from . import _host

if TYPE_CHECKING:
    from ._generated.types import Entry, RunRecord


class Store(Protocol):
    """Where journals, blobs, sessions and logs are kept.

    `commit` takes everything that must become durable together. Bytes are lower-case hexadecimal. The methods are
    those of the engine's `Store` port, by their names: `commit`, `journal`, `blobs`, `run`, `runs`, `program`,
    `session`, `session_items`, `claim`, `renew`, `post`, `inbox`, `notified`, `due_timers`, `log`, `existing_log`,
    `claim_log`, `unsequenced`, `draft`, `log_leaves`, `sequence`, `record_checkpoint`, `log_head`, `log_nodes`,
    `sequenced`, `leaves`, `anchor_backlog`, `enqueue_anchor`, `claim_anchors`, `record_anchor`, `anchors`,
    `note_erasure`, `erase` and `close`. Only the commonest are spelled out here; a store that stands around one of
    the engine's hands the others on to it with `EngineStore.ask`.
    """

    @property
    def promises(self) -> Mapping[str, Any]:
        """`durability` (`memory`, `relaxed` or `full`); `at_rest`, when anything is kept, so that blobs must be
        encrypted; `shared`, when several processes may use it at once."""
        ...

    def commit(self, *, batch: dict[str, Any]) -> Any:
        """Takes a batch, whole or not at all."""
        ...

    def journal(self, *, run: str, limit: int, **more: Any) -> list[Entry]:
        """The entries of a run, from number `from` on."""
        ...

    def run(self, *, run: str) -> RunRecord | None:
        """One run."""
        ...


class Keys(Protocol):
    """Who holds the keys of subjects and logs. Keys, seeds and roots are lower-case hexadecimal."""

    def subject_key(self, *, subject: str) -> str:
        """The key of a subject, made if there is none."""
        ...

    def existing_subject_key(self, *, subject: str) -> str | None:
        """The key of a subject, if there is one."""
        ...

    def destroy_subject_key(self, *, subject: str) -> None:
        """Destroys the key of a subject, durably."""
        ...

    def log_seed(self, *, log: str) -> str:
        """The seed of the first key that signs a log, made if there is none."""
        ...

    def later_log_seed(self, *, log: str, generation: int) -> str | None:
        """The seed of a later key, if there is one."""
        ...

    def make_log_seed(self, *, log: str, generation: int) -> str:
        """The same, made if there is none."""
        ...

    def last_signed(self, *, log: str) -> Mapping[str, Any] | None:
        """`size` and `root` of the newest head that was signed."""
        ...

    def record_signed(self, *, log: str, size: int, root: str) -> None:
        """Remembers, durably, that such a head is about to be signed; refuses one that contradicts the last."""
        ...


class Cache(Protocol):
    """Keeps bytes for a while. `limit_bytes`, when it is there, says how many at most."""

    def get(self, *, key: str) -> str | None:
        """The value under a key, in base64, if it is still there."""
        ...

    def put(self, *, key: str, value: str, ttl_ms: int) -> None:
        """Keeps a value, in base64, for so long."""
        ...


class Witness(Protocol):
    """Somebody who signs that logs only grow."""

    @property
    def verifier_key(self) -> str:
        """Its C2SP verifier key."""
        ...

    def cosign(self, **request: Any) -> Mapping[str, Any]:
        """Signs a checkpoint: `{"signed": LINES}`, or `{"signed_last": SIZE}` when it knows another size."""
        ...


class Anchor(Protocol):
    """Somewhere beyond this process's reach that keeps the roots of logs."""

    @property
    def name(self) -> str:
        """What the outbox calls it."""
        ...

    def submit(self, *, batch: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
        """Takes checkpoints: `{"ticket": TEXT}` or `{"error": ERROR}` for each."""
        ...

    def check(self, *, submission: dict[str, Any], ticket: str) -> Any:
        """Where one stands: `"waiting"`, `"lost"` or `{"verified": EVIDENCE}`."""
        ...

    def newest(self, *, origin: str) -> Mapping[str, Any] | None:
        """`size` and `root` of the newest checkpoint that it keeps."""
        ...


class EngineStore:
    """A store of the engine's, for stores of your own that stand around one."""

    def __init__(self, url: str = "memory:") -> None:
        """The store at `memory:` or `sqlite:PATH`."""
        from ._native import EngineStore as Native

        self._native = Native(url)

    async def ask(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Does what a method of a store does."""
        host = _host.current()
        return await host.wait(self._native.ask(host.native, method, dict(arguments)))
