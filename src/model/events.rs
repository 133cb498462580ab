//! Learning curves as event files that TensorBoard opens.
//!
//! Two runs, `train` and `validation`, with the tags of Keras' `TensorBoard` callback, so that both curves of a score are
//! in one chart: `epoch_loss`, `epoch_accuracy`, `epoch_f1`, and for `train` also `epoch_learning_rate` and
//! `epoch_seconds`. The step is the number of the epoch, from 1.
//!
//! An event file is a sequence of records: length (8 bytes, little-endian), masked CRC-32C of these, the bytes, masked
//! CRC-32C of them. The bytes are the protocol buffer `tensorflow.Event`, of which this is used:
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
//! Summary { repeated Value value = 1 }    Value { string tag = 1; float simple_value = 2 }
//! ```
//!
//! Own code, since the crates that write them are without releases for years (`tensorboard-rs`, 2021) or bring a
//! protocol-buffer stack (`tfrecord`).
//!
//! # Source
//!
//! `tensorflow/core/util/event.proto`, `tensorflow/core/framework/summary.proto`, `tensorflow/core/lib/io/record_writer.cc`.

use super::{EpochRecord, EpochTime};

/// What begins every event file.
const FILE_VERSION: &str = "brain.Event:2";

/// Writes the event files of a training: name of the run, and bytes.
#[must_use]
pub fn event_files(history: &[EpochRecord], times: &[EpochTime]) -> [(&'static str, Vec<u8>); 2] {
    let train = |record: &EpochRecord, time: EpochTime| {
        vec![
            ("epoch_loss", record.loss),
            ("epoch_accuracy", record.accuracy),
            ("epoch_f1", record.f1),
            ("epoch_learning_rate", record.learning_rate),
            ("epoch_seconds", time.elapsed_s),
        ]
    };
    let validation = |record: &EpochRecord, _: EpochTime| {
        vec![
            ("epoch_loss", record.validation_loss),
            ("epoch_accuracy", record.validation_accuracy),
            ("epoch_f1", record.validation_f1),
        ]
    };
    [
        ("train", file(history, times, &train)),
        ("validation", file(history, times, &validation)),
    ]
}

type Scalars = Vec<(&'static str, f64)>;

fn file(
    history: &[EpochRecord],
    times: &[EpochTime],
    scalars: &dyn Fn(&EpochRecord, EpochTime) -> Scalars,
) -> Vec<u8> {
    let began = times
        .first()
        .map_or(0.0, |time| time.ended_unix_s - time.elapsed_s);
    let mut version = Message::default();
    version.double(1, began);
    version.bytes(3, FILE_VERSION.as_bytes());
    let mut file = Vec::new();
    push_record(&mut file, &version.0);
    for (record, &time) in history.iter().zip(times) {
        let mut summary = Message::default();
        for (tag, scalar) in scalars(record, time) {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes());
            value.float(2, scalar as f32);
            summary.bytes(1, &value.0);
        }
        let mut event = Message::default();
        event.double(1, time.ended_unix_s);
        event.integer(2, record.epoch as u64);
        event.bytes(5, &summary.0);
        push_record(&mut file, &event.0);
    }
    file
}

fn push_record(file: &mut Vec<u8>, bytes: &[u8]) {
    let length = (bytes.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked_crc32c(&length).to_le_bytes());
    file.extend(bytes);
    file.extend(masked_crc32c(bytes).to_le_bytes());
}

/// A protocol buffer message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// The number of a field and how its value is written.
    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn integer(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}

/// CRC-32C, rotated and shifted by a constant, so that a checksum of bytes that hold checksums is one too.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    /// Castagnoli's polynomial, lowest bit first.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn numbers_are_written_as_protocol_buffers_do() {
        let mut message = Message::default();
        message.integer(2, 300);
        message.float(2, 1.0);
        message.bytes(1, b"ab");
        assert_eq!(
            message.0,
            [
                0x10, 0xac, 0x02, 0x15, 0, 0, 0x80, 0x3f, 0x0a, 2, b'a', b'b'
            ]
        );
    }

    #[test]
    fn a_file_holds_a_record_for_its_version_and_one_for_each_epoch() {
        let record = EpochRecord {
            epoch: 1,
            loss: 0.5,
            accuracy: 0.75,
            f1: 0.625,
            validation_loss: 0.25,
            validation_accuracy: 1.0,
            validation_f1: 0.5,
            learning_rate: 0.001,
        };
        let time = EpochTime {
            ended_unix_s: 1.5e9,
            elapsed_s: 2.0,
        };
        let [train, validation] = event_files(&[record], &[time]);
        assert_eq!((train.0, validation.0), ("train", "validation"));
        for (_, file) in [&train, &validation] {
            let mut records = Vec::new();
            let mut rest = &file[..];
            while let Some((length, after)) = rest.split_first_chunk::<8>() {
                let (crc, after) = after.split_first_chunk::<4>().unwrap();
                assert_eq!(u32::from_le_bytes(*crc), masked_crc32c(length));
                let (bytes, after) = after.split_at(u64::from_le_bytes(*length) as usize);
                let (crc, after) = after.split_first_chunk::<4>().unwrap();
                assert_eq!(u32::from_le_bytes(*crc), masked_crc32c(bytes));
                records.push(bytes);
                rest = after;
            }
            assert!(rest.is_empty());
            assert_eq!(records.len(), 2);
            assert!(records[0].ends_with(b"brain.Event:2"));
            assert_eq!(
                records[1][..9],
                [&[9][..], &1.5e9f64.to_le_bytes()].concat()
            );
        }
        let holds = |file: &[u8], tag: &str, value: f32| {
            let wanted = [tag.as_bytes(), &[0x15], &value.to_le_bytes()].concat();
            file.windows(wanted.len()).any(|window| window == wanted)
        };
        assert!(holds(&train.1, "epoch_loss", 0.5));
        assert!(holds(&train.1, "epoch_seconds", 2.0));
        assert!(holds(&train.1, "epoch_learning_rate", 0.001));
        assert!(holds(&validation.1, "epoch_loss", 0.25));
        assert!(holds(&validation.1, "epoch_f1", 0.5));
        assert!(!holds(&validation.1, "epoch_loss", 0.5));
    }
}
