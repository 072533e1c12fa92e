use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = reqwest::header::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        })
        .collect()
}

/// What a 429 with these headers and no body asks for.
fn wait(pairs: &[(&'static str, &str)]) -> Option<Duration> {
    of_answer(429, &headers(pairs), b"")
}

#[test]
fn reads_seconds_milliseconds_and_all_three_dates() {
    assert_eq!(wait(&[("retry-after", "7")]), Some(SECOND * 7));
    assert_eq!(wait(&[("retry-after", "0")]), Some(Duration::ZERO));
    assert_eq!(wait(&[("retry-after", "0.5")]), Some(SECOND / 2));
    assert_eq!(wait(&[("retry-after-ms", "250")]), Some(SECOND / 4));
    assert_eq!(
        wait(&[("retry-after-ms", "250"), ("retry-after", "1")]),
        Some(SECOND / 4)
    );
    let date = "Sun, 06 Nov 1994 08:49:00 GMT";
    for later in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(
            wait(&[("retry-after", later), ("date", date)]),
            Some(SECOND * 37),
            "{later}"
        );
    }
    assert_eq!(
        wait(&[
            ("retry-after", "Sun, 06 Nov 1994 08:48:00 GMT"),
            ("date", date)
        ]),
        Some(Duration::ZERO)
    );
    for (date, seconds) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800),
    ] {
        assert_eq!(epoch_seconds(date), Some(SECOND * seconds));
    }
}

#[test]
fn nonsense_is_no_wait_and_a_huge_one_is_a_day() {
    for value in [
        "soon",
        "-1",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "NaN",
        "",
        "7 days",
        "-inf",
    ] {
        assert_eq!(wait(&[("retry-after", value)]), None, "{value}");
    }
    for value in ["99999999", "1e300", "inf", "Fri, 01 Jan 9999 00:00:00 GMT"] {
        assert_eq!(wait(&[("retry-after", value)]), Some(LONGEST), "{value}");
        assert_eq!(
            wait(&[("x-ratelimit-reset-tokens", "99999h")]),
            Some(LONGEST)
        );
    }
    for value in ["", "m", "6x", "6m0", "1.2.3s", "--1s", "6 m"] {
        assert_eq!(
            wait(&[("x-ratelimit-reset-requests", value)]),
            None,
            "{value}"
        );
    }
    assert_eq!(wait(&[]), None);
}

#[test]
fn reads_the_resets_of_rate_limits() {
    for (value, expected) in [
        ("1s", SECOND),
        ("6m0s", SECOND * 360),
        ("20ms", SECOND / 50),
        ("1h2m3.5s", Duration::from_millis(3_723_500)),
        ("120µs", Duration::from_micros(120)),
        ("7", SECOND * 7),
    ] {
        let mut given = HeaderMap::new();
        let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        given.insert("x-ratelimit-reset-requests", value.clone());
        let readable = value.to_str().is_ok();
        assert_eq!(of_answer(429, &given, b""), readable.then_some(expected));
    }
    assert_eq!(units("120µs"), Some(Duration::from_micros(120)));
    let date = ("date", "Sat, 28 Nov 2026 20:21:00 GMT");
    for value in [
        "2026-11-28T20:21:04Z",
        "2026-11-28T22:21:04+02:00",
        "2026-11-28T15:51:04-04:30",
        "2026-11-28 20:21:04.000Z",
        "1795897264",
        "1795897264000",
    ] {
        let reset = ("anthropic-ratelimit-requests-reset", value);
        assert_eq!(wait(&[reset, date]), Some(SECOND * 4), "{value}");
    }
    for value in [
        "2026-13-28T20:21:04Z",
        "2026-11-28",
        "2026-11-28T20:21Z",
        "2026-11-28T20:21:04",
    ] {
        let reset = ("anthropic-ratelimit-requests-reset", value);
        assert_eq!(wait(&[reset, date]), None, "{value}");
    }
}

