//! Rayonnage (French for *shelving*): every product gets its shelf.
//!
//! A batch pipeline that a team runs each night over its product-catalogue dump. It learns the category from
//! the labelled products, predicts the others from text and image, and publishes the predictions to an object store. Every
//! stage leaves a checkpoint, so a run that stopped goes on where it was.
//!
//! # Tour
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | commands, and what they print |
//! | [`operation`] | metrics and lineage of a run, for those who operate it |
//! | [`config`] | `pipeline.yaml`, parsed, resolved and validated |
//! | [`graph`], [`fingerprint`], [`plan`] | the pure core: who needs whom, what outputs depend on, what has to run |
//! | [`report`] | the page on a run, and its figures |
//! | [`history`] | what earlier runs left, compared |
//! | [`runner`] | runs what is dirty, independent stages side by side, and keeps the record |
//! | [`stages`] | one file per stage kind: read parts → kernel → write parts |
//! | [`text`], [`image`], [`model`] | kernels: plain functions of their inputs and options |
//! | [`query`] | queries over checkpoints by name |
//! | [`source`], [`sql`], [`schema`] | tables and files of the source; queries; columns |
//! | [`checkpoint`], [`store`] | parts and manifests; objects by path |
//! | [`sample`] | the synthetic catalogue |
//!
#![doc = include_str!("ARCHITECTURE.md")]

pub mod cancel;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod exit_code;
pub mod fingerprint;
pub mod graph;
pub mod history;
pub mod image;
pub mod model;
pub mod monitor;
pub mod operation;
pub mod plan;
pub mod query;
pub mod report;
pub mod runner;
pub mod sample;
pub mod schema;
pub mod source;
pub mod sql;
pub mod stages;
pub mod store;
pub mod suggest;
pub mod text;
