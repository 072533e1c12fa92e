//! Which fields a leaf may commit to. The numbers are for ever; the page has the registry.

use std::fmt;

/// The number of a field. Unknown numbers are carried, so that the registry can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(u16);

/// What the bytes of a field's value are, for whoever shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldEncoding {
    /// UTF-8 text.
    Text,
    /// JSON in UTF-8. The bytes that were recorded count, not the value that they parse to.
    Json,
    /// A number in decimal digits.
    Number,
    /// `true` or `false`.
    Bool,
    /// Raw bytes.
    Bytes,
}

impl FieldEncoding {
    /// The name used in the page's registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Bytes => "bytes",
        }
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal, $encoding:ident;)*) => {
        impl FieldId {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// Every field of the registry.
            pub const REGISTRY: &'static [Self] = &[$(Self::$constant,)*];

            const fn entry(self) -> Option<(&'static str, FieldEncoding)> {
                match self.0 {
                    $($number => Some(($name, FieldEncoding::$encoding)),)*
                    _ => None,
                }
            }

            /// The field of this name in the registry.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self($number)),)* _ => None }
            }
        }
    };
}

fields! {
    /// Who the agent acted for, as a pseudonym of the operator's.
    USER = 1, "user", Text;
    /// The hash of the program that ran.
    PROGRAM_HASH = 2, "program_hash", Bytes;
    /// How long it took, in milliseconds.
    DURATION = 3, "duration_ms", Number;
    /// Whether it succeeded.
    SUCCESS = 4, "success", Bool;
    /// The error, if it failed.
    ERROR = 5, "error", Json;
    /// Anything the operator adds.
    METADATA = 6, "metadata", Json;

    /// What was asked in this turn.
    PROMPT = 16, "prompt", Text;
    /// What the model answered.
    RESPONSE = 17, "response", Text;
    /// The head of the context chain: all that the model was sent.
    CONTEXT = 18, "context", Bytes;
    /// One part of the context chain; never in a leaf itself.
    CONTEXT_PART = 19, "context_part", Json;
    /// The model, as the provider names it.
    MODEL = 20, "model", Text;
    /// Sampling and other parameters of the request.
    PARAMETERS = 21, "parameters", Json;
    /// Tokens and cost.
    USAGE = 22, "usage", Json;
    /// The calls that the model asked for.
    TOOLS = 23, "tools", Json;
    /// Why the model stopped.
    FINISH = 24, "finish", Text;
    /// The provider that served the request.
    PROVIDER = 25, "provider", Text;
    /// The schema that the answer had to follow.
    OUTPUT_SCHEMA = 26, "output_schema", Json;

    /// The tool's name.
    TOOL = 32, "tool", Text;
    /// The tool's version.
    TOOL_VERSION = 33, "tool_version", Text;
    /// What the tool was called with.
    ARGUMENTS = 34, "arguments", Json;
    /// What the tool returned.
    OUTPUT = 35, "output", Json;
    /// The isolation that the call ran under.
    TIER = 36, "tier", Text;
    /// What the tool declares about repeating it.
    EFFECT_CLASS = 37, "effect_class", Text;
    /// The id of the call in the model's answer.
    CALL_ID = 38, "call_id", Text;
    /// The key given to the tool so that a repeat has no second effect.
    IDEMPOTENCY_KEY = 39, "idempotency_key", Text;

    /// The guardrail's name.
    GUARDRAIL = 48, "guardrail", Text;
    /// The guardrail's version.
    GUARDRAIL_VERSION = 49, "guardrail_version", Text;
    /// Input, output, tool call or tool result.
    PHASE = 50, "phase", Text;
    /// What was judged.
    SUBJECT = 51, "subject", Json;
    /// Pass, rewrite, deny or ask.
    VERDICT = 52, "verdict", Text;
    /// Why.
    REASON = 53, "reason", Text;
    /// What a rewrite put in its place.
    REPLACEMENT = 54, "replacement", Json;

    /// What a person was asked to approve.
    REQUEST = 64, "request", Json;
    /// What the person decided.
    DECISION = 65, "decision", Text;
    /// Who decided, as a pseudonym of the operator's.
    APPROVER = 66, "approver", Text;
    /// What the person said.
    COMMENT = 67, "comment", Text;

    /// Deploy, pause, resume or terminate.
    EVENT = 80, "event", Text;
    /// The program or specification that was deployed.
    SPEC = 81, "spec", Json;
    /// The identity that the agent was deployed under.
    IDENTITY = 82, "identity", Json;

    /// What happened to a key: rotate or revoke.
    KEY_EVENT = 96, "key_event", Text;
    /// The key that signed until now, as a vkey.
    OLD_KEY = 97, "old_key", Text;
    /// The key that signs from now on, as a vkey.
    NEW_KEY = 98, "new_key", Text;
    /// The old key's signature.
    KEY_SIGNATURE = 99, "key_signature", Bytes;
    /// The size from which a revoked key no longer counts.
    CUTOFF_SIZE = 100, "cutoff_size", Number;

    /// The chain that a beacon comes from.
    BEACON_SOURCE = 112, "beacon_source", Text;
    /// The height of the beacon.
    BEACON_HEIGHT = 113, "beacon_height", Number;
    /// A value that nobody knew earlier, such as a block hash.
    BEACON = 114, "beacon", Bytes;
}

impl FieldId {
    /// A field by number. 0 is no field; 32768 and above are for private use.
    pub const fn new(number: u16) -> Option<Self> {
        if number == 0 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The number in leaves and bundles.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The name in the registry, or `field-N`.
    pub fn name(self) -> String {
        match self.entry() {
            Some((name, _)) => name.to_owned(),
            None => format!("field-{}", self.0),
        }
    }

    /// What the registry says of the value's bytes; raw bytes where it says nothing.
    pub const fn encoding(self) -> FieldEncoding {
        match self.entry() {
            Some((_, encoding)) => encoding,
            None => FieldEncoding::Bytes,
        }
    }
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "field-{}", self.0),
        }
    }
}
