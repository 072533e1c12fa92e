//! The report as a person reads it.

use std::fmt;

use super::{
    AnchorReport, AnchoredReport, ContextPartReport, DisclosedField, FieldName, LeafReport,
    LogReport, Report, SequenceGap, WitnessReport,
};
use crate::shown::Shown;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogReport {
            origin,
            hasher,
            size,
            root,
            key,
            ..
        } = &self.log;
        writeln!(f, "VALID")?;
        writeln!(
            f,
            "log      {origin} ({hasher}), {size} leaves, root {root}"
        )?;
        writeln!(f, "signed   by {key}")?;
        for WitnessReport { key, time, .. } in &self.witnesses {
            write!(f, "witness  {key}")?;
            match time {
                Some(time) => writeln!(f, " at {time}")?,
                None => writeln!(f)?,
            }
        }
        for leaf in &self.leaves {
            write!(f, "\n{leaf}")?;
        }
        for SequenceGap {
            session,
            first,
            last,
            ..
        } in &self.gaps
        {
            writeln!(
                f,
                "\nnot here: numbers {first} to {last} of session {session}"
            )?;
        }
        for AnchorReport { kind, anchored, .. } in &self.anchors {
            let Some(anchored) = anchored else {
                writeln!(f, "\nanchor   {} (not checked)", Shown(kind))?;
                continue;
            };
            let AnchoredReport {
                chain_id,
                contract,
                token_id,
                size,
                tree_root,
                not_covered,
                ..
            } = anchored;
            writeln!(f, "\nanchor   chain {chain_id}, contract {contract}")?;
            writeln!(f, "         token {token_id}")?;
            writeln!(f, "         root {tree_root}, over the first {size} leaves")?;
            for leaf in not_covered {
                writeln!(f, "         leaf {leaf} is younger")?;
            }
        }
        writeln!(f, "\nproved")?;
        self.proved
            .iter()
            .try_for_each(|line| writeln!(f, "  + {line}"))?;
        writeln!(f, "not proved")?;
        self.not_proved
            .iter()
            .try_for_each(|line| writeln!(f, "  - {line}"))
    }
}

impl fmt::Display for LeafReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index,
            kind,
            sequence,
            time,
            run,
            ..
        } = self;
        writeln!(
            f,
            "leaf {index}   {kind}, number {sequence} of its session, run {run}, {time}"
        )?;
        match (self.parent_index, &self.parent) {
            (Some(index), _) => writeln!(f, "  caused by leaf {index}")?,
            (None, Some(id)) => writeln!(f, "  caused by leaf {id}, which is not here")?,
            (None, None) => {}
        }
        for field in &self.disclosed {
            writeln!(f, "  shown   {field}")?;
        }
        for ContextPartReport { step, part, value } in &self.context {
            writeln!(f, "  shown   step {step}, part {part}, {value}")?;
        }
        let names = |fields: &[FieldName]| {
            fields
                .iter()
                .map(|field| field.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if !self.erased.is_empty() {
            writeln!(f, "  erased  {}", names(&self.erased))?;
        }
        if !self.hidden.is_empty() {
            writeln!(f, "  hidden  {}", names(&self.hidden))?;
        }
        Ok(())
    }
}

impl fmt::Display for DisclosedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text, &self.base64) {
            (Some(text), _) => write!(f, "{}: {}", self.name, Shown(text)),
            (None, Some(base64)) => write!(f, "{}: base64 {base64}", self.name),
            (None, None) => write!(f, "{}:", self.name),
        }
    }
}
