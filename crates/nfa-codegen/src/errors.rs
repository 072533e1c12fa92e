//! The table of codes and classes, read from `docs/errors.md`.

use std::collections::BTreeMap;

use crate::schema::Unreadable;

/// What a caller does about an error, and the class that every language has for it.
pub const CATEGORIES: [(&str, &str); 6] = [
    ("input", "InputError"),
    ("transient", "TransientError"),
    ("configuration", "ConfigurationError"),
    ("conflict", "ConflictError"),
    ("cancelled", "RunCancelledError"),
    ("internal", "InternalError"),
];

/// Sections of the page, and the component that reports their codes.
const SECTIONS: [(&str, &str); 9] = [
    ("Agents and programs", "spec"),
    ("The engine", "engine"),
    ("The runtime", "runtime"),
    ("Stores", "store"),
    ("Models", "model"),
    ("Tools", "tool"),
    ("Proof", "proof"),
    ("The command line", "cli"),
    ("Host languages", "runtime"),
];

const CLASSES: &str = "Classes in Python and Node";

/// A code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// The section that it stands in.
    pub component: String,
    /// The categories that it comes with, the usual one first.
    pub categories: Vec<String>,
    /// What it means.
    pub meaning: String,
}

/// A class below that of a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// The class that it is one of.
    pub below: String,
    /// The codes that are errors of it.
    pub codes: Vec<String>,
    /// What happened.
    pub doc: String,
    /// Whether its codes are those that checking a proof gives, some of which also come with other categories.
    pub is_of_verdicts: bool,
}

impl Class {
    /// What happened, and which codes say so.
    pub fn doc_with_codes(&self) -> String {
        let codes: Vec<_> = self.codes.iter().map(|code| format!("`{code}`")).collect();
        let mut letters = self.doc.trim_end_matches('.').chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let doc: String = first.into_iter().chain(letters).collect();
        let codes = match self.is_of_verdicts {
            true => "those that checking a proof gives".to_owned(),
            false => codes.join(", "),
        };
        format!("{doc}.\n\nCodes: {codes}.")
    }
}

/// Codes and classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// By code.
    pub codes: BTreeMap<String, Code>,
    /// What a caller does, by category.
    pub categories: Vec<(String, String)>,
    /// The classes below those of categories, in the page's order.
    pub classes: Vec<Class>,
    verdicts: Vec<String>,
}

