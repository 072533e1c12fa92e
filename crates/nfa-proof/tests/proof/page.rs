//! The page lists what the code has: codes with their category, kinds, fields.

use nfa_proof::*;

const PAGE: &str = include_str!("../../../../docs/proof-of-prompt.md");

#[test]
fn the_page_lists_every_error_code_and_its_category() {
    for code in ErrorCode::ALL {
        let row = format!("| `{code}` | {} |", code.category().as_str());
        assert!(PAGE.contains(&row), "no row {row}");
    }
}

#[test]
fn the_page_lists_no_other_code() {
    let table = PAGE.split("## 11. Error codes").nth(1).unwrap();
    let table = table.split("## 12.").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let known: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let sorted = |mut codes: Vec<&'static str>| {
        codes.sort_unstable();
        codes
    };
    assert_eq!(sorted(listed), sorted(known));
}

/// The steps say when a code is given: one that only the table has is a rule left out.
#[test]
fn every_code_has_a_rule_outside_of_the_table() {
    let (rules, rest) = PAGE.split_once("## 11. Error codes").unwrap();
    let (_, after) = rest.split_once("## 12.").unwrap();
    // A caller's mistakes are no part of the format.
    let rules: String = [rules, after].concat();
    for code in ErrorCode::ALL {
        let told = rules.contains(&format!("`{code}`"));
        assert!(
            told || code.category() == Category::Usage,
            "no rule gives {code}"
        );
    }
}

#[test]
fn the_page_lists_every_kind_and_field() {
    for kind in LeafKind::ALL {
        let row = format!("| {} | `{}` |", kind.number(), kind.as_str());
        assert!(PAGE.contains(&row), "no row {row}");
    }
    for field in FieldId::REGISTRY {
        let encoding = field.encoding().as_str();
        let row = format!("| {} | `{field}` | {encoding} |", field.number());
        assert!(PAGE.contains(&row), "no row {row}");
    }
}
