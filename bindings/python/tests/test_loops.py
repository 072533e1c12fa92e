"""Event loops: uvloop, loops that watch no sockets, and loops that come and go."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from conftest import MODEL, Servers
from nfa_runtime import Agent, Runtime, TextDelta, tool


@tool(effect="pure")
async def add(a: int, b: int) -> int:
    """Adds two integers."""
    return a + b


async def work(url: str) -> None:
    agent = Agent("helper", MODEL, base_url=url, tools=[add])
    async with Runtime() as runtime:
        outcomes = await asyncio.gather(*(runtime.run(agent, "Hello") for _ in range(8)))
        assert {outcome.text for outcome in outcomes} == {"The answer is 42."}
        async with runtime.run(agent, "Hello") as run:
            texts = [event.text async for event in run if isinstance(event, TextDelta)]
        assert "".join(texts) == run.text


class WatchesNothing(asyncio.SelectorEventLoop):
    """A loop as Windows has it: `add_reader` is not implemented."""

    add_reader = asyncio.AbstractEventLoop.add_reader  # type: ignore[assignment]
    remove_reader = asyncio.AbstractEventLoop.remove_reader  # type: ignore[assignment]

    def _add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:  # its own pipe needs one
        return super()._add_reader(fd, callback, *args)  # type: ignore[misc]


def test_a_loop_that_watches_no_sockets(llm: Servers) -> None:
    loop = WatchesNothing()
    try:
        loop.run_until_complete(work(llm("tools:2")))
        from nfa_runtime._loops.asyncio import host_of

        assert host_of(loop).native.fileno() == -1
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_uvloop(llm: Servers) -> None:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(work(llm("tools:2")))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def test_loops_come_and_go_and_leave_nothing(llm: Servers) -> None:
    import os

    from nfa_runtime._loops import asyncio as served

    url = llm("tools:1")
    asyncio.run(work(url))
    gc.collect()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        asyncio.run(work(url))
    assert all(not host.loop.is_closed() for host in served._hosts.values())
    gc.collect()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before + 8


def test_asyncio_in_debug_mode(llm: Servers) -> None:
    asyncio.run(work(llm("tools:2")), debug=True)
