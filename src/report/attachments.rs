//! Files that stand beside the page: figures and photos. The page holds them once more, within itself.

use super::chart::Svg;
use std::collections::BTreeMap;

/// What a file is.
#[derive(Debug, Clone)]
pub(super) enum Attachment {
    /// A drawing.
    Svg(Svg),
    /// A raster figure.
    Png(Vec<u8>),
    /// A photo.
    Jpeg(Vec<u8>),
}

impl Attachment {
    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Svg(svg) => svg.standalone().into_bytes(),
            Self::Png(bytes) | Self::Jpeg(bytes) => bytes.clone(),
        }
    }
}

/// All files of a report, by path beside the page.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    files: BTreeMap<String, Attachment>,
}

impl Attachments {
    /// Adds a drawing, and returns its path.
    pub(super) fn svg(&mut self, name: &str, svg: Svg) -> String {
        self.add(format!("figures/{name}.svg"), Attachment::Svg(svg))
    }

    /// Adds a raster figure, and returns its path.
    pub(super) fn png(&mut self, name: &str, bytes: Vec<u8>) -> String {
        self.add(format!("figures/{name}.png"), Attachment::Png(bytes))
    }

    /// Adds a photo, and returns its path: its digest is its name, so that one that is shown twice is there once.
    pub(super) fn photo(&mut self, bytes: Vec<u8>) -> String {
        let digest = &blake3::hash(&bytes).to_hex()[..16];
        self.add(format!("photos/{digest}.jpg"), Attachment::Jpeg(bytes))
    }

    fn add(&mut self, path: String, attachment: Attachment) -> String {
        self.files.insert(path.clone(), attachment);
        path
    }

    pub(super) fn files(&self) -> &BTreeMap<String, Attachment> {
        &self.files
    }
}
