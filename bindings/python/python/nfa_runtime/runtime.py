"""The runtime: where agents run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context, copy_context
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from . import _host
from ._host import Given, Host
from .agent import Agent
from .errors import NfaError, invalid
from .outcome import Outcome, Receipt
from .proof import Bundle
from .run import Run

if TYPE_CHECKING:
    from types import TracebackType

    from ._generated.types import (
        AgentState,
        Content,
        Entry,
        LimitsInput,
        LogCheck,
        LogExport,
        LogInfo,
        LogKey,
        Message,
        Part,
        RunRecord,
        RunStatus,
    )
    from ._native import RawRuntime, Stop
    from .stores import Anchor, Cache, Keys, Store, Witness

DepsT = TypeVar("DepsT")
OutT = TypeVar("OutT")
T = TypeVar("T")

Seconds = float | timedelta

tells_of_models = False
"""Whether runtimes that are opened from here on tell of every call of a model; set by bridges."""

NOWHERE = Context()
"""Where tools of a run would run that nobody has started yet."""


RUN_SYNC_DOC = """Runs an agent to its end, and gives its outcome; the sync twin of `await runtime.run(…)`.

Works anywhere: in threads, in notebooks, and where an event loop runs already, which it blocks. Async tools run on an
event loop in the background, with the caller's contextvars. `KeyboardInterrupt` cancels the run. On the class itself,
the run has a runtime of its own, in memory, which ends with it.
"""


class _BoundRunSync(Protocol):
    def __call__(
        self,
        agent: Agent[DepsT, OutT],
        input: str | Message | Sequence[Part],
        *,
        session: str | None = None,
        user: str | None = None,
        deps: DepsT = cast(Any, None),
        queue: bool = False,
    ) -> Outcome[OutT]: ...


class _RunSync:
    """`run_sync`, on the class and on its instances."""

    def __get__(self, runtime: Runtime | None, owner: type[Runtime]) -> _BoundRunSync:
        def run_sync(agent: Agent[Any, Any], input: Any, **options: Any) -> Outcome[Any]:
            from ._portal import call

            async def work() -> Outcome[Any]:
                if runtime is not None:
                    await runtime.open()
                    return await runtime.run(agent, input, **options)
                async with owner() as own:
                    return await own.run(agent, input, **options)

            return call(work)

        run_sync.__doc__ = RUN_SYNC_DOC
        return run_sync


class Runtime:
    """Where agents run: a store, models, tools and the proof log around them.

    Example::

        async with Runtime("sqlite:agents.db") as runtime:
            outcome = await runtime.run(agent, "Is it raining in Oslo?", session="alice")

    One runtime serves any number of event loops and threads at once; a run's tools run where it was started.
    `Runtime.run_sync` and `SyncRuntime` are its sync twins.
    """

    def __init__(
        self,
        url: str = "memory:",
        *,
        proof: bool | None = None,
        origin: str | None = None,
        lease: Seconds | None = None,
        poll: Seconds | None = None,
        concurrency: int | None = None,
        event_capacity: int | None = None,
        close_grace: Seconds | None = None,
        heartbeat: Seconds | None = None,
        witness_timeout: Seconds | None = None,
        anchor_timeout: Seconds | None = None,
        anchor_every: tuple[int, Seconds] | None = None,
        witnesses: Iterable[Mapping[str, str] | Witness] = (),
        anchors: Iterable[Anchor] = (),
        store: Store | Any = None,
        keys: Keys | None = None,
        cache: Cache | bool = False,
        cache_ttl: Seconds = 3600,
        prices: Mapping[str, Mapping[str, float]] | None = None,
        rate_limits: Mapping[str, Mapping[str, int]] | None = None,
        attempts: int | None = None,
    ) -> None:
        """A runtime that `async with`, or `await runtime.open()`, opens.

        Args:
            url: `memory:` keeps everything in this process, `sqlite:PATH` in one file, made if absent, with its keys
                beside it; `?durability=relaxed` survives `kill -9` but not a loss of power, and is quicker.
            proof: whether turns and tool calls are recorded in proof logs. Default: yes.
            origin: the first part of the names of proof logs, such as your domain. Default: `nfa`.
            lease: how long a run stays this process's own after its last sign of life. Default: 10 seconds.
            poll: how often signals from other processes are looked for. Default: 0.1 seconds.
            concurrency: runs that are driven at once; more wait for a place. Default: 1024.
            event_capacity: events that wait for a slow reader before it slows the run. Default: 64.
            close_grace: how long `close` waits for calls under way. Default: 10 seconds.
            heartbeat: how often a heartbeat is recorded in the log of every agent that runs here. Default: never.
            witness_timeout: how long a witness may take. Default: 5 seconds.
            anchor_timeout: how long an anchor may take over one answer. Default: 10 seconds.
            anchor_every: after how many leaves, or how long after the first of them, a log goes to the anchors.
            witnesses: who signs that the logs only grow: `{"url": …, "verifier_key": …}`, or objects of your own.
            anchors: places beyond this process's reach that keep the roots of the logs.
            store: a store of your own instead of the one at `url`; see `nfa_runtime.stores`.
            keys: who holds the keys of that store; in memory when left out.
            cache: keeps the answers of models, and gives them again to the same request: `True` for one in memory, or
                a cache of your own.
            cache_ttl: how long an answer is good. Default: an hour.
            prices: US dollars for a million tokens, such as `{"openai/gpt-5-mini": {"input": 0.25, "output": 2}}`:
                what `usage` and limits of cost go by.
            rate_limits: `requests_per_minute` and `tokens_per_minute` of providers, by their names; calls wait for
                their turn, `patience_ms` at most.
            attempts: how often a call of a model is tried.
        """
        self.url = url
        witnesses = list(witnesses)
        options: dict[str, Any] = {
            "proof": proof,
            "origin": origin,
            "lease_ms": _ms(lease),
            "poll_ms": _ms(poll),
            "concurrency": concurrency,
            "event_capacity": event_capacity,
            "close_grace_ms": _ms(close_grace),
            "heartbeat_ms": _ms(heartbeat),
            "witness_timeout_ms": _ms(witness_timeout),
            "anchor_timeout_ms": _ms(anchor_timeout),
        }
        if anchor_every is not None:
            options["anchor_every"] = {"leaves": anchor_every[0], "after_ms": _ms(anchor_every[1])}
        named = [dict(witness) for witness in witnesses if isinstance(witness, Mapping)]
        if named:
            options["witnesses"] = named
        self._own: dict[str, Any] = {
            "store": store,
            "keys": keys,
            "witnesses": [witness for witness in witnesses if not isinstance(witness, Mapping)],
            "anchors": list(anchors),
            "cache": cache,
            "cache_ttl": _seconds(cache_ttl),
        }
        choices: dict[str, Any] = {"prices": prices, "rate_limits": rate_limits, "attempts": attempts}
        self._models = {name: value for name, value in choices.items() if value is not None} or None
        self._options = {name: value for name, value in options.items() if value is not None}
        self._raw: RawRuntime | None = None
        self._process = 0

    # Opening and closing

    async def open(self) -> Runtime:
        """Opens it.

        Raises:
            NfaError: `store_url_invalid`, and what the store gives.
        """
        if self._raw is None:
            host = _host.current()
            self._raw = await host.wait(host.native.open(self.url, self._options, self._ports()))
            self._process = os.getpid()
        return self

    async def close(self) -> None:
        """Stops driving runs, and waits for calls under way. Runs that were stopped can be resumed."""
        if self._raw is not None:
            raw = self._opened()
            host = _host.current()
            with host.shielded():
                await host.wait(raw.close(host.native))

    async def __aenter__(self) -> Runtime:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _ports(self) -> dict[str, Any]:
        """What of it is written in Python, as the engine takes it."""
        own = self._own
        store, keys, cache = own["store"], own["keys"], own["cache"]
        ports: dict[str, Any] = {"store": None, "keys": None, "witnesses": [], "anchors": [], "cache": None}
        ports["tells"] = tells_of_models
        ports["models"] = self._models
        if cache is True:
            ports["cache"] = (None, own["cache_ttl"], None)
        if store is None and not own["witnesses"] and not own["anchors"] and cache in (True, False):
            return ports
        from ._ports import ServedPort

        if store is not None:
            ports["store"] = (dict(store.promises), ServedPort(store))
            ports["keys"] = None if keys is None else ServedPort(keys)
        ports["witnesses"] = [(witness.verifier_key, ServedPort(witness)) for witness in own["witnesses"]]
        ports["anchors"] = [(anchor.name, ServedPort(anchor)) for anchor in own["anchors"]]
        if cache not in (True, False):
            ports["cache"] = (getattr(cache, "limit_bytes", None), own["cache_ttl"], ServedPort(cache))
        return ports

    def _opened(self) -> RawRuntime:
        if self._raw is None:
            raise invalid(
                "runtime_not_open",
                "open the runtime first: `async with Runtime(…) as runtime:` or `await runtime.open()`",
                component="runtime",
            )
        if self._process != os.getpid():
            raise invalid(
                "forked",
                "this runtime was opened before the process forked, and the engine's threads stayed with the parent: "
                "open one in the child",
                component="runtime",
            )
        return self._raw

    # Running

    run_sync = _RunSync()
    """Runs an agent to its end; see `RUN_SYNC_DOC`."""

    def run(
        self,
        agent: Agent[DepsT, OutT],
        input: str | Message | Sequence[Part],
        *,
        session: str | None = None,
        user: str | None = None,
        deps: DepsT = cast(Any, None),
        queue: bool = False,
    ) -> Run[OutT]:
        """A run of an agent: await it for its outcome, or listen to it in `async with`.

        Args:
            agent: who runs.
            input: what is said to it: a text, a message, or the parts of one.
            session: speaks in this session: the model sees what was said before.
            user: acts for this user: content belongs to them across sessions, and is erased with them.
            deps: a value for the tools: `context.deps`. It is never serialised.
            queue: waits while the session has another open run, instead of being refused with `session_busy`.

        Raises:
            NfaError: `session_busy`, `agent_paused`, `agent_terminated`, `not_registered`, `runtime_closed` and the
                like, when it is started.
        """
        raw, native = self._opened(), agent.native()
        options: dict[str, Any] = {}
        if session is not None:
            options["session"] = session
        if user is not None:
            options["user"] = user
        if queue:
            options["queue"] = True

        def start(host: Host, given: Given, *, listens: bool) -> tuple[int, Stop]:
            return raw.start(host.native, native, input, options, given, listens=listens)

        return Run(start, agent._decode, Given(deps, NOWHERE, agent.name, session))

    def resume(
        self,
        run: str,
        agent: Agent[DepsT, OutT] | None = None,
        *,
        deps: DepsT = cast(Any, None),
        limits: LimitsInput | None = None,
    ) -> Run[OutT]:
        """Goes on with a run: one that a crash interrupted, that waits, or that failed, was cancelled or hit a limit.
        A completed run gives its outcome again. As `run`, it is awaited or listened to.

        Args:
            run: its id.
            agent: its agent, when this process has not run it yet; also the type of the output.
            deps: a value for the tools: no journal holds it.
            limits: other limits from here on.

        Raises:
            NfaError: `run_unknown`, `lease_held` while another process drives it, `not_registered`,
                `session_moved_on`.
        """
        raw = self._opened()
        if agent is not None:
            self.register(agent)

        def start(host: Host, given: Given, *, listens: bool) -> tuple[int, Stop]:
            return raw.resume(host.native, run, limits, given, listens=listens)

        given = Given(deps, NOWHERE, "" if agent is None else agent.name)
        return Run(start, None if agent is None else agent._decode, given)

    async def resume_all(self, *, deps: Any = None) -> list[tuple[str, Run[Any] | NfaError]]:
        """Goes on with every run that was interrupted, or whose time is up, and that this process has the code for:
        each with its id, and the run or what kept it from being resumed."""
        host = _host.current()
        given = Given(deps, copy_context())
        resumed = await host.wait(self._opened().resume_all(host.native, given))
        return [
            (run, error if raw is None else Run(None, None, Given(deps, NOWHERE), raw)) for run, raw, error in resumed
        ]

    def register(self, *agents: Agent[Any, Any]) -> None:
        """Makes the code of agents known, for runs of them that are resumed.

        Raises:
            NfaError: `model_unknown_provider`, `model_key_missing` and the like.
        """
        raw = self._opened()
        for agent in agents:
            raw.register(agent.native())

    # What people say to runs

    async def decide(self, run: str, step: str, decision: Mapping[str, Any], *, by: str | None = None) -> str:
        """Decides on a step that asks: `{"kind": "approve"}`, `{"kind": "deny", "reason": …}` or `{"kind": "answer",
        "text": …}`. Gives `delivered`, `waiting` (then resume the run) or `stopped`."""
        return cast(str, await self._perform("decide", run=run, step=step, by=by, decision=dict(decision)))

    async def approve(self, run: str, step: str, *, by: str | None = None) -> str:
        """Says yes to a step that asks: it is performed. `by` is who says so; the proof log commits to it."""
        return await self.decide(run, step, {"kind": "approve"}, by=by)

    async def deny(self, run: str, step: str, reason: str | None = None, *, by: str | None = None) -> str:
        """Says no to a step that asks; the model is told why."""
        return await self.decide(run, step, {"kind": "deny", "reason": reason}, by=by)

    async def answer(self, run: str, step: str, text: str, *, by: str | None = None) -> str:
        """Gives a step that asks its result; it is not performed."""
        return await self.decide(run, step, {"kind": "answer", "text": text}, by=by)

    async def cancel(self, run: str) -> str:
        """Stops a run, wherever it is driven."""
        return cast(str, await self._perform("cancel", run=run))

    # What the store holds

    async def runs(
        self,
        *,
        session: str | None = None,
        statuses: Sequence[RunStatus] = (),
        unowned: bool = False,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Runs that match, newest first.

        Args:
            session: of this session only.
            statuses: in one of these states.
            unowned: that no process drives.
            limit: at most so many.
        """
        given: dict[str, Any] = {"session": session, "limit": limit}
        given |= {"statuses": list(statuses) or None, "unowned": unowned or None}
        wanted = {name: value for name, value in given.items() if value is not None}
        return cast("list[RunRecord]", await self._perform("runs", filter=wanted))

    async def run_record(self, run: str) -> RunRecord:
        """One run as the store lists it."""
        return cast("RunRecord", await self._perform("run_record", run=run))

    async def journal(self, run: str) -> list[Entry]:
        """The journal of a run."""
        return cast("list[Entry]", await self._perform("journal", run=run))

    async def canonical_journal(self, run: str) -> str:
        """The journal of a run, and of those that it started, in a form that is the same wherever the same thing
        happened."""
        return cast(str, await self._perform("canonical_journal", run=run))

    async def content(self, run: str, address: str) -> Content:
        """Content that a run's entries name, opened."""
        return cast("Content", await self._perform("content", run=run, address=address))

    # Proofs

    async def receipt(self, run: str) -> Receipt:
        """Where the leaves of a run stand in the proof log now."""
        return Receipt(await self._perform("receipt", run=run))

    async def checkpointed(self, run: str) -> Receipt:
        """Waits until a signed checkpoint covers every leaf of a run."""
        return Receipt(await self._perform("checkpointed", run=run))

    async def proof(self, run: str, *, agent: str | None = None) -> Bundle:
        """The proof of a run, as a bundle that verifies offline: see `verify`."""
        return Bundle(await self._perform("proof", run=run, agent=agent))

    async def context_proof(self, run: str, entry: int, *, messages: Sequence[int] | None = None) -> Bundle:
        """The proof of one turn that also shows what its model was sent."""
        chosen = None if messages is None else list(messages)
        return Bundle(await self._perform("context_proof", run=run, entry=entry, messages=chosen))

    async def agent_proof(self, agent: str) -> Bundle:
        """The proof of what befell an agent outside its runs: deployments, pauses, keys, heartbeats."""
        return Bundle(await self._perform("agent_proof", agent=agent))

    async def log_info(self, agent: str) -> LogInfo:
        """An agent's proof log: its name, key, size and newest checkpoint."""
        return cast("LogInfo", await self._perform("log_info", agent=agent))

    async def log_keys(self, agent: str) -> list[LogKey]:
        """The keys of an agent's log, the first one first."""
        return cast("list[LogKey]", await self._perform("log_keys", agent=agent))

    async def rotate_log_key(self, agent: str) -> LogKey:
        """Gives an agent's log a new key; both sign until the old one is cut off."""
        return cast("LogKey", await self._perform("rotate_log_key", agent=agent))

    async def cut_off_log_key(self, agent: str, verifier_key: str, *, size: int | None = None) -> LogKey:
        """Ends the overlap of a key that was replaced."""
        cut = await self._perform("cut_off_log_key", agent=agent, verifier_key=verifier_key, size=size)
        return cast("LogKey", cut)

    async def consistency(self, agent: str, from_size: int, to_size: int) -> dict[str, Any]:
        """The proof that a log of `to_size` leaves begins with the log of `from_size` leaves."""
        proof = await self._perform("consistency", agent=agent, to=to_size, **{"from": from_size})
        return cast("dict[str, Any]", proof)

    async def check_log(self, agent: str) -> LogCheck:
        """Recomputes an agent's log."""
        return cast("LogCheck", await self._perform("check_log", agent=agent))

    async def export_log(self, agent: str, folder: str) -> LogExport:
        """Writes an agent's log as C2SP tiles into a folder."""
        return cast("LogExport", await self._perform("export_log", agent=agent, folder=str(folder)))

    async def witnessed(self, agent: str) -> LogInfo:
        """Asks the witnesses to sign the newest checkpoint."""
        return cast("LogInfo", await self._perform("witnessed", agent=agent))

    async def anchor(self, agent: str) -> list[dict[str, Any]]:
        """Gives the newest checkpoint to the anchors."""
        return cast("list[dict[str, Any]]", await self._perform("anchor", agent=agent))

    async def anchors(self, agent: str, *, above: int = 0) -> list[dict[str, Any]]:
        """Where checkpoints of more than `above` leaves stand with the anchors."""
        return cast("list[dict[str, Any]]", await self._perform("anchors", agent=agent, above=above))

    # Agents

    async def pause_agent(self, agent: str) -> AgentState:
        """Lets an agent take no new runs for now, in every process; those under way go on."""
        return cast("AgentState", await self._perform("pause_agent", agent=agent))

    async def resume_agent(self, agent: str) -> AgentState:
        """Lets a paused agent take new runs again."""
        return cast("AgentState", await self._perform("resume_agent", agent=agent))

    async def terminate_agent(self, agent: str) -> AgentState:
        """Lets an agent take no new runs any more."""
        return cast("AgentState", await self._perform("terminate_agent", agent=agent))

    async def agent_state(self, agent: str) -> AgentState:
        """Where an agent stands: `active`, `paused` or `terminated`."""
        return cast("AgentState", await self._perform("agent_state", agent=agent))

    async def heartbeat(self, agent: str, beacon: Mapping[str, Any] | None = None) -> None:
        """Records that the agent's log is alive; with a beacon (`source`, `height`, `value` in base64), that what
        follows is not older than it."""
        await self._perform("heartbeat", agent=agent, beacon=None if beacon is None else dict(beacon))

    # Erasing

    async def erase_session(self, session: str) -> dict[str, Any]:
        """Erases everything that was said in a session."""
        return cast("dict[str, Any]", await self._perform("erase", what=dict(kind="session", session=session)))

    async def erase_user(self, user: str) -> dict[str, Any]:
        """Erases everything that was said by or to a user."""
        return cast("dict[str, Any]", await self._perform("erase", what=dict(kind="user", user=user)))

    async def erase_run(self, run: str) -> dict[str, Any]:
        """Erases everything that was said in a run."""
        return cast("dict[str, Any]", await self._perform("erase", what=dict(kind="run", run=run)))

    async def erase_field(self, run: str, entry: int, field: int) -> dict[str, Any]:
        """Erases one field of a leaf; proofs of the rest still hold."""
        erased = await self._perform("erase", what=dict(kind="field", run=run, entry=entry, field=field))
        return cast("dict[str, Any]", erased)

    async def _perform(self, operation: str, **arguments: Any) -> Any:
        host = _host.current()
        given = {name: value for name, value in arguments.items() if value is not None}
        given["operation"] = operation
        return await host.wait(self._opened().perform(host.native, given))

    def __repr__(self) -> str:
        return f"Runtime({self.url!r})"


def _seconds(span: Seconds) -> float:
    return span.total_seconds() if isinstance(span, timedelta) else float(span)


def _ms(span: Seconds | None) -> int | None:
    if span is None:
        return None
    return round((span.total_seconds() if isinstance(span, timedelta) else span) * 1000)
