//! Row-wise stages: part *i* of the inputs makes part *i* of the outputs.
//!
//! Each part has a key over everything that it is made from. A part whose key is found, in this
//! checkpoint or in an older one, is taken over; only the others are made. A few parts are in work at
//! once, so memory depends on the size of a part and not on their number.

use super::{Input, StageError, StageRun};
use crate::checkpoint::{CheckpointWriter, PartManifest};
use crate::fingerprint::Digest;
use crate::schema;
use arrow::array::{Array, RecordBatch, StringArray};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An input whose parts go along with those of the first one, and the columns that are read of it.
pub(super) struct Aligned<'a> {
    pub(super) input: &'a Input,
    pub(super) columns: &'a [&'a str],
}

/// How a stage maps parts to parts.
pub(super) struct RowWise<'a> {
    /// Inputs with the same rows; the first one leads.
    pub(super) aligned: Vec<Aligned<'a>>,
    /// Datasets of the leading input that are mapped, with the names of what they become.
    pub(super) datasets: Vec<(String, String)>,
    /// Datasets that every part adds to beside the main one.
    pub(super) sides: &'static [&'static str],
    /// What every part depends on beside its rows: content of whole inputs.
    pub(super) extra: Vec<String>,
    /// What one part depends on beyond that, by its index in the dataset that it becomes part of.
    pub(super) extra_of: Option<&'a PartExtra<'a>>,
    /// What the rows are called in the progress.
    pub(super) unit: &'static str,
    /// Most parts that are in work at once, whatever the number of workers.
    pub(super) most_workers: usize,
}

/// Parts at once where the device works on one: the next is read meanwhile.
pub(super) const ON_DEVICE: usize = 2;

/// Digests of what one part depends on beside its rows.
pub(super) type PartExtra<'a> = dyn Fn(usize) -> Result<Vec<String>, StageError> + Sync + 'a;

/// One part to be made.
pub(super) struct Unit<'a> {
    /// Dataset of the inputs.
    pub(super) dataset: &'a str,
    output: &'a str,
    index: usize,
    side_index: usize,
    key: Digest,
    parts: Vec<&'a PartManifest>,
}

impl Unit<'_> {
    /// Place of the part in the dataset that it becomes part of.
    pub(super) fn index(&self) -> usize {
        self.index
    }
}

