"""The JSON values that nfa gives and takes, for type checkers.

Generated from the JSON Schemas of the Rust types by `cargo xtask generate`: do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypedDict

Address: TypeAlias = str
"""The address of a blob: BLAKE3 keyed by its subject."""


class _AgentSpecRequired(TypedDict):
    name: str
    """1 to 64 of `A-Z a-z 0-9 _ -`."""
    model: ModelSpec
    """The model: `provider/model`, or an object with its settings."""


class AgentSpec(_AgentSpecRequired, total=False):
    """A model, instructions, tools, limits and memory policy, under a name."""

    agents: list[AgentSpec]
    """Other agents that this document defines, for `tools` and `handoffs`."""
    description: str
    """What other agents read to know when to hand over to this one."""
    handoffs: list[str]
    """Agents that it may hand the conversation over to."""
    instructions: str
    """The system prompt."""
    limits: LimitsInput
    """Where a run stops."""
    memory: MemoryPolicy
    """What of the session the model sees."""
    output: Any
    """JSON Schema (2020-12) that the final answer must match."""
    tools: list[ToolRef]
    """What the agent may call."""


AgentState: TypeAlias = Literal["active", "paused", "terminated"]
"""Where an agent stands.

- `"active"`: It takes new runs.
- `"paused"`: It takes no new runs until it is resumed.
- `"terminated"`: It takes no new runs any more.
"""


class _AgentToolRequired(TypedDict):
    agent: str
    """The agent's name."""


class AgentTool(_AgentToolRequired, total=False):
    """Another agent, called like a function: it answers, and this agent goes on."""

    own_run: bool
    """Whether it gets a run of its own, with its own journal, instead of a place in this one."""


class AnchorRecord(TypedDict):
    """Where one checkpoint stands with one anchor."""

    log: LogId
    """The log."""
    anchor: str
    """The name of the anchor."""
    size: int
    """How many leaves the checkpoint covers."""
    root: str
    """Its root, in base64."""
    state: str
    """`pending`, `anchored` or `verified`."""
    ticket: str | None
    """What the anchor gave for it."""
    tries: int
    """How often it was tried."""
    failure: str | None
    """Why the last try failed."""


AnswerKind: TypeAlias = Literal["approved", "denied", "given"]
"""What a person said.

- `"approved"`: Yes: run it.
- `"denied"`: No.
- `"given"`: This is its result.
"""


Approval: TypeAlias = Literal["never", "always"]
"""Whether a person is asked before a tool runs.

- `"never"`: It runs at once.
- `"always"`: Every call waits for a yes.
"""


class Ask(TypedDict):
    """A question that a run waits with."""

    step: StepPath
    """The step that waits: what `approve`, `deny` and `answer` name."""
    question: Question
    """What is asked."""
    tool: str
    """The tool that waits."""
    arguments: str
    """Its arguments, as JSON text."""


class BeaconData(TypedDict):
    """A `Beacon` whose value is in base64."""

    source: str
    """The chain that it comes from."""
    height: int
    """Its height."""
    value: str
    """The value, in base64."""


class ToolCallDecision(TypedDict):
    """Call the tool."""

    do: Literal["tool"]
    """Tells it from the others."""
    tool: str
    """Its name."""


class ApproveCallDecision(TypedDict):
    """Ask a person first, then call the tool."""

    do: Literal["approve"]
    """Tells it from the others."""
    tool: str
    """Its name."""


class AgentCallDecision(TypedDict):
    """Let another agent answer, inside this run."""

    do: Literal["agent"]
    """Tells it from the others."""
    agent: str
    """Its name."""
    input: Address
    """What it is asked."""


class ChildRunCallDecision(TypedDict):
    """Let another agent answer, in a run of its own."""

    do: Literal["child_run"]
    """Tells it from the others."""
    agent: str
    """Its name."""
    input: Address
    """What it is asked."""


class HandOverCallDecision(TypedDict):
    """Hand the conversation over once the other calls are done."""

    do: Literal["hand_over"]
    """Tells it from the others."""
    agent: str
    """To whom."""
    result: Address
    """What the model is told."""


class RejectCallDecision(TypedDict):
    """Not performed: the model is told why."""

    do: Literal["reject"]
    """Tells it from the others."""
    code: str
    """`unknown_tool`, `arguments_not_json`, `arguments_invalid`, `too_many_calls`, `too_deep`,
    `second_handoff`, `answer_cut_off`.
    """
    result: Address
    """What the model is told."""


CallDecision: TypeAlias = (
    ToolCallDecision
    | ApproveCallDecision
    | AgentCallDecision
    | ChildRunCallDecision
    | HandOverCallDecision
    | RejectCallDecision
)
"""What becomes of a call that a model asked for."""


CallStatus: TypeAlias = Literal["ok", "error", "denied", "cancelled", "unknown"]
"""How a call went.

- `"ok"`: It gave a result.
- `"error"`: It failed, and the model is told.
- `"denied"`: A person said no.
- `"cancelled"`: It was cancelled; whether it had an effect is not known.
- `"unknown"`: It was interrupted and is not repeated; whether it had an effect is not known.
"""


Category: TypeAlias = Literal["input", "transient", "configuration", "conflict", "cancelled", "internal"]
"""What a caller should do about an error.

- `"input"`: Fix what was passed in.
- `"transient"`: Wait and try again.
- `"configuration"`: Change the configuration, a key, a file or a permission.
- `"conflict"`: Somebody else has moved on (a stale writer, a busy session): look again, then decide.
- `"cancelled"`: Stopped on request.
- `"internal"`: A defect: report it.
"""


class Citation(TypedDict, total=False):
    """Where a model says that it has something from."""

    opaque: Opaque
    """The provider's own form of it, with the places that it means."""
    quote: str
    """The words there."""
    title: str
    """Its title."""
    url: str
    """The page or document."""


