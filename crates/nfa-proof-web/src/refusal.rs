//! Why there is no report, in the form in which the command line prints its errors.

use nfa_proof::ProofError;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Refusal {
    component: &'static str,
    category: &'static str,
    code: &'static str,
    message: String,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    verdict: &'static str,
}

impl Refusal {
    /// The bundle does not hold, or not under this policy.
    pub(crate) fn of_bundle(error: &ProofError) -> Self {
        Self {
            details: Some(Details {
                verdict: error.category().as_str(),
            }),
            ..Self::new(error.code(), error.message().to_owned())
        }
    }

    /// The policy is not one.
    pub(crate) fn of_policy(error: &serde_json::Error) -> Self {
        Self::new(
            "policy_malformed",
            format!("expected a policy as JSON: {error}"),
        )
    }

    /// A key of the policy is none.
    pub(crate) fn of_key(member: &str, number: usize, error: &ProofError) -> Self {
        let message = format!("{member}[{number}]: {}", error.message());
        Self::new(error.code(), message)
    }

    /// The report is there, and no JSON can be made of it: a defect.
    pub(crate) fn unwritable(error: &serde_json::Error) -> Self {
        Self {
            category: "internal",
            ..Self::new(
                "report_unwritable",
                format!("the report is no JSON: {error}"),
            )
        }
    }

    fn new(code: &'static str, message: String) -> Self {
        Self {
            component: "proof",
            category: "input",
            code,
            message,
            retryable: false,
            details: None,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings and a flag: nothing in there can fail, and an empty answer is no verdict.
        serde_json::to_string(self).unwrap_or_default()
    }
}
