//! The fault list: every fault, and the tests that say what must come of it.
//!
//! Nothing here is taken on trust: the tests are looked up in this binary, the list is compared with
//! `docs/models.md`, and every fault that the fake server can make must be used by a test.

use std::collections::BTreeSet;
use std::process::Command;

/// Group and fault, as `docs/models.md` names them, and their tests.
const FAULTS: &[(&str, &str, &[&str])] = &[
    (
        "HTTP",
        "429, `Retry-After` in seconds",
        &["http::a_rate_limit_is_waited_for"],
    ),
    (
        "HTTP",
        "429, `Retry-After` as a date",
        &["http::a_rate_limit_is_waited_for"],
    ),
    (
        "HTTP",
        "429, `Retry-After` 0",
        &["http::a_rate_limit_is_waited_for"],
    ),
    (
        "HTTP",
        "429, `Retry-After` huge",
        &["http::a_rate_limit_for_too_long_is_told_and_not_waited_for"],
    ),
    (
        "HTTP",
        "429, `Retry-After` garbage",
        &["http::a_rate_limit_is_waited_for"],
    ),
    (
        "HTTP",
        "408, 409",
        &["http::a_status_that_may_pass_is_asked_again"],
    ),
    (
        "HTTP",
        "500, 502",
        &[
            "http::a_status_that_may_pass_is_asked_again",
            "http::what_does_not_pass_is_given_up",
        ],
    ),
    (
        "HTTP",
        "503, 529",
        &["http::a_status_that_may_pass_is_asked_again"],
    ),
    (
        "HTTP",
        "401",
        &["http::a_status_that_will_not_pass_is_asked_once"],
    ),
    (
        "HTTP",
        "400, context length",
        &["http::a_status_that_will_not_pass_is_asked_once"],
    ),
    (
        "HTTP",
        "200 with an error body",
        &["http::an_error_or_a_page_under_status_200_is_no_answer"],
    ),
    (
        "HTTP",
        "HTML",
        &["http::an_error_or_a_page_under_status_200_is_no_answer"],
    ),
    (
        "HTTP",
        "wrong content type",
        &["http::a_wrong_content_type_changes_nothing"],
    ),
    (
        "connection",
        "refused",
        &["connection::nobody_listening_is_said_so"],
    ),
    (
        "connection",
        "TLS failure",
        &[
            "connection::a_certificate_that_nobody_trusts_is_refused_for_good",
            "connection::asks_over_tls",
        ],
    ),
    (
        "connection",
        "reset before headers",
        &[
            "connection::a_connection_that_breaks_before_the_answer_is_lost",
            "connection::a_connection_that_was_closed_while_idle_costs_no_answer",
        ],
    ),
    (
        "connection",
        "reset mid-body",
        &[
            "connection::an_answer_that_breaks_off_is_an_error_even_when_it_ends_cleanly",
            "connection::a_broken_stream_is_retracted_and_asked_for_again",
            "connection::a_call_whose_stream_breaks_runs_once",
        ],
    ),
    (
        "connection",
        "clean EOF without terminator",
        &[
            "connection::an_answer_that_breaks_off_is_an_error_even_when_it_ends_cleanly",
            "connection::a_call_whose_stream_breaks_runs_once",
        ],
    ),
    (
        "connection",
        "accept then silence",
        &["connection::silence_after_the_connection_is_not_waited_for_for_ever"],
    ),
    (
        "timing",
        "slow first token",
        &["timing::a_slow_first_token_is_waited_for_until_its_deadline"],
    ),
    (
        "timing",
        "keep-alives only",
        &[
            "timing::keep_alives_and_roles_are_no_progress",
            "memory::memory_stays_within_the_limits_whatever_comes",
        ],
    ),
    (
        "timing",
        "role-only deltas only",
        &[
            "timing::keep_alives_and_roles_are_no_progress",
            "memory::memory_stays_within_the_limits_whatever_comes",
        ],
    ),
    (
        "timing",
        "slow loris",
        &["timing::a_byte_at_a_time_is_read_until_the_total_deadline"],
    ),
    (
        "timing",
        "stall inside an answer",
        &["timing::a_silence_inside_the_answer_has_a_deadline"],
    ),
    (
        "timing",
        "stall inside tool arguments",
        &["timing::a_call_that_stalls_inside_its_arguments_runs_once_and_whole"],
    ),
    (
        "timing",
        "the caller cancels or drops the call",
        &[
            "cancelling::dropping_and_cancelling_close_the_connection",
            "cancelling::a_wait_before_a_retry_can_be_cancelled",
        ],
    ),
    (
        "timing",
        "the caller's deadline passes",
        &["cancelling::the_callers_deadline_ends_the_call"],
    ),
    (
        "SSE",
        "split at every byte",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "CR, LF, CRLF",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "multi-line data",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "comments",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "BOM",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "malformed JSON event",
        &[
            "events::an_event_that_is_an_error_or_no_json_ends_the_answer",
            "connection::a_call_whose_stream_breaks_runs_once",
        ],
    ),
    (
        "SSE",
        "duplicate events",
        &[
            "events::doubled_and_reordered_events_run_nothing_twice",
            "events::doubled_and_reordered_text_is_noticed_where_the_wire_can_tell",
        ],
    ),
    (
        "SSE",
        "reordered events",
        &[
            "events::doubled_and_reordered_events_run_nothing_twice",
            "events::doubled_and_reordered_text_is_noticed_where_the_wire_can_tell",
        ],
    ),
    (
        "SSE",
        "unknown events",
        &["events::however_events_are_written_and_cut_the_answer_is_the_same"],
    ),
    (
        "SSE",
        "error event inside a 200",
        &[
            "events::an_event_that_is_an_error_or_no_json_ends_the_answer",
            "connection::a_call_whose_stream_breaks_runs_once",
        ],
    ),
    (
        "SSE",
        "data after the end",
        &["events::data_after_the_end_is_ignored"],
    ),
    (
        "SSE",
        "multi-MB event",
        &[
            "events::an_event_of_megabytes_is_read_up_to_the_limit",
            "memory::memory_stays_within_the_limits_whatever_comes",
        ],
    ),
    (
        "SSE",
        "an event or a stream without end",
        &[
            "memory::memory_stays_within_the_limits_whatever_comes",
            "memory::the_measure_sees_what_is_held",
            "memory::asks_and_measures",
        ],
    ),
    (
        "UTF-8",
        "split code point",
        &["text::a_character_that_comes_in_two_pieces_is_one"],
    ),
    (
        "UTF-8",
        "lone surrogate escape",
        &["text::half_a_character_is_replaced_and_costs_no_answer"],
    ),
    (
        "UTF-8",
        "bytes that are no UTF-8",
        &["text::half_a_character_is_replaced_and_costs_no_answer"],
    ),
    (
        "UTF-8",
        "NUL",
        &["text::a_nul_is_a_character_like_any_other"],
    ),
    (
        "tool calls",
        "invalid arguments",
        &["calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once"],
    ),
    (
        "tool calls",
        "truncated arguments",
        &[
            "calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once",
            "calls::a_call_that_is_cut_off_or_of_nobody_is_not_made",
        ],
    ),
    (
        "tool calls",
        "double-encoded arguments",
        &["calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once"],
    ),
    (
        "tool calls",
        "empty arguments",
        &["calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once"],
    ),
    (
        "tool calls",
        "schema-invalid arguments",
        &["calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once"],
    ),
    (
        "tool calls",
        "NaN",
        &["calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once"],
    ),
    (
        "tool calls",
        "huge integers",
        &[
            "calls::an_integer_beyond_64_bits_reaches_no_tool_as_another",
            "calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once",
        ],
    ),
    (
        "tool calls",
        "unknown tool",
        &[
            "calls::wrong_arguments_go_back_to_the_model_and_right_ones_run_once",
            "calls::a_call_that_is_cut_off_or_of_nobody_is_not_made",
        ],
    ),
    (
        "tool calls",
        "duplicate ids",
        &["calls::strange_faults_of_calls_change_nothing"],
    ),
    (
        "tool calls",
        "missing ids",
        &["calls::strange_faults_of_calls_change_nothing"],
    ),
    (
        "tool calls",
        "interleaved parallel deltas",
        &["calls::strange_faults_of_calls_change_nothing"],
    ),
    (
        "tool calls",
        "100 parallel calls",
        &["calls::a_hundred_parallel_calls_run_once_each_up_to_the_limit"],
    ),
    (
        "tool calls",
        "finish reason that contradicts the content",
        &["calls::what_the_answer_holds_counts_and_not_its_finish_reason"],
    ),
    (
        "tool calls",
        "endless loop",
        &["calls::an_endless_loop_of_calls_ends_at_the_limit_of_turns"],
    ),
    (
        "content",
        "empty",
        &["content::an_empty_answer_is_an_answer"],
    ),
    ("content", "refusal", &["content::a_refusal_is_told_as_one"]),
    (
        "content",
        "length stop",
        &["content::an_answer_that_its_limit_cut_off_is_given_and_marked"],
    ),
    (
        "content",
        "10 MB",
        &[
            "content::an_answer_of_ten_megabytes_is_read_and_one_past_the_limit_is_refused",
            "memory::memory_stays_within_the_limits_whatever_comes",
        ],
    ),
    (
        "content",
        "missing usage",
        &["content::usage_that_is_missing_or_wrong_costs_no_answer"],
    ),
    (
        "content",
        "wrong usage",
        &["content::usage_that_is_missing_or_wrong_costs_no_answer"],
    ),
    (
        "server state",
        "one good key of n",
        &[
            "state::of_several_keys_only_the_good_one_is_answered",
            "state::a_chain_finds_the_good_key_among_bad_ones",
        ],
    ),
    (
        "server state",
        "flapping",
        &["state::a_server_that_flaps_costs_one_request_more_for_each_answer"],
    ),
    (
        "server state",
        "brown-out",
        &[
            "state::a_brown_out_is_waited_out_as_the_server_asks",
            "state::a_brown_out_costs_no_answer_and_few_requests",
        ],
    ),
];

