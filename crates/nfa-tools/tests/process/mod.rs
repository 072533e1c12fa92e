//! Looking at processes from outside.

use std::path::Path;

/// Whether the process runs; one that is dead but not waited for does not.
pub(crate) fn runs(pid: i32) -> bool {
    let state = if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the program's name, which is in parentheses and may hold any.
        stat.rsplit_once(')')
            .map_or(String::new(), |(_, rest)| rest.to_owned())
    } else {
        let output = std::process::Command::new("ps")
            .args(["-o", "stat=", "-p", &pid.to_string()])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    state
        .trim_start()
        .chars()
        .next()
        .is_some_and(|state| !"ZX".contains(state))
}