#[test]
fn the_limit_that_is_used_up_decides() {
    let resets = [
        ("x-ratelimit-reset-requests", "12ms"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    let with = |more: &[(&'static str, &'static str)]| wait(&[&resets[..], more].concat());
    // Nothing more is known: the longest.
    assert_eq!(with(&[]), Some(SECOND * 360));
    assert_eq!(
        with(&[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-remaining-tokens", "10")
        ]),
        Some(Duration::from_millis(12))
    );
    // Neither is used up: the request wanted more tokens than were left.
    let nearly = [
        ("x-ratelimit-remaining-requests", "4999"),
        ("x-ratelimit-limit-requests", "5000"),
        ("x-ratelimit-remaining-tokens", "90"),
        ("x-ratelimit-limit-tokens", "150000"),
    ];
    assert_eq!(with(&nearly), Some(SECOND * 360));
    let nonsense = [
        ("x-ratelimit-remaining-tokens", "-1"),
        ("x-ratelimit-limit-tokens", "-1"),
    ];
    assert_eq!(with(&nonsense), Some(SECOND * 360));
    assert_eq!(
        wait(&[
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2026-11-28T20:21:09Z"
            ),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-28T20:22:00Z"),
            ("anthropic-ratelimit-requests-remaining", "40"),
            ("date", "Sat, 28 Nov 2026 20:21:00 GMT"),
        ]),
        Some(SECOND * 9)
    );
}

#[test]
fn the_body_of_gemini_says_it_too() {
    let body =
        br#"{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.Help","links":[]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"13s"}]}}"#;
    let none = HeaderMap::new();
    assert_eq!(of_answer(429, &none, body), Some(SECOND * 13));
    assert_eq!(
        of_answer(503, &none, &[b"[", &body[..], b"]"].concat()),
        Some(SECOND * 13)
    );
    assert_eq!(of_answer(400, &none, body), None);
    let told = headers(&[("retry-after", "2")]);
    assert_eq!(of_answer(429, &told, body), Some(SECOND * 2));
    for other in [
        &br#"{"error":{"details":[{"retryDelay":"soon"}]}}"#[..],
        br#"{"error":{"details":{"retryDelay":"1s"}}}"#,
        br#"{"error":{"message":"retryDelay 1s"}}"#,
        b"retryDelay",
    ] {
        assert_eq!(of_answer(429, &none, other), None);
    }
}

#[test]
fn resets_count_only_where_a_limit_was_hit() {
    let reset = headers(&[("x-ratelimit-reset-requests", "3s")]);
    for (status, expected) in [
        (429, Some(SECOND * 3)),
        (503, Some(SECOND * 3)),
        (529, Some(SECOND * 3)),
        (500, None),
        (400, None),
    ] {
        assert_eq!(of_answer(status, &reset, b""), expected, "{status}");
    }
    let told = headers(&[("retry-after", "3")]);
    assert_eq!(of_answer(500, &told, b""), Some(SECOND * 3));
}

proptest! {
    /// Whatever is in the headers and the body, it is read without a panic, and no wait is longer than a day.
    #[test]
    fn any_bytes_are_a_wait_of_at_most_a_day_or_none(
        value in "[ -~]{0,40}",
        digits in "[0-9.]{0,30}(ms|s|m|h|e9|-11-28T20:21:04Z|)",
        body in "\\PC{0,60}",
    ) {
        for value in [&value, &digits] {
            for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"] {
                let given = headers(&[(name, value)]);
                prop_assert!(of_answer(429, &given, b"").is_none_or(|wait| wait <= LONGEST));
            }
        }
        let body = format!("{{\"error\":{{\"details\":[{{\"retryDelay\":{}}}]}}}}", Value::from(body));
        prop_assert!(of_answer(429, &HeaderMap::new(), body.as_bytes()).is_none_or(|wait| wait <= LONGEST));
    }
}

#[cfg(feature = "fuzzing")]
proptest! {
    #[test]
    fn the_body_of_the_fuzz_target_holds(
        value in "([0-9.hms]{0,8}|[ -~]{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[Z+-][0-9:]{0,5})",
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        fuzz(&[value.as_bytes(), b"\n", &body].concat());
        fuzz(&body);
    }
}
