"""The sync twins: the same runtime and runs for code without an event loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from . import _portal
from .agent import Agent
from .errors import NfaError
from .outcome import Outcome
from .run import Run
from .runtime import Runtime

if TYPE_CHECKING:
    from types import TracebackType

    from ._generated.types import Limit, LimitsInput, Message, OutcomeStatus, Part, Usage
    from ._native import Event
    from .outcome import Ask, Receipt

P = ParamSpec("P")
T = TypeVar("T")
DepsT = TypeVar("DepsT")
OutT = TypeVar("OutT")


def _twin(
    method: Callable[Concatenate[Runtime, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncRuntime, P], T]:
    """The sync twin of a method of `Runtime`."""

    @functools.wraps(method)
    def twin(self: SyncRuntime, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return _portal.call(lambda: method(self.runtime, *args, **kwargs))

    return twin


class SyncRun(Generic[OutT]):
    """A run, for code without an event loop: the sync twin of `Run`.

    Example::

        with runtime.run(agent, "Hello") as run:
            for event in run:
                ...
        print(run.output)
    """

    __slots__ = ("run",)

    def __init__(self, run: Run[OutT]) -> None:
        self.run = run
        """The run itself."""

    def __enter__(self) -> SyncRun[OutT]:
        _portal.call(self.run.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _portal.call(lambda: self.run.__aexit__(kind, error, trace))

    def __iter__(self) -> Iterator[Event]:
        run = self.run.__aiter__()
        while True:
            event = _portal.call(lambda: _next(run))
            if event is None:
                return
            yield event
            # What is there already needs no way to the event loop and back.
            while run._buffer:
                yield run._buffer.popleft()

    def start(self) -> SyncRun[OutT]:
        """Starts it, with somebody listening to its events; it goes on by itself."""
        return self.__enter__()

    def outcome(self) -> Outcome[OutT]:
        """Runs it to its end, or waits for that, and says how it ended."""
        return _portal.call(self.run.outcome)

    def cancel(self) -> None:
        """Asks it to stop; its outcome tells when it has."""
        self.run.cancel()

    @property
    def id(self) -> str:
        """Its id, once it was started."""
        return self.run.id

    @property
    def status(self) -> OutcomeStatus:
        """How it ended."""
        return self.run.status

    @property
    def text(self) -> str:
        """The final text; of a run that did not complete, the latest that the agent said."""
        return self.run.text

    @property
    def output(self) -> OutT:
        """The final answer as an instance of the agent's output type."""
        return self.run.output

    @property
    def receipt(self) -> Receipt:
        """Where its leaves stood in the proof log when it ended."""
        return self.run.receipt

    @property
    def usage(self) -> Usage:
        """What it cost."""
        return self.run.usage

    @property
    def error(self) -> NfaError | None:
        """Why it failed, when it did."""
        return self.run.error

    @property
    def limit(self) -> Limit | None:
        """The limit that stopped it."""
        return self.run.limit

    @property
    def asks(self) -> list[Ask]:
        """What it waits for, when it waits."""
        return self.run.asks

    def __repr__(self) -> str:
        return f"Sync{self.run!r}"


async def _next(run: Run[Any]) -> Event | None:
    try:
        return await run.__anext__()
    except StopAsyncIteration:
        return None


class SyncRuntime:
    """Where agents run, for code without an event loop: the sync twin of `Runtime`, with the same methods.

    Example::

        with SyncRuntime("sqlite:agents.db") as runtime:
            print(runtime.run(agent, "Hello").outcome().text)
    """

    def __init__(self, url: str = "memory:", **options: Any) -> None:
        """A runtime that `with`, or `open`, opens; the options are those of `Runtime`."""
        self.runtime = Runtime(url, **options)
        """The runtime itself."""

    def open(self) -> SyncRuntime:
        """Opens it."""
        _portal.call(self.runtime.open)
        return self

    def __enter__(self) -> SyncRuntime:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self,
        agent: Agent[DepsT, OutT],
        input: str | Message | Sequence[Part],
        *,
        session: str | None = None,
        user: str | None = None,
        deps: DepsT = cast(Any, None),
        queue: bool = False,
    ) -> SyncRun[OutT]:
        """A run of an agent: ask it for its `outcome()`, or listen to it in `with`."""
        return SyncRun(self.runtime.run(agent, input, session=session, user=user, deps=deps, queue=queue))

    def resume(
        self,
        run: str,
        agent: Agent[DepsT, OutT] | None = None,
        *,
        deps: DepsT = cast(Any, None),
        limits: LimitsInput | None = None,
    ) -> SyncRun[OutT]:
        """Goes on with a run; see `Runtime.resume`."""
        return SyncRun(self.runtime.resume(run, agent, deps=deps, limits=limits))

    def resume_all(self, *, deps: Any = None) -> list[tuple[str, SyncRun[Any] | NfaError]]:
        """Goes on with every run that was interrupted; see `Runtime.resume_all`."""
        resumed = _portal.call(lambda: self.runtime.resume_all(deps=deps))
        return [(run, found if isinstance(found, NfaError) else SyncRun(found)) for run, found in resumed]

    def register(self, *agents: Agent[Any, Any]) -> None:
        """Makes the code of agents known, for runs of them that are resumed."""
        self.runtime.register(*agents)

    close = _twin(Runtime.close)
    decide = _twin(Runtime.decide)
    approve = _twin(Runtime.approve)
    deny = _twin(Runtime.deny)
    answer = _twin(Runtime.answer)
    cancel = _twin(Runtime.cancel)
    runs = _twin(Runtime.runs)
    run_record = _twin(Runtime.run_record)
    journal = _twin(Runtime.journal)
    canonical_journal = _twin(Runtime.canonical_journal)
    content = _twin(Runtime.content)
    receipt = _twin(Runtime.receipt)
    checkpointed = _twin(Runtime.checkpointed)
    proof = _twin(Runtime.proof)
    context_proof = _twin(Runtime.context_proof)
    agent_proof = _twin(Runtime.agent_proof)
    log_info = _twin(Runtime.log_info)
    log_keys = _twin(Runtime.log_keys)
    rotate_log_key = _twin(Runtime.rotate_log_key)
    cut_off_log_key = _twin(Runtime.cut_off_log_key)
    consistency = _twin(Runtime.consistency)
    check_log = _twin(Runtime.check_log)
    export_log = _twin(Runtime.export_log)
    witnessed = _twin(Runtime.witnessed)
    anchor = _twin(Runtime.anchor)
    anchors = _twin(Runtime.anchors)
    pause_agent = _twin(Runtime.pause_agent)
    resume_agent = _twin(Runtime.resume_agent)
    terminate_agent = _twin(Runtime.terminate_agent)
    agent_state = _twin(Runtime.agent_state)
    heartbeat = _twin(Runtime.heartbeat)
    erase_session = _twin(Runtime.erase_session)
    erase_user = _twin(Runtime.erase_user)
    erase_run = _twin(Runtime.erase_run)
    erase_field = _twin(Runtime.erase_field)

    def __repr__(self) -> str:
        return f"SyncRuntime({self.runtime.url!r})"
