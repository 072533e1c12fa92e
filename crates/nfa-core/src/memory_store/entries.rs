//! Entries as they are kept: the usual ones in some ten bytes, the others as their JSON.
//!
//! An entry is `form ‖ …`. Form 0: its JSON. Otherwise the time since the entry before, and the fields of its
//! fact. Number and epoch are those of the batch.

use super::arena::{Arena, Place};
use super::blobs::{Blobs, put_address, take_address};
use super::wire::{Reader, at_difference, difference, put_bytes, put_number};
use crate::content::{FinishReason, Usage};
use crate::engine::{CallDecision, CallStatus, ENTRY_VERSION, Entry, Fact, RunEnd, StepKind};
use crate::ids::{Address, ProgramHash, RunId, StepPath, Timestamp};

const JSON: u8 = 0;
const RUN_STARTED: u8 = 1;
const STEP_STARTED: u8 = 2;
const MODEL_FINISHED: u8 = 3;
const CALL_FINISHED: u8 = 4;
const RUN_COMPLETED: u8 = 5;

const KINDS: [StepKind; 4] = [
    StepKind::Model,
    StepKind::Tool,
    StepKind::Reconcile,
    StepKind::ChildRun,
];
const FINISHES: [FinishReason; 6] = [
    FinishReason::Stop,
    FinishReason::ToolCalls,
    FinishReason::Length,
    FinishReason::ContentFilter,
    FinishReason::Refusal,
    FinishReason::Other,
];
const STATUSES: [CallStatus; 5] = [
    CallStatus::Ok,
    CallStatus::Error,
    CallStatus::Denied,
    CallStatus::Cancelled,
    CallStatus::Unknown,
];

/// What entries of one run have in common.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) arena: &'a Arena,
    pub(super) blobs: &'a Blobs,
    /// Where the run is, which addresses are written from.
    pub(super) base: Place,
    pub(super) run: RunId,
    pub(super) program: ProgramHash,
}

/// What entries of one batch have in common, and the time of the latest that was read or written.
pub(super) struct Frame {
    pub(super) epoch: u64,
    pub(super) at: Timestamp,
}

pub(super) fn put(of: Of<'_>, frame: &mut Frame, out: &mut Vec<u8>, entry: &Entry) {
    let before = out.len();
    if entry.v == ENTRY_VERSION && put_usual(of, frame, out, entry).is_some() {
        frame.at = entry.at;
        return;
    }
    out.truncate(before);
    out.push(JSON);
    put_bytes(out, &serde_json::to_vec(entry).unwrap_or_default());
}

pub(super) fn take(
    of: Of<'_>,
    frame: &mut Frame,
    record: &mut Reader<'_>,
    seq: u64,
) -> Option<Entry> {
    let form = record.byte()?;
    if form == JSON {
        return serde_json::from_slice(record.bytes()?).ok();
    }
    frame.at = Timestamp(at_difference(record.number()?, frame.at.0));
    Some(Entry {
        v: ENTRY_VERSION,
        seq,
        at: frame.at,
        epoch: frame.epoch,
        fact: take_fact(of, record, form)?,
    })
}

