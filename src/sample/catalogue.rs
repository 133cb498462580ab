//! Writes a sample catalogue: the pictures as they are drawn, the tables aside, the marker last.

use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::categories::BLOCK_ROWS;
use super::dice::Side;
use super::folder::{self, SampleError, Table};
use super::image_file::{Ids, write_picture};
use super::options::SampleOptions;
use super::plan::{ImagePlan, RowPlan, plan_block};
use super::text::{self, Listing};

const COLUMNS: [&str; 5] = ["", "designation", "description", "productid", "imageid"];

/// What a sample catalogue holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleStats {
    /// Rows of `X_train_update.csv`.
    pub labelled_rows: usize,
    /// Rows of `X_test_update.csv`.
    pub unlabelled_rows: usize,
    /// Picture files, corrupt ones included.
    pub image_files: usize,
    /// Rows whose picture file is not there.
    pub absent_images: usize,
    /// Picture files that are truncated, empty or no picture.
    pub corrupt_images: usize,
    /// Rows without `productid` and `imageid`.
    pub unreferenced_rows: usize,
    /// Rows of `translations.csv`.
    pub translations: usize,
    /// Whether the folder was complete already and nothing was written.
    pub reused: bool,
}

/// Writes a sample catalogue into the folder `root`, or does nothing where it is there already.
///
/// A half-written catalogue, or one with other options, is written anew.
///
/// # Errors
///
/// [`SampleError::Option`] for an option out of its range, [`SampleError::ForeignFolder`] where `root` holds
/// something else, and the others where a file cannot be written.
pub fn write(root: &Path, options: &SampleOptions) -> Result<SampleStats, SampleError> {
    if let Some(fault) = options.fault() {
        return Err(SampleError::Option(fault));
    }
    if let Some(stats) = folder::finished(root, options) {
        return Ok(stats);
    }
    folder::start(root, options)?;
    let mut writer = CatalogueWriter::create(root, options)?;
    writer.write_side(Side::Labelled)?;
    writer.write_side(Side::Unlabelled)?;
    writer.finish()
}

struct CatalogueWriter<'a> {
    root: &'a Path,
    options: &'a SampleOptions,
    labelled: Table,
    labels: Table,
    unlabelled: Table,
    translations: Table,
    /// Texts already in the translation table, which holds each once; never iterated.
    translated: HashSet<String>,
    stats: SampleStats,
}

impl<'a> CatalogueWriter<'a> {
    fn create(root: &'a Path, options: &'a SampleOptions) -> Result<Self, SampleError> {
        Ok(Self {
            root,
            options,
            labelled: Table::create(root, folder::LABELLED, &COLUMNS)?,
            labels: Table::create(root, folder::LABELS, &["", "prdtypecode"])?,
            unlabelled: Table::create(root, folder::UNLABELLED, &COLUMNS)?,
            translations: Table::create(
                root,
                folder::TRANSLATIONS,
                &["source_lang", "source_text", "text_fr"],
            )?,
            translated: HashSet::new(),
            stats: SampleStats {
                labelled_rows: options.labelled_rows(),
                unlabelled_rows: options.unlabelled_rows(),
                ..SampleStats::default()
            },
        })
    }

    fn write_side(&mut self, side: Side) -> Result<(), SampleError> {
        let rows = match side {
            Side::Labelled => self.options.labelled_rows(),
            Side::Unlabelled => self.options.unlabelled_rows(),
        };
        for first in (0..rows).step_by(BLOCK_ROWS) {
            let block = (first / BLOCK_ROWS) as u64;
            let mut plans = plan_block(self.options.seed, side, block, self.options.images);
            plans.truncate(rows - first);
            self.write_block(side, first as u64, &plans)?;
        }
        Ok(())
    }

    /// Writes rows from number `first` on; their texts and pictures are drawn on all cores.
    fn write_block(
        &mut self,
        side: Side,
        first: u64,
        plans: &[RowPlan],
    ) -> Result<(), SampleError> {
        let (root, options) = (self.root, self.options);
        let draw = |(offset, plan): (usize, &RowPlan)| {
            let row = first + offset as u64;
            write_picture(root, options, side, row, plan)?;
            Ok(text::draw(options.seed, side, row, plan))
        };
        let listings = plans
            .par_iter()
            .enumerate()
            .map(draw)
            .collect::<Result<Vec<Listing>, SampleError>>()?;
        for (offset, (plan, listing)) in plans.iter().zip(&listings).enumerate() {
            self.write_row(side, first + offset as u64, plan, listing)?;
        }
        Ok(())
    }

