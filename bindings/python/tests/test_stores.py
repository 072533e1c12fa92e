"""Stores, keys, caches, witnesses and anchors that are written in Python."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from conftest import MODEL, Servers
from nfa_runtime import Agent, NfaError, Runtime, errors, tool
from nfa_runtime.stores import EngineStore


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


class Around:
    """A store that stands around one of the engine's, and counts."""

    def __init__(self, url: str = "memory:") -> None:
        self.inner = EngineStore(url)
        self.promises = {"durability": "memory"} if url == "memory:" else {"durability": "full", "at_rest": True}
        self.asked: list[str] = []
        self.broken = False

    def __getattr__(self, method: str) -> Any:
        async def ask(**arguments: Any) -> Any:
            self.asked.append(method)
            if self.broken and method == "commit":
                raise errors.make("store_busy", "transient", "store", "not now", True, None, None)
            return await self.inner.ask(method, arguments)

        return ask


async def test_a_store_of_python_keeps_runs(llm: Servers) -> None:
    store = Around()
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    async with Runtime(store=store) as runtime:
        outcome = await runtime.run(agent, "Hello", session="alice")
        assert outcome.text == "The answer is 42."
        assert (await runtime.journal(outcome.run))[0]["type"] == "run_started"
        assert (await runtime.checkpointed(outcome.run)).state == "checkpointed"
        bundle = await runtime.proof(outcome.run)
    assert bundle and store.asked.count("commit") >= 4


async def test_an_error_of_a_store_keeps_its_code(llm: Servers) -> None:
    store = Around()
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(store=store) as runtime:
        store.broken = True
        with pytest.raises(NfaError) as caught:
            await runtime.run(agent, "Hello")
        assert caught.value.code == "store_busy" and caught.value.retryable
        store.broken = False
        assert (await runtime.run(agent, "Hello")).is_completed


class KeysInMemory:
    """Keys, sync: asked on a thread, in order."""

    def __init__(self) -> None:
        self.subjects: dict[str, str] = {}
        self.seeds: dict[tuple[str, int], str] = {}
        self.signed: dict[str, dict[str, Any]] = {}
        self.threads: set[int] = set()

    def subject_key(self, *, subject: str) -> str:
        self.threads.add(threading.get_ident())
        return self.subjects.setdefault(subject, os.urandom(32).hex())

    def existing_subject_key(self, *, subject: str) -> str | None:
        return self.subjects.get(subject)

    def destroy_subject_key(self, *, subject: str) -> None:
        self.subjects.pop(subject, None)

    def log_seed(self, *, log: str) -> str:
        return self.make_log_seed(log=log, generation=0)

    def later_log_seed(self, *, log: str, generation: int) -> str | None:
        return self.seeds.get((log, generation))

    def make_log_seed(self, *, log: str, generation: int) -> str:
        return self.seeds.setdefault((log, generation), os.urandom(32).hex())

    def last_signed(self, *, log: str) -> dict[str, Any] | None:
        return self.signed.get(log)

    def record_signed(self, *, log: str, size: int, root: str) -> None:
        last = self.signed.get(log)
        if last is not None and size < last["size"]:
            raise errors.make("log_rolled_back", "conflict", "proof", "smaller", False, None, None)
        self.signed[log] = {"size": size, "root": root}


async def test_keys_of_python_seal_content_and_sign_logs(llm: Servers, store: str) -> None:
    keys, kept = KeysInMemory(), Around(store)
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(store=kept, keys=keys) as runtime:
        outcome = await runtime.run(agent, "My secret", session="alice")
        await runtime.checkpointed(outcome.run)
        journal: Any = await runtime.journal(outcome.run)
        assert keys.subjects and keys.seeds and keys.signed
        assert threading.get_ident() not in keys.threads
        assert "session:alice" in keys.subjects
        await runtime.erase_session("alice")
        assert "session:alice" not in keys.subjects
        with pytest.raises(NfaError) as caught:
            await runtime.content(outcome.run, journal[0]["input"])
        assert caught.value.code == "content_erased"


class CacheInMemory:
    limit_bytes = 1 << 20

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.hits = 0

    async def get(self, *, key: str) -> str | None:
        found = self.values.get(key)
        self.hits += found is not None
        return found

    async def put(self, *, key: str, value: str, ttl_ms: int) -> None:
        assert ttl_ms == 60_000
        self.values[key] = value


@pytest.mark.parametrize("kind", ["own", "memory"])
async def test_a_cache_answers_the_same_request(llm: Servers, kind: str) -> None:
    # The script has one answer: a second request would be told that it is exhausted.
    agent = Agent("helper", MODEL, base_url=llm([{"text": "Once."}]))
    cache = CacheInMemory()
    async with Runtime(cache=cache if kind == "own" else True, cache_ttl=60) as runtime:
        first = await runtime.run(agent, "Hello")
        second = await runtime.run(agent, "Hello")
    assert first.text == second.text == "Once."
    assert first.usage["output_tokens"] > 0 and second.usage["output_tokens"] == 0
    if kind == "own":
        assert cache.hits == 1


class Vault:
    """An anchor that keeps what it is given."""

    name = "vault"

    def __init__(self) -> None:
        self.kept: list[Any] = []

    async def submit(self, *, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.kept += batch
        return [{"ticket": f"t{len(self.kept)}"} for _ in batch]

    async def check(self, *, submission: dict[str, Any], ticket: str) -> Any:
        return "waiting"

    async def newest(self, *, origin: str) -> Any:
        return None


async def test_an_anchor_of_python_is_given_checkpoints(llm: Servers) -> None:
    vault = Vault()
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(anchors=[vault], anchor_every=(1, 60)) as runtime:
        outcome = await runtime.run(agent, "Hello")
        await runtime.checkpointed(outcome.run)
        records = await runtime.anchor("helper")
        assert records and records[0]["anchor"] == "vault" and records[0]["state"] == "anchored"
    assert vault.kept


class Refuses:
    """A witness that signs nothing; what it was asked is kept."""

    verifier_key = "witness.example+00000000+AAAA"

    async def cosign(self, **request: Any) -> Any:
        return {"signed_last": 0}


async def test_a_witness_with_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(NfaError) as caught:
        await Runtime(witnesses=[Refuses()]).open()
    assert caught.value.code == "key_malformed"


async def test_sync_methods_are_asked_in_order(llm: Servers) -> None:
    seen: list[str] = []

    class Ordered(Around):
        def commit(self, *, batch: dict[str, Any]) -> Any:
            seen.append(f"{batch['run']} {batch['expected']}")
            return asyncio.run_coroutine_threadsafe(self.inner.ask("commit", {"batch": batch}), loop).result(20)

    loop = asyncio.get_running_loop()
    agent = Agent("helper", MODEL, base_url=llm("tools:2"), tools=[add])
    async with Runtime(store=Ordered()) as runtime:
        outcomes = await asyncio.gather(*(runtime.run(agent, "Hello") for _ in range(8)))
    assert all(outcome.is_completed for outcome in outcomes)
    for outcome in outcomes:
        numbers = [int(line.split()[1]) for line in seen if line.startswith(outcome.run)]
        assert numbers == sorted(numbers)
