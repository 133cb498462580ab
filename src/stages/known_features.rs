//! Features of images that were made before, in this run or an earlier one, found by the digest of what they were made from.
//!
//! Memory: a digest and a place for each image; the features themselves stay in the store, but for those of the last few
//! parts, which may not be written yet.

use super::{StageError, StageRun};
use crate::checkpoint::StoredPart;
use crate::fingerprint::Fingerprint;
use crate::schema::{self, LABELLED, UNLABELLED};
use crate::store::SharedStore;
use arrow::array::{Array, FixedSizeListArray, Float32Array, RecordBatch, StringArray};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const COLUMNS: [&str; 2] = ["digest", "features"];

/// Where a part lies.
enum Place {
    Stored(StoredPart),
    /// Made in this run; with its rows as long as it may not be written yet.
    Made {
        dataset: String,
        index: usize,
        rows: Option<RecordBatch>,
    },
}

/// Features of images by digest.
pub(super) struct KnownFeatures {
    store: SharedStore,
    stage: String,
    fingerprint: Fingerprint,
    places: Vec<Place>,
    /// Number of the part and row of each digest.
    rows: HashMap<String, (usize, usize)>,
    /// Most parts that are in work at once: of more, the first must have been written.
    in_work: usize,
}

impl KnownFeatures {
    /// Looks through all parts that the stage ever wrote, unless it is to start afresh.
    pub(super) fn open(run: &StageRun<'_>) -> Result<Self, StageError> {
        let mut known = Self {
            store: run.environment.checkpoints.clone(),
            stage: run.id.to_owned(),
            fingerprint: run.fields.fingerprint(),
            places: Vec::new(),
            rows: HashMap::new(),
            in_work: run.environment.workers,
        };
        if run.is_forced {
            return Ok(known);
        }
        for dataset in [LABELLED, UNLABELLED] {
            for part in StoredPart::list(&known.store, run.id, dataset)? {
                run.environment.check_cancelled()?;
                if let Some(batch) = part.read(&known.store, &COLUMNS[..1])? {
                    known.add(Place::Stored(part), &batch)?;
                }
            }
        }
        Ok(known)
    }

    /// Notes the rows of a part that is about to be written.
    pub(super) fn note(
        &mut self,
        dataset: &str,
        index: usize,
        batch: &RecordBatch,
    ) -> Result<(), StageError> {
        let place = Place::Made {
            dataset: dataset.to_owned(),
            index,
            rows: Some(batch.clone()),
        };
        self.add(place, batch)?;
        self.let_go()
    }

    fn add(&mut self, place: Place, batch: &RecordBatch) -> Result<(), StageError> {
        let digests: &StringArray = schema::column(batch, "digest")?;
        for (row, digest) in digests.iter().enumerate() {
            if let Some(digest) = digest {
                let place = (self.places.len(), row);
                self.rows.entry(digest.to_owned()).or_insert(place);
            }
        }
        self.places.push(place);
        Ok(())
    }

    /// Lets go of the rows of parts that are written by now.
    fn let_go(&mut self) -> Result<(), StageError> {
        let held = |place: &&mut Place| matches!(place, Place::Made { rows: Some(_), .. });
        let count = self.places.iter_mut().filter(held).count();
        let old = count.saturating_sub(2 * self.in_work);
        for place in self.places.iter_mut().filter(held).take(old) {
            let Place::Made {
                dataset,
                index,
                rows,
            } = place
            else {
                continue;
            };
            let (stage, fingerprint) = (&self.stage, &self.fingerprint);
            if StoredPart::find(&self.store, stage, fingerprint, dataset, *index)?.is_some() {
                *rows = None;
            }
        }
        Ok(())
    }

    /// The features of those digests that are known; each part that holds some of them is read once.
    pub(super) fn fetch<'d>(
        &self,
        digests: &BTreeSet<&'d str>,
    ) -> Result<HashMap<&'d str, Vec<f32>>, StageError> {
        let mut by_place: BTreeMap<usize, Vec<(&str, usize)>> = BTreeMap::new();
        for &digest in digests {
            if let Some(&(place, row)) = self.rows.get(digest) {
                by_place.entry(place).or_default().push((digest, row));
            }
        }
        let mut found = HashMap::new();
        for (place, rows) in by_place {
            let Some(batch) = self.read(&self.places[place])? else {
                continue;
            };
            let known: &StringArray = schema::column(&batch, "digest")?;
            let features: &FixedSizeListArray = schema::column(&batch, "features")?;
            for (digest, row) in rows {
                // A part of another width is of another network, and so of another digest.
                let values = features.value(row);
                if let Some(values) = values.as_any().downcast_ref::<Float32Array>()
                    && known.value(row) == digest
                {
                    found.insert(digest, values.values().to_vec());
                }
            }
        }
        Ok(found)
    }

    fn read(&self, place: &Place) -> Result<Option<RecordBatch>, StageError> {
        let stored;
        let part = match place {
            Place::Stored(part) => part,
            Place::Made {
                rows: Some(rows), ..
            } => return Ok(Some(rows.clone())),
            Place::Made { dataset, index, .. } => {
                let (stage, fingerprint) = (&self.stage, &self.fingerprint);
                stored = StoredPart::find(&self.store, stage, fingerprint, dataset, *index)?;
                match &stored {
                    Some(part) => part,
                    None => return Ok(None),
                }
            }
        };
        Ok(part.read(&self.store, &COLUMNS)?)
    }
}
