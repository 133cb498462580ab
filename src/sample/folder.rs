//! The folder of a sample catalogue, and what makes it complete.
//!
//! Invariant: `sample.json` is there exactly when everything else is. `sample.json.partial` is written first and
//! renamed last, so a folder whose writer died is known as half written and as the sample's own; the tables are
//! written aside and renamed just before. A folder that holds anything else is never touched.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::catalogue::SampleStats;
use super::options::SampleOptions;

/// Version of what the generator draws: raised with every change of its bytes.
const FORMAT: u32 = 1;

/// File that is there exactly when the sample catalogue is complete.
pub const MARKER: &str = "sample.json";
/// Date of the sample's dump, for a publication that needs one.
pub const DUMP_DATE: &str = "2023-01-01";
const STARTED: &str = "sample.json.partial";

pub(super) const LABELLED: &str = "X_train_update.csv";
pub(super) const LABELS: &str = "Y_train_CVw08PX.csv";
pub(super) const UNLABELLED: &str = "X_test_update.csv";
pub(super) const TRANSLATIONS: &str = "translations.csv";
pub(super) const LABELLED_IMAGES: &str = "images/image_train";
pub(super) const UNLABELLED_IMAGES: &str = "images/image_test";

/// Why a sample catalogue could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// An option is out of its range.
    #[error("invalid sample option: {0}")]
    Option(&'static str),
    /// The folder holds something that is no sample catalogue.
    #[error("{} is not empty and holds no sample catalogue", .0.display())]
    ForeignFolder(PathBuf),
    /// A file or folder could not be read or written.
    #[error("cannot access {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A table could not be written.
    #[error("cannot write the table {}", .path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What the CSV writer says.
        source: csv::Error,
    },
    /// A picture could not be encoded.
    #[error("cannot encode the picture {}", .path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// What the encoder says.
        source: crate::image::ImageError,
    },
}

/// Names the path in an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> SampleError {
    let path = path.to_owned();
    move |source| SampleError::Io { path, source }
}

/// Returns the counts of a finished catalogue with these very options.
pub(super) fn finished(root: &Path, options: &SampleOptions) -> Option<SampleStats> {
    let text = fs::read_to_string(root.join(MARKER)).ok()?;
    let counts = text.strip_prefix(options_text(options).as_str())?;
    Some(SampleStats {
        image_files: count(counts, "image_files")?,
        absent_images: count(counts, "absent_images")?,
        corrupt_images: count(counts, "corrupt_images")?,
        unreferenced_rows: count(counts, "unreferenced_rows")?,
        translations: count(counts, "translations")?,
        labelled_rows: options.labelled_rows(),
        unlabelled_rows: options.unlabelled_rows(),
        reused: true,
    })
}

/// Takes the folder over: marks it as half written and clears what an earlier sample left.
pub(super) fn start(root: &Path, options: &SampleOptions) -> Result<(), SampleError> {
    fs::create_dir_all(root).map_err(at(root))?;
    let marker = root.join(MARKER);
    let known = marker.exists() || root.join(STARTED).exists();
    let mut entries = fs::read_dir(root).map_err(at(root))?;
    if !known && entries.next().is_some() {
        return Err(SampleError::ForeignFolder(root.to_owned()));
    }
    write_synced(&root.join(STARTED), options_text(options).as_bytes())?;
    for file in [MARKER, LABELLED, LABELS, UNLABELLED, TRANSLATIONS] {
        let path = root.join(file);
        absent_is_fine(fs::remove_file(&path)).map_err(at(&path))?;
    }
    for folder in [LABELLED_IMAGES, UNLABELLED_IMAGES] {
        let path = root.join(folder);
        absent_is_fine(fs::remove_dir_all(&path)).map_err(at(&path))?;
        fs::create_dir_all(&path).map_err(at(&path))?;
    }
    Ok(())
}

/// Declares the folder complete.
pub(super) fn finish(
    root: &Path,
    options: &SampleOptions,
    stats: &SampleStats,
) -> Result<(), SampleError> {
    let started = root.join(STARTED);
    let text = options_text(options) + &stats_text(stats);
    write_synced(&started, text.as_bytes())?;
    fs::rename(&started, root.join(MARKER)).map_err(at(&started))?;
    File::open(root)
        .and_then(|folder| folder.sync_all())
        .map_err(at(root))
}

/// A CSV file written aside.
pub(super) struct Table {
    path: PathBuf,
    aside: PathBuf,
    writer: csv::Writer<File>,
}

impl Table {
    /// Starts a table with its header.
    pub(super) fn create(root: &Path, name: &str, header: &[&str]) -> Result<Self, SampleError> {
        let (path, aside) = (root.join(name), root.join(format!("{name}.partial")));
        let file = File::create(&aside).map_err(at(&aside))?;
        let mut table = Self {
            path,
            aside,
            writer: csv::Writer::from_writer(file),
        };
        table.push(header)?;
        Ok(table)
    }

