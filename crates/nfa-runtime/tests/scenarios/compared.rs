//! What was played beside what was expected.

use crate::files::File;
use crate::playing::Played;

/// Compares with the files.
pub(crate) fn with(file: &File, played: &Result<Played, String>) -> Vec<String> {
    two(&file.name, &file.expected(), played)
}

/// Every difference, in words.
pub(crate) fn two(name: &str, expected: &Played, played: &Result<Played, String>) -> Vec<String> {
    let played = match played {
        Ok(played) => played,
        Err(failure) => return vec![format!("{name}: {failure}")],
    };
    let mut differences = Vec::new();
    if expected.told != played.told {
        let at = expected.told.iter().zip(&played.told);
        let at = at
            .take_while(|(expected, played)| expected == played)
            .count();
        let show = |told: &[serde_json::Value]| match told.get(at) {
            Some(told) => serde_json::to_string_pretty(told).unwrap(),
            None => "nothing".to_owned(),
        };
        differences.push(format!(
            "{name}: in what the caller was told, place {at}: expected {}, found {}",
            show(&expected.told),
            show(&played.told)
        ));
    }
    if expected.journal != played.journal {
        let at = expected.journal.lines().zip(played.journal.lines());
        let at = at
            .take_while(|(expected, played)| expected == played)
            .count();
        let line = |journal: &str| journal.lines().nth(at).unwrap_or("nothing").to_owned();
        differences.push(format!(
            "{name}: line {} of the journal:\n expected {}\n found    {}",
            at + 1,
            line(&expected.journal),
            line(&played.journal)
        ));
    }
    differences
}
