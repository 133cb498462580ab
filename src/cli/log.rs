//! Log lines on standard error: for people, or one JSON object a line.
//!
//! The JSON ones are made for whoever collects logs. *Invariant*: with `--log-format json` nothing but such objects goes to
//! standard error, errors and panics included. Every one has `timestamp` (RFC 3339, UTC), `level` and `message`; those of a
//! run have `run`, and those of a stage at work `stage`, whichever thread writes them. The other fields are those of the event, with
//! the unit as the last word of the name.

use super::args::{Common, LogFormat};
use super::style::{Paint, Tone};
use crate::monitor::{Monitor, STAGE_TARGET};
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// The run that this process is.
static RUN: OnceLock<String> = OnceLock::new();

/// Says which run the lines from now on are of.
pub(super) fn begin_run(id: &str) {
    // A second run in one process is none of the program's.
    let _ = RUN.set(id.to_owned());
}

/// Whether lines are to be JSON, of a command line that cannot be understood otherwise.
pub(super) fn wants_json() -> bool {
    let arguments: Vec<_> = std::env::args_os().collect();
    let variable = std::env::var_os("RAYONNAGE_LOG_FORMAT");
    says_json(&arguments, variable.as_deref())
}

fn says_json(arguments: &[OsString], variable: Option<&OsStr>) -> bool {
    let mut last = variable.map(OsStr::to_os_string);
    for (index, argument) in arguments.iter().enumerate() {
        if argument == "--log-format" {
            last = arguments.get(index + 1).cloned();
        } else if let Some(value) = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--log-format="))
        {
            last = Some(value.into());
        }
    }
    last.is_some_and(|format| format == "json")
}

/// Whether progress bars may be shown: on a terminal, for people.
pub(super) fn shows_bars(common: &Common) -> bool {
    common.log_format == LogFormat::Text && std::io::stderr().is_terminal()
}

/// Starts logging to standard error: warnings beside progress bars, everything of note elsewhere.
pub(super) fn start(common: &Common, monitor: &Monitor) {
    let default = if monitor.has_bars() {
        "warn"
    } else {
        // Requests that are repeated are everyday.
        "info,object_store=warn"
    };
    let filter =
        EnvFilter::try_from_env("RAYONNAGE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let writer = monitor.clone();
    let builder = tracing_subscriber::fmt().with_writer(move || writer.log_writer());
    // A second subscriber in one process (tests of the library) is no reason to fail.
    let _ = match common.log_format {
        LogFormat::Text => builder
            .with_env_filter(filter)
            .with_target(false)
            .with_ansi(Paint::stderr().is_on())
            .try_init(),
        LogFormat::Json => {
            std::panic::set_hook(Box::new(log_panic));
            builder
                .with_env_filter(with_stages(filter))
                .fmt_fields(JsonFields::new())
                .event_format(JsonLines)
                .try_init()
        }
    };
}

/// Lets the spans through that say which stage a line is of. In lines for people they would repeat what stands there.
fn with_stages(filter: EnvFilter) -> EnvFilter {
    match format!("{STAGE_TARGET}=debug").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}

fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let said = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(place, panic = said, "a thread panicked");
}

/// What kept a command from finishing.
pub(super) struct Failure {
    pub(super) exit_code: u8,
    pub(super) error: String,
    /// From the nearest to the first.
    pub(super) causes: Vec<String>,
    pub(super) remedy: Option<String>,
    /// What became of a run, with the end of its line; empty for other commands.
    pub(super) summary: String,
}

impl Failure {
    /// Prints it on standard error; where that cannot be written, the exit code still tells.
    pub(super) fn print(&self, format: LogFormat) {
        let text = match format {
            LogFormat::Text => self.text(),
            LogFormat::Json => self.line().finish(),
        };
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn text(&self) -> String {
        let paint = Paint::stderr();
        let mut text = format!("{} {}\n", paint.tone(Tone::Bad, "error:"), self.error);
        for cause in &self.causes {
            let _ = writeln!(text, "  because: {cause}");
        }
        if let Some(remedy) = &self.remedy {
            let label = paint.tone(Tone::Good, "remedy:");
            let _ = writeln!(text, "  {label} {remedy}");
        }
        text.push_str(&self.summary);
        text
    }

    fn line(&self) -> Line {
        let mut line = Line::new("ERROR");
        line.set("message", "command failed");
        line.set("exit_code", self.exit_code);
        line.set("error", self.error.as_str());
        line.set("causes", self.causes.clone());
        line.set("remedy", self.remedy.clone());
        if !self.summary.is_empty() {
            line.set("summary", self.summary.trim_end());
        }
        line
    }
}

/// Formats events as JSON objects, all fields on one level.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::new(event.metadata().level().as_str());
        let scope = context.event_scope();
        for span in scope.into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>() {
                line.add(fields);
            }
        }
        event.record(&mut line);
        writer.write_str(&line.finish())
    }
}

