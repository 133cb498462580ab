//! What to do about an error, where that can be said.
//!
//! What a run says of its own errors comes first ([`crate::runner::RunError::remedy`]); else the first cause that something is known of.

use super::CommandError;
use crate::config::ConfigError;
use crate::model::ModelError;
use crate::query::QueryError;
use crate::report::ReportError;
use crate::sql::SqlError;
use crate::store::StoreError;
use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

/// What to do about an error.
pub(super) fn remedy(error: &CommandError) -> Option<String> {
    let own = match error {
        CommandError::Failed(run) => return remedy(&run.error),
        CommandError::Run(error) => error.remedy(),
        CommandError::Config(error) => of_config(error).map(str::to_owned),
        CommandError::Sql(SqlError::Refused { .. }) => Some(
            "correct the file; README.md, section \"SQL queries and checks\", says what it may hold"
                .to_owned(),
        ),
        CommandError::Root { key, source } => of_root(key, source),
        CommandError::Query(error) => of_query(error),
        CommandError::Absent { remedy, .. } => Some(remedy.clone()),
        CommandError::WriteFile { path, source } => of_file(path, source),
        CommandError::Panicked { .. } => Some(
            "this is a bug: report it with the lines above and the version; what is finished is kept, so that a run may be started again"
                .to_owned(),
        ),
        CommandError::Report(ReportError::Locked(error)) => error.remedy(),
        CommandError::Report(ReportError::Gone { .. }) => Some(
            "name a later run: `rayonnage runs` lists them; `gc` keeps the checkpoints of as many as --keep-runs says"
                .to_owned(),
        ),
        CommandError::History(error) => error.remedy().map(str::to_owned),
        CommandError::Interrupted { .. } => {
            Some("what is not deleted yet goes with the next call".to_owned())
        }
        CommandError::Device(error) => of_device(error).map(str::to_owned),
        _ => None,
    };
    own.or_else(|| error.store().and_then(of_store))
        .or_else(|| causes(error).into_iter().find_map(of_cause))
}

/// An error and its causes, the outermost first.
fn causes(error: &CommandError) -> Vec<&(dyn Error + 'static)> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let mut all = Vec::new();
    while let Some(error) = next {
        all.push(error);
        next = error.source();
    }
    all
}

fn of_config(error: &ConfigError) -> Option<&'static str> {
    match error {
        ConfigError::Read { source, .. } if source.kind() == ErrorKind::NotFound => Some(
            "go to the folder of the configuration, or name it: --config FILE, or RAYONNAGE_CONFIG",
        ),
        ConfigError::Read { source, .. } if source.kind() == ErrorKind::InvalidData => {
            Some("save the file as UTF-8")
        }
        ConfigError::Read { .. } => None,
        ConfigError::Yaml { message, .. } if message.contains("tabs") => {
            Some("indent with spaces: YAML takes no tabs")
        }
        ConfigError::Yaml { message, .. } if message.contains("duplicate") => {
            Some("every key stands once: rename one of the two, or take it out")
        }
        ConfigError::Yaml { .. } => Some(
            "look at this line and at those above it: a colon without a space, an indentation, a quote or bracket that is not closed",
        ),
        ConfigError::Set { .. } => Some(
            "--set takes KEY=VALUE, such as --set seed=7 or --set clean_text.params.max_words=300",
        ),
        ConfigError::Invalid { .. } => Some(
            "correct what is listed; README.md, section \"Configuration\", has every key, and so have editors that read `rayonnage schema`",
        ),
    }
}

/// Of a query that somebody typed.
fn of_query(error: &QueryError) -> Option<String> {
    match error {
        QueryError::Table(_) => Some(
            "call it stage.dataset; `rayonnage show STAGE` says which datasets a stage has".to_owned(),
        ),
        QueryError::Column { columns, .. } => Some(columns.clone()),
        QueryError::Sql { columns, .. } if !columns.is_empty() => Some(columns.clone()),
        QueryError::Sql { .. } => Some(
            "--sql takes one SELECT over datasets, such as 'SELECT id, label FROM ingest.labelled LIMIT 5'; nothing can be changed by it"
                .to_owned(),
        ),
        QueryError::Checkpoint(_) => None,
    }
}

