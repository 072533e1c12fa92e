"""Approvals, journals, proofs and erasing: all that the facade has."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest

from conftest import MODEL, Servers, calls
from nfa_runtime import Agent, Asked, NfaError, Runtime, tool, verify

paid: list[int] = []


@tool(approval="always")
async def pay(amount: int) -> str:
    """Pays."""
    paid.append(amount)
    return f"paid {amount}"


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    paid.clear()


async def waiting(runtime: Runtime, url: str) -> tuple[Agent[Any, str], Any]:
    agent = Agent("cashier", MODEL, base_url=url, tools=[pay])
    outcome = await runtime.run(agent, "Pay 7")
    assert outcome.status == "waiting" and paid == []
    [ask] = outcome.asks
    assert (ask.tool, ask.question, ask.parsed) == ("pay", "approval", {"amount": 7})
    return agent, outcome


async def test_an_approved_call_runs(llm: Servers) -> None:
    async with Runtime() as runtime:
        agent, outcome = await waiting(runtime, llm([calls("pay", amount=7), {"sees": ["paid 7"], "text": "Paid."}]))
        assert await runtime.approve(outcome.run, outcome.asks[0].step, by="bob") == "waiting"
        assert (await runtime.resume(outcome.run, agent)).text == "Paid." and paid == [7]


async def test_a_denied_call_does_not_run_and_the_model_is_told_why(llm: Servers) -> None:
    async with Runtime() as runtime:
        agent, outcome = await waiting(runtime, llm([calls("pay", amount=7), {"sees": ["too much"], "text": "Not."}]))
        await runtime.deny(outcome.run, outcome.asks[0].step, "too much", by="bob")
        assert (await runtime.resume(outcome.run, agent)).text == "Not." and paid == []


async def test_a_call_may_be_given_its_result(llm: Servers) -> None:
    async with Runtime() as runtime:
        agent, outcome = await waiting(runtime, llm([calls("pay", amount=7), {"sees": ["by hand"], "text": "Good."}]))
        await runtime.answer(outcome.run, outcome.asks[0].step, "by hand")
        assert (await runtime.resume(outcome.run, agent)).text == "Good." and paid == []


async def test_a_run_asks_while_it_is_listened_to(llm: Servers) -> None:
    turn = {"calls": [{"tool": "pay", "arguments": {"amount": 1}}, {"tool": "look"}]}
    url = llm([turn, {"sees": ["paid 1"], "text": "Paid."}])

    @tool(effect="pure")
    async def look() -> str:
        import asyncio

        await asyncio.wait_for(asked.wait(), 20)
        return "looked"

    import asyncio

    asked = asyncio.Event()
    agent = Agent("cashier", MODEL, base_url=url, tools=[pay, look])
    async with Runtime() as runtime:
        async with runtime.run(agent, "Pay") as run:
            async for event in run:
                if isinstance(event, Asked):
                    assert (event.tool, event.question, event.arguments) == ("pay", "approval", '{"amount":1}')
                    assert await runtime.approve(run.id, event.step) == "delivered"
                    asked.set()
        assert run.text == "Paid." and paid == [1]


async def test_proofs_verify_and_a_changed_one_does_not(llm: Servers, store: str) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(store, origin="example.org") as runtime:
        outcome = await runtime.run(agent, "Hello", session="alice")
        receipt = await runtime.checkpointed(outcome.run)
        assert receipt.state == "checkpointed" and all(leaf["state"] == "checkpointed" for leaf in receipt.leaves)
        assert (await runtime.receipt(outcome.run)).state == "checkpointed"
        bundle = await runtime.proof(outcome.run)
        info = await runtime.log_info("helper")
        assert info["origin"].startswith("example.org/")
        # The proof needs no runtime.
    report = verify(bundle, log_keys=[info["verifier_key"]])
    assert report
    changed = copy.deepcopy(bundle)
    _change(changed)
    with pytest.raises(NfaError) as caught:
        verify(changed, log_keys=[info["verifier_key"]])
    assert caught.value.details["verdict"] in ("invalid", "unreadable")
    with pytest.raises(NfaError) as caught:
        verify(bundle, log_keys=[])
    assert caught.value.code


def _change(value: Any) -> bool:
    """Changes the first disclosed text."""
    if isinstance(value, dict):
        for name, held in value.items():
            if name in ("value", "salt") and isinstance(held, str) and len(held) > 8:
                value[name] = ("A" if held[4] != "A" else "B").join((held[:4], held[5:]))
                return True
            if _change(held):
                return True
    if isinstance(value, list):
        return any(_change(item) for item in value)
    return False


async def test_logs_are_kept_checked_exported_and_their_keys_rotated(
    llm: Servers, store: str, tmp_path: pathlib.Path
) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(store) as runtime:
        outcome = await runtime.run(agent, "Hello")
        await runtime.checkpointed(outcome.run)
        check = await runtime.check_log("helper")
        assert check["holds"] is True
        size = (await runtime.log_info("helper"))["size"]
        proof = await runtime.consistency("helper", 1, size)
        assert (proof["from"], proof["to"]) == (1, size)
        folder = tmp_path / "log"
        assert await runtime.export_log("helper", str(folder))
        assert any(folder.rglob("checkpoint"))
        [first] = await runtime.log_keys("helper")
        second = await runtime.rotate_log_key("helper")
        assert second["verifier_key"] != first["verifier_key"]
        assert len(await runtime.log_keys("helper")) == 2
        await runtime.cut_off_log_key("helper", first["verifier_key"])
        await runtime.heartbeat("helper", {"source": "eip155:56", "height": 7, "value": "AAEC"})
        assert verify(await runtime.agent_proof("helper"), log_keys=[first["verifier_key"], second["verifier_key"]])


async def test_journals_hold_no_content_and_name_where_it_is(llm: Servers) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime() as runtime:
        outcome = await runtime.run(agent, "My secret")
        journal: list[Any] = await runtime.journal(outcome.run)
        assert "My secret" not in str(journal)
        content: Any = await runtime.content(outcome.run, journal[0]["input"])
        assert content["parts"][0]["text"] == "My secret"
        assert "My secret" in await runtime.canonical_journal(outcome.run)


async def test_what_is_erased_is_gone_and_proofs_of_the_rest_hold(llm: Servers, store: str) -> None:
    agent = Agent("helper", MODEL, base_url=llm("one"))
    async with Runtime(store) as runtime:
        outcome = await runtime.run(agent, "My secret", session="alice", user="ada")
        await runtime.checkpointed(outcome.run)
        journal: list[Any] = await runtime.journal(outcome.run)
        erased = await runtime.erase_user("ada")
        assert erased["keys"] >= 1
        with pytest.raises(NfaError) as caught:
            await runtime.content(outcome.run, journal[0]["input"])
        assert caught.value.code == "content_erased"
        info = await runtime.log_info("helper")
        assert verify(await runtime.proof(outcome.run), log_keys=[info["verifier_key"]])


async def test_no_proof_when_proof_is_off(llm: Servers) -> None:
    async with Runtime(proof=False) as runtime:
        outcome = await runtime.run(Agent("helper", MODEL, base_url=llm("one")), "Hello")
        assert outcome.receipt.state == "none" and str(outcome.receipt) == "receipt: nothing recorded"
        with pytest.raises(NfaError) as caught:
            await runtime.proof(outcome.run)
        assert caught.value.code == "nothing_recorded"
