"""Proofs of runs, verified offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast


class Bundle(dict[str, Any]):
    """A proof that verifies offline, as JSON: what `Runtime.proof` and its like give.

    Write it with `to_bytes`: bundles have one form only, and a file in another one is refused.
    """

    def to_bytes(self) -> bytes:
        """The bundle as a file holds it, for `nfa proof verify` and the verifier in a browser."""
        import json

        return json.dumps(self, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes | str) -> Bundle:
        """The bundle that a file holds."""
        import json

        return cls(json.loads(data))


def verify(
    bundle: Mapping[str, Any],
    *,
    log_keys: Sequence[str],
    witnesses: Sequence[str] = (),
    witnesses_required: int | None = None,
    cutoffs: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Verifies a bundle, such as `Runtime.proof` gives, and tells what is proved. Needs no runtime and no network.

    Args:
        bundle: the proof.
        log_keys: C2SP verifier keys of logs that you trust.
        witnesses: verifier keys of witnesses that you trust.
        witnesses_required: how many of them must have signed; all, when left out.
        cutoffs: from which sizes on replaced keys no longer count: `{"key": …, "size": …}` each.

    Raises:
        NfaError: when it does not hold; `details["verdict"]` is `invalid`, `policy_unmet` or `unreadable`.
    """
    from ._native import verify as native

    policy: dict[str, Any] = {"log_keys": list(log_keys), "witnesses": list(witnesses)}
    if witnesses_required is not None:
        policy["witnesses_required"] = witnesses_required
    if cutoffs:
        policy["cutoffs"] = [dict(cutoff) for cutoff in cutoffs]
    return cast("dict[str, Any]", native(dict(bundle), policy))
