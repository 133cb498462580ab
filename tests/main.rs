//! The integration tests: one binary, because linking LibTorch and Polars takes longer than the tests.
//!
//! | module | what it holds to account |
//! |---|---|
//! | `cli` | what commands do and leave alone |
//! | `checks` | checks of `sql/checks`: what they fail, where their results stand, mistakes in their heads |
//! | `input` | bad tables, images and configurations: rejects, faults or a clear error, never a panic |
//! | `crash` | a run that stops at the k-th store operation, for every k |
//! | `kill` | real signals at real moments |
//! | `damage` | damaged objects, and what the next runs make of them |
//! | `publication` | the protocol of the sink |
//! | `report` | the page on a run: what it says, and that it needs nothing but itself |
//! | `translation` | the pending list and the table that comes back |
//! | `backbones` | a real backbone against PyTorch, where its weights are there |
//! | `images` | every status of an image, to the published row; the variance of the pixels |
//! | `embeddings` | frozen features: no image twice, nothing without weights |
//! | `fine_tuned` | a pretrained network trained further: saved, loaded, asked, and nothing without weights |
//! | `blocks` | TF-IDF in blocks: what the stages make is what the kernels make of each field alone |
//! | `conformance` | every store keeps the same promises |
//! | `determinism` | the same bytes whatever the threads and the folder |
//! | `loader` | networks of images that are read as the training goes: threads, augmentation, signals |
//! | `sources` | a catalogue in shards or on a web server; dates and copies in the sink |
//! | `stores` | the same on real servers, with faults on the line; `make test-stores` |
//! | `operation` | log lines, metrics, lineage events, and the files for the nightly start |
//! | `pixels` | classical models of grey pixels: scores, samples, rows without image |
//! | `parity` | tokens and TF-IDF values of the Python libraries |
//! | `architecture` | who may name whom in `src/` |

mod architecture;
mod backbones;
mod blocks;
mod checks;
mod cli;
mod conformance;
mod crash;
mod damage;
mod determinism;
mod embeddings;
mod fine_tuned;
mod fusions;
mod images;
mod input;
mod kill;
mod loader;
mod models;
mod operation;
mod parity;
mod pixels;
mod publication;
mod report;
mod sources;
mod space;
mod stores;
mod translation;
mod weights_file;