/// `None` where it is not a usual entry; what was written then is void.
fn put_usual(of: Of<'_>, frame: &Frame, out: &mut Vec<u8>, entry: &Entry) -> Option<()> {
    let form = match &entry.fact {
        Fact::RunStarted { .. } => RUN_STARTED,
        Fact::StepStarted { .. } => STEP_STARTED,
        Fact::ModelFinished { .. } => MODEL_FINISHED,
        Fact::CallFinished { .. } => CALL_FINISHED,
        Fact::RunFinished { .. } => RUN_COMPLETED,
        _ => return None,
    };
    out.push(form);
    put_number(out, difference(entry.at.0, frame.at.0));
    match &entry.fact {
        Fact::RunStarted {
            fold,
            run,
            program,
            input,
            history,
            depth,
            user: None,
        } if *run == of.run && *program == of.program => {
            put_number(out, u64::from(*fold));
            put_address(of.blobs, of.arena, out, input, of.base);
            put_number(out, *history);
            put_number(out, u64::from(*depth));
        }
        Fact::StepStarted {
            step,
            attempt,
            kind,
        } => {
            put_step(out, step);
            put_number(out, u64::from(*attempt));
            out.push(code(&KINDS, kind)?);
        }
        Fact::ModelFinished {
            step,
            answer,
            finish,
            usage,
            calls,
            rejected,
        } => {
            put_step(out, step);
            put_address(of.blobs, of.arena, out, answer, of.base);
            out.push(code(&FINISHES, finish)?);
            put_usage(out, usage);
            put_number(out, calls.len() as u64);
            for call in calls {
                let CallDecision::Tool { tool } = call else {
                    return None;
                };
                put_bytes(out, tool.as_bytes());
            }
            put_optional(of, out, rejected.as_ref());
        }
        Fact::CallFinished {
            step,
            status,
            result,
        } => {
            put_step(out, step);
            out.push(code(&STATUSES, status)?);
            put_address(of.blobs, of.arena, out, result, of.base);
        }
        Fact::RunFinished {
            end: RunEnd::Completed,
            output,
        } => put_optional(of, out, output.as_ref()),
        _ => return None,
    }
    Some(())
}

fn take_fact(of: Of<'_>, record: &mut Reader<'_>, form: u8) -> Option<Fact> {
    let address = |record: &mut Reader<'_>| take_address(of.arena, record, of.base);
    Some(match form {
        RUN_STARTED => Fact::RunStarted {
            fold: u16::try_from(record.number()?).ok()?,
            run: of.run,
            program: of.program,
            input: address(record)?,
            history: record.number()?,
            depth: record.number32()?,
            user: None,
        },
        STEP_STARTED => Fact::StepStarted {
            step: take_step(record)?,
            attempt: record.number32()?,
            kind: of_code(&KINDS, record)?,
        },
        MODEL_FINISHED => Fact::ModelFinished {
            step: take_step(record)?,
            answer: address(record)?,
            finish: of_code(&FINISHES, record)?,
            usage: take_usage(record)?,
            calls: (0..record.number()?)
                .map(|_| {
                    Some(CallDecision::Tool {
                        tool: record.text()?.into(),
                    })
                })
                .collect::<Option<_>>()?,
            rejected: take_optional(of, record)?,
        },
        CALL_FINISHED => Fact::CallFinished {
            step: take_step(record)?,
            status: of_code(&STATUSES, record)?,
            result: address(record)?,
        },
        RUN_COMPLETED => Fact::RunFinished {
            end: RunEnd::Completed,
            output: take_optional(of, record)?,
        },
        _ => return None,
    })
}

/// The place of a value in its list. `None` for one of a later version.
pub(super) fn code<T: PartialEq>(list: &[T], value: &T) -> Option<u8> {
    let at = list.iter().position(|other| other == value)?;
    u8::try_from(at).ok()
}

fn of_code<T: Copy>(list: &[T], record: &mut Reader<'_>) -> Option<T> {
    list.get(usize::from(record.byte()?)).copied()
}

fn put_optional(of: Of<'_>, out: &mut Vec<u8>, address: Option<&Address>) {
    out.push(u8::from(address.is_some()));
    if let Some(address) = address {
        put_address(of.blobs, of.arena, out, address, of.base);
    }
}

fn take_optional(of: Of<'_>, record: &mut Reader<'_>) -> Option<Option<Address>> {
    match record.byte()? {
        0 => Some(None),
        _ => take_address(of.arena, record, of.base).map(Some),
    }
}

pub(super) fn put_step(out: &mut Vec<u8>, step: &StepPath) {
    put_number(out, step.depth() as u64);
    for number in step.numbers() {
        put_number(out, u64::from(*number));
    }
}

pub(super) fn take_step(record: &mut Reader<'_>) -> Option<StepPath> {
    let mut step = StepPath::root();
    for _ in 0..record.number()? {
        step = step.child(record.number32()?);
    }
    Some(step)
}

