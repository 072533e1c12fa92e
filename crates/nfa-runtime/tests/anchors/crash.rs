//! A process that is killed after its anchor took a checkpoint, before it could record that.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::Runtime;
use nfa_runtime::ports::{
    Anchor, AnchorEvidence, AnchorStatus, AnchorSubmission, AnchorTicket, BoxResult,
};

use crate::{LEASE, NEVER, agent, sqlite, states, turn};

/// Where the child works.
const PLACE: &str = "NFA_ANCHOR_CHILD";

/// An anchor that is a file: each submission is a line of it.
struct Lines {
    file: PathBuf,
    /// Whether the process dies as soon as a line is there.
    deadly: bool,
}

impl Anchor for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn submit(
        &self,
        batch: Vec<AnchorSubmission>,
    ) -> BoxResult<'_, Vec<Result<AnchorTicket, nfa_runtime::Error>>> {
        Box::pin(async move {
            let options = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.file);
            let mut file = options.unwrap();
            for submission in &batch {
                let root = u64::from_be_bytes(submission.root[..8].try_into().unwrap());
                let line = format!("{} {} {root:016x}\n", submission.origin, submission.size);
                file.write_all(line.as_bytes()).unwrap();
            }
            file.sync_all().unwrap();
            if self.deadly {
                let me = std::process::id().to_string();
                Command::new("kill").args(["-9", &me]).status().unwrap();
                std::future::pending::<()>().await;
            }
            Ok(batch
                .iter()
                .map(|submission| Ok(submission.size.to_string().into()))
                .collect())
        })
    }

    fn check<'a>(
        &'a self,
        _: &'a AnchorSubmission,
        ticket: &'a str,
    ) -> BoxResult<'a, AnchorStatus> {
        let evidence = AnchorEvidence::Other {
            kind: "line".into(),
            data: ticket.as_bytes().to_vec(),
        };
        Box::pin(std::future::ready(Ok(AnchorStatus::Verified(evidence))))
    }

    fn newest<'a>(&'a self, _: &'a str) -> BoxResult<'a, Option<(u64, [u8; 32])>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

async fn open(place: &Path, deadly: bool) -> Runtime {
    let anchor = Lines {
        file: place.join("lines"),
        deadly,
    };
    Runtime::options()
        .with(|builder| {
            builder
                .anchor(Arc::new(anchor))
                .anchor_every(1, NEVER)
                .anchor_timeout(Duration::from_millis(500))
                .lease(LEASE)
        })
        .open(&sqlite(place))
        .await
        .unwrap()
}

/// What the killed process does; nothing in a run of the tests.
#[tokio::test]
async fn child() {
    let Some(place) = std::env::var_os(PLACE) else {
        return;
    };
    let runtime = open(Path::new(&place), true).await;
    turn(&runtime, &agent("helper")).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_was_submitted_and_not_recorded_is_submitted_again() {
    let directory = tempfile::tempdir().unwrap();
    let lines = || {
        let text = std::fs::read_to_string(directory.path().join("lines")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut before = 0;
    for _ in 0..3 {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--test-threads=1"])
            .env(PLACE, directory.path())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{status}");
        assert!(lines().len() > before, "it died before it submitted");
        before = lines().len();
    }
    let runtime = open(directory.path(), false).await;
    let killed = runtime.anchors("helper", 0).await.unwrap();
    let killed_sizes: Vec<u64> = killed.iter().map(|record| record.checkpoint.size).collect();
    assert!(!killed.is_empty() && states(&killed).contains(&"pending"));
    loop {
        runtime.anchor("helper").await.unwrap();
        let records = runtime.anchors("helper", 0).await.unwrap();
        if states(&records).iter().all(|state| *state == "verified") {
            break;
        }
    }
    // Every checkpoint that was pending came again, with the root that it had.
    let lines = lines();
    for size in killed_sizes {
        let of_size = |line: &&String| line.split(' ').nth(1) == Some(&size.to_string());
        let of_size: Vec<&String> = lines.iter().filter(of_size).collect();
        assert!(
            of_size.iter().all(|line| *line == of_size[0]),
            "{of_size:?}"
        );
    }
    let last = lines.iter().filter(|line| **line == lines[before - 1]);
    assert!(
        last.count() >= 2,
        "the last was not submitted again: {lines:?}"
    );
    runtime.close().await.unwrap();
}
