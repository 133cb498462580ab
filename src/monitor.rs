//! Progress for people: bars on a terminal, log lines elsewhere; and the counters of a run.

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a log line is written about a stage at work, where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows the stages of a run.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    bars: Option<MultiProgress>,
}

impl Monitor {
    /// Shows progress bars if `is_terminal`.
    #[must_use]
    pub fn new(is_terminal: bool) -> Self {
        Self {
            bars: is_terminal.then(MultiProgress::new),
        }
    }

    /// Begins to show a stage.
    #[must_use]
    pub fn stage(&self, id: &str) -> StageMonitor {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length());
            bar.set_style(style("{prefix:>18} {spinner} {elapsed:>4} {wide_msg}"));
            bar.set_prefix(id.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        StageMonitor {
            id: id.to_owned(),
            bar,
            done: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            resumed_at: AtomicU64::new(0),
            total: AtomicU64::new(0),
            unit: Mutex::new("rows"),
            logged: Mutex::new(Instant::now()),
            images: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            parts_made: AtomicU64::new(0),
            parts_taken_over: AtomicU64::new(0),
        }
    }

    /// Whether there are bars on the screen.
    #[must_use]
    pub fn has_bars(&self) -> bool {
        self.bars.is_some()
    }

    /// A writer to standard error that does not garble the bars.
    #[must_use]
    pub fn log_writer(&self) -> LogWriter {
        LogWriter {
            bars: self.bars.clone(),
        }
    }
}

/// Writes log lines to standard error, above the bars where there are any.
#[derive(Debug)]
pub struct LogWriter {
    bars: Option<MultiProgress>,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Standard error may be a full disk or a closed pipe; a log line is not worth the run.
        let write = || Ok(std::io::stderr().lock().write(bytes).unwrap_or(bytes.len()));
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = std::io::stderr().lock().flush();
        Ok(())
    }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let per_sec = state.per_sec();
        let digits = usize::from(per_sec < 10.0);
        // A bar that cannot be written is not worth an error.
        let _ = write!(text, "{per_sec:.digits$}/s");
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", rate)
}

/// Shows one stage at work, from any thread.
#[derive(Debug)]
pub struct StageMonitor {
    id: String,
    bar: Option<ProgressBar>,
    done: AtomicU64,
    skipped: AtomicU64,
    resumed_at: AtomicU64,
    total: AtomicU64,
    unit: Mutex<&'static str>,
    logged: Mutex<Instant>,
    images: AtomicU64,
    reused: AtomicU64,
    parts_made: AtomicU64,
    parts_taken_over: AtomicU64,
}

impl StageMonitor {
    /// Counts a part that was made.
    pub fn part_made(&self) {
        self.parts_made.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a part that an earlier run made.
    pub fn part_taken_over(&self) {
        self.parts_taken_over.fetch_add(1, Ordering::Relaxed);
    }

    /// Parts made and parts taken over.
    #[must_use]
    pub fn parts(&self) -> (u64, u64) {
        (
            self.parts_made.load(Ordering::Relaxed),
            self.parts_taken_over.load(Ordering::Relaxed),
        )
    }

    /// Says how much there is to do, and of what.
    pub fn expect(&self, total: u64, unit: &'static str) {
        self.set_total(
            total,
            unit,
            "{prefix:>18} {bar:24} {pos:>7}/{len} {msg}, {rate}, {eta} left",
        );
    }

    /// Says how much there is to do at most. Whoever does it says how long that may take.
    pub fn expect_at_most(&self, total: u64, unit: &'static str) {
        self.set_total(total, unit, "{prefix:>18} {bar:12} {pos}/{len} {wide_msg}");
    }

    fn set_total(&self, total: u64, unit: &'static str, template: &str) {
        self.total.store(total, Ordering::Relaxed);
        *self.unit.lock().unwrap_or_else(PoisonError::into_inner) = unit;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_style(style(template));
            bar.set_message(unit);
        }
    }

    /// Says that an earlier run did some of the work; it is shown, and does not count as done.
    pub fn skip(&self, count: u64) {
        self.skipped.fetch_add(count, Ordering::Relaxed);
    }

    /// Says from which epoch on a training runs that an earlier run began.
    pub fn resumed_at(&self, epoch: u64) {
        self.resumed_at.store(epoch, Ordering::Relaxed);
    }

    /// The first epoch that ran, where an earlier run had begun the training.
    #[must_use]
    pub fn resumed(&self) -> Option<u64> {
        let epoch = self.resumed_at.load(Ordering::Relaxed);
        (epoch > 0).then_some(epoch)
    }

    /// Counts work that is done.
    pub fn advance(&self, count: u64) {
        self.count(count, None);
    }

    /// Counts work that is done, and shows a short text about it.
    pub fn advance_saying(&self, count: u64, text: String) {
        self.count(count, Some(text));
    }

    fn count(&self, count: u64, text: Option<String>) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        let Some(bar) = &self.bar else {
            self.log(text.as_deref());
            return;
        };
        bar.set_position(done + self.skipped.load(Ordering::Relaxed));
        if let Some(text) = text {
            bar.set_message(text);
        }
    }

    /// Shows a short text.
    pub fn message(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => self.log(Some(&text)),
        }
    }

    fn log(&self, message: Option<&str>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.elapsed() < LOG_EVERY {
            return;
        }
        *logged = Instant::now();
        let (done, unit) = self.done();
        let done = done + self.skipped.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        tracing::info!(stage = self.id, done, total, unit, message, "working");
    }

    /// How much work was done, and of what.
    #[must_use]
    pub fn done(&self) -> (u64, &'static str) {
        let unit = *self.unit.lock().unwrap_or_else(PoisonError::into_inner);
        (self.done.load(Ordering::Relaxed), unit)
    }

    /// Counts images that were decoded, or went through a network.
    pub fn count_images(&self, count: u64) {
        self.images.fetch_add(count, Ordering::Relaxed);
    }

    /// Images that were decoded, or went through a network.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.images.load(Ordering::Relaxed)
    }

    /// Counts images whose features were known before.
    pub fn count_reused(&self, count: u64) {
        self.reused.fetch_add(count, Ordering::Relaxed);
    }

    /// Images whose features were known before.
    #[must_use]
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// Takes the stage off the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Target of the spans that say in log lines for machines which stage a thread works for.
pub const STAGE_TARGET: &str = "stage";

/// The span of a stage at work. Whoever starts a thread for it enters the current span there.
#[must_use]
pub fn stage_span(stage: &str) -> tracing::Span {
    tracing::debug_span!(target: STAGE_TARGET, "stage", stage)
}

/// Peak resident set size of this process in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// Resident set size of this process in bytes; 0 where the system does not tell.
#[must_use]
pub fn rss_bytes() -> u64 {
    status_bytes("VmRSS:")
}

fn status_bytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| {
        rest.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
    });
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted() {
        let stage = Monitor::default().stage("s");
        stage.expect(10, "images");
        stage.advance(3);
        stage.advance(4);
        assert_eq!(stage.done(), (7, "images"));
    }

    #[test]
    fn this_process_has_a_size() {
        assert!(peak_rss_bytes() > 1 << 20);
    }
}
