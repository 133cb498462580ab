//! The table: one row a measurement, with its bar where the project sets one.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

const HEADER: [&str; 7] = [
    "step",
    "ours",
    "Python",
    "one BLAS thread",
    "ratio",
    "bar",
    "",
];

/// One measurement of both sides.
pub struct Row {
    cells: [String; 7],
    is_short: bool,
}

impl Row {
    /// Rows a second: more is better, and the bar is how many times as many.
    pub fn rate(step: &str, ours: f64, theirs: Option<f64>, bar: Option<f64>) -> Self {
        let shown = |rate: f64| format!("{rate:.0} rows/s");
        let ratio = theirs.map(|theirs| ours / theirs);
        Self::times(step, shown(ours), theirs.map(shown), None, ratio, bar)
    }

    /// Seconds: fewer is better, and the bar is how many times as fast as the faster of theirs.
    pub fn seconds(step: &str, ours: f64, theirs: [f64; 2], bar: Option<f64>) -> Self {
        let shown = |seconds: f64| format!("{seconds:.3} s");
        let ratio = theirs[0].min(theirs[1]) / ours;
        let [all, one] = theirs.map(|theirs| Some(shown(theirs)));
        Self::times(step, shown(ours), all, one, Some(ratio), bar)
    }

    /// The time of one step, in seconds: fewer is better, and the bar is how many times as fast.
    pub fn milliseconds(step: &str, ours: f64, theirs: f64, bar: Option<f64>) -> Self {
        let shown = |seconds: f64| format!("{:.3} ms", seconds * 1e3);
        let ratio = Some(theirs / ours);
        Self::times(step, shown(ours), Some(shown(theirs)), None, ratio, bar)
    }

    /// Nothing to compare.
    pub fn note(step: &str, ours: String, theirs: String) -> Self {
        let empty = String::new;
        Self::new(step, [ours, theirs, empty(), empty(), empty()], None)
    }

    /// Scores of two recipes of ours: the bar is how much the first has to be above the second.
    pub fn gain(step: &str, first: f64, second: f64, bar: Option<f64>) -> Self {
        let above = first - second;
        let cells = [
            format!("{first:.4} against {second:.4}"),
            String::new(),
            String::new(),
            format!("{above:+.4}"),
            bar.map_or_else(String::new, |bar| format!("≥ +{bar}")),
        ];
        Self::new(step, cells, bar.map(|bar| above >= bar))
    }

    /// Mebibytes: fewer is better.
    pub fn memory(step: &str, ours: f64, theirs: Option<f64>) -> Self {
        let shown = |mib: f64| format!("{mib:.0} MiB");
        let ratio = theirs.map(|theirs| theirs / ours);
        Self::times(step, shown(ours), theirs.map(shown), None, ratio, None)
    }

    /// Scores in `[0, 1]`: the bar is how much lower ours may be.
    pub fn score(step: &str, ours: f64, theirs: f64, most_lower: Option<f64>) -> Self {
        let above = ours - theirs;
        Self::new(
            step,
            [
                format!("{ours:.4}"),
                format!("{theirs:.4}"),
                String::new(),
                format!("{above:+.4}"),
                most_lower.map_or_else(String::new, |most| format!("≥ -{most}")),
            ],
            most_lower.map(|most| above >= -most),
        )
    }

    fn times(
        step: &str,
        ours: String,
        theirs: Option<String>,
        one_thread: Option<String>,
        ratio: Option<f64>,
        bar: Option<f64>,
    ) -> Self {
        let cells = [
            ours,
            theirs.unwrap_or_default(),
            one_thread.unwrap_or_default(),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×")),
            bar.map_or_else(String::new, |bar| format!("≥ {bar}×")),
        ];
        let reached = ratio.zip(bar).map(|(ratio, bar)| ratio >= bar);
        Self::new(step, cells, reached)
    }

    fn new(step: &str, cells: [String; 5], reached: Option<bool>) -> Self {
        let [ours, theirs, one_thread, ratio, bar] = cells;
        let verdict = match reached {
            Some(true) => "ok",
            Some(false) => "short",
            None => "",
        };
        Self {
            cells: [
                step.to_owned(),
                ours,
                theirs,
                one_thread,
                ratio,
                bar,
                verdict.to_owned(),
            ],
            is_short: reached == Some(false),
        }
    }
}

/// All rows, printed as a Markdown table.
pub struct Report {
    about: String,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(about: String) -> Self {
        let rows = Vec::new();
        Self { about, rows }
    }

    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Tells whether some bar is missed.
    pub fn is_short(&self) -> bool {
        self.rows.iter().any(|row| row.is_short)
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, self.to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = HEADER.map(str::to_owned);
        let cells = || {
            [&header]
                .into_iter()
                .chain(self.rows.iter().map(|row| &row.cells))
        };
        let width = |column: usize| cells().map(|row| row[column].chars().count()).max();
        let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or(0));
        writeln!(formatter, "{}\n", self.about)?;
        for (index, row) in cells().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                write!(formatter, "| {cell:width$} ")?;
            }
            writeln!(formatter, "|")?;
            if index == 0 {
                for width in widths {
                    write!(formatter, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}
