//! What a finished program means to the model.

use std::process::ExitStatus;

use nfa_core::ports::{ToolError, ToolOutput};
use serde_json::Value;

/// One JSON value, or text: everything but the line break at its end.
pub(crate) fn output(stdout: &[u8]) -> ToolOutput {
    if let Ok(value) = serde_json::from_slice::<Value>(stdout) {
        return ToolOutput::new(value);
    }
    let text = String::from_utf8_lossy(stdout);
    ToolOutput::new(text.trim_end_matches(['\r', '\n']))
}

/// How the program failed, with the end of what it said.
pub(crate) fn failure(name: &str, status: ExitStatus, stderr: &str) -> ToolError {
    let how = match status.code() {
        Some(code) => format!("`{name}` failed with exit code {code}"),
        None => format!("`{name}` was stopped by {}", signal(status)),
    };
    ToolError::for_model(if stderr.is_empty() {
        how
    } else {
        format!("{how}: {stderr}")
    })
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    status.signal().map_or_else(
        || "the system".to_owned(),
        |signal| format!("signal {signal}"),
    )
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> String {
    "the system".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_a_value_and_the_rest_is_text() {
        for (stdout, expected) in [
            ("42\n", json!(42)),
            (" {\"a\": [1]} \n", json!({ "a": [1] })),
            ("\"quoted\"", json!("quoted")),
            ("plain text\r\n", json!("plain text")),
            ("two\nlines\n\n", json!("two\nlines")),
            ("{\"a\": 1} {\"b\": 2}\n", json!("{\"a\": 1} {\"b\": 2}")),
            ("{\"a\":", json!("{\"a\":")),
            ("", json!("")),
        ] {
            assert_eq!(output(stdout.as_bytes()).value, expected, "{stdout:?}");
        }
        assert_eq!(output(b"\xff\xfe").value, json!("\u{fffd}\u{fffd}"));
    }
}