/// Of a file that an argument names and that cannot be written.
fn of_file(path: &str, error: &std::io::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::NotFound => {
            let folder = Path::new(path).parent()?.display();
            Some(format!("make the folder first: mkdir -p {folder}"))
        }
        ErrorKind::IsADirectory => {
            let path = path.trim_end_matches('/');
            Some(format!(
                "that is a folder; name a file in it: {path}/report.html"
            ))
        }
        _ => None,
    }
}

/// Of a store that cannot be opened; `key` is where the configuration names it.
fn of_root(key: &str, error: &StoreError) -> Option<String> {
    let (variable, of_make) = match key {
        "source.root" => ("RAYONNAGE_SOURCE", "DUMP"),
        "sink.root" => ("RAYONNAGE_SINK", "OUT"),
        _ => ("RAYONNAGE_CHECKPOINTS", "CHECKPOINTS"),
    };
    let place = format!("{key} in pipeline.yaml, {variable}, or {of_make} with make");
    match error {
        StoreError::NotFound { .. } if key != "source.root" => Some(format!(
            "is the bucket there? it has to be made first; it is named by {place}"
        )),
        StoreError::NotFound { url } => Some(match dumps_of(url) {
            Some(dumps) => format!(
                "the dump of that day is not in {dumps} (RAYONNAGE_DUMPS, RAYONNAGE_DATE): start the night again once it is there"
            ),
            None if url.contains("://") => format!(
                "is the bucket there, and the folder of the catalogue in it? it is named by {place}; the tables in it by source.products and others"
            ),
            None => format!(
                "name the folder of the catalogue: {place}; or write a sample one: rayonnage sample"
            ),
        }),
        StoreError::Url { reason, .. } if reason.contains("credentials") => Some(
            "take them out of the URL and put them into the environment; README.md, section \"Object stores\", names the variables"
                .to_owned(),
        ),
        StoreError::Url { .. } => Some(format!(
            "name a path, file://, s3://bucket/folder, az://container/folder or gs://bucket/folder: {place}"
        )),
        StoreError::ReadOnly { .. } => Some(format!("name a folder or a bucket: {place}")),
        StoreError::NoConditions { .. } => Some(
            "use a store that honours If-None-Match and If-Match, or set single_writer: true where no two runs ever write there at a time"
                .to_owned(),
        ),
        StoreError::Io { source, .. } if source.kind() != ErrorKind::StorageFull => {
            Some(format!("name a folder that this user may make and write to: {place}"))
        }
        error => of_store(error),
    }
}

/// Where the dumps of all nights lie, if this is one of them: `scripts/night.sh` says so.
fn dumps_of(url: &str) -> Option<String> {
    let dumps = std::env::var("RAYONNAGE_DUMPS").ok()?;
    let dumps = dumps.trim_end_matches('/');
    let path = url.trim_start_matches("folder ");
    let below = path
        .strip_prefix(dumps)
        .is_some_and(|rest| rest.starts_with('/'));
    let is_of_night = below && !dumps.is_empty() && !dumps.contains('@');
    is_of_night.then(|| dumps.to_owned())
}

fn of_device(error: &ModelError) -> Option<&'static str> {
    match error {
        ModelError::NoCuda { available: 0, .. } => Some(
            "--device auto takes what there is; with an NVIDIA GPU, put CUDA into the library path: LD_LIBRARY_PATH=$(scripts/setup-libtorch.sh --cuda)",
        ),
        ModelError::NoCuda { .. } => Some("devices are numbered from cuda:0 on"),
        _ => None,
    }
}

/// Of a cause that is known wherever it turns up.
fn of_cause(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<std::io::Error>()?;
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space on that disk and run again: what is finished is kept"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "give this user the right to write there, or name another folder in pipeline.yaml"
        }
        _ => return None,
    };
    Some(remedy.to_owned())
}