/// Tests of this binary that are about no fault.
const OTHERS: &[&str] = &[
    "cancelling::the_first_text_is_handed_over_while_the_rest_is_still_to_come",
    "connection::connections_are_used_again_streamed_or_not",
    "content::the_key_and_the_price_are_used",
    "list::every_fault_is_in_the_documents_and_the_other_way_round",
    "list::every_fault_of_the_server_is_used_by_a_test",
    "list::every_fault_has_its_tests_and_every_test_its_fault",
];

/// The sources of the tests.
const SOURCES: &[&str] = &[
    include_str!("calls.rs"),
    include_str!("cancelling.rs"),
    include_str!("connection.rs"),
    include_str!("content.rs"),
    include_str!("events.rs"),
    include_str!("http.rs"),
    include_str!("memory.rs"),
    include_str!("state.rs"),
    include_str!("text.rs"),
    include_str!("timing.rs"),
];

#[test]
fn every_fault_has_its_tests_and_every_test_its_fault() {
    let listing = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let there: BTreeSet<&str> = listing
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    for (group, fault, tests) in FAULTS {
        assert!(!tests.is_empty(), "{group}: {fault} has no test");
        for test in *tests {
            assert!(there.contains(test), "{group}: {fault}: no test `{test}`");
        }
    }
    let named: BTreeSet<&str> = FAULTS
        .iter()
        .flat_map(|(_, _, tests)| tests.iter().copied())
        .chain(OTHERS.iter().copied())
        .collect();
    assert_eq!(
        there, named,
        "tests that no fault names, or the other way round"
    );
}

