//! JPEG files of the kind that catalogues hold, straight to planes of luma and chroma.
//!
//! Sequential and progressive Huffman-coded JPEGs of 8 bits, grey or YCbCr with chroma of full or half
//! width and height. Everything else, and every file in which anything is odd, is refused with `None`, not judged: the
//! `image` crate's decoder then says what it is. So nothing here decides an
//! [`ImageStatus`](super::ImageStatus).
//!
//! Why own code: nine tenths of what libjpeg spends on a progressive photo of 500×500 goes into the entropy-coded
//! data, bit by bit and with a branch for each, so neither a cropped nor a scaled decoding by libjpeg-turbo reaches what
//! reading those bits in another way does. Here
//!
//! - a word for each block says which coefficients are there ([`scan`]): a refinement finds its place by counting bits, a run
//!   of empty blocks costs one comparison each, and the coefficients need no clearing;
//! - the code, the run and the value of most symbols come from one look-up ([`huffman`]);
//! - the transform adds up only the coefficients that are there ([`transform`]);
//! - chroma stays at its own resolution, to be resized once, and colours are computed for the pixels of the result.
//!
//! # Source
//! ITU-T T.81 (JPEG), annexes A, B, F and G.

mod decoder;
mod frame;
mod huffman;
mod scan;
mod segments;
mod transform;

pub(super) use decoder::JpegDecoder;

#[cfg(test)]
pub(super) mod fixtures;
