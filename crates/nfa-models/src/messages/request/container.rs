//! Where the provider runs code for a conversation: sent back as long as it lasts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// The id of the container that an answer told of, unless it has expired by `now`: the provider refuses it then.
pub(super) fn usable(container: &Map<String, Value>, now: SystemTime) -> Option<&str> {
    let expires = container.get("expires_at").and_then(Value::as_str);
    let expired = expires.and_then(instant).is_some_and(|end| end <= now);
    let id = container.get("id").and_then(Value::as_str);
    id.filter(|_| !expired)
}

/// A time such as `2026-11-28T20:15:00Z`, to the second; the provider writes UTC.
fn instant(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let mut time = time.get(..8)?.splitn(3, ':').map(str::parse::<u64>);
    let mut next = || date.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let mut next = || time.next()?.ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years are counted from March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let since_march = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * since_march + 2) / 5 + day;
    /// 1 January 1970, counted so.
    const EPOCH: u64 = 719_469;
    let seconds = days.checked_sub(EPOCH)? * 86_400 + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_the_providers_times() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:01.5Z", 951_825_601),
            ("2024-12-31T23:59:59+00:00", 1_735_689_599),
            ("2026-03-01T00:00:00Z", 1_772_323_200),
        ] {
            let expected = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        for text in ["", "soon", "2026-13-01T00:00:00Z", "2026-01-01T00:00"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_container_is_sent_as_long_as_it_lasts() {
        let container =
            json!({"type": "container", "id": "c", "expires_at": "2000-02-29T12:00:01Z"});
        let container = container.as_object().unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(usable(container, at(951_825_600)), Some("c"));
        assert_eq!(usable(container, at(951_825_601)), None);
        let endless = json!({"id": "c"});
        assert_eq!(usable(endless.as_object().unwrap(), at(0)), Some("c"));
    }
}