    fn write_row(
        &mut self,
        side: Side,
        row: u64,
        plan: &RowPlan,
        listing: &Listing,
    ) -> Result<(), SampleError> {
        let ids = Ids::of(side, row);
        let (product, image) = match plan.image {
            ImagePlan::Unreferenced => (String::new(), String::new()),
            _ => (ids.product.to_string(), ids.image.to_string()),
        };
        let id = match side {
            Side::Labelled => row,
            Side::Unlabelled => row + self.options.labelled_rows() as u64,
        };
        let id = id.to_string();
        let fields = [
            id.as_str(),
            &listing.title,
            &listing.description,
            &product,
            &image,
        ];
        match side {
            Side::Labelled => {
                self.labelled.push(&fields)?;
                self.labels.push(&[&id, &plan.label.code.to_string()])?;
            }
            Side::Unlabelled => self.unlabelled.push(&fields)?,
        }
        self.count_image(plan.image);
        self.write_translation(plan, listing)
    }

    fn write_translation(&mut self, plan: &RowPlan, listing: &Listing) -> Result<(), SampleError> {
        let Some(entry) = &listing.translation else {
            return Ok(());
        };
        if self.translated.insert(entry.source_text.clone()) {
            self.stats.translations += 1;
            self.translations
                .push(&[plan.language.code(), &entry.source_text, &entry.french])?;
        }
        Ok(())
    }

    fn count_image(&mut self, image: ImagePlan) {
        let stats = &mut self.stats;
        match image {
            ImagePlan::Unreferenced => stats.unreferenced_rows += 1,
            ImagePlan::Absent => stats.absent_images += 1,
            ImagePlan::Drawn => stats.image_files += 1,
            ImagePlan::Truncated | ImagePlan::Empty | ImagePlan::NotAnImage => {
                stats.image_files += 1;
                stats.corrupt_images += 1;
            }
        }
    }

