//! From arguments to a pipeline ready to be planned.

use super::args::Common;
use super::{CommandError, log};
use crate::cancel::CancelToken;
use crate::checkpoint::is_named_by_content;
use crate::config::{ConfigError, Issue, PipelineConfig, parse, resolve, set_value, with_origins};
use crate::model::DeviceChoice;
use crate::monitor::Monitor;
use crate::runner::Pipeline;
use crate::sample;
use crate::sql::Queries;
use crate::stages::{Environment, Stores, check_stages, kinds};
use crate::store::{
    self, CacheOptions, CachedStore, OpenOptions, ShardedStore, SharedStore, Store, StoreError,
};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What a command does to the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It only looks.
    Read,
    /// It deletes checkpoints.
    Collect,
    /// It runs stages.
    Write,
}

/// Reads the configuration and opens the stores.
pub(super) fn pipeline(
    common: &Common,
    access: Access,
    workers: usize,
    cancel: CancelToken,
) -> Result<Pipeline, CommandError> {
    let (config, queries) = configuration(common)?;
    open(common, config, queries, access, workers, cancel)
}

/// Opens the stores and the device of a configuration.
pub(super) fn open(
    common: &Common,
    mut config: PipelineConfig,
    queries: Queries,
    access: Access,
    workers: usize,
    cancel: CancelToken,
) -> Result<Pipeline, CommandError> {
    let device: DeviceChoice = common.device.parse().map_err(CommandError::Device)?;
    let stores = stores(&config, access)?;
    if is_sample(&config, &*stores.source)? && config.dump_date.is_none() {
        config.dump_date = Some(sample::DUMP_DATE.to_owned());
    }
    let environment = Environment::new(config, queries, stores, device, workers, cancel);
    if let DeviceChoice::Cuda(_) = device {
        // Asked for by name: say at once that it is not there.
        environment.runtime().map_err(CommandError::Device)?;
    }
    Ok(Pipeline::new(environment))
}

/// Leaves a pipeline to the system, now that the process is about to end: to give back what is known of each image of a catalogue, piece
/// by piece, takes longer than a glance.
pub(super) fn leave(pipeline: Pipeline) {
    std::mem::forget(pipeline);
}

/// Whether the source is a sample catalogue. In a bucket or on a web server this is also where it shows that there is no such folder:
/// all that it lacks would be taken for empty or left out.
fn is_sample(config: &PipelineConfig, source: &dyn Store) -> Result<bool, CommandError> {
    let is_here = source.local_root().is_some();
    if is_here && config.dump_date.is_some() {
        return Ok(false);
    }
    let products = config.source.products.as_str();
    let paths = [sample::MARKER, products];
    let asked = if is_here { &paths[..1] } else { &paths[..] };
    let found = source.head_all(asked).into_iter();
    let found: Vec<_> = found
        .collect::<Result<_, _>>()
        .map_err(failed("source.root"))?;
    if found.get(1).is_some_and(Option::is_none) {
        let url = format!("{}/{products}", source.url());
        return Err(failed("source.root")(StoreError::NotFound { url }));
    }
    Ok(found.first().is_some_and(Option::is_some))
}

/// Opens the three stores.
fn stores(config: &PipelineConfig, access: Access) -> Result<Stores, CommandError> {
    let source = store::open_existing(&config.source.root).map_err(failed("source.root"))?;
    let sink = match access {
        Access::Read | Access::Collect => store::open_for_reading(&config.sink.root),
        Access::Write => store::open_with(&config.sink.root, &open_options(config)),
    };
    Ok(Stores {
        checkpoints: checkpoints(config, access)?,
        source: Arc::new(ShardedStore::new(source)),
        sink: sink.map_err(failed("sink.root"))?,
    })
}

/// Opens the store of the checkpoints.
pub(super) fn checkpoints(
    config: &PipelineConfig,
    access: Access,
) -> Result<SharedStore, CommandError> {
    let opened = match access {
        Access::Read => store::open_for_reading(&config.checkpoints),
        Access::Collect | Access::Write => {
            store::open_with(&config.checkpoints, &open_options(config))
        }
    };
    let mut checkpoints = opened.map_err(failed("checkpoints"))?;
    if checkpoints.local_root().is_none() && config.cache.max_bytes > 0 {
        let options = CacheOptions {
            folder: config.cache.folder.clone().into(),
            max_bytes: config.cache.max_bytes,
        };
        checkpoints = Arc::new(CachedStore::new(
            checkpoints,
            &options,
            is_named_by_content,
        )?);
    }
    Ok(checkpoints)
}

fn open_options(config: &PipelineConfig) -> OpenOptions {
    OpenOptions {
        single_writer: config.single_writer,
        lock_timeout: Duration::from_secs_f64(config.lock_timeout_s),
    }
}

/// An error of the store that the configuration names at a key.
fn failed(key: &'static str) -> impl Fn(StoreError) -> CommandError {
    move |source| CommandError::Root {
        key,
        source: Box::new(source),
    }
}

/// Reads and checks the configuration and the queries.
pub(super) fn configuration(common: &Common) -> Result<(PipelineConfig, Queries), CommandError> {
    let path = common.config.display().to_string();
    let text = std::fs::read_to_string(&common.config).map_err(|source| ConfigError::Read {
        path: path.clone(),
        source,
    })?;
    let (mut tree, issues) = parse(&text, &path, &|name| std::env::var(name).ok())?;
    for argument in &common.set {
        set_value(&mut tree, argument)?;
    }
    let told = |error| with_origins(error, &text, &common.set);
    let config = resolve(&tree, &path, &kinds(), issues).map_err(told)?;
    let folder = common.config.parent().map_or_else(
        || config.sql.clone().into(),
        |folder| folder.join(&config.sql),
    );
    if !folder.is_dir() && config.sql != DEFAULT_SQL {
        let issue = Issue::new("sql", format!("there is no folder {}", folder.display()));
        let issues = vec![issue];
        return Err(told(ConfigError::Invalid { path, issues }).into());
    }
    let queries = Queries::load(&folder)?;
    let stages = tree.get("stages").and_then(Value::as_object);
    let stages: Vec<&str> = stages
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    queries.require_stages(&stages)?;
    let issues = check_stages(&config);
    if !issues.is_empty() {
        return Err(told(ConfigError::Invalid { path, issues }).into());
    }
    Ok((config, queries))
}

/// Folder of the queries that may be absent: the shipped ones then stand in.
const DEFAULT_SQL: &str = "sql";

/// Starts logging to standard error.
pub(super) fn logging(common: &Common, monitor: &Monitor) {
    log::start(common, monitor);
}

/// Threads to use where the command line does not say.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
