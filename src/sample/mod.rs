//! The sample catalogue: any number of invented products in the layout of the Rakuten France challenge.
//!
//! It stands in for a real dump where there is none: 27 categories in the proportions of the technical report,
//! four languages, HTML in the descriptions, drawn pictures, and the faults a nightly run has to live with.
//!
//! Invariant: the same options give the same bytes on any machine. Row *i* depends on the seed, its side
//! (labelled or not) and *i* alone, so a larger sample holds the rows of a smaller one; only the unlabelled
//! rows' ids move, since they count on from the labelled ones. All arithmetic is on integers or on the
//! operations IEEE 754 rounds exactly, and nothing reads a clock or depends on the order of threads.
//!
//! # Format
//!
//! | file | columns |
//! |---|---|
//! | `X_train_update.csv` | `,designation,description,productid,imageid` |
//! | `Y_train_CVw08PX.csv` | `,prdtypecode`; the same rows in the same order |
//! | `X_test_update.csv` | as `X_train_update.csv`; no labels |
//! | `translations.csv` | `source_lang,source_text,text_fr`; no source text twice |
//! | `images/image_train/image_<imageid>_product_<productid>.jpg` | and `images/image_test/` for the unlabelled |
//! | `sample.json` | the options and counts; written last, its presence means complete |

mod canvas;
mod catalogue;
mod categories;
mod dice;
mod folder;
mod image_file;
mod looks;
mod markup;
mod options;
mod picture;
mod plan;
mod shapes;
mod text;
mod vocabulary;

pub use catalogue::{SampleStats, write};
pub use categories::{category_codes, category_name};
pub use folder::{DUMP_DATE, MARKER, SampleError};
pub use options::{ImageShare, SampleOptions};