#[test]
fn every_fault_is_in_the_documents_and_the_other_way_round() {
    let page = include_str!("../../../../docs/models.md");
    let section = page.split("\n## Faults\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut group = "";
    let mut documented = BTreeSet::new();
    for line in section.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            group = heading;
        } else if let Some(row) = line.strip_prefix("| ") {
            let fault = row.split(" | ").next().unwrap();
            if fault != "fault" {
                assert!(documented.insert((group, fault)), "twice: {fault}");
            }
        }
    }
    let listed = FAULTS.iter().map(|(group, fault, _)| (*group, *fault));
    assert_eq!(documented, listed.collect());
}

#[test]
fn every_fault_of_the_server_is_used_by_a_test() {
    let source = include_str!("../../../nfa-testkit/src/server/fault.rs");
    let (_, variants) = source.split_once("pub enum Fault {").unwrap();
    let names: Vec<&str> = variants
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| line.trim_end_matches([' ', '{', ',']))
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let is_used = |name: &str| {
        let name = format!("Fault::{name}");
        SOURCES.iter().any(|source| {
            source
                .match_indices(&name)
                .any(|(at, _)| !source[at + name.len()..].starts_with(char::is_alphanumeric))
        })
    };
    let unused: Vec<_> = names.into_iter().filter(|name| !is_used(name)).collect();
    assert!(unused.is_empty(), "faults without a test: {unused:?}");
}