impl Table {
    /// Reads the page.
    ///
    /// # Errors
    /// A row that says something else than the rows of its table do.
    pub fn read(page: &str) -> Result<Self, Unreadable> {
        let mut table = Self {
            codes: BTreeMap::new(),
            categories: Vec::new(),
            classes: Vec::new(),
            verdicts: Vec::new(),
        };
        let (mut section, mut header) = ("", Vec::new());
        for line in page.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                section = title;
            }
            let Some(row) = line.strip_prefix('|') else {
                header.clear();
                table.sentence(section, line);
                continue;
            };
            let cells: Vec<&str> = row
                .trim_end_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            if header.is_empty() {
                header = cells;
            } else if !cells.iter().all(|cell| cell.starts_with("---")) {
                table.row(section, &header, &cells)?;
            }
        }
        table.check()?;
        let verdicts = table.verdicts.clone();
        for class in table
            .classes
            .iter_mut()
            .filter(|class| class.codes.is_empty())
        {
            class.is_of_verdicts = true;
            class.codes.clone_from(&verdicts);
        }
        Ok(table)
    }

    /// The class of a code; none where the category of the error at hand decides.
    pub fn class_of(&self, code: &str) -> Option<&str> {
        let [category] = self.codes.get(code)?.categories.as_slice() else {
            return None;
        };
        let of_category = class_of_category(category)?;
        let own = self
            .classes
            .iter()
            .find(|class| class.below == of_category && class.codes.iter().any(|one| one == code));
        Some(own.map_or(of_category, |class| class.name.as_str()))
    }

    /// The codes that have a class of their own, with it.
    pub fn own_classes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.classes.iter().flat_map(|class| {
            class
                .codes
                .iter()
                .map(|code| (code.as_str(), class.name.as_str()))
        })
    }

    /// What the class of a category is for.
    pub fn doc_of_category(&self, category: &str) -> String {
        let does = self.categories.iter().find(|(name, _)| name == category);
        let does = does.map_or("", |(_, does)| does.as_str());
        format!(
            "Category `{category}`. What to do: {}.",
            does.trim_end_matches('.')
        )
    }

    fn row(&mut self, section: &str, header: &[&str], cells: &[&str]) -> Result<(), Unreadable> {
        let wrong =
            |what: &str| Unreadable(format!("docs/errors.md, {section}: {what}: {cells:?}"));
        match (header, cells) {
            (["category", "what a caller does"], [category, does]) => {
                let category = code(category).ok_or_else(|| wrong("no category"))?;
                self.categories
                    .push((category.to_owned(), (*does).to_owned()));
            }
            (["code", "category", ..], [name, categories, meaning, ..]) => {
                let name = code(name).ok_or_else(|| wrong("no code"))?;
                for category in categories.split(", ") {
                    class_of_category(category).ok_or_else(|| wrong("unknown category"))?;
                    self.add(section, name, Some(category), meaning);
                }
            }
            // What only a model is told is no error, unless the row says so.
            (["code", "meaning"], [name, meaning]) => {
                let name = code(name).ok_or_else(|| wrong("no code"))?;
                if let Some((_, rest)) = meaning.split_once("(as an error: `") {
                    let category = rest.split('`').next();
                    self.add(section, name, category, meaning);
                }
            }
            // Those of the verifier.
            (["category", "codes"], [verdict, codes]) => {
                for name in codes.split_whitespace().filter_map(code) {
                    self.add(section, name, Some("input"), "");
                    if *verdict != "usage" {
                        self.verdicts.push(name.to_owned());
                    }
                }
            }
            (["class", "below", "codes", _], [name, below, codes, doc]) => {
                self.classes.push(Class {
                    name: code(name).ok_or_else(|| wrong("no class"))?.to_owned(),
                    below: code(below).ok_or_else(|| wrong("no class"))?.to_owned(),
                    codes: codes
                        .split(", ")
                        .filter_map(code)
                        .map(str::to_owned)
                        .collect(),
                    doc: (*doc).to_owned(),
                    is_of_verdicts: false,
                })
            }
            _ if section == CLASSES => {}
            _ => return Err(wrong("a table of another kind")),
        }
        Ok(())
    }

    /// Codes that are named in a sentence: `` `code` (`category`) ``, or several and ``(all `category`)``.
    fn sentence(&mut self, section: &str, line: &str) {
        let category_at = |text: &str| {
            let name = text.split('`').next().unwrap_or_default();
            CATEGORIES
                .into_iter()
                .map(|(category, _)| category)
                .find(|category| *category == name)
        };
        if let Some((before, after)) = line.split_once("(all `") {
            if let Some(category) = category_at(after) {
                for name in before.split('`').skip(1).step_by(2) {
                    self.add(section, name, Some(category), "");
                }
            }
            return;
        }
        for (at, opener) in line.match_indices("` (`") {
            let (before, after) = (line.get(..at), line.get(at + opener.len()..));
            let name = before.and_then(|before| before.rsplit('`').next());
            if let (Some(name), Some(category)) = (name, after.and_then(category_at)) {
                self.add(section, name, Some(category), "");
            }
        }
    }

    fn add(&mut self, section: &str, name: &str, category: Option<&str>, meaning: &str) {
        let component = SECTIONS
            .iter()
            .find(|(title, _)| section.starts_with(title));
        let code = self.codes.entry(name.to_owned()).or_default();
        if code.component.is_empty() {
            code.component = component.map_or("", |(_, component)| component).to_owned();
            code.meaning = meaning.to_owned();
        }
        if let Some(category) = category
            && !code.categories.iter().any(|one| one == category)
        {
            code.categories.push(category.to_owned());
        }
    }

    fn check(&self) -> Result<(), Unreadable> {
        let wrong = |what: String| Err(Unreadable(format!("docs/errors.md: {what}")));
        if self
            .categories
            .iter()
            .map(|(name, _)| name.as_str())
            .ne(CATEGORIES.map(|(name, _)| name))
        {
            return wrong("the categories are not those of the code".to_owned());
        }
        for class in &self.classes {
            let Some((category, _)) = CATEGORIES.iter().find(|(_, name)| *name == class.below)
            else {
                return wrong(format!("`{}` is below no class of a category", class.name));
            };
            for code in &class.codes {
                let categories = self.codes.get(code).map(|code| code.categories.as_slice());
                if categories != Some(&[(*category).to_owned()]) {
                    return wrong(format!(
                        "`{code}` is an error of `{}`, but its categories are {categories:?}, not {category}",
                        class.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The class of a category.
pub fn class_of_category(category: &str) -> Option<&'static str> {
    CATEGORIES
        .into_iter()
        .find(|(name, _)| *name == category)
        .map(|(_, class)| class)
}

/// The word in `code` type at the beginning of a cell.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.split('`').next()
}
