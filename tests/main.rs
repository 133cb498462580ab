//! The integration tests: one binary, because linking LibTorch and Polars takes longer than the tests.
//!
//! | module | what it holds to account |
//! |---|---|
//! | `cli` | what commands do and leave alone |
//! | `mistakes` | the mistakes of new users: each names its place and what to do |
//! | `printed` | what commands print for people, help and colours included |
//! | `json` | what commands print for programs |
//! | `shells` | completions and the manual page |
//! | `checks` | checks of `sql/checks`: what they fail, where their results stand, mistakes in their heads |
//! | `input` | bad tables, images and configurations: rejects, faults or a clear error, never a panic |
//! | `crash` | a run that stops at the k-th store operation, for every k |
//! | `gc` | what is deleted, what never is, and a deletion that stops at the k-th operation |
//! | `history` | runs by name, side by side, and why products changed category |
//! | `show` | rows, statistics and queries over checkpoints; the graph drawn |
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
//! | `schema` | the JSON Schema of the configuration: what the program takes it takes |
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
mod gc;
mod golden;
mod history;
mod images;
mod input;
mod json;
mod kill;
mod loader;
mod mistakes;
mod models;
mod operation;
mod parity;
mod pixels;
mod printed;
mod publication;
mod report;
mod schema;
mod shells;
mod show;
mod sources;
mod space;
mod stores;
mod translation;
mod validator;
mod weights_file;
