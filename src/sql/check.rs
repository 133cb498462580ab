//! The files of `sql/checks`: a head of comment lines, then one query that returns the rows that break a rule.
//!
//! ```sql
//! -- stage: decode_images
//! -- severity: warn
//! -- Broken pictures, for the supplier.
//! SELECT id, image_status FROM unlabelled WHERE image_status = 'corrupt' ORDER BY id
//! ```
//!
//! *Invariant*: a head that could be understood in two ways is refused with file and line. A misspelt `severity` would
//! fail a night, or let it pass.

use super::{SqlError, validate};
use crate::suggest::suggestion;
use serde::{Deserialize, Serialize};

/// What a check does when it finds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The stage fails.
    Fail,
    /// A warning is logged and recorded.
    Warn,
}

impl Severity {
    /// As it is written in the head of a check.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
        }
    }
}

/// A query that returns the rows that break a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// File name without `.sql`.
    pub name: String,
    /// Stage after which it runs.
    pub stage: String,
    /// What it does when it finds rows.
    pub severity: Severity,
    /// What it is for: the comment lines of its head that are no headers.
    pub description: String,
    /// The query.
    pub text: String,
    /// Where it stands.
    pub(super) place: Place,
}

/// Where a check and the stage in its head stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) stage_line: usize,
    /// It came with the program, and a pipeline may lack its stage.
    pub(super) is_shipped: bool,
}

/// The keys of headers.
const STAGE: &str = "stage";
const SEVERITY: &str = "severity";

/// A line `-- key: value`, counted from 1.
struct Header {
    line: usize,
    value: String,
}

/// What stands above the query.
#[derive(Default)]
struct Head {
    stage: Option<Header>,
    severity: Option<Header>,
    description: Vec<String>,
}

impl Check {
    /// The file, to name it to people.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.place.file
    }

    /// Reads the head of a check and looks at its query.
    ///
    /// # Errors
    ///
    /// [`SqlError::Head`] with file and line, [`SqlError::Refused`].
    pub(super) fn parse(
        name: &str,
        file: &str,
        text: String,
        is_shipped: bool,
    ) -> Result<Self, SqlError> {
        let refuse = |line: usize, reason: String| SqlError::Head {
            file: file.to_owned(),
            line,
            reason,
        };
        let head = Head::read(&text).map_err(|(line, reason)| refuse(line, reason))?;
        let Some(stage) = head.stage else {
            let reason = "the head lacks `-- stage: NAME`, the stage after which the check runs";
            return Err(refuse(1, reason.to_owned()));
        };
        let severity = match &head.severity {
            None => Severity::Fail,
            Some(header) => {
                severity(&header.value).map_err(|reason| refuse(header.line, reason))?
            }
        };
        validate(file, &text)?;
        Ok(Self {
            name: name.to_owned(),
            stage: stage.value,
            severity,
            description: head.description.join(" "),
            text,
            place: Place {
                file: file.to_owned(),
                stage_line: stage.line,
                is_shipped,
            },
        })
    }

    /// A check as a file would hold it.
    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self::parse("c", "sql/checks/c.sql", text.to_owned(), false).unwrap()
    }

    /// Refuses a check of a stage that is not there: it would never run, and nobody would know.
    pub(super) fn require_stage(&self, known: &[&str]) -> Result<(), SqlError> {
        if self.place.is_shipped || known.contains(&self.stage.as_str()) {
            return Ok(());
        }
        let stage = &self.stage;
        let reason = match suggestion(stage, known.iter().copied()) {
            Some(meant) => format!("there is no stage {stage:?}; did you mean {meant:?}?"),
            None => format!(
                "there is no stage {stage:?}; there are {}",
                known.join(", ")
            ),
        };
        Err(SqlError::Head {
            file: self.place.file.clone(),
            line: self.place.stage_line,
            reason,
        })
    }
}

impl Head {
    /// Reads the comment lines above the query; an error is a line with what is wrong in it.
    fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut head = Self::default();
        let mut is_head = true;
        for (line, text) in (1..).zip(text.lines()) {
            let comment = text.trim_start().strip_prefix("--").map(str::trim);
            is_head &= comment.is_some() || text.trim().is_empty();
            let Some(comment) = comment else { continue };
            match header(comment).map_err(|reason| (line, reason))? {
                Some((key, _)) if !is_head => {
                    let reason = format!("`-- {key}:` belongs above the query");
                    return Err((line, reason));
                }
                Some((key, value)) => head
                    .set(key, line, value)
                    .map_err(|reason| (line, reason))?,
                None if is_head && !comment.is_empty() => {
                    head.description.push(comment.to_owned());
                }
                None => {}
            }
        }
        Ok(head)
    }

    fn set(&mut self, key: &str, line: usize, value: &str) -> Result<(), String> {
        let place = if key == STAGE {
            &mut self.stage
        } else {
            &mut self.severity
        };
        if value.is_empty() {
            return Err(format!("`-- {key}:` says nothing"));
        }
        if let Some(first) = place {
            return Err(format!("`-- {key}:` stands in line {} already", first.line));
        }
        *place = Some(Header {
            line,
            value: value.to_owned(),
        });
        Ok(())
    }
}