/// Makes the batches of one part: the main one, then one for each side dataset.
pub(super) type Kernel<'a> =
    dyn Fn(&Unit<'_>, &[RecordBatch]) -> Result<Vec<RecordBatch>, StageError> + Sync + 'a;

/// The datasets of an input that this stage may read, under their own names.
pub(super) fn same_names(input: &Input) -> Vec<(String, String)> {
    input
        .datasets
        .iter()
        .map(|name| (name.clone(), name.clone()))
        .collect()
}

/// Runs a kernel over every part that cannot be taken over.
pub(super) fn process(
    run: &StageRun<'_>,
    spec: &RowWise<'_>,
    kernel: &Kernel<'_>,
) -> Result<CheckpointWriter, StageError> {
    let units = units(run, spec)?;
    let mut keys: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    for unit in &units {
        keys.entry(unit.output.to_owned())
            .or_default()
            .push(unit.key.clone());
        for side in spec.sides {
            keys.entry((*side).to_owned())
                .or_default()
                .push(unit.key.clone());
        }
    }
    let writer = run.begin(keys)?;
    run.monitor
        .expect(units.iter().map(|unit| unit.parts[0].rows).sum(), spec.unit);
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<StageError>> = Mutex::new(None);
    let work = || {
        while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            let failed = || failure.lock().unwrap_or_else(PoisonError::into_inner);
            if failed().is_some() {
                return;
            }
            if let Err(error) = make(run, spec, unit, kernel, &writer) {
                failed().get_or_insert(error);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = run.environment.workers.min(spec.most_workers);
        for _ in 1..workers.min(units.len()) {
            let stage = tracing::Span::current();
            scope.spawn(move || stage.in_scope(work));
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(writer),
    }
}

/// Lists the parts to be made, with their keys.
fn units<'a>(run: &StageRun<'_>, spec: &'a RowWise<'a>) -> Result<Vec<Unit<'a>>, StageError> {
    let params = run.params.to_string();
    let version = run.version.to_string();
    let mut common = vec![run.kind, &version, &params];
    common.extend(&run.queries);
    common.extend(spec.extra.iter().map(String::as_str));
    let mut units: Vec<Unit<'_>> = Vec::new();
    for (dataset, output) in &spec.datasets {
        let leading = &spec.aligned[0].input.reader.dataset(dataset)?.parts;
        for index in 0..leading.len() {
            let mut parts = Vec::new();
            for aligned in &spec.aligned {
                let theirs = &aligned.input.reader.dataset(dataset)?.parts;
                if theirs.len() != leading.len() {
                    return Err(misaligned(spec, aligned.input, index));
                }
                parts.push(&theirs[index]);
            }
            let place = units.iter().filter(|unit| unit.output == output).count();
            let own = spec
                .extra_of
                .map_or(Ok(Vec::new()), |extra_of| extra_of(place))?;
            let digests = parts.iter().map(|part| part.digest.as_str());
            let all = common
                .iter()
                .copied()
                .chain([dataset.as_str()])
                .chain(digests);
            let key = Digest::of_strings(all.chain(own.iter().map(String::as_str)));
            let side_index = units.len();
            units.push(Unit {
                dataset,
                output,
                index: place,
                side_index,
                key,
                parts,
            });
        }
    }
    Ok(units)
}

fn misaligned(spec: &RowWise<'_>, other: &Input, part: usize) -> StageError {
    let left = spec.aligned[0].input.stage.clone();
    StageError::Misaligned {
        left,
        right: other.stage.clone(),
        part,
    }
}

/// Takes one part over, or makes it.
fn make(
    run: &StageRun<'_>,
    spec: &RowWise<'_>,
    unit: &Unit<'_>,
    kernel: &Kernel<'_>,
    writer: &CheckpointWriter,
) -> Result<(), StageError> {
    run.environment.check_cancelled()?;
    if take_over(spec, unit, writer)? {
        run.monitor.part_taken_over();
        return Ok(());
    }
    let mut batches = Vec::with_capacity(spec.aligned.len());
    for (aligned, part) in spec.aligned.iter().zip(&unit.parts) {
        let batch = aligned
            .input
            .reader
            .part(unit.dataset, part, Some(aligned.columns))?;
        batches.push(batch);
    }
    check_aligned(spec, unit, &batches)?;
    let made = kernel(unit, &batches)?;
    drop(batches);
    // Sides first: the main part stands for the whole unit.
    for (side, batch) in spec.sides.iter().zip(&made[1..]) {
        writer.write_part(side, unit.side_index, &unit.key, batch)?;
    }
    writer.write_part(unit.output, unit.index, &unit.key, &made[0])?;
    run.monitor.part_made();
    run.monitor.advance(unit.parts[0].rows);
    Ok(())
}

fn take_over(
    spec: &RowWise<'_>,
    unit: &Unit<'_>,
    writer: &CheckpointWriter,
) -> Result<bool, StageError> {
    for side in spec.sides {
        if writer
            .take_over(side, unit.side_index, &unit.key)?
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(writer
        .take_over(unit.output, unit.index, &unit.key)?
        .is_some())
}

fn check_aligned(
    spec: &RowWise<'_>,
    unit: &Unit<'_>,
    batches: &[RecordBatch],
) -> Result<(), StageError> {
    let leading: &StringArray = schema::column(&batches[0], "id")?;
    for (aligned, batch) in spec.aligned.iter().zip(batches).skip(1) {
        if schema::column::<StringArray>(batch, "id")? != leading {
            return Err(misaligned(spec, aligned.input, unit.index));
        }
    }
    Ok(())
}

/// Looks up the row of a query's result for each id of a batch; every id must be there exactly once.
pub(super) fn in_order_of<T>(
    batch: &RecordBatch,
    result: &RecordBatch,
    query: &str,
    value: impl Fn(usize) -> Result<T, crate::checkpoint::CheckpointError>,
) -> Result<Vec<T>, StageError> {
    let ids: &StringArray = schema::column(batch, "id")?;
    let found: &StringArray = schema::column(result, "id")?;
    let places: std::collections::HashMap<&str, usize> = found
        .iter()
        .enumerate()
        .filter_map(|(row, id)| id.map(|id| (id, row)))
        .collect();
    if found.len() != ids.len() || places.len() != ids.len() {
        return Err(StageError::Unusable(format!(
            "query {query} must return each id once: {} rows with {} ids for {} products",
            found.len(),
            places.len(),
            ids.len()
        )));
    }
    let row_of = |id: &str| {
        places.get(id).copied().ok_or_else(|| {
            StageError::Unusable(format!("query {query} returns no row with id {id:?}"))
        })
    };
    ids.iter()
        .map(|id| Ok(value(row_of(id.unwrap_or_default())?)?))
        .collect()
}