/// Which of its numbers are not zero, and those.
fn put_usage(out: &mut Vec<u8>, usage: &Usage) {
    let numbers = numbers_of(*usage);
    let mask = (0..).zip(numbers).filter(|(_, number)| *number > 0);
    out.push(mask.map(|(bit, _)| 1 << bit).sum());
    for number in numbers.into_iter().filter(|number| *number > 0) {
        put_number(out, number);
    }
}

fn take_usage(record: &mut Reader<'_>) -> Option<Usage> {
    let mask = record.byte()?;
    let mut numbers = [0; 6];
    for (bit, number) in numbers.iter_mut().enumerate() {
        if mask >> bit & 1 == 1 {
            *number = record.number()?;
        }
    }
    let [
        input_tokens,
        output_tokens,
        cached_tokens,
        reasoning_tokens,
        cost_micro_usd,
        cache_write_tokens,
    ] = numbers;
    Some(Usage {
        input_tokens,
        output_tokens,
        cached_tokens,
        reasoning_tokens,
        cost_micro_usd,
        cache_write_tokens,
    })
}

fn numbers_of(usage: Usage) -> [u64; 6] {
    let Usage {
        input_tokens,
        output_tokens,
        cached_tokens,
        reasoning_tokens,
        cost_micro_usd,
        cache_write_tokens,
    } = usage;
    [
        input_tokens,
        output_tokens,
        cached_tokens,
        reasoning_tokens,
        cost_micro_usd,
        cache_write_tokens,
    ]
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::content::Sealed;

    #[derive(Deserialize)]
    struct Journal {
        entries: Vec<Entry>,
    }

    /// The journals of every scenario: all facts there are.
    fn journals() -> Vec<Vec<Entry>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journals/v1");
        std::fs::read_dir(folder)
            .unwrap()
            .map(|file| {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                serde_json::from_slice::<Journal>(&bytes).unwrap().entries
            })
            .collect()
    }

    #[test]
    fn every_fact_comes_back_and_the_usual_ones_are_small() {
        let mut sizes = [0; 6];
        for known in [false, true] {
            for mut entries in journals() {
                // What no scenario has.
                let mut odd = entries[0].clone();
                odd.v = 9;
                entries.push(odd);
                let (run, program) = match &entries[0].fact {
                    Fact::RunStarted { run, program, .. } => (*run, *program),
                    other => panic!("{other:?}"),
                };
                let (mut arena, mut blobs) = (Arena::default(), Blobs::default());
                let base = arena.append(b"run");
                for entry in entries.iter().filter(|_| known) {
                    let address = match &entry.fact {
                        Fact::RunStarted { input, .. } => *input,
                        Fact::ModelFinished { answer, .. } => *answer,
                        Fact::CallFinished { result, .. } => *result,
                        _ => continue,
                    };
                    let envelope = (&b"\x01\x00an envelope"[..]).into();
                    let sealed = Sealed { address, envelope };
                    blobs.insert(&mut arena, &mut Vec::new(), &sealed);
                }
                let of = Of {
                    arena: &arena,
                    blobs: &blobs,
                    base,
                    run,
                    program,
                };
                let frame = |at| Frame {
                    epoch: 0,
                    at: Timestamp(at),
                };
                let (mut writing, mut reading) = (frame(900), frame(900));
                for entry in &entries {
                    let mut out = Vec::new();
                    put(of, &mut writing, &mut out, entry);
                    reading.epoch = entry.epoch;
                    let mut record = Reader(&out);
                    let read = take(of, &mut reading, &mut record, entry.seq);
                    assert_eq!(read.as_ref(), Some(entry));
                    assert!(record.0.is_empty());
                    let cut = Reader(&out[..out.len() - 1]);
                    assert_eq!(take(of, &mut frame(0), &mut { cut }, 0), None);
                    if out[0] != JSON {
                        assert!(!known || out.len() < 96, "{} of {entry:?}", out.len());
                    }
                    sizes[usize::from(out[0])] += 1;
                }
            }
        }
        assert!(sizes.iter().all(|count| *count > 0), "{sizes:?}");
    }
}
