//! Exit codes: part of the interface, for schedulers and for people who are paged.

/// Everything went well.
pub const OK: u8 = 0;
/// An error that is none of the others, most likely a bug.
pub const INTERNAL: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIG: u8 = 10;
/// A stage failed.
pub const STAGE_FAILED: u8 = 11;
/// A checkpoint is damaged; its manifest is withdrawn, and the next run makes it again.
pub const CORRUPT_CHECKPOINT: u8 = 12;
/// Too many rows are rejected, or too many images broken.
pub const TOO_MANY_REJECTS: u8 = 13;
/// Another run holds the checkpoints.
pub const LOCKED: u8 = 14;
/// Another run published at the same time.
pub const LOST_RACE: u8 = 15;
/// A panic, which is a bug: what Rust's own runtime ends such a process with.
pub const PANICKED: u8 = 101;
/// Added to the number of the signal that stopped the run: 130 for SIGINT, 143 for SIGTERM.
pub const SIGNAL_BASE: u8 = 128;

/// Each code with its meaning in a few words.
pub const MEANINGS: [(u8, &str); 13] = [
    (OK, "ok"),
    (INTERNAL, "internal error"),
    (USAGE, "usage"),
    (CONFIG, "configuration"),
    (STAGE_FAILED, "stage failed"),
    (CORRUPT_CHECKPOINT, "corrupt checkpoint"),
    (TOO_MANY_REJECTS, "too many rejects or image faults"),
    (LOCKED, "locked"),
    (LOST_RACE, "lost the race to publish"),
    (PANICKED, "panic (a bug)"),
    (SIGNAL_BASE + 2, "stopped by SIGINT"),
    (SIGNAL_BASE + 9, "killed"),
    (SIGNAL_BASE + 15, "stopped by SIGTERM"),
];
