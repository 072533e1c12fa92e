//! The programs on pages of documentation: blocks of code in Markdown, each run as a reader would run it.
//!
//! A block of `python`, `ts` or `js` is a program of its own. Comments of HTML right above it say otherwise:
//! `<!-- continued -->` adds it to the program before, `<!-- not run: REASON -->` leaves it out,
//! `<!-- needs: PACKAGE -->` runs it only where that package is. `<!-- model: MODE -->` gives it the fake server in that
//! mode instead of the small real model, and `<!-- script: TURNS -->` with these turns. Where a page says
//! `http://127.0.0.1:8080/v1`, the server is.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::workspace;

/// The language of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    TypeScript,
    JavaScript,
}

impl Language {
    fn of(word: &str) -> Option<Self> {
        match word {
            "python" | "py" => Some(Self::Python),
            "typescript" | "ts" => Some(Self::TypeScript),
            "javascript" | "js" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// How the file of a program ends.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::TypeScript => "mts",
            Self::JavaScript => "mjs",
        }
    }
}

/// A program on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The page, below the project's root, and the line where it begins.
    pub(crate) place: String,
    pub(crate) language: Language,
    pub(crate) text: String,
    /// Why it is not run.
    pub(crate) skip: Option<String>,
    /// A package that it needs besides ours.
    pub(crate) needs: Option<String>,
    /// What it talks to.
    pub(crate) model: Model,
}

/// A model for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Model {
    /// The small real one.
    Real,
    /// The fake server in a mode of its own.
    Mode(String),
    /// The fake server with these turns, as JSON.
    Script(String),
}

/// Where pages say that a server of one's own is.
pub(crate) const SERVER_ON_PAGES: &str = "http://127.0.0.1:8080/v1";

/// The programs of a page, which is named below the project's root.
pub(crate) fn programs(page: &Path) -> Result<Vec<Program>> {
    let path = workspace::root().join(page);
    let text = fs::read_to_string(&path).map_err(|error| Failure::io(path.display(), &error))?;
    programs_in(&page.to_string_lossy(), &text)
}

/// The pages of a folder, in the order of their names; none where there is no such folder.
pub(crate) fn in_folder(folder: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(workspace::root().join(folder));
    let mut pages: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(Path::new(folder).join(entry.ok()?.file_name())))
        .filter(|page| page.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

fn programs_in(page: &str, text: &str) -> Result<Vec<Program>> {
    let mut programs: Vec<Program> = Vec::new();
    let mut said: Vec<&str> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(comment) = comment(line) {
            said.push(comment);
            continue;
        }
        let Some(info) = line.trim_start().strip_prefix("```") else {
            if !line.trim().is_empty() {
                said.clear();
            }
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let mut block = String::new();
        for (_, line) in lines.by_ref() {
            if line.trim_start().starts_with("```") {
                break;
            }
            block.push_str(line.get(indent..).unwrap_or_default());
            block.push('\n');
        }
        let said = std::mem::take(&mut said);
        let value = |key: &str| {
            let found = said
                .iter()
                .find_map(|one| one.strip_prefix(key)?.strip_prefix(':'));
            found.map(|value| value.trim().to_owned())
        };
        let Some(language) = Language::of(info.trim()) else {
            continue;
        };
        let place = format!("{page}:{}", number + 1);
        if said.contains(&"continued") {
            let before = programs
                .iter_mut()
                .rev()
                .find(|one| one.language == language);
            let before = before.ok_or_else(|| {
                Failure::new(format!(
                    "{place} continues a program, and there is none before it"
                ))
            })?;
            before.text.push('\n');
            before.text.push_str(&block);
            continue;
        }
        programs.push(Program {
            place,
            language,
            text: block,
            skip: value("not run"),
            needs: value("needs"),
            model: match (value("model"), value("script")) {
                (Some(mode), _) => Model::Mode(mode),
                (None, Some(turns)) => Model::Script(turns),
                (None, None) => Model::Real,
            },
        });
    }
    Ok(programs)
}

fn comment(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    Some(inner.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Page

```sh
pip install nfa-runtime
```

```python
a = 1
```

<!-- continued -->
```python
print(a)
```

<!-- model: tools:1 -->
<!-- needs: other -->
```ts
console.log(1);
```

<!-- not run: waits for a person -->
<!-- script: [{\"text\": \"a: b\"}] -->

```js
wait();
```
";

    #[test]
    fn blocks_are_programs_as_the_comments_above_them_say() {
        let programs = programs_in("p.md", PAGE).expect("readable");
        let [python, typescript, javascript] = programs.as_slice() else {
            panic!("{programs:?}");
        };
        assert_eq!(python.text, "a = 1\n\nprint(a)\n");
        assert_eq!((python.place.as_str(), &python.skip), ("p.md:7", &None));
        assert_eq!(typescript.model, Model::Mode("tools:1".to_owned()));
        assert_eq!(
            javascript.model,
            Model::Script("[{\"text\": \"a: b\"}]".to_owned())
        );
        assert_eq!(python.model, Model::Real);
        assert_eq!(typescript.needs.as_deref(), Some("other"));
        assert_eq!(javascript.skip.as_deref(), Some("waits for a person"));
        assert_eq!(python.needs, None);
    }

    #[test]
    fn a_continuation_needs_a_beginning() {
        let wrong = programs_in("p.md", "<!-- continued -->\n```python\nb\n```\n");
        assert!(
            wrong
                .expect_err("nothing before")
                .to_string()
                .contains("p.md:2")
        );
    }
}