/// The key and the value of a comment that is a header, or an error for one that was most likely meant to be.
fn header(comment: &str) -> Result<Option<(&'static str, &str)>, String> {
    let Some((word, value)) = comment.split_once(':') else {
        return Ok(None);
    };
    let (word, value) = (word.trim(), value.trim());
    for key in [STAGE, SEVERITY] {
        if word == key {
            return Ok(Some((key, value)));
        }
    }
    // A word that is near is a header only where its value could be one: `Stages: all of them` is a sentence.
    let is_one_word = !value.contains(char::is_whitespace);
    match suggestion(&word.to_lowercase(), [STAGE, SEVERITY]) {
        Some(meant) if is_one_word => {
            Err(format!("unknown header {word:?}; did you mean {meant:?}?"))
        }
        _ => Ok(None),
    }
}

fn severity(value: &str) -> Result<Severity, String> {
    let known = [Severity::Fail, Severity::Warn];
    let found = known.into_iter().find(|known| known.as_str() == value);
    found.ok_or_else(
        || match suggestion(&value.to_lowercase(), known.map(Severity::as_str)) {
            Some(meant) => format!("unknown severity {value:?}; did you mean {meant:?}?"),
            None => format!("unknown severity {value:?}: it is fail or warn"),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Check, String> {
        Check::parse("c", "sql/checks/c.sql", text.to_owned(), false)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn heads_say_when_how_and_what_for() {
        let check = parse(
            "-- stage: ingest\n--severity:warn\n\n-- Two lines\n--   of why: so.\nSELECT 1 -- not this\n",
        )
        .unwrap();
        assert_eq!(check.stage, "ingest");
        assert_eq!(check.severity, Severity::Warn);
        assert_eq!(check.description, "Two lines of why: so.");
        let check = parse("-- stage: ingest\nSELECT 1").unwrap();
        assert_eq!(check.severity, Severity::Fail);
        assert_eq!(check.description, "");
    }

    #[test]
    fn what_is_wrong_in_a_head_is_named_with_its_line() {
        for (text, expected) in [
            ("SELECT 1", "line 1: the head lacks `-- stage: NAME`"),
            (
                "-- stage: a\n-- severity: wran\nSELECT 1",
                "line 2: unknown severity \"wran\"; did you mean \"warn\"?",
            ),
            (
                "-- stage: a\n-- severity: perhaps\nSELECT 1",
                "line 2: unknown severity \"perhaps\": it is fail or warn",
            ),
            (
                "-- A rule.\n-- stage: a\n-- sevrity: warn\nSELECT 1",
                "line 3: unknown header \"sevrity\"; did you mean \"severity\"?",
            ),
            (
                "-- Stage: a\nSELECT 1",
                "line 1: unknown header \"Stage\"; did you mean \"stage\"?",
            ),
            ("-- stage:\nSELECT 1", "line 1: `-- stage:` says nothing"),
            (
                "-- stage: a\n-- stage: b\nSELECT 1",
                "line 2: `-- stage:` stands in line 1 already",
            ),
            (
                "-- stage: a\nSELECT 1\n-- severity: warn\n",
                "line 3: `-- severity:` belongs above the query",
            ),
        ] {
            let said = parse(text).unwrap_err();
            assert_eq!(
                said.strip_prefix("sql/checks/c.sql ")
                    .map(|said| said.starts_with(expected)),
                Some(true),
                "{said}"
            );
        }
        let said = parse("-- stage: a\nDROP TABLE a").unwrap_err();
        assert!(
            said.contains("checks/c.sql: a query is one SELECT"),
            "{said}"
        );
    }

    #[test]
    fn a_stage_that_is_not_there_is_a_mistake_but_of_shipped_checks() {
        let check = parse("-- why\n-- stage: splt\nSELECT 1").unwrap();
        let said = check.require_stage(&["ingest", "split"]).unwrap_err();
        assert_eq!(
            said.to_string(),
            "sql/checks/c.sql line 2: there is no stage \"splt\"; did you mean \"split\"?"
        );
        let text = "-- stage: splt\nSELECT 1".to_owned();
        let shipped = Check::parse("c", "c.sql", text, true).unwrap();
        assert!(shipped.require_stage(&["ingest"]).is_ok());
    }
}