    fn finish(self) -> Result<SampleStats, SampleError> {
        for table in [
            self.translations,
            self.labels,
            self.unlabelled,
            self.labelled,
        ] {
            table.finish()?;
        }
        folder::finish(self.root, self.options, &self.stats)?;
        Ok(self.stats)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn options(rows: usize) -> SampleOptions {
        SampleOptions {
            rows,
            image_size: 16,
            ..SampleOptions::default()
        }
    }

    fn files(root: &Path) -> std::io::Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
                    found.insert(name, fs::read(&path)?);
                }
            }
        }
        Ok(found)
    }

    fn records(root: &Path, name: &str) -> Result<Vec<csv::StringRecord>, csv::Error> {
        csv::Reader::from_path(root.join(name))?
            .into_records()
            .collect()
    }

    #[test]
    fn the_same_options_give_the_same_bytes() -> TestResult {
        let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let stats = write(first.path(), &options(130))?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        assert_eq!(pool.install(|| write(second.path(), &options(130)))?, stats);
        let files_of_first = files(first.path())?;
        assert_eq!(files_of_first, files(second.path())?);
        assert_eq!(files_of_first.len(), stats.image_files + 5);
        let other = tempfile::tempdir()?;
        write(
            other.path(),
            &SampleOptions {
                seed: 124,
                ..options(130)
            },
        )?;
        let table = Path::new(folder::LABELLED);
        assert_ne!(files(other.path())?.get(table), files_of_first.get(table));
        Ok(())
    }

    #[test]
    fn a_larger_sample_extends_a_smaller_one() -> TestResult {
        let (small, large) = (tempfile::tempdir()?, tempfile::tempdir()?);
        write(small.path(), &options(60))?;
        write(large.path(), &options(90))?;
        let contents = |root: &Path, name| -> Result<Vec<Vec<String>>, csv::Error> {
            let rows = records(root, name)?;
            Ok(rows
                .iter()
                .map(|row| row.iter().skip(1).map(str::to_owned).collect())
                .collect())
        };
        for name in [folder::LABELLED, folder::LABELS, folder::UNLABELLED] {
            let (few, many) = (contents(small.path(), name)?, contents(large.path(), name)?);
            assert!(few.len() < many.len());
            assert_eq!(few, many[..few.len()], "{name}");
        }
        let (few, many) = (files(small.path())?, files(large.path())?);
        let pictures = few.iter().filter(|(path, _)| path.starts_with("images"));
        assert!(pictures.clone().count() > 40);
        assert!(
            pictures
                .into_iter()
                .all(|(path, bytes)| many.get(path) == Some(bytes))
        );
        Ok(())
    }

    #[test]
    fn tables_have_every_row_once_and_name_their_pictures() -> TestResult {
        let root = tempfile::tempdir()?;
        let stats = write(root.path(), &options(1_000))?;
        let labelled = records(root.path(), folder::LABELLED)?;
        let labels = records(root.path(), folder::LABELS)?;
        let unlabelled = records(root.path(), folder::UNLABELLED)?;
        assert_eq!(
            (labelled.len(), labels.len(), unlabelled.len()),
            (800, 800, 200)
        );
        assert!(
            labelled
                .iter()
                .zip(&labels)
                .all(|(row, label)| row.get(0) == label.get(0))
        );
        let ids = labelled
            .iter()
            .chain(&unlabelled)
            .filter_map(|row| row.get(0));
        assert!(
            ids.eq((0..1_000)
                .map(|id: i32| id.to_string())
                .collect::<Vec<_>>()
                .iter())
        );
        let codes: BTreeSet<&str> = labels.iter().filter_map(|row| row.get(1)).collect();
        assert_eq!(codes.len(), 27);

        let mut absent = 0;
        for (folder, rows) in [
            (folder::LABELLED_IMAGES, &labelled),
            (folder::UNLABELLED_IMAGES, &unlabelled),
        ] {
            for row in rows.iter().filter(|row| !row[4].is_empty()) {
                let name = format!("{folder}/image_{}_product_{}.jpg", &row[4], &row[3]);
                absent += usize::from(!root.path().join(name).exists());
            }
        }
        assert_eq!(absent, stats.absent_images);
        assert!((8..=12).contains(&absent), "{absent}");
        let unreferenced = labelled
            .iter()
            .chain(&unlabelled)
            .filter(|row| row[3].is_empty() && row[4].is_empty());
        assert_eq!(unreferenced.count(), stats.unreferenced_rows);
        assert!(
            (45..=55).contains(&stats.unreferenced_rows),
            "{}",
            stats.unreferenced_rows
        );
        Ok(())
    }

    #[test]
    fn a_thousand_rows_hold_every_kind_of_corrupt_picture() -> TestResult {
        let root = tempfile::tempdir()?;
        let stats = write(root.path(), &options(1_000))?;
        let files = files(root.path())?;
        let pictures = || {
            files
                .iter()
                .filter(|(path, _)| path.starts_with("images"))
                .map(|(_, bytes)| bytes)
        };
        let empty = pictures().filter(|bytes| bytes.is_empty()).count();
        let html = pictures()
            .filter(|bytes| bytes.starts_with(b"<html>"))
            .count();
        let cut = pictures()
            .filter(|b| b.starts_with(&[0xff, 0xd8]) && !b.ends_with(&[0xff, 0xd9]))
            .count();
        assert!(empty >= 1 && html >= 1 && cut >= 1);
        assert_eq!(empty + html + cut, stats.corrupt_images);
        assert_eq!(pictures().count(), stats.image_files);
        Ok(())
    }

    #[test]
    fn translations_meet_rows_and_come_once() -> TestResult {
        let root = tempfile::tempdir()?;
        let stats = write(root.path(), &options(1_000))?;
        let translations = records(root.path(), folder::TRANSLATIONS)?;
        assert_eq!(translations.len(), stats.translations);
        let sources: BTreeSet<&str> = translations.iter().map(|row| &row[1]).collect();
        assert_eq!(sources.len(), translations.len());
        let mut rows = records(root.path(), folder::LABELLED)?;
        rows.extend(records(root.path(), folder::UNLABELLED)?);
        let both: BTreeSet<String> = rows
            .iter()
            .map(|row| format!("{} {}", &row[1], &row[2]))
            .collect();
        let titles: BTreeSet<&str> = rows.iter().map(|row| &row[1]).collect();
        let by_both = sources.iter().filter(|text| both.contains(**text)).count();
        let by_title = sources
            .iter()
            .filter(|text| titles.contains(**text))
            .count();
        assert_eq!(by_both + by_title, sources.len());
        assert!(by_both >= 20 && by_title >= 20, "{by_both} {by_title}");
        Ok(())
    }

    #[test]
    fn a_finished_folder_is_left_as_it_is() -> TestResult {
        let root = tempfile::tempdir()?;
        let stats = write(root.path(), &options(30))?;
        let table = root.path().join(folder::LABELLED);
        fs::write(&table, "touched")?;
        let again = write(root.path(), &options(30))?;
        assert_eq!(
            again,
            SampleStats {
                reused: true,
                ..stats.clone()
            }
        );
        assert_eq!(fs::read(&table)?, b"touched");
        Ok(())
    }

    #[test]
    fn other_options_and_lost_markers_start_over() -> TestResult {
        let (root, clean) = (tempfile::tempdir()?, tempfile::tempdir()?);
        write(
            root.path(),
            &SampleOptions {
                seed: 9,
                ..options(60)
            },
        )?;
        write(clean.path(), &options(30))?;
        assert!(!write(root.path(), &options(30))?.reused);
        assert_eq!(files(root.path())?, files(clean.path())?);
        fs::rename(
            root.path().join("sample.json"),
            root.path().join("sample.json.partial"),
        )?;
        fs::remove_file(root.path().join(folder::LABELLED))?;
        assert!(!write(root.path(), &options(30))?.reused);
        assert_eq!(files(root.path())?, files(clean.path())?);
        Ok(())
    }
}
