//! JPEG files of the kind that catalogues hold, straight to planes of luma and chroma.
//!
//! Sequential and progressive Huffman-coded JPEGs of 8 bits, grey or YCbCr with chroma of full or half
//! width and height. Everything else, and every file in which anything is odd, is refused with `None`, not judged: the
//! `image` crate's decoder then says what it is. So nothing here decides an
//! [`ImageStatus`](super::ImageStatus).
//!
//! Why own code: it takes two thirds of the time that libjpeg-turbo takes (figures in [`prepare`](super::prepare)), and
//! nothing but cargo to build, where that needs cmake and nasm. A progressive file has to be read whole whatever is cropped or
//! scaled, so the gain is to be had in reading. Here
//!
//! - a word for each block says which coefficients are there ([`scan`]): a refinement, which is half of the bits of a photo,
//!   finds its place by counting bits instead of trying coefficient after coefficient, a run of empty blocks costs one
//!   comparison each, and the coefficients need no clearing;
//! - the code, the run and the value of most symbols come from one look-up ([`huffman`]);
//! - the transform adds up only the coefficients that are there ([`transform`]);
//! - the same code is compiled for CPUs with and without wide vectors ([`vectors`](super::vectors));
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