    /// Adds a row.
    pub(super) fn push(&mut self, fields: &[&str]) -> Result<(), SampleError> {
        let path = &self.path;
        self.writer
            .write_record(fields)
            .map_err(|source| SampleError::Table {
                path: path.clone(),
                source,
            })
    }

    /// Puts the table in its place.
    pub(super) fn finish(self) -> Result<(), SampleError> {
        let file = self
            .writer
            .into_inner()
            .map_err(|error| at(&self.aside)(error.into_error()))?;
        file.sync_all().map_err(at(&self.aside))?;
        fs::rename(&self.aside, &self.path).map_err(at(&self.path))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), SampleError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The first half of the marker: what was asked for.
fn options_text(options: &SampleOptions) -> String {
    let SampleOptions {
        rows,
        seed,
        images,
        image_size,
    } = options;
    let mut text = String::from("{\n");
    let mut line = |key: &str, value: u64| {
        let _ = writeln!(text, "  \"{key}\": {value},");
    };
    line("format", u64::from(FORMAT));
    line("rows", *rows as u64);
    line("seed", *seed);
    line("image_size", u64::from(*image_size));
    line(
        "unreferenced_permille",
        u64::from(images.unreferenced_permille),
    );
    line("absent_permille", u64::from(images.absent_permille));
    line("corrupt_permille", u64::from(images.corrupt_permille));
    text
}

/// The second half of the marker: what came of it.
fn stats_text(stats: &SampleStats) -> String {
    format!(
        "  \"labelled_rows\": {},\n  \"unlabelled_rows\": {},\n  \"image_files\": {},\n  \"absent_images\": {},\n  \
         \"corrupt_images\": {},\n  \"unreferenced_rows\": {},\n  \"translations\": {}\n}}\n",
        stats.labelled_rows,
        stats.unlabelled_rows,
        stats.image_files,
        stats.absent_images,
        stats.corrupt_images,
        stats.unreferenced_rows,
        stats.translations,
    )
}

/// Reads one number of a marker.
fn count(text: &str, key: &str) -> Option<usize> {
    let (_, rest) = text.split_once(&format!("\"{key}\": "))?;
    rest.split(|letter: char| !letter.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> SampleStats {
        SampleStats {
            labelled_rows: 8,
            unlabelled_rows: 2,
            image_files: 7,
            translations: 1,
            ..SampleStats::default()
        }
    }

    fn options() -> SampleOptions {
        SampleOptions {
            rows: 10,
            ..SampleOptions::default()
        }
    }

    #[test]
    fn only_the_last_step_finishes_a_folder() -> Result<(), SampleError> {
        let root = tempfile::tempdir().map_err(at(Path::new("temporary folder")))?;
        let root = root.path();
        assert_eq!(finished(root, &options()), None);
        start(root, &options())?;
        assert_eq!(finished(root, &options()), None);
        finish(root, &options(), &stats())?;
        assert_eq!(
            finished(root, &options()),
            Some(SampleStats {
                reused: true,
                ..stats()
            })
        );
        assert_eq!(
            finished(
                root,
                &SampleOptions {
                    seed: 7,
                    ..options()
                }
            ),
            None
        );
        assert!(!root.join(STARTED).exists());
        start(
            root,
            &SampleOptions {
                seed: 7,
                ..options()
            },
        )?;
        assert_eq!(finished(root, &options()), None);
        Ok(())
    }

    #[test]
    fn a_table_appears_when_finished() -> Result<(), SampleError> {
        let root = tempfile::tempdir().map_err(at(Path::new("temporary folder")))?;
        let mut table = Table::create(root.path(), LABELS, &["", "prdtypecode"])?;
        table.push(&["0", "a \"b\"\nc"])?;
        let path = root.path().join(LABELS);
        assert!(!path.exists());
        table.finish()?;
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        assert_eq!(text, ",prdtypecode\n0,\"a \"\"b\"\"\nc\"\n");
        Ok(())
    }

    #[test]
    fn a_foreign_folder_is_left_alone() -> Result<(), SampleError> {
        let root = tempfile::tempdir().map_err(at(Path::new("temporary folder")))?;
        let path = root.path().join(LABELLED);
        fs::write(&path, "mine").map_err(at(&path))?;
        assert!(matches!(
            start(root.path(), &options()),
            Err(SampleError::ForeignFolder(_))
        ));
        assert_eq!(fs::read_to_string(&path).map_err(at(&path))?, "mine");
        Ok(())
    }

    #[test]
    fn the_marker_is_json() {
        let text = options_text(&options()) + &stats_text(&stats());
        assert!(text.starts_with("{\n  \"format\": 1,\n  \"rows\": 10,\n"));
        assert!(text.ends_with("\"translations\": 1\n}\n"));
        assert_eq!(text.matches('"').count(), 28);
        assert_eq!(text.matches(",\n").count(), 13);
    }
}
