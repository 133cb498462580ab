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
use crate::checkpoint::{LATEST_REPORT_FILE, REPORTS_FOLDER};
use crate::fingerprint::Digest;
use crate::runner::{Pipeline, RunRecord};
use crate::sql::Queries;
use crate::store::{LockGuard, Store, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Path of the note on the latest report.
fn latest_path() -> String {
    format!("{REPORTS_FOLDER}/{LATEST_REPORT_FILE}")
}

/// Goes up whenever the same checkpoints give another page.
const VERSION: u32 = 2;

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

/// Takes the checkpoints for a report that is to be written: from before it reads them, so that nobody deletes them meanwhile.
///
/// # Errors
///
/// [`ReportError::Locked`] where a run or a deletion goes on; those of the store.
pub fn lock(pipeline: &Pipeline, record: &RunRecord) -> Result<LockGuard, ReportError> {
    let lock = pipeline.lock(&format!("report of {}", record.run));
    lock.map_err(|error| ReportError::Locked(Box::new(error)))
}

/// Makes the report of a run; `records` are the runs up to it, newest first, and those that made what it found fresh.
///
/// # Errors
///
/// [`ReportError::NothingRan`] and [`ReportError::Gone`] where there is no checkpoint at all, those of checkpoints, and where the page
/// cannot be filled in.
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
    /// Writes page, data and figures, and says last that they are there, unless the latest report is of a later run.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn write(
        &self,
        pipeline: &Pipeline,
        record: &RunRecord,
        lang: Lang,
        lock: &LockGuard,
    ) -> Result<ReportFiles, ReportError> {
        lock.check()?;
        let store = &*pipeline.environment.checkpoints;
        let folder = format!("{REPORTS_FOLDER}/{}", record.run);
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
            shows: shows(record, lang, &pipeline.environment.queries),
        };
        let is_later = |other: &ReportFiles| other.run > record.run;
        if !read_latest(store)?.as_ref().is_some_and(is_later) {
            let json = serde_json::to_vec_pretty(&files).unwrap_or_default();
            store.replace(&latest_path(), json.into())?;
        }
        Ok(files)
    }
}

/// The latest report, where it shows just what a run made or found and is still there.
///
/// # Errors
///
/// Those of the store.
pub fn latest(
    pipeline: &Pipeline,
    record: &RunRecord,
    lang: Lang,
) -> Result<Option<ReportFiles>, StoreError> {
    let store = &*pipeline.environment.checkpoints;
    let Some(files) = read_latest(store)? else {
        return Ok(None);
    };
    let queries = &pipeline.environment.queries;
    let is_of_it =
        files.shows == shows(record, lang, queries) && store.head(&files.page)?.is_some();
    Ok(is_of_it.then_some(files))
}

/// The note on the latest report; one that cannot be read is as none.
fn read_latest(store: &dyn Store) -> Result<Option<ReportFiles>, StoreError> {
    match store.get(&latest_path()) {
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
    }
}

fn shows(record: &RunRecord, lang: Lang, queries: &Queries) -> String {
    let stages = record.stages.iter();
    let stages = stages.flat_map(|stage| [stage.stage.clone(), stage.fingerprint.to_string()]);
    let queries = queries.of_report().iter();
    let queries = queries.flat_map(|query| [query.name.clone(), query.text.clone()]);
    let head = [
        VERSION.to_string(),
        lang.code().to_owned(),
        record.version.clone(),
        record.dump_date.clone().unwrap_or_default(),
    ];
    Digest::of_strings(head.into_iter().chain(stages).chain(queries)).to_string()
}
