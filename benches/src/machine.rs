//! What the operating system tells of this process, and which core it runs on.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Who has which core: everything measured shares one, the fake server has another.
#[derive(Clone, Copy)]
pub(crate) enum Core {
    /// The first that this process may use.
    Client,
    /// The last.
    Server,
}

/// Keeps this process, and every thread that it starts from now on, on one core; gives which. Where the
/// system refuses, it runs anywhere.
pub(crate) fn pin(core: Core) -> Option<usize> {
    let allowed = sched_getaffinity(None).ok()?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let chosen = match core {
        Core::Client => cores.next(),
        Core::Server => cores.next_back(),
    }?;
    let mut only = CpuSet::new();
    only.set(chosen);
    sched_setaffinity(None, &only).ok()?;
    Some(chosen)
}

/// User and system time of all threads of this process.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// Bytes of memory that this process holds now, and the most that it ever held.
pub(crate) fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_suffix("kB"))
            .and_then(|kib| kib.trim().parse::<u64>().ok())
            .map_or(0, |kib| kib * 1024)
    };
    (field("VmRSS:"), field("VmHWM:"))
}
