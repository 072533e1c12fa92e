//! The URL that a log or a witness has its calls under.

use nfa_core::Error;
use reqwest::Url;

use super::failure;

/// A prefix of URLs: `http` or `https`, and nothing behind the path.
#[derive(Clone, Debug)]
pub(super) struct Place(Url);

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let shown: String = text.chars().take(200).collect();
            failure::url_invalid(format!(
                "expected http://HOST/PATH or https://HOST/PATH, found `{shown}`: {what}"
            ))
        };
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("another scheme"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it has a user or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// The URL of a path under this one: plain segments, none of them empty or dots.
    pub(super) fn under(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_plain_prefix() {
        for (text, checkpoint) in [
            ("http://h", "http://h/checkpoint"),
            ("https://h:8443/a/b", "https://h:8443/a/b/checkpoint"),
            ("http://[::1]:1/a%20b/", "http://[::1]:1/a%20b/checkpoint"),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!(place.under("checkpoint").as_str(), checkpoint);
        }
        for wrong in [
            "",
            "h",
            "ftp://h/",
            "file:///etc",
            "http://",
            "http://u@h/",
            "http://u:p@h/",
            "http://h/?q",
            "http://h/#f",
            "http://h:x/",
        ] {
            let error = Place::parse(wrong).unwrap_err();
            assert_eq!(error.code(), "http_url_invalid", "{wrong}");
        }
    }
}
