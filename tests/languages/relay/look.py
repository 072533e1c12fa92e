"""Looks at a run: journal STORE RUN; verify FILE KEY."""

import asyncio
import json
import sys

from nfa_runtime import NfaError, Runtime, verify


async def journal(store: str, run: str) -> dict:
    async with Runtime(store) as runtime:
        return {"journal": await runtime.canonical_journal(run)}


def verified(file: str, key: str) -> dict:
    with open(file, encoding="utf-8") as bundle:
        proof = json.load(bundle)
    try:
        return {"report": verify(proof, log_keys=[key])}
    except NfaError as error:
        return {"code": error.code, "verdict": error.details["verdict"]}


what, *rest = sys.argv[1:]
found = asyncio.run(journal(*rest)) if what == "journal" else verified(*rest)
print(json.dumps(found))
