//! What the doctor finds.

use std::io;

use poolhook::event::UserPoolId;
use serde_json::{Value, json};

use super::super::function::NotChecked;
use crate::out;

/// What one check found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// What was checked, such as `table`.
    check: &'static str,
    outcome: Outcome,
    text: String,
    /// The command that fixes it.
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Ok,
    Wrong,
    NotChecked,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Wrong => "wrong",
            Self::NotChecked => "not checked",
        }
    }
}

impl Finding {
    pub(crate) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self {
            check,
            outcome: Outcome::Ok,
            text: text.into(),
            fix: None,
        }
    }

    /// `fix` is a command.
    pub(crate) fn wrong(check: &'static str, text: impl Into<String>, fix: String) -> Self {
        Self {
            check,
            outcome: Outcome::Wrong,
            text: text.into(),
            fix: Some(fix),
        }
    }

    pub(crate) fn not_checked(check: &'static str, why: impl Into<String>) -> Self {
        Self {
            check,
            outcome: Outcome::NotChecked,
            text: why.into(),
            fix: None,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "check": self.check,
            "outcome": self.outcome.name(),
            "message": self.text,
            "fix": self.fix,
        })
    }
}

impl From<(&'static str, &NotChecked)> for Finding {
    fn from((check, NotChecked(why)): (&'static str, &NotChecked)) -> Self {
        Self::not_checked(check, why.as_str())
    }
}

/// All findings about a pool.
pub(crate) struct Diagnosis {
    pub(crate) pool: UserPoolId,
    pub(crate) findings: Vec<Finding>,
    /// Whether poolhook's function is at the pool's trigger.
    pub(crate) is_attached: bool,
}

impl Diagnosis {
    pub(crate) fn is_wrong(&self) -> bool {
        let mut outcomes = self.findings.iter().map(|finding| finding.outcome);
        outcomes.any(|outcome| outcome == Outcome::Wrong)
    }

    pub(crate) fn to_json(&self) -> Value {
        let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
        json!({
            "userPoolId": self.pool.as_str(),
            "outcome": if self.is_wrong() { "wrong" } else { "ok" },
            "findings": findings,
        })
    }

    /// Prints the findings for people.
    pub(crate) fn print(&self) -> io::Result<()> {
        out::text(&self.pool)?;
        for finding in &self.findings {
            let Finding {
                check,
                outcome,
                text,
                fix,
            } = finding;
            // A config's mistakes are several lines.
            let text = text.replace('\n', "\n    ");
            out::text(format!("  {:<11}  {check}: {text}", outcome.name()))?;
            if let Some(fix) = fix {
                out::text(format!("               fix: {fix}"))?;
            }
        }
        Ok(())
    }
}
