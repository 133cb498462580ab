//! Run records by name.

use super::HistoryError;
use crate::checkpoint::RUNS_FOLDER;
use crate::checkpoint::gc::is_run_id;
use crate::runner::RunRecord;
use crate::store::SharedStore;

/// Runs that are named where a name may be that of several.
const CANDIDATES: usize = 3;

/// The runs of a checkpoint root.
#[derive(Debug)]
pub struct History {
    store: SharedStore,
    /// Their ids, the oldest first: ids sort by time.
    runs: Vec<String>,
}

impl History {
    /// Lists the runs.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn open(store: SharedStore) -> Result<Self, HistoryError> {
        let objects = store.list(RUNS_FOLDER)?.into_iter();
        let id = |path: String| {
            let id = path.rsplit('/').next()?.strip_suffix(".json")?;
            is_run_id(id).then(|| id.to_owned())
        };
        let mut runs: Vec<String> = objects.filter_map(|object| id(object.path)).collect();
        runs.sort();
        Ok(Self { store, runs })
    }

    /// The ids, the newest first.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().rev().map(String::as_str)
    }

    /// Reads the newest records, side by side, the newest first.
    #[must_use]
    pub fn newest(&self, limit: usize) -> Vec<(&str, Result<RunRecord, HistoryError>)> {
        let runs: Vec<&str> = self.runs().take(limit).collect();
        let read = self.read_all(&runs);
        runs.into_iter().zip(read).collect()
    }

    /// Reads the records of a run and of those before it, side by side, the newest first: as many as are asked for, less those that
    /// cannot be read.
    #[must_use]
    pub fn up_to(&self, run: &str, limit: usize) -> Vec<RunRecord> {
        let runs = self.runs().skip_while(|other| *other > run);
        self.readable(&runs.take(limit).collect::<Vec<_>>())
    }

    /// Reads records by id, less those that are not there or cannot be read.
    #[must_use]
    pub fn readable(&self, runs: &[&str]) -> Vec<RunRecord> {
        let records = self.read_all(runs).into_iter();
        records.filter_map(Result::ok).collect()
    }

    /// Reads the records of runs that are named by id, the beginning of an id, `latest` or `latest~N`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::find`]; [`HistoryError::Unreadable`].
    pub fn named(&self, names: &[&str]) -> Result<Vec<RunRecord>, HistoryError> {
        let runs = names.iter().map(|name| self.find(name));
        let runs = runs.collect::<Result<Vec<&str>, _>>()?;
        self.read_all(&runs).into_iter().collect()
    }

    /// The id of a run that is named by id, the beginning of an id, `latest` or `latest~N`.
    ///
    /// # Errors
    ///
    /// [`HistoryError::NoRuns`], [`HistoryError::UnknownRun`], [`HistoryError::TooFewRuns`], [`HistoryError::AmbiguousRun`].
    pub fn find(&self, name: &str) -> Result<&str, HistoryError> {
        let latest = self.runs.last().ok_or_else(|| HistoryError::NoRuns {
            url: self.store.url().to_owned(),
        })?;
        if let Some(back) = back_of(name) {
            return self
                .runs()
                .nth(back)
                .ok_or_else(|| HistoryError::TooFewRuns {
                    name: name.to_owned(),
                    count: self.runs.len(),
                });
        }
        let begins = |run: &&str| !name.is_empty() && run.starts_with(name);
        let found: Vec<&str> = self.runs().filter(begins).collect();
        match found[..] {
            [run] => Ok(run),
            [] => Err(HistoryError::UnknownRun {
                name: name.to_owned(),
                latest: latest.clone(),
            }),
            _ => Err(HistoryError::AmbiguousRun {
                name: name.to_owned(),
                count: found.len(),
                candidates: found
                    .iter()
                    .take(CANDIDATES)
                    .map(|run| (*run).to_owned())
                    .collect(),
            }),
        }
    }

    fn read_all(&self, runs: &[&str]) -> Vec<Result<RunRecord, HistoryError>> {
        let path = |run: &&str| format!("{RUNS_FOLDER}/{run}.json");
        let paths: Vec<String> = runs.iter().map(path).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let parse = |(path, bytes): (&&str, Result<bytes::Bytes, _>)| {
            let url = || format!("{}/{path}", self.store.url());
            serde_json::from_slice(&bytes?)
                .map_err(|source| HistoryError::Unreadable { url: url(), source })
        };
        paths
            .iter()
            .zip(self.store.get_all(&paths))
            .map(parse)
            .collect()
    }
}

/// How many runs before the latest a name counts back, if it does: `latest`, `latest~1`.
fn back_of(name: &str) -> Option<usize> {
    match name.strip_prefix("latest")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ObjectBackedStore, Store};
    use std::sync::Arc;

    const RUNS: [&str; 3] = [
        "20261120T023000000Z-aaaaaa",
        "20261121T023000000Z-bbbbbb",
        "20261121T033000000Z-cccccc",
    ];

    fn history(runs: &[&str]) -> History {
        let store = ObjectBackedStore::memory();
        for run in runs.iter().chain(&["notes"]) {
            let path = format!("{RUNS_FOLDER}/{run}.json");
            store
                .create(&path, bytes::Bytes::from_static(b"{}"))
                .unwrap();
        }
        History::open(Arc::new(store)).unwrap()
    }

    #[test]
    fn a_run_has_several_names() {
        let history = history(&RUNS);
        for (name, run) in [
            (RUNS[1], RUNS[1]),
            ("20261120", RUNS[0]),
            ("20261121T03", RUNS[2]),
            ("latest", RUNS[2]),
            ("latest~0", RUNS[2]),
            ("latest~2", RUNS[0]),
        ] {
            assert_eq!(history.find(name).unwrap(), run, "{name}");
        }
        assert!(history.runs().eq(RUNS.into_iter().rev()));
    }

    #[test]
    fn a_name_that_is_none_is_told_of() {
        let full = history(&RUNS);
        for (name, said) in [
            (
                "20261121",
                "\"20261121\" may be one of 2 runs: 20261121T033000000Z-cccccc, 20261121T023000000Z-bbbbbb",
            ),
            (
                "2025",
                "there is no run \"2025\"; the latest is 20261121T033000000Z-cccccc",
            ),
            (
                "",
                "there is no run \"\"; the latest is 20261121T033000000Z-cccccc",
            ),
            (
                "latest~3",
                "there is no run \"latest~3\": there are 3 run records",
            ),
            (
                "latest~x",
                "there is no run \"latest~x\"; the latest is 20261121T033000000Z-cccccc",
            ),
        ] {
            let error = full.find(name).unwrap_err();
            assert_eq!(error.to_string(), said);
            assert!(error.is_usage() && error.remedy().is_some());
        }
        let none = history(&[]).find("latest").unwrap_err();
        assert_eq!(none.to_string(), "there is no run yet in memory://");
    }

    #[test]
    fn a_record_that_cannot_be_read_costs_only_itself() {
        let history = history(&RUNS);
        let newest = history.newest(2);
        assert_eq!(newest.len(), 2);
        assert_eq!(newest[0].0, RUNS[2]);
        let error = newest[0].1.as_ref().unwrap_err().to_string();
        assert!(
            error.contains("_runs/20261121T033000000Z-cccccc.json"),
            "{error}"
        );
    }
}