class _CommandSpecRequired(TypedDict):
    argv: list[str]
    """The program and its arguments; no shell is involved."""


class CommandSpec(_CommandSpecRequired, total=False):
    """A tool that is a program: one JSON value on standard input, one on standard output."""

    env: list[str]
    """Names of environment variables that the program may see, besides `PATH`."""
    max_output_bytes: int
    """Bytes of output after which the program is stopped. Default: 1 MiB."""


class _CommandToolRequired(TypedDict):
    name: str
    """1 to 64 of `A-Z a-z 0-9 _ -`."""
    argv: list[str]
    """The program and its arguments; no shell is involved."""


class CommandTool(_CommandToolRequired, total=False):
    """A program as a tool, with what the model is told of it."""

    approval: Approval
    """Whether a person is asked first."""
    description: str
    """What the model reads to know when to use it."""
    effect: Effect
    """What repeating a call means; default: it must not run twice."""
    env: list[str]
    """Names of environment variables that it may see, besides `PATH`."""
    max_output_bytes: int
    """Bytes of output after which it is stopped; default 1 MiB."""
    parameters: Any
    """JSON Schema of its input; default: an object without properties."""
    timeout_ms: int
    """Wall time of one call, in milliseconds; default 60 seconds."""


Component: TypeAlias = Literal["engine", "runtime", "spec", "model", "tool", "guardrail", "store", "proof", "cli"]
"""The part of nfa that reports an error.

- `"engine"`: The decider: journals, commands, inputs.
- `"runtime"`: The driver and what surrounds a run.
- `"spec"`: An agent or program as written by a developer.
- `"model"`: A model adapter or its provider.
- `"tool"`: A tool, or its authority.
- `"guardrail"`: A guardrail.
- `"store"`: A store, its files and keys.
- `"proof"`: The proof log.
- `"cli"`: The command line.
"""


ConsistencyProof = TypedDict(
    "ConsistencyProof",
    {
        "origin": "str",
        "from": "int",
        "from_root": "str",
        "to": "int",
        "to_root": "str",
        "proof": "list[str]",
    },
)
"""A proof that the first leaves of a log are still what they were.

- `origin`: The name that the log's checkpoints carry.
- `from`: The older size.
- `from_root`: The root at the older size, in base64.
- `to`: The newer size.
- `to_root`: The root at the newer size, in base64.
- `proof`: The proof, as RFC 6962 has it, each hash in base64.
"""


Effect: TypeAlias = Literal["pure", "idempotent", "keyed", "transactional", "at_most_once"]
"""What repeating a call means (law L4).

- `"pure"`: Touches nothing: may run any number of times, without a durable intent.
- `"idempotent"`: Running it twice is the same as running it once.
- `"keyed"`: Receives a stable idempotency key, with which the other side recognises a repetition.
- `"transactional"`: Its writes join the store's own transaction; refused at build where the store can't.
- `"at_most_once"`: Must not run twice: an interrupted call is reconciled by the tool or decided by a person.
"""


class EntryBase(TypedDict):
    """What every `Entry` has."""

    v: int
    """The schema version."""
    seq: int
    """Its number, from 0."""
    at: Timestamp
    """When it was decided."""
    epoch: int
    """The lease epoch of its writer."""


class _RunStartedEntryRequired(EntryBase):
    type: Literal["run_started"]
    """Tells it from the others."""
    fold: int
    """How its entries are folded."""
    run: RunId
    """Its id."""
    program: ProgramHash
    """Its program."""
    input: Address
    """The user's message."""


class RunStartedEntry(_RunStartedEntryRequired, total=False):
    """The run was admitted."""

    depth: int
    """How deep it is nested in other runs."""
    history: int
    """How many items of the session the run began with."""
    user: Address
    """The user that it acts for."""