/// Of a store on another machine.
fn of_store(error: &StoreError) -> Option<String> {
    let (StoreError::Remote { url, .. }
    | StoreError::Denied { url, .. }
    | StoreError::Unreachable { url, .. }
    | StoreError::NoCredentials { url, .. }) = error
    else {
        return of_variable(error);
    };
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let (place, credentials) = match scheme {
        "s3" => (
            "AWS_ENDPOINT_URL, AWS_REGION and the name of the bucket",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        "az" => (
            "AZURE_STORAGE_ENDPOINT and the name of the container",
            "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        ),
        "gs" => ("the name of the bucket", "GOOGLE_APPLICATION_CREDENTIALS"),
        _ => (
            "the address, and whether this machine reaches it",
            "whether it may be read without a name",
        ),
    };
    Some(match error {
        StoreError::Denied { .. } => {
            format!("look at {credentials}, and at what they may do in this store")
        }
        StoreError::NoCredentials { .. } => {
            let public = if scheme == "s3" {
                "; for a bucket that everybody may read: AWS_SKIP_SIGNATURE=true"
            } else {
                ""
            };
            format!("set {credentials} in the environment of this command{public}")
        }
        StoreError::Unreachable { server, detail, .. } if is_of_tls(server, detail) => format!(
            "{server} does not speak TLS as this machine understands it: is it http:// rather than https://, and its certificate known here? look at {place}"
        ),
        StoreError::Unreachable { .. } => format!(
            "is the server up, and its address right? look at {place}; run again: what is finished is kept"
        ),
        _ => format!("look at {place}, then at {credentials}; run again: what is finished is kept"),
    })
}

/// Of a variable that names a server.
fn of_variable(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Variable { name, .. } => Some(format!(
            "correct {name} in the environment of this command, such as http://127.0.0.1:9000; credentials have variables of their own; README.md, section \"Object stores\", names them"
        )),
        _ => None,
    }
}

fn is_of_tls(server: &str, detail: &str) -> bool {
    server.starts_with("https://") && (detail.contains("certificate") || detail.contains("message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::RunError;
    use std::io;

    fn of(key: &'static str, source: StoreError) -> String {
        let source = Box::new(source);
        remedy(&CommandError::Root { key, source }).unwrap_or_default()
    }

    fn io(kind: ErrorKind) -> StoreError {
        StoreError::Io {
            operation: "write",
            url: "file:///checkpoints/x".to_owned(),
            source: io::Error::from(kind),
        }
    }

    #[test]
    fn a_full_disk_is_not_a_wrong_folder() {
        assert!(of("checkpoints", io(ErrorKind::StorageFull)).starts_with("free space"));
        let denied = of("checkpoints", io(ErrorKind::PermissionDenied));
        assert!(denied.contains("RAYONNAGE_CHECKPOINTS"), "{denied}");
        assert!(of("sink.root", io(ErrorKind::NotADirectory)).contains("OUT with make"));
        let run = RunError::from(io(ErrorKind::StorageFull));
        assert!(
            remedy(&CommandError::Run(run))
                .unwrap()
                .starts_with("free space")
        );
    }

    #[test]
    fn a_store_that_does_not_answer_names_its_variables() {
        let remote = |url: &str| StoreError::Remote {
            operation: "read",
            url: url.to_owned(),
            detail: "connection refused".to_owned(),
        };
        assert!(of("checkpoints", remote("s3://shop/x")).contains("AWS_ENDPOINT_URL"));
        assert!(of("checkpoints", remote("az://shop/x")).contains("AZURE_STORAGE_ENDPOINT"));
        let run = RunError::Stage {
            stage: "ingest".to_owned(),
            source: Box::new(remote("gs://shop/x").into()),
        };
        assert!(
            remedy(&CommandError::Run(run))
                .unwrap()
                .contains("GOOGLE_APPLICATION_CREDENTIALS")
        );
        let denied = StoreError::Denied {
            operation: "write",
            url: "s3://shop/x".to_owned(),
            detail: "403".to_owned(),
        };
        assert!(of("checkpoints", denied).contains("AWS_SECRET_ACCESS_KEY"));
    }
}
