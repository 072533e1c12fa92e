//! The verifier as one HTML file: the module, the scripts and the style put into the page.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Result};
use crate::{process, workspace};

pub(crate) const PACKAGE: &str = "nfa-proof-web";
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the page and says where it is. The same sources and compiler make the same bytes, whoever
/// builds it and wherever.
pub(crate) fn build() -> Result<PathBuf> {
    let module = module()?;
    let folder = workspace::root().join("crates").join(PACKAGE).join("page");
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|error| Failure::io(path.display(), &error))
    };
    let bytes = fs::read(&module).map_err(|error| Failure::io(module.display(), &error))?;
    let page = assemble(
        &text("verifier.html")?,
        &text("verifier.css")?,
        &text("worker.js")?,
        &text("verifier.js")?,
        &bytes,
    )?;
    let path = module.with_file_name("verifier.html");
    fs::write(&path, page).map_err(|error| Failure::io(path.display(), &error))?;
    Ok(path)
}

/// Whether the compiler can build the module at all; if not, what is to be done.
pub(crate) fn missing_target() -> Result<Option<String>> {
    let library = sysroot()?.join("lib/rustlib").join(TARGET);
    Ok((!library.is_dir())
        .then(|| format!("the target is not installed: rustup target add {TARGET}")))
}

fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = std::process::Command::new(rustc);
    command
        .current_dir(workspace::root())
        .args(["--print", "sysroot"]);
    process::capture(&mut command).map(|path| PathBuf::from(path.trim()))
}

/// Builds the module, and finds it in what cargo says that it made.
fn module() -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.args(["rustc", "--package", PACKAGE, "--lib"]);
    cargo.args(["--crate-type", "cdylib", "--target", TARGET]);
    cargo.args(["--profile", "web"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", without_own_paths(&sysroot()?));
    process::stdout(&mut cargo)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message.get("filenames")?.as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|end| end == "wasm"))
        .ok_or_else(|| Failure::new(format!("cargo built no module of {PACKAGE}")))
}

/// Flags that keep the folders of this machine out of the module's messages.
fn without_own_paths(sysroot: &Path) -> OsString {
    let home = |name: &str, folder: &str| {
        let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
        let default = || home.map(|home| PathBuf::from(home).join(folder));
        std::env::var_os(name).map(PathBuf::from).or_else(default)
    };
    let mut flags = OsString::new();
    let places = [
        (home("CARGO_HOME", ".cargo"), "/cargo"),
        (Some(sysroot.to_owned()), "/rust"),
        (Some(workspace::root().to_owned()), "/nfa"),
    ];
    for (from, to) in places {
        let Some(from) = from else { continue };
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

/// Only this script, this style, WebAssembly and workers that this script starts run, and nothing is
/// fetched, sent or framed. A worker has its page's policy.
fn security_policy(style: &str, script: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", BASE64.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {} 'wasm-unsafe-eval'; worker-src blob:; style-src {}; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
         trusted-types verifier",
        hash(script),
        hash(style)
    )
}

fn assemble(
    template: &str,
    style: &str,
    worker: &str,
    script: &str,
    module: &[u8],
) -> Result<String> {
    let parts = [
        ("{{policy}}", security_policy(style, script)),
        ("{{style}}", style.to_owned()),
        ("{{module}}", BASE64.encode(module)),
        ("{{worker}}", worker.to_owned()),
        ("{{script}}", script.to_owned()),
    ];
    let mut page = String::new();
    let mut rest = template;
    // In the template's order, and never looking into what was put in.
    for (place, part) in parts {
        let (before, after) = rest.split_once(place).ok_or_else(|| {
            Failure::new(format!("the page's template has no {place} where expected"))
        })?;
        page.push_str(before);
        page.push_str(&part);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

#[cfg(test)]
mod unit {
    use super::*;

    const TEMPLATE: &str = "<{{policy}}|{{style}}|{{module}}|{{worker}}|{{script}}>";

    #[test]
    fn each_part_comes_to_its_place_as_it_is() {
        let page =
            assemble(TEMPLATE, "a{}", "{{module}}", "f('{{style}}')", b"\0asm").expect("assembled");
        let (policy, rest) = page.split_once('|').expect("parts");
        assert_eq!(rest, "a{}|AGFzbQ==|{{module}}|f('{{style}}')>");
        assert!(policy.starts_with("<default-src 'none'; "), "{policy}");
        let wrong = TEMPLATE.replace("{{module}}", "");
        let error = assemble(&wrong, "", "", "", b"").expect_err("no place");
        assert!(error.to_string().contains("{{module}}"), "{error}");
    }

    #[test]
    fn the_policy_names_the_script_by_its_hash() {
        // The example of the CSP specification.
        let policy = security_policy("", "alert('Hello, world.');");
        let hash = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert!(policy.contains(hash), "{policy}");
        assert!(!security_policy("", "alert('Hello.');").contains(hash));
    }
}
