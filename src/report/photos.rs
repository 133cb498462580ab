//! Small pictures of products, made from the files of the source, a few at a time.

use super::attachments::Attachments;
use super::data::Photo;
use crate::image::{DecodeLimits, Thumbnail, encode_jpeg, thumbnail};
use crate::store::Store;
use bytes::Bytes;

/// Longest side of a picture in pixels.
const SIDE: u32 = 112;
/// Quality of the JPEGs.
const QUALITY: u8 = 78;
/// Files fetched at a time.
const AT_ONCE: usize = 32;

/// A product whose photo is wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) title: String,
    /// Path of the image below the source; empty for none.
    pub(super) image: String,
}

/// Fetches and shrinks photos. One that cannot be read is left out of the picture, not of the list: the source may be gone when a
/// report is made again.
pub(super) fn load(
    source: &dyn Store,
    wanted: &[Wanted],
    attachments: &mut Attachments,
) -> Vec<Photo> {
    let mut photos = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(AT_ONCE) {
        let paths: Vec<&str> = chunk
            .iter()
            .map(|wanted| wanted.image.as_str())
            .filter(|path| !path.is_empty())
            .collect();
        let mut found = source.get_all(&paths).into_iter();
        for wanted in chunk {
            let bytes = if wanted.image.is_empty() {
                None
            } else {
                found.next().and_then(Result::ok)
            };
            photos.push(photo(wanted, bytes.as_ref(), attachments));
        }
    }
    photos
}

fn photo(wanted: &Wanted, bytes: Option<&Bytes>, attachments: &mut Attachments) -> Photo {
    let mut photo = Photo {
        id: wanted.id.clone(),
        title: wanted.title.clone(),
        ..Photo::default()
    };
    let limits = DecodeLimits::default();
    let small = bytes.and_then(|bytes| thumbnail(bytes, SIDE, &limits).ok());
    if let Some(small) = small
        && let Some(path) = attach(&small, attachments)
    {
        (photo.width, photo.height) = (small.width, small.height);
        photo.picture = path;
    }
    photo
}

/// Adds a picture to the files of the report.
pub(super) fn attach(picture: &Thumbnail, attachments: &mut Attachments) -> Option<String> {
    let jpeg = encode_jpeg(picture.width, picture.height, &picture.rgb, QUALITY).ok()?;
    Some(attachments.photo(jpeg))
}
