//! The `Store` port's suite: what a store promises, one named case each.
//!
//! A store's own tests give a factory and expect no failure:
//!
//! ```
//! use std::sync::Arc;
//!
//! use nfa_core::memory_store::MemoryStore;
//! use nfa_testkit::conformance::store::{Candidate, run};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let report = run(|clock| Candidate::volatile(Arc::new(MemoryStore::with_clock(clock)))).await;
//! assert!(report.failures.is_empty(), "{report}");
//! # });
//! ```

mod admission;
mod anchors;
mod atomicity;
mod bench;
mod concurrency;
mod erasure;
mod fencing;
mod inbox;
mod journals;
mod leases;
mod listing;
mod logs;
mod reopening;
mod sessions;
mod timers;

use std::fmt;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::ids::Timestamp;
use nfa_core::ports::{BoxFuture, Clock, ManualClock, Store};

use bench::Bench;

/// Opens what an earlier store of the same candidate has kept, once that store is closed.
pub type Reopen = Box<dyn Fn() -> Result<Arc<dyn Store>, Error> + Send + Sync>;

/// A fresh, empty store, and for one that lasts a way to open it again.
pub struct Candidate {
    store: Arc<dyn Store>,
    reopen: Option<Reopen>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("lasting", &self.reopen.is_some())
            .finish_non_exhaustive()
    }
}

impl Candidate {
    /// A store that ends with its process.
    pub fn volatile(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            reopen: None,
        }
    }

    /// A store that lasts. `reopen` is called after the store was closed and dropped.
    pub fn lasting(
        store: Arc<dyn Store>,
        reopen: impl Fn() -> Result<Arc<dyn Store>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            reopen: Some(Box::new(reopen)),
        }
    }
}

/// What the suite found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The cases that hold.
    pub passed: Vec<&'static str>,
    /// The cases that do not, and why.
    pub failures: Vec<(&'static str, String)>,
    /// The cases that do not apply to a store that ends with its process.
    pub skipped: Vec<&'static str>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cases hold, {} do not apply, {} fail",
            self.passed.len(),
            self.skipped.len(),
            self.failures.len()
        )?;
        for (case, why) in &self.failures {
            writeln!(f, "{case}: {why}")?;
        }
        Ok(())
    }
}

/// A case fails with a sentence that says what was expected and what came.
type Outcome = Result<(), String>;

type Case = (
    &'static str,
    bool,
    for<'a> fn(&'a mut Bench) -> BoxFuture<'a, Outcome>,
);

/// Fails a case unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

macro_rules! cases {
    ($($lasting:literal $module:ident :: $case:ident),* $(,)?) => {
        &[$((
            concat!(stringify!($module), "::", stringify!($case)),
            $lasting,
            |bench| Box::pin($module::$case(bench)),
        )),*]
    };
}

/// Every case; those marked `true` need a store that lasts.
const CASES: &[Case] = cases![
    false admission::admits_a_run_with_its_first_entry,
    false admission::refuses_a_second_run_of_the_same_id,
    false admission::refuses_an_admission_without_an_entry,
    false admission::refuses_a_batch_of_an_unknown_run,
    false admission::refuses_who_does_not_know_what_befell_the_agent,
    false admission::refuses_among_others_who_does_not_know,
    false admission::keeps_the_program,
    false journals::reads_from_a_number_up_to_a_limit,
    false journals::keeps_every_field_of_an_entry,
    false journals::refuses_gaps_and_foreign_epochs,
    false journals::refuses_an_entry_beyond_the_limit,
    false journals::keeps_blobs_once_and_tells_what_is_missing,
    false fencing::refuses_a_wrong_sequence_number,
    false fencing::refuses_an_older_epoch,
    false fencing::refuses_a_writer_that_released,
    false fencing::keeps_batches_in_the_order_of_the_calls,
    false leases::are_held_against_others_until_they_lapse,
    false leases::lapse_by_the_clock_of_the_store,
    false leases::are_renewed_while_they_last,
    false leases::are_given_back,
    false leases::give_a_new_epoch_to_the_same_owner_too,
    false leases::fail_for_unknown_runs,
    false sessions::are_created_once,
    false sessions::admit_one_run_at_a_time,
    false sessions::are_freed_when_their_run_ends,
    false sessions::refuse_a_wrong_length,
    false sessions::give_tails_by_runs,
    false sessions::keep_leaf_sequences,
    false sessions::keep_the_context_until_it_moves_on,
    false inbox::keeps_order_and_takes_an_id_once,
    false inbox::remembers_ids_after_acknowledgement,
    false inbox::notifies_the_holder_only,
    false inbox::stores_what_comes_with_a_signal,
    false inbox::refuses_unknown_runs,
    false timers::come_due_in_order,
    false timers::move_and_clear,
    false listing::filters_and_orders,
    false listing::shows_lapsed_leases_as_unowned,
    false logs::are_made_once_per_agent,
    false logs::keep_drafts_in_commit_order,
    false logs::give_indices_to_drafts_once,
    false logs::give_leaves_by_index,
    false logs::keep_leaves_that_belong_to_no_run,
    false logs::are_fenced,
    false logs::keep_nodes,
    false logs::keep_many_leaves_and_nodes,
    false logs::give_no_index_to_a_draft_of_another_log,
    false logs::refuse_a_second_root_for_a_size,
    false logs::refuse_drafts_of_unknown_logs,
    false anchors::go_to_an_outbox_once,
    false anchors::are_taken_up_by_one_until_it_lapses,
    false anchors::are_kept_once_verified,
    false anchors::refuse_what_no_checkpoint_says,
    false atomicity::a_failing_session_undoes_everything,
    false atomicity::a_failing_draft_undoes_everything,
    false atomicity::a_failing_neighbour_undoes_nothing,
    false erasure::removes_blobs_and_no_others,
    false erasure::replaces_openings,
    false concurrency::many_runs_at_once,
    false concurrency::one_of_many_wins_a_claim,
    false concurrency::one_of_many_wins_an_append,
    false concurrency::one_of_many_opens_a_session,
    false reopening::refuses_calls_after_close,
    true reopening::shows_the_same_after_reopening,
    true reopening::keeps_what_was_enqueued_before_close,
    true anchors::last,
    true erasure::is_completed_when_opened_again,
];

/// Runs every case, each on a fresh store of `factory`, whose leases must run by the clock that it is given.
pub async fn run(factory: impl Fn(Arc<dyn Clock>) -> Candidate) -> Report {
    let mut report = Report::default();
    for (name, needs_lasting, case) in CASES {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
        let candidate = factory(clock.clone());
        if *needs_lasting && candidate.reopen.is_none() {
            report.skipped.push(name);
            continue;
        }
        let mut bench = Bench {
            store: candidate.store,
            reopen: candidate.reopen,
            clock,
        };
        match case(&mut bench).await {
            Ok(()) => report.passed.push(name),
            Err(why) => report.failures.push((name, why)),
        }
    }
    report
}