class StepStartedEntry(EntryBase):
    """A step is about to touch the world: the intent, durable before the effect (law L3)."""

    type: Literal["step_started"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    attempt: int
    """Which try, from 1."""
    kind: StepKind
    """What it is."""


class StepReleasedEntry(EntryBase):
    """A started step was certainly not performed, and is owed again."""

    type: Literal["step_released"]
    """Tells it from the others."""
    step: StepPath
    """The step."""


class _ModelFinishedEntryRequired(EntryBase):
    type: Literal["model_finished"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    answer: Address
    """The answer."""
    finish: FinishReason
    """Why it stopped."""
    usage: Usage
    """What it cost."""


class ModelFinishedEntry(_ModelFinishedEntryRequired, total=False):
    """A model answered."""

    calls: list[CallDecision]
    """What becomes of each call, in call order."""
    rejected: Address
    """Set when the answer does not match the output schema: what the model is told."""


class _ModelFailedEntryRequired(EntryBase):
    type: Literal["model_failed"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    error: ErrorFact
    """Why."""


class ModelFailedEntry(_ModelFailedEntryRequired, total=False):
    """A model call ended without an answer."""

    partial: Address
    """The text that had surfaced."""


class CallFinishedEntry(EntryBase):
    """A call of a tool, sub-agent or child run has its result."""

    type: Literal["call_finished"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    status: CallStatus
    """How it went."""
    result: Address
    """What the model is told."""


class CallFailedEntry(EntryBase):
    """A tool failed in a way that stops the run."""

    type: Literal["call_failed"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    error: ErrorFact
    """Why."""


class AskedEntry(EntryBase):
    """A person is asked."""

    type: Literal["asked"]
    """Tells it from the others."""
    step: StepPath
    """The step that waits."""
    question: Question
    """What for."""


class _AnsweredEntryRequired(EntryBase):
    type: Literal["answered"]
    """Tells it from the others."""
    step: StepPath
    """The step that waited."""
    answer: AnswerKind
    """What they said."""


class AnsweredEntry(_AnsweredEntryRequired, total=False):
    """A person answered."""

    by: Address
    """Who says so, as content."""
    words: Address
    """Their words."""


class HandedOverEntry(EntryBase):
    """The conversation goes on with another agent."""

    type: Literal["handed_over"]
    """Tells it from the others."""
    frame: StepPath
    """The frame."""
    to: str
    """The agent that takes over."""


class _CancelRequestedEntryRequired(EntryBase):
    type: Literal["cancel_requested"]
    """Tells it from the others."""


class CancelRequestedEntry(_CancelRequestedEntryRequired, total=False):
    """Somebody cancelled the run."""

    reason: Address
    """Their words."""


class _RunFinishedEntryRequired(EntryBase):
    type: Literal["run_finished"]
    """Tells it from the others."""
    end: RunEnd
    """How."""


class RunFinishedEntry(_RunFinishedEntryRequired, total=False):
    """The run stopped."""

    output: Address
    """The final answer."""


class _RunResumedEntryRequired(EntryBase):
    type: Literal["run_resumed"]
    """Tells it from the others."""


class RunResumedEntry(_RunResumedEntryRequired, total=False):
    """A stopped run goes on."""

    limits: Limits
    """Limits that replace the program's from here on."""


Entry: TypeAlias = (
    RunStartedEntry
    | StepStartedEntry
    | StepReleasedEntry
    | ModelFinishedEntry
    | ModelFailedEntry
    | CallFinishedEntry
    | CallFailedEntry
    | AskedEntry
    | AnsweredEntry
    | HandedOverEntry
    | CancelRequestedEntry
    | RunFinishedEntry
    | RunResumedEntry
)
"""A durable fact in a run's journal."""


class Erased(TypedDict):
    """What was erased."""

    runs: int
    """How many runs lost content."""
    keys: int
    """How many keys were destroyed."""
    blobs: int
    """How many pieces of content and openings were removed."""
    kept_for: list[KeptField]
    """Fields for which content of the erased field was kept."""


class _ErrorFactRequired(TypedDict):
    component: Component
    """The reporting part."""
    category: Category
    """What to do about it."""
    code: str
    """The stable code."""


class ErrorFact(_ErrorFactRequired, total=False):
    """An error as a fact: without its text, which may repeat what somebody said."""

    report: Address
    """The whole report, as content."""
    retryable: bool
    """Whether the same call may succeed later."""


class _ErrorReportRequired(TypedDict):
    component: Component
    """The reporting part."""
    category: Category
    """What to do about it."""
    code: str
    """The stable code."""
    message: str
    """The text for people."""
    retryable: bool
    """Whether the same call may succeed later."""


class ErrorReport(_ErrorReportRequired, total=False):
    """An error as a durable or transmitted fact: everything but its source."""

    details: Any
    """Machine-readable details."""


class TextDeltaEvent(TypedDict):
    """More text of the agent."""

    type: Literal["text_delta"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    attempt: int
    """Which try of that step."""
    text: str
    """The text."""


class ReasoningDeltaEvent(TypedDict):
    """More of what the model thinks."""

    type: Literal["reasoning_delta"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    attempt: int
    """Which try of that step."""
    text: str
    """The text."""


class _ToolCallDeltaEventRequired(TypedDict):
    type: Literal["tool_call_delta"]
    """Tells it from the others."""
    step: StepPath
    """The model's step."""
    attempt: int
    """Which try of that step."""
    index: int
    """The call's place in the answer, from 0."""


class ToolCallDeltaEvent(_ToolCallDeltaEventRequired, total=False):
    """The model begins to write a call."""

    arguments: str
    """The next piece of the arguments' JSON text."""
    name: str
    """The tool's name, in the first delta of a call."""


class RetractedEvent(TypedDict):
    """Every delta of this try is void; another try follows, or an error."""

    type: Literal["retracted"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    attempt: int
    """The try whose deltas are void."""
    reason: str
    """Why."""


class ToolStartedEvent(TypedDict):
    """A call is about to run."""

    type: Literal["tool_started"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    attempt: int
    """Which try of that step."""
    tool: str
    """The tool."""
    arguments: str
    """The arguments, as JSON text."""


class ToolFinishedEvent(TypedDict):
    """A call has its result."""

    type: Literal["tool_finished"]
    """Tells it from the others."""
    step: StepPath
    """The step."""
    status: CallStatus
    """How it went."""
    text: str
    """What the model is told."""


class AskedEvent(TypedDict):
    """The run waits for a person."""

    type: Literal["asked"]
    """Tells it from the others."""
    step: StepPath
    """The step that waits."""
    question: Question
    """What for."""
    tool: str
    """The tool."""
    arguments: str
    """The arguments, as JSON text."""


class EntryEvent(TypedDict):
    """A durable fact."""

    type: Literal["entry"]
    """Tells it from the others."""
    entry: Entry
    """The entry."""


class FinishedEvent(TypedDict):
    """The run stopped, or waits and has left memory. Nothing follows."""

    type: Literal["finished"]
    """Tells it from the others."""
    outcome: OutcomeSummary
    """How."""


Event: TypeAlias = (
    TextDeltaEvent
    | ReasoningDeltaEvent
    | ToolCallDeltaEvent
    | RetractedEvent
    | ToolStartedEvent
    | ToolFinishedEvent
    | AskedEvent
    | EntryEvent
    | FinishedEvent
)
"""One event of a run."""


FinishReason: TypeAlias = Literal["stop", "tool_calls", "length", "content_filter", "refusal", "other"]
"""Why a model stopped.

- `"stop"`: It had said all.
- `"tool_calls"`: It asks for tools.
- `"length"`: The output limit cut it off.
- `"content_filter"`: The provider withheld content.
- `"refusal"`: It declined.
- `"other"`: Anything else that the provider said.
"""


class HistoryPolicy(TypedDict, total=False):
    """Which earlier turns of a session are sent."""

    runs: int
    """The latest so many runs of the session; all when absent, none when 0."""


class KeptField(TypedDict):
    """A field of a leaf whose content was kept."""

    run: RunId
    """The run."""
    entry: int
    """The entry that the leaf is of."""
    field: int
    """The number of the field."""


class _LeafReceiptRequired(TypedDict):
    log: LogId
    """The log."""
    entry: int
    """The entry that it is a projection of."""
    state: ReceiptState
    """Where it stands."""


class LeafReceipt(_LeafReceiptRequired, total=False):
    """One leaf of a receipt."""

    index: int
    """Its index, once it has one."""


Limit: TypeAlias = Literal["turns", "tokens", "cost", "wall_time", "output_tokens"]
"""A limit that can stop a run.

- `"turns"`: Model calls.
- `"tokens"`: Tokens.
- `"cost"`: Money.
- `"wall_time"`: Wall time.
- `"output_tokens"`: The length of one answer.
"""


class _LimitsRequired(TypedDict):
    turns: int
    """Model calls of one run, sub-agents included."""
    parallel_calls: int
    """Tool calls that one answer may hold."""
    depth: int
    """Agents inside agents."""
    output_retries: int
    """Times that an answer which does not match the output schema goes back to the model."""


class Limits(_LimitsRequired, total=False):
    """Where a run stops; each limit is an outcome, not an error."""

    cost_micro_usd: int
    """Cost of one run, in millionths of a US dollar, where prices are known."""
    tokens: int
    """Tokens read and written by one run."""
    wall_time_ms: int
    """Time from the start (or the last resume) to the end of a run, in milliseconds."""


class LimitsInput(TypedDict, total=False):
    """Where a run stops; each limit is an outcome, not an error."""

    cost_micro_usd: int
    """Cost of one run, in millionths of a US dollar, where prices are known."""
    depth: int
    """Agents inside agents."""
    output_retries: int
    """Times that an answer which does not match the output schema goes back to the model."""
    parallel_calls: int
    """Tool calls that one answer may hold."""
    tokens: int
    """Tokens read and written by one run."""
    turns: int
    """Model calls of one run, sub-agents included."""
    wall_time_ms: int
    """Time from the start (or the last resume) to the end of a run, in milliseconds."""


class LogCheck(TypedDict):
    """What a recomputation of a whole log found."""

    origin: str
    """The name that its checkpoints carry."""
    size: int
    """How many leaves it has."""
    checked: int
    """How many of them were recomputed: all, unless something is wrong."""
    root: str
    """The root over those, in base64."""
    holds: bool
    """Whether nothing is wrong."""
    damage: LogDamage | None
    """The first thing that is wrong."""


class _LogDamageRequired(TypedDict):
    code: str
    """The stable code."""
    index: int
    """Its index on that level; of a root, how many leaves are below it."""
    message: str
    """What was expected, and what was found."""


class LogDamage(_LogDamageRequired, total=False):
    """The first thing that is wrong with a log."""

    level: int
    """The level of the node that is wrong, with the leaves at 0; of a leaf, node or nothing in particular."""


class LogExport(TypedDict):
    """What an export of a log wrote into a folder."""

    origin: str
    """The name that the log's checkpoints carry."""
    verifier_key: str
    """The key that signs them, as a C2SP verifier key."""
    first_key: str
    """The log's first key: whoever has it can audit the export, whatever keys came after it."""
    before: int
    """How many leaves the export had before."""
    size: int
    """How many it has now."""
    files_written: int
    """How many files were written."""


LogId: TypeAlias = str
"""The proof log of one agent: 16 random bytes that stand for the agent in leaves."""


class _LogInfoRequired(TypedDict):
    log: LogId
    """The log."""
    origin: str
    """The name that its checkpoints carry."""
    verifier_key: str
    """The key that signs them, as a C2SP verifier key."""
    size: int
    """Leaves that have an index."""
    checkpoint: str | None
    """The newest signed checkpoint."""


class LogInfo(_LogInfoRequired, total=False):
    """A log, for people who want to check it."""

    checked: int
    """How many of its leaves this process has recomputed and found whole; none before it came to it."""


class _LogKeyRequired(TypedDict):
    verifier_key: str
    """The key, as a C2SP verifier key."""


class LogKey(_LogKeyRequired, total=False):
    """A key of a log, for people who want to check it."""

    cut_off: int
    """The size from which it no longer counts."""
    named_at: int
    """The index of the leaf that names it: none for the first key, nor while the leaf waits for its index."""


class MemoryPolicy(TypedDict, total=False):
    """What of a session the model sees."""

    history: HistoryPolicy
    """Which earlier messages of the session are sent."""


class Message(TypedDict):
    """One message of a conversation."""

    role: Role
    """Who says it."""
    parts: list[Part]
    """What is said, in order."""


class ModelAbilities(TypedDict, total=False):
    """What a model of the host can do, as data; what is left out is as in `Capabilities::default`."""

    audio: bool
    """Whether it can be given audio."""
    context_tokens: int
    """Tokens that request and answer may have together."""
    files: bool
    """Whether it can be given other files."""
    images: bool
    """Whether it can be shown images."""
    structured_output: bool
    """Whether it holds to an output schema by itself."""
    tool_calling: ToolCalling
    """How it is made to call tools."""
    tools: bool
    """Whether it can call tools at all."""
    video: bool
    """Whether it can be shown video."""


class _ModelAnswerRequired(TypedDict):
    message: Message
    """The assistant's message."""
    finish: FinishReason
    """Why it stopped."""
    usage: Usage
    """What it cost."""


class ModelAnswer(_ModelAnswerRequired, total=False):
    """A whole answer of a model."""

    model: str
    """The model that answered, as the provider names it."""
    response_id: str
    """The provider's id of the answer."""


class _ModelAnswerInputRequired(TypedDict):
    message: Message
    """The assistant's message."""
    finish: FinishReason
    """Why it stopped."""


class ModelAnswerInput(_ModelAnswerInputRequired, total=False):
    """A whole answer of a model."""

    model: str
    """The model that answered, as the provider names it."""
    response_id: str
    """The provider's id of the answer."""
    usage: UsageInput
    """What it cost."""


class TextModelDelta(TypedDict):
    """More text."""

    type: Literal["text"]
    """Tells it from the others."""
    text: str
    """The text."""


class ReasoningModelDelta(TypedDict):
    """More of what it thinks."""

    type: Literal["reasoning"]
    """Tells it from the others."""
    text: str
    """The text."""


class RefusalModelDelta(TypedDict):
    """More of a refusal."""

    type: Literal["refusal"]
    """Tells it from the others."""
    text: str
    """The text."""


class ToolCallStartedModelDelta(TypedDict):
    """A call begins."""

    type: Literal["tool_call_started"]
    """Tells it from the others."""
    index: int
    """Its place among the calls of this answer, from 0."""
    name: str
    """The tool's name."""


class ToolCallArgumentsModelDelta(TypedDict):
    """More of a call's arguments."""

    type: Literal["tool_call_arguments"]
    """Tells it from the others."""
    index: int
    """Its place among the calls of this answer, from 0."""
    json: str
    """The next piece of the JSON text."""


class RetractedModelDelta(TypedDict):
    """Everything so far is void: the model begins again."""

    type: Literal["retracted"]
    """Tells it from the others."""
    reason: str
    """Why."""


ModelDelta: TypeAlias = (
    TextModelDelta
    | ReasoningModelDelta
    | RefusalModelDelta
    | ToolCallStartedModelDelta
    | ToolCallArgumentsModelDelta
    | RetractedModelDelta
)
"""What `generate` of a model of the host gives while the answer is under way."""


class _ModelOptionsRequired(TypedDict):
    name: str
    """`provider/model`, such as `openai/gpt-5-mini`."""


class ModelOptions(_ModelOptionsRequired, total=False):
    """Which model an agent uses, and how."""

    api_key_env: str
    """The environment variable that holds the key; never the key itself."""
    base_url: str
    """Where the provider is, when it is not its usual place."""
    fallback: list[ModelSpec]
    """Models that are asked in turn when this one cannot answer."""
    headers: dict[str, str]
    """More headers of every request; never a secret, since the spec is stored."""
    settings: ModelSettings
    """Sampling and size."""
    tool_calling: str
    """`native` or `constrained`; decided by the provider's capabilities when absent."""
    wire: str
    """The provider's protocol, where it speaks several: `chat_completions`, `responses`, `messages` or
    `generate_content`.
    """


class ModelRequest(TypedDict):
    """What `generate` of a model of the host is given."""

    messages: list[Message]
    """The conversation, oldest first. Every tool call in it has exactly one result."""
    tools: list[ToolDefinition]
    """What the model may call."""
    output_schema: Any
    """JSON Schema that the final answer should match."""
    settings: ModelSettings
    """Sampling and size."""
    deltas: bool
    """Whether somebody listens while it speaks."""


class ModelSettings(TypedDict, total=False):
    """Sampling and size of an answer; what is absent is the provider's default."""

    extra: dict[str, Any]
    """Fields of the provider's request that we don't name, sent as they are."""
    max_output_tokens: int
    """Tokens that one answer may have."""
    parallel_tool_calls: bool
    """Whether one answer may hold several calls."""
    prompt_cache: PromptCache
    """How long the provider is to keep the beginning of the conversation in its cache, where it asks."""
    reasoning_effort: ReasoningEffort
    """How long the model may think before it answers."""
    seed: int
    """Seed, where the provider takes one."""
    stop: list[str]
    """Texts at which the model stops."""
    temperature: float
    """Randomness, 0 to 2."""
    top_p: float
    """Nucleus sampling, 0 to 1."""


ModelSpec: TypeAlias = str | ModelOptions
"""Which model an agent uses, and how."""


class Opaque(TypedDict):
    """Something of a provider that nobody else reads, kept so that it can be sent back unchanged."""

    provider: str
    """Which provider it belongs to; no other is sent it."""
    value: Any
    """The provider's JSON."""


OutcomeStatus: TypeAlias = Literal["completed", "failed", "cancelled", "limit_reached", "waiting", "interrupted"]
"""How a run ended, for callers.

- `"completed"`: With an answer.
- `"failed"`: With an error; `resume` goes on from where it failed.
- `"cancelled"`: On request; `resume` goes on.
- `"limit_reached"`: At a limit; `resume` with a higher one goes on.
- `"waiting"`: A person is asked; signal an answer, then `resume`.
- `"interrupted"`: The process is stopping; `resume` goes on.
"""


class _OutcomeSummaryRequired(TypedDict):
    run: RunId
    """The run."""
    status: OutcomeStatus
    """How it ended."""
    text: str
    """The final text; of an unfinished run, the latest that the agent said."""
    usage: Usage
    """What it cost."""


class OutcomeSummary(_OutcomeSummaryRequired, total=False):
    """An outcome as data."""

    error: ErrorReport
    """Why it failed."""
    limit: Limit
    """The limit that stopped it."""
    output: Any
    """The final answer as JSON, where the agent has an output schema."""


ProgramHash: TypeAlias = str
"""The content address of a validated program: BLAKE3 of its canonical JSON."""


PromptCache: TypeAlias = Literal["short", "long"]
"""How long a provider keeps the beginning of a conversation in its cache.

- `"short"`: Some minutes.
- `"long"`: An hour or more, for a higher price.
"""


Question: TypeAlias = Literal["approval", "interrupted"]
"""What a person is asked.

- `"approval"`: May this call run?
- `"interrupted"`: A call that must not run twice was interrupted: run it again (approve), give its result (answer), or leave it (deny)?
"""


ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high"]
"""How much a model thinks before it answers. Each provider has its own name or number for it.

- `"none"`: Not at all.
- `"minimal"`: As little as it can.
- `"low"`: Little.
- `"medium"`: As the provider finds usual.
- `"high"`: Much.
"""


class Receipt(TypedDict):
    """Where the leaves of a run stand in the proof log."""

    run: RunId | None
    """The run."""
    state: ReceiptState
    """The least of its leaves' states."""
    leaves: list[LeafReceipt]
    """Its leaves, in the order of their entries."""


ReceiptState: TypeAlias = Literal["none", "recorded", "sequenced", "checkpointed", "anchored"]
"""Where a leaf stands. Later states include the earlier ones.

- `"none"`: Nothing was to be recorded, or proof is off.
- `"recorded"`: Durable with its entry.
- `"sequenced"`: It has its index.
- `"checkpointed"`: A signed checkpoint covers it.
- `"anchored"`: An anchor keeps a checkpoint that covers it.
"""


Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""Who says a message.

- `"system"`: Instructions of the developer.
- `"user"`: The person, or the program that stands for one.
- `"assistant"`: The model.
- `"tool"`: Results of tool calls.
"""


class CompletedRunEnd(TypedDict):
    """With an answer."""

    how: Literal["completed"]
    """Tells it from the others."""


class FailedRunEnd(TypedDict):
    """With an error; it can be resumed."""

    how: Literal["failed"]
    """Tells it from the others."""
    error: ErrorFact
    """Which."""


class CancelledRunEnd(TypedDict):
    """On request."""

    how: Literal["cancelled"]
    """Tells it from the others."""


class LimitReachedRunEnd(TypedDict):
    """At a limit; it can be resumed with a higher one."""

    how: Literal["limit_reached"]
    """Tells it from the others."""
    limit: Limit
    """Which."""


RunEnd: TypeAlias = (
    CompletedRunEnd
    | FailedRunEnd
    | CancelledRunEnd
    | LimitReachedRunEnd
)
"""How a run stopped."""


class RunFilter(TypedDict, total=False):
    """Which runs to list."""

    limit: int
    """At most so many; the store's default is 100."""
    session: SessionId
    """Only of this session."""
    statuses: list[RunStatus]
    """Only these statuses; all when empty."""
    unowned: bool
    """Only runs that nobody holds a lease of."""


RunId: TypeAlias = str
"""One execution of a program: 16 random bytes, written as 32 hexadecimal digits."""


class RunRecord(TypedDict):
    """One run as the store lists it."""

    run: RunId
    """Its id."""
    program: ProgramHash
    """The program that it runs."""
    agent: str
    """Its first agent."""
    session: SessionId | None
    """The session that it speaks in."""
    subject: Subject
    """Whose content it holds."""
    parent: list[Any] | None
    """The run and step that started it, for a child."""
    status: RunStatus
    """Where it stands."""
    length: int
    """The number of its entries."""
    epoch: int
    """The newest lease epoch."""
    owner: str | None
    """Who holds a lease that has not expired."""
    created: Timestamp
    """When it was admitted."""
    updated: Timestamp
    """When its newest batch was made."""


RunStatus: TypeAlias = Literal["running", "waiting", "completed", "failed", "cancelled", "limit_reached"]
"""Where a run stands.

- `"running"`: Something is owed to it.
- `"waiting"`: Only people or timers can move it.
- `"completed"`: It answered.
- `"failed"`: It failed; it can be resumed.
- `"cancelled"`: It was cancelled.
- `"limit_reached"`: A limit stopped it; it can be resumed.
"""


SessionId: TypeAlias = str
"""A conversation, named by the caller."""


SignalSent: TypeAlias = Literal["delivered", "waiting", "stopped"]
"""What became of a signal.

- `"delivered"`: The run is being driven, here or elsewhere, and takes it in.
- `"waiting"`: It waits in the inbox; nobody drives the run: resume it.
- `"stopped"`: The run has stopped, and takes nothing in.
"""


StepKind: TypeAlias = Literal["model", "tool", "reconcile", "child_run"]
"""What a step is.

- `"model"`: A model turn.
- `"tool"`: A tool call.
- `"reconcile"`: Asking a tool what became of an interrupted call.
- `"child_run"`: A run of its own.
"""


StepPath: TypeAlias = str
"""Where a step is: numbers with dots between them. `2.1` is the first step inside step 2."""


Subject: TypeAlias = str
"""Whose content something is: the unit of encryption and erasure."""


Timestamp: TypeAlias = int
"""Milliseconds since the Unix epoch, UTC."""


class _ToolCallRequired(TypedDict):
    id: str
    """The provider's id of this call, unique within its answer."""
    name: str
    """The name that the model used; it may be of no tool at all."""
    arguments: str
    """The arguments exactly as the model wrote them: meant to be a JSON object, not yet checked."""


class ToolCall(_ToolCallRequired, total=False):
    """A call of a tool, as a model made it."""

    opaque: Opaque
    """What the provider wants back with it, such as a signature."""


ToolCalling: TypeAlias = Literal["native", "constrained"]
"""How a model is made to call tools.

- `"native"`: Through the provider's own `tools`.
- `"constrained"`: Through a JSON Schema on the answer: one of these calls, or an answer.
"""


class ToolDefinition(TypedDict):
    """What a model is told of something that it may call."""

    name: str
    """The name to call it by."""
    description: str
    """When to use it."""
    parameters: Any
    """JSON Schema of its arguments."""


ToolRef: TypeAlias = str | CommandTool | AgentTool
"""One entry of an agent's `tools`."""


class _ToolResultRequired(TypedDict):
    call_id: str
    """The id of the call that it answers."""
    name: str
    """The name of the tool."""
    text: str
    """What the model is told."""


class ToolResult(_ToolResultRequired, total=False):
    """The result of a call, as the model reads it."""

    is_error: bool
    """Whether it tells of a failure."""


class _ToolSpecRequired(TypedDict):
    name: str
    """1 to 64 of `A-Z a-z 0-9 _ -`."""
    parameters: Any
    """JSON Schema (2020-12) of the arguments, an object."""


class ToolSpec(_ToolSpecRequired, total=False):
    """What is known of a tool without running it."""

    approval: Approval
    """Whether a person is asked first."""
    command: CommandSpec
    """Set for a tool that is a program; otherwise the process must have a tool of this name registered."""
    description: str
    """What the model reads to know when to use it."""
    effect: Effect
    """What repeating a call means."""
    labels: dict[str, str]
    """Free labels of the developer, part of the program's hash."""
    timeout_ms: int
    """Wall time of one call, in milliseconds."""


class _UsageRequired(TypedDict):
    input_tokens: int
    """Tokens read, cached ones included."""
    output_tokens: int
    """Tokens written, reasoning included."""


class Usage(_UsageRequired, total=False):
    """Tokens and money of one or more model calls."""

    cache_write_tokens: int
    """Of the tokens read, those that the provider put into its cache."""
    cached_tokens: int
    """Of the tokens read, those that came from the provider's cache."""
    cost_micro_usd: int
    """Cost in millionths of a US dollar, where prices are known."""
    reasoning_tokens: int
    """Of the tokens written, those spent on reasoning."""


class UsageInput(TypedDict, total=False):
    """Tokens and money of one or more model calls."""

    cache_write_tokens: int
    """Of the tokens read, those that the provider put into its cache."""
    cached_tokens: int
    """Of the tokens read, those that came from the provider's cache."""
    cost_micro_usd: int
    """Cost in millionths of a US dollar, where prices are known."""
    input_tokens: int
    """Tokens read, cached ones included."""
    output_tokens: int
    """Tokens written, reasoning included."""
    reasoning_tokens: int
    """Of the tokens written, those spent on reasoning."""


class MessageContent(Message):
    """A message of a user, or feedback to the model."""

    content: Literal["message"]
    """Tells it from the others."""


class AnswerContent(ModelAnswer):
    """A model's answer."""

    content: Literal["answer"]
    """Tells it from the others."""


class _ToolOutputContentRequired(TypedDict):
    content: Literal["tool_output"]
    """Tells it from the others."""
    text: str
    """What the model is told."""


class ToolOutputContent(_ToolOutputContentRequired, total=False):
    """What a tool gave, without the call that it answers: the journal knows that."""

    is_error: bool
    """Whether it tells of a failure."""


class TextContent(TypedDict):
    """Words of a person: an answer, a reason."""

    content: Literal["text"]
    """Tells it from the others."""
    text: str
    """The words."""


class JsonContent(TypedDict):
    """Any other JSON."""

    content: Literal["json"]
    """Tells it from the others."""
    value: Any
    """The value."""


Content: TypeAlias = (
    MessageContent
    | AnswerContent
    | ToolOutputContent
    | TextContent
    | JsonContent
)
"""What a blob holds."""


class _TextPartRequired(TypedDict):
    type: Literal["text"]
    """Tells it from the others."""
    text: str
    """The text."""


class TextPart(_TextPartRequired, total=False):
    """Plain text."""

    citations: list[Citation]
    """Where the model says that it has it from."""
    opaque: Opaque
    """What the provider wants back with it, such as a signature."""


class _ReasoningPartRequired(TypedDict):
    type: Literal["reasoning"]
    """Tells it from the others."""
    text: str
    """The readable part; may be empty when the provider keeps it to itself."""


class ReasoningPart(_ReasoningPartRequired, total=False):
    """What a model thought before it spoke."""

    opaque: Opaque
    """What the provider wants back with it, such as a signature or encrypted reasoning."""


class ToolCallPart(ToolCall):
    """A call that the model asks for."""

    type: Literal["tool_call"]
    """Tells it from the others."""


class ToolResultPart(ToolResult):
    """What a call gave."""

    type: Literal["tool_result"]
    """Tells it from the others."""


class RefusalPart(TypedDict):
    """The model declines."""

    type: Literal["refusal"]
    """Tells it from the others."""
    text: str
    """Its words."""


class _MediaPartRequired(TypedDict):
    type: Literal["media"]
    """Tells it from the others."""
    media_type: str
    """IANA media type, such as `image/png`."""
    url: str
    """An `https:` or `data:` URL."""


class MediaPart(_MediaPartRequired, total=False):
    """An image, sound or file."""

    name: str
    """The name of the file."""
    opaque: Opaque
    """What the provider wants back with it."""


class OpaquePart(Opaque):
    """An item of a provider that we don't read."""

    type: Literal["opaque"]
    """Tells it from the others."""


Part: TypeAlias = (
    TextPart
    | ReasoningPart
    | ToolCallPart
    | ToolResultPart
    | RefusalPart
    | MediaPart
    | OpaquePart
)
"""A part of a message."""


ErrorCode: TypeAlias = Literal[
    "agent_file_invalid",
    "agent_file_syntax",
    "agent_file_unreadable",
    "agent_invalid",
    "agent_paused",
    "agent_terminated",
    "anchor_answers",
    "anchor_conflict",
    "anchor_empty",
    "anchor_malformed",
    "anchor_mismatch",
    "anchor_timeout",
    "anchor_unreachable",
    "arguments_not_json",
    "batch_malformed",
    "binding_failed",
    "bundle_digest",
    "bundle_format",
    "bundle_json",
    "bundle_limits",
    "bundle_not_canonical",
    "bundle_order",
    "bundle_too_large",
    "bundle_unreadable",
    "bundle_version",
    "call_cancelled",
    "cancelled",
    "checkpoint_conflict",
    "checkpoint_malformed",
    "checkpoint_missing",
    "checkpoint_rollback",
    "checkpoint_unreadable",
    "checkpoints_malformed",
    "close_failed",
    "command_failed",
    "command_not_executable",
    "command_not_found",
    "command_not_started",
    "commitment_mismatch",
    "consistency_mismatch",
    "consistency_proof_length",
    "consistency_sizes",
    "content_erased",
    "content_not_json",
    "content_unknown",
    "context_mismatch",
    "context_not_disclosed",
    "driver_gone",
    "driver_panicked",
    "duplicate_name",
    "embedding_text_empty",
    "engine_not_started",
    "engine_panicked",
    "entries_malformed",
    "entries_missing",
    "entropy_unavailable",
    "entry_too_large",
    "envelope_corrupt",
    "envelope_malformed",
    "erasure_busy",
    "erasure_unsupported",
    "export_failed",
    "field_erased_and_disclosed",
    "field_unknown",
    "file_not_written",
    "forked",
    "handle_closed",
    "hasher_mismatch",
    "host_closed",
    "host_failed",
    "host_missing",
    "host_value_malformed",
    "http_connection_lost",
    "http_redirect_refused",
    "http_response_invalid",
    "http_response_too_large",
    "http_status",
    "http_timeout",
    "http_tls",
    "http_unreachable",
    "http_url_invalid",
    "inclusion_mismatch",
    "inclusion_proof_length",
    "index_order",
    "index_out_of_range",
    "input_malformed",
    "input_unreadable",
    "invalid_address",
    "invalid_idempotency_key",
    "invalid_log_id",
    "invalid_program_hash",
    "invalid_run_id",
    "invalid_step_path",
    "journal_malformed",
    "key_event_hidden",
    "key_event_invalid",
    "key_malformed",
    "keys_exposed",
    "keys_malformed",
    "keys_missing",
    "leaf_algorithm",
    "leaf_domain",
    "leaf_duplicate",
    "leaf_encoding",
    "leaf_fields",
    "leaf_kind",
    "leaf_version",
    "lease_held",
    "lease_lapsed",
    "log_corrupt",
    "log_damaged",
    "log_key_cut_off",
    "log_key_foreign",
    "log_key_missing",
    "log_key_newest",
    "log_key_unknown",
    "log_rolled_back",
    "log_signature_missing",
    "log_unknown",
    "log_unreadable",
    "model_auth",
    "model_cancelled",
    "model_circuit_open",
    "model_connection_lost",
    "model_context_length",
    "model_deadline_exceeded",
    "model_fallbacks_exhausted",
    "model_key_invalid",
    "model_key_missing",
    "model_media_unsupported",
    "model_not_found",
    "model_overloaded",
    "model_quota",
    "model_rate_limit_wait",
    "model_rate_limited",
    "model_refused_connection",
    "model_request_invalid",
    "model_response_invalid",
    "model_response_too_large",
    "model_spec_invalid",
    "model_stream_ended",
    "model_timeout_connect",
    "model_timeout_first_token",
    "model_timeout_gap",
    "model_timeout_headers",
    "model_timeout_total",
    "model_tls",
    "model_unavailable",
    "model_unknown_provider",
    "native_binding_missing",
    "no_anchor",
    "no_event_loop",
    "no_tokio_runtime",
    "node_missing",
    "not_checkpointed",
    "not_registered",
    "note_malformed",
    "nothing_recorded",
    "number_not_canonical",
    "openings_malformed",
    "operation_malformed",
    "options_malformed",
    "origin_mismatch",
    "output_invalid",
    "output_mismatch",
    "output_missing",
    "panicked",
    "policy_malformed",
    "price_table_invalid",
    "program_invalid",
    "program_mismatch",
    "program_too_large",
    "program_too_new",
    "proof_off",
    "recording_failed",
    "recording_invalid",
    "replay_unmatched",
    "replay_unused",
    "report_unwritable",
    "result_not_json",
    "root_mismatch",
    "run_ambiguous",
    "run_exists",
    "run_not_finished",
    "run_not_heard",
    "run_not_started",
    "run_started",
    "run_stopped",
    "run_unknown",
    "runtime_closed",
    "runtime_not_open",
    "schema_invalid",
    "schema_not_json",
    "script_exhausted",
    "seal_failed",
    "sequence_conflict",
    "sequence_gap",
    "session_busy",
    "session_moved_on",
    "session_unknown",
    "signals_unavailable",
    "signature_invalid",
    "stale_writer",
    "step_not_asked",
    "store_busy",
    "store_closed",
    "store_corrupt",
    "store_failed",
    "store_foreign",
    "store_missing",
    "store_too_new",
    "store_url_invalid",
    "stream_truncated",
    "tile_malformed",
    "tile_mismatch",
    "tile_missing",
    "tool_failed",
    "tool_invalid",
    "tool_needs_code",
    "tool_not_transactional",
    "tool_output_not_json",
    "tree_size",
    "turn_limit",
    "unknown_agent",
    "unknown_entry",
    "unknown_tool",
    "usage",
    "user_unknown",
    "witness_log_unknown",
    "witness_malformed",
    "witness_refused",
    "witnesses_missing",
]
"""The code of an error."""
