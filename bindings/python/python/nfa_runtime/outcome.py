"""How a run ended, and where it stands in the proof log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from .errors import NfaError, error_class, make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._generated.types import LeafReceipt, Limit, OutcomeStatus, Question, ReceiptState, Usage
    from ._generated.types import Receipt as ReceiptData
    from ._native import RawOutcome

OutT = TypeVar("OutT")
OutT_co = TypeVar("OutT_co", covariant=True)


class Ask:
    """A question that a run waits with."""

    __slots__ = ("arguments", "question", "step", "tool")

    def __init__(self, step: str, question: Question, tool: str, arguments: str) -> None:
        self.step = step
        """The step that waits: what `approve`, `deny` and `answer` name."""
        self.question = question
        """`approval`, or `interrupted` for a call that must not run twice and was interrupted."""
        self.tool = tool
        """The tool that waits."""
        self.arguments = arguments
        """Its arguments, as JSON text."""

    @property
    def parsed(self) -> Any:
        """Its arguments."""
        import json

        return json.loads(self.arguments or "{}")

    def __repr__(self) -> str:
        return f"Ask(step={self.step!r}, question={self.question!r}, tool={self.tool!r}, arguments={self.arguments!r})"


class Receipt:
    """Where the leaves of a run stand in the proof log."""

    __slots__ = ("data",)

    def __init__(self, data: ReceiptData) -> None:
        self.data = data
        """The receipt as JSON."""

    @property
    def run(self) -> str | None:
        """The run."""
        return self.data["run"]

    @property
    def state(self) -> ReceiptState:
        """The least of its leaves' states: `none`, `recorded`, `sequenced`, `checkpointed` or `anchored`."""
        return self.data["state"]

    @property
    def leaves(self) -> list[LeafReceipt]:
        """Its leaves, in the order of their entries."""
        return self.data["leaves"]

    def __str__(self) -> str:
        from ._native import describe_receipt

        return describe_receipt(self.data)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Receipt) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]


class Outcome(Generic[OutT_co]):
    """How a run ended, with everything that it has. What it holds is read when it is looked at."""

    __slots__ = ("_decode", "_raw")

    def __init__(self, raw: RawOutcome, decode: Callable[[Any], Any] | None = None) -> None:
        self._raw = raw
        self._decode = decode

    @property
    def run(self) -> str:
        """The run."""
        return self._raw.run

    @property
    def status(self) -> OutcomeStatus:
        """`completed`, `failed`, `cancelled`, `limit_reached`, `waiting` or `interrupted`."""
        return cast("OutcomeStatus", self._raw.status)

    @property
    def is_completed(self) -> bool:
        """Whether it ended with an answer."""
        return self._raw.status == "completed"

    @property
    def text(self) -> str:
        """The final text; of a run that did not complete, the latest that the agent said."""
        return self._raw.text

    @property
    def output(self) -> OutT_co:
        """The final answer as an instance of the agent's output type; the text, for an agent without one.

        Raises:
            NfaError: why there is none. For a run that failed, its error.
        """
        raw = self._raw
        if raw.status != "completed":
            raise self._why()
        if self._decode is None:
            return cast("OutT_co", raw.output if raw.has_output else raw.text)
        if not raw.has_output:
            raise make(
                "output_missing",
                "input",
                "runtime",
                "the run has no structured output: give the agent an output type, and check the outcome's status",
                False,
                None,
                None,
            )
        try:
            return cast("OutT_co", self._decode(raw.output))
        except (ValueError, TypeError) as error:
            message = f"the output matches its schema but not the type: {error}"
            raise make("output_mismatch", "input", "runtime", message, False, None, None) from error

    @property
    def usage(self) -> Usage:
        """What it cost."""
        return cast("Usage", self._raw.usage)

    @property
    def error(self) -> NfaError | None:
        """Why it failed, when it did."""
        return self._raw.error

    @property
    def limit(self) -> Limit | None:
        """The limit that stopped it."""
        return cast("Limit | None", self._raw.limit)

    @property
    def asks(self) -> list[Ask]:
        """What it waits for, when it waits."""
        return [Ask(ask["step"], ask["question"], ask["tool"], ask["arguments"]) for ask in self._raw.asks]

    @property
    def receipt(self) -> Receipt:
        """Where its leaves stood in the proof log when it ended."""
        return Receipt(cast("ReceiptData", self._raw.receipt))

    def raise_for_status(self) -> None:
        """Raises what kept the run from completing, if something did."""
        if self._raw.status != "completed":
            raise self._why()

    def to_dict(self) -> Mapping[str, Any]:
        """The same as JSON."""
        return cast("Mapping[str, Any]", self._raw.to_dict())

    def _why(self) -> NfaError:
        error = self._raw.error
        if error is not None:
            return error
        status = self._raw.status
        told = {
            "waiting": "it waits for a person: decide on its `asks`, then resume it",
            "limit_reached": f"it reached its limit of {self._raw.limit}: resume it with a higher one",
            "cancelled": "it was cancelled: resume it to go on",
            "interrupted": "the runtime was closed: resume it to go on",
        }.get(status, "it did not complete")
        category = "cancelled" if status == "cancelled" else "input"
        kind: Any = error_class("output_missing", category)
        made: NfaError = kind(f"the run has no output: {told}", code="output_missing", category=category)
        return made

    def __repr__(self) -> str:
        return f"Outcome(run={self.run!r}, status={self.status!r}, text={self.text!r})"