/// A line in the making.
struct Line(Map<String, Value>);

impl Line {
    fn new(level: &str) -> Self {
        let mut line = Self(Map::new());
        line.set(
            "timestamp",
            Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        );
        line.set("level", level);
        if let Some(run) = RUN.get() {
            line.set("run", run.as_str());
        }
        line
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Adds the fields of a span, which are formatted as an object.
    fn add(&mut self, object: &str) {
        if let Ok(fields) = serde_json::from_str::<Map<String, Value>>(object) {
            self.0.extend(fields);
        }
    }

    fn finish(self) -> String {
        let mut text = Value::Object(self.0).to_string();
        text.push('\n');
        text
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        // Milliseconds are counted in so many bits.
        self.set(field.name(), u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::stage_span;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing::Span;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are logged at a level.
    fn logged(level: &str, log: impl FnOnce()) -> Vec<Value> {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(with_stages(EnvFilter::new(level)))
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = memory.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn fields_stand_on_one_level_with_their_types() {
        let error = io::Error::other("a \"broken\"\nline");
        let lines = logged("info", || {
            let none: Option<u64> = None;
            tracing::warn!(rows = 7_u64, elapsed_ms = 8_u128, ratio = 0.5, is_ok = true, none, %error, "found {}", 1);
            tracing::debug!("not of note");
        });
        assert_eq!(lines.len(), 1);
        let line = lines[0].as_object().unwrap();
        for (name, expected) in [
            ("level", Value::from("WARN")),
            ("message", "found 1".into()),
            ("rows", 7.into()),
            ("elapsed_ms", 8.into()),
            ("ratio", 0.5.into()),
            ("is_ok", true.into()),
            ("error", "a \"broken\"\nline".into()),
        ] {
            assert_eq!(line[name], expected, "{name}");
        }
        assert!(!line.contains_key("none"));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(
            chrono::DateTime::parse_from_rfc3339(timestamp).is_ok() && timestamp.ends_with('Z')
        );
    }

    #[test]
    fn a_stage_is_named_in_every_thread_that_works_for_it() {
        let lines = logged("warn", || {
            let _in_stage = stage_span("clean_text").entered();
            tracing::warn!("one");
            let (span, dispatch) = (
                Span::current(),
                tracing::dispatcher::get_default(Clone::clone),
            );
            let thread = std::thread::spawn(move || {
                let _default = tracing::dispatcher::set_default(&dispatch);
                let _in_stage = span.entered();
                tracing::warn!(object = "x", "two");
            });
            thread.join().unwrap();
        });
        let stages: Vec<&Value> = lines.iter().map(|line| &line["stage"]).collect();
        assert_eq!(stages, ["clean_text", "clean_text"]);
    }

    #[test]
    fn what_lines_should_be_is_known_before_the_command_line_is_understood() {
        let says = |arguments: &[&str], variable: Option<&str>| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            says_json(&arguments, variable.map(OsStr::new))
        };
        assert!(says(&["x", "--log-format", "json", "rnu"], None));
        assert!(says(&["x", "rnu", "--log-format=json"], Some("text")));
        assert!(says(&["x", "rnu"], Some("json")));
        assert!(!says(&["x", "--log-format", "text"], Some("json")));
        assert!(!says(&["x", "json", "--log-format"], None));
    }

    #[test]
    fn failures_are_lines_too() {
        let failure = Failure {
            exit_code: 11,
            error: "stage split".to_owned(),
            causes: vec!["a".to_owned(), "b".to_owned()],
            remedy: None,
            summary: "run r failed\n".to_owned(),
        };
        assert_eq!(
            failure.text(),
            "error: stage split\n  because: a\n  because: b\nrun r failed\n"
        );
        let line: Value = serde_json::from_str(&failure.line().finish()).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["exit_code"], 11);
        assert_eq!(line["causes"][1], "b");
        assert_eq!(line["remedy"], Value::Null);
        assert_eq!(line["summary"], "run r failed");
    }
}
