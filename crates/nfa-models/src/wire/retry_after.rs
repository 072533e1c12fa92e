//! How long a provider asks us to wait: `Retry-After`, the resets of its rate limits, or its error's body.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// No answer is believed that asks for longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long an answer with an error status asks us to wait, at most a day. The first that says so counts:
///
/// 1. `retry-after-ms`, then `retry-after`, in seconds or as a date;
/// 2. under 429, 503 and 529, `RetryInfo` in the body's `error.details`, as Gemini writes it;
/// 3. under the same, the reset of the limit that is used up (`x-ratelimit-reset-…` and
///    `anthropic-ratelimit-…-reset`). Where no limit says that it is, the one with the least left counts, and
///    where that is not told either, the longest: a reset tells when a limit is full again, not when it has
///    room again, so it is the most that can be meant.
///
/// Dates are measured by the provider's own clock where it tells the time. What cannot be read is ignored.
pub(crate) fn of_answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    let asked = from_headers(headers).or_else(|| {
        matches!(status, 429 | 503 | 529)
            .then(|| from_body(body).or_else(|| from_resets(headers)))
            .flatten()
    })?;
    Some(asked.min(LONGEST))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = text(headers, "retry-after-ms").and_then(seconds) {
        return Some(millis / 1000);
    }
    let value = text(headers, "retry-after")?;
    seconds(value).or_else(|| Some(until(epoch_seconds(value)?, now(headers)?)))
}

/// A number that is not negative, taken for seconds; more than a day is a day.
fn seconds(value: &str) -> Option<Duration> {
    let seconds: f64 = value.parse().ok()?;
    if seconds.is_nan() || seconds.is_sign_negative() {
        return None;
    }
    // Milliseconds are read as seconds first, so there must be room for a thousand times as many.
    let longest = LONGEST * 1000;
    Some(Duration::try_from_secs_f64(seconds).map_or(longest, |asked| asked.min(longest)))
}

fn now(headers: &HeaderMap) -> Option<Duration> {
    let told = text(headers, "date").and_then(epoch_seconds);
    told.or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).ok())
}

fn until(moment: Duration, now: Duration) -> Duration {
    moment.saturating_sub(now)
}

/// `"retryDelay": "13s"` in the details of the error.
fn from_body(body: &[u8]) -> Option<Duration> {
    memchr::memmem::find(body, b"retryDelay")?;
    let body: Value = serde_json::from_slice(body).ok()?;
    // A stream that fails before it begins answers with an array of one.
    let body = body.get(0).unwrap_or(&body);
    let details = body.get("error").unwrap_or(body).get("details")?;
    details
        .as_array()?
        .iter()
        .find_map(|detail| units(detail.get("retryDelay")?.as_str()?))
}

/// One limit of a provider, as its headers tell of it.
struct Limit {
    reset: Duration,
    /// What is left of it: a count, and a share where the whole is told too.
    remaining: Option<f64>,
    share: Option<f64>,
}

fn from_resets(headers: &HeaderMap) -> Option<Duration> {
    let now = now(headers)?;
    let limits: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str();
            let rest = name
                .strip_prefix("x-ratelimit-")
                .or_else(|| name.strip_prefix("anthropic-ratelimit-"))?;
            if !rest.split('-').any(|word| word == "reset") {
                return None;
            }
            let count = |word: &str| {
                let count = text(headers, &name.replace("reset", word))?;
                count.parse().ok().filter(|count: &f64| *count >= 0.0)
            };
            let remaining = count("remaining");
            let whole = count("limit").filter(|whole| *whole > 0.0);
            Some(Limit {
                reset: moment(value.to_str().ok()?.trim(), now)?,
                remaining,
                share: remaining.zip(whole).map(|(left, whole)| left / whole),
            })
        })
        .collect();
    let used_up = limits.iter().filter(|limit| limit.remaining == Some(0.0));
    if let Some(reset) = used_up.map(|limit| limit.reset).max() {
        return Some(reset);
    }
    let scarcest = limits
        .iter()
        .filter_map(|limit| Some((limit.share?, limit.reset)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    match scarcest {
        Some((_, reset)) => Some(reset),
        None => limits.iter().map(|limit| limit.reset).max(),
    }
}

/// How far away a reset is: `6m0s`, seconds, a point of time as RFC 3339 or since the epoch.
fn moment(value: &str, now: Duration) -> Option<Duration> {
    if let Ok(number) = value.parse::<f64>() {
        // What would be decades of waiting is a point of time, in seconds or in milliseconds.
        return match number {
            1e9..1e11 => Some(until(Duration::try_from_secs_f64(number).ok()?, now)),
            1e11..1e14 => {
                let moment = Duration::try_from_secs_f64(number / 1000.0).ok()?;
                Some(until(moment, now))
            }
            _ => seconds(value),
        };
    }
    units(value).or_else(|| Some(until(rfc3339(value)?, now)))
}

/// A duration as Go writes it: numbers with units, such as `1h2m3.5s` or `20ms`.
fn units(value: &str) -> Option<Duration> {
    let mut rest = value;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let length = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(length)?;
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        let part = Duration::try_from_secs_f64(number * scale).unwrap_or(LONGEST);
        total = total.saturating_add(part.min(LONGEST));
        rest = tail;
    }
    (!value.is_empty()).then_some(total)
}

/// A point of time since the epoch, such as `2026-11-28T20:21:04.5Z`.
fn rfc3339(value: &str) -> Option<Duration> {
    let (date, time) = value.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fraction = if fraction.is_empty() {
        0.0
    } else {
        format!("0.{fraction}").parse().ok()?
    };
    let local = days(year, month, day)? * 86_400 + clock_seconds(clock)?;
    let utc = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => local,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let offset = hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60;
            match sign {
                "+" => local.checked_sub(offset)?,
                "-" => local + offset,
                _ => return None,
            }
        }
    };
    Some(Duration::from_secs(utc) + Duration::try_from_secs_f64(fraction).ok()?)
}

/// Since the epoch: an IMF-fixdate, an RFC 850 date or an asctime date.
fn epoch_seconds(date: &str) -> Option<Duration> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let words: Vec<&str> = date
        .split([' ', ',', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let (day, month, year, time) = match *words {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = match (year.len(), year.parse().ok()?) {
        (2, year) if year < 70 => 2000 + year,
        (2, year) => 1900 + year,
        (4, year) => year,
        _ => return None,
    };
    let days = days(year, month, day.parse().ok()?)?;
    Some(Duration::from_secs(days * 86_400 + clock_seconds(time)?))
}

/// `HH:MM:SS` in seconds.
fn clock_seconds(time: &str) -> Option<u64> {
    let mut clock = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let valid = clock.next().is_none() && hour <= 23 && minute <= 59 && second <= 60;
    valid.then_some((hour * 60 + minute) * 60 + second)
}

/// Days since the epoch, counting years from March so that the leap day is the last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (years, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

/// The body of a fuzz target: a line is a header's value, and what follows the answer's body.
#[cfg(feature = "fuzzing")]
pub fn fuzz(bytes: &[u8]) {
    use reqwest::header::HeaderValue;

    let line = bytes.iter().position(|byte| *byte == b'\n');
    let (value, body) = bytes.split_at(line.unwrap_or(bytes.len()));
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    for name in [
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-requests-reset",
        "date",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(
            "retry-after",
            HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        if name.contains("reset") {
            headers.clear();
        }
        headers.insert(name, value.clone());
        let wait = of_answer(429, &headers, body);
        assert!(wait.is_none_or(|wait| wait <= LONGEST), "{wait:?}");
    }
}

#[cfg(test)]
mod tests;
