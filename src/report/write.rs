//! Makes a report and puts it into a store.
//!
//! ```text
//! _report/<run>/report.html              the page, which needs none of the others
//! _report/<run>/report.json              the same as data
//! _report/<run>/figures/<name>.svg|png
//! _report/<run>/photos/<digest>.jpg
//! _report/latest.json                    last: the run of the latest report, and what that is of
//! ```

use super::attachments::Attachments;
use super::data::ReportData;
use super::error::ReportError;
use super::figures::draw;
use super::gather::gather;
use super::language::Lang;
use super::page::render;
use super::sources::Sources;
use crate::fingerprint::Digest;
use crate::runner::{Pipeline, RunRecord};
use crate::store::{SharedStore, Store, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Folder of all reports, below the checkpoints.
pub const REPORT_FOLDER: &str = "_report";

/// Goes up whenever the same checkpoints give another page.
const VERSION: u32 = 1;

/// A report that was made.
#[derive(Debug)]
pub struct Report {
    /// What it says.
    pub data: ReportData,
    /// The page.
    pub html: String,
    attachments: Attachments,
}

/// Where the latest report lies, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFiles {
    /// The run.
    pub run: String,
    /// Path of the page below the checkpoints.
    pub page: String,
    /// Digest of the checkpoints that it shows, its language and the version of the page.
    pub shows: String,
}

/// Makes the report of a run; `records` are the latest runs, newest first.
///
/// # Errors
///
/// [`ReportError::NothingRan`] where there is no checkpoint at all, those of checkpoints, and where the page cannot be filled in.
pub fn make(
    pipeline: &Pipeline,
    records: &[RunRecord],
    record: &RunRecord,
    lang: Lang,
) -> Result<Report, ReportError> {
    let sources = Sources::open(pipeline, records, record)?;
    let mut attachments = Attachments::default();
    let mut data = gather(&sources, &mut attachments)?;
    draw(&mut data, lang, &mut attachments);
    let html = render(&data, lang, &attachments)?;
    Ok(Report {
        data,
        html,
        attachments,
    })
}

impl Report {
    /// Writes page, data and figures, and says last that they are there.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn write(
        &self,
        store: &dyn Store,
        record: &RunRecord,
        lang: Lang,
    ) -> Result<ReportFiles, ReportError> {
        let folder = format!("{REPORT_FOLDER}/{}", record.run);
        for (path, attachment) in self.attachments.files() {
            store.replace(&format!("{folder}/{path}"), attachment.bytes().into())?;
        }
        let json = serde_json::to_vec_pretty(&self.data).unwrap_or_default();
        store.replace(&format!("{folder}/report.json"), json.into())?;
        let page = format!("{folder}/report.html");
        store.replace(&page, Bytes::from(self.html.clone()))?;
        let files = ReportFiles {
            run: record.run.clone(),
            page,
            shows: shows(record, lang),
        };
        let json = serde_json::to_vec_pretty(&files).unwrap_or_default();
        store.replace(&format!("{REPORT_FOLDER}/latest.json"), json.into())?;
        Ok(files)
    }
}

/// The latest report, where it shows just what a run made or found and is still there.
///
/// # Errors
///
/// Those of the store.
pub fn latest(
    store: &SharedStore,
    record: &RunRecord,
    lang: Lang,
) -> Result<Option<ReportFiles>, StoreError> {
    let bytes = match store.get(&format!("{REPORT_FOLDER}/latest.json")) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let Ok(files) = serde_json::from_slice::<ReportFiles>(&bytes) else {
        return Ok(None);
    };
    let is_of_it = files.shows == shows(record, lang) && store.head(&files.page)?.is_some();
    Ok(is_of_it.then_some(files))
}

fn shows(record: &RunRecord, lang: Lang) -> String {
    let stages = record.stages.iter();
    let stages = stages.flat_map(|stage| [stage.stage.clone(), stage.fingerprint.to_string()]);
    let head = [
        VERSION.to_string(),
        lang.code().to_owned(),
        record.version.clone(),
    ];
    Digest::of_strings(head.into_iter().chain(stages)).to_string()
}
