//! What is printed.

use std::fmt::Write as _;

/// Rows under a head, as wide as needed; the first column is words, the others are numbers.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self {
            rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let width = *width;
                // Writing to a String cannot fail.
                let _ = match at {
                    0 => write!(line, "  {cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// What the project promised, and what came of it.
#[derive(Default)]
pub(crate) struct Goals {
    rows: Vec<[String; 4]>,
}

impl Goals {
    /// A value that should not be larger.
    pub(crate) fn at_most(&mut self, what: impl Into<String>, goal: f64, found: f64, unit: &str) {
        self.push(what.into(), "at most", goal, found, unit, found <= goal);
    }

    /// A value that should not be smaller.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, goal: f64, found: f64, unit: &str) {
        self.push(what.into(), "at least", goal, found, unit, found >= goal);
    }

    fn push(&mut self, what: String, how: &str, goal: f64, found: f64, unit: &str, met: bool) {
        self.rows.push([
            what,
            format!("{how} {}{unit}", number(goal)),
            format!("{}{unit}", number(found)),
            if met { "met" } else { "MISSED" }.to_owned(),
        ]);
    }

    pub(crate) fn table(self) -> Table {
        let mut table = Table::new(["", "goal", "measured", ""]);
        for row in self.rows {
            table.row(row);
        }
        table
    }
}

/// Three digits that matter, and thousands apart.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    if size < 10.0 {
        return format!("{value:.2}");
    }
    if size < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{size:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0.0 {
        grouped.insert(0, '-');
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (3_300_000.0, "3,300,000"),
            (-0.5, "-0.50"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_missed_goal_says_so() {
        let mut goals = Goals::default();
        goals.at_most("a", 1.3, 1.2, "×");
        goals.at_most("b", 1.3, 1.4, "×");
        goals.at_least("c", 10.0, 9.0, " a second");
        goals.at_least("d", 10.0, f64::NAN, "");
        let shown = goals.table().to_string();
        let verdicts: Vec<bool> = shown
            .lines()
            .skip(1)
            .map(|line| line.ends_with("MISSED"))
            .collect();
        assert_eq!(verdicts, [false, true, true, true]);
    }
}
