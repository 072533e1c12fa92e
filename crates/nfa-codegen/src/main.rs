//! `nfa-codegen`: writes the generated files of the bindings. `--check` only says which are out of date.

use std::path::Path;
use std::process::ExitCode;

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to the terminal"
)]
fn main() -> ExitCode {
    let check = std::env::args()
        .nth(1)
        .is_some_and(|word| word == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = match nfa_codegen::files(&root) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("nfa-codegen: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let path = root.join(&file.path);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        println!("{}", file.path);
        if check {
            code = ExitCode::FAILURE;
            continue;
        }
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = folder.and_then(|()| std::fs::write(&path, file.text)) {
            eprintln!("nfa-codegen: {}: {error}", file.path);
            code = ExitCode::FAILURE;
        }
    }
    code
}
