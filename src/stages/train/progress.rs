//! What a training shows of itself: scores of the last epoch, how far the epoch at work is, and the time left.
//!
//! With early stopping nobody knows how many epochs there will be. So two times are shown: until the first epoch that can
//! be the last one, should no epoch be better than the best so far, and until the last of all.

use crate::model::{EarlyStopping, EpochRecord, TrainOptions};
use crate::monitor::StageMonitor;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Epochs over which their duration is averaged: later ones may differ from the first, which warms up.
const RECENT_EPOCHS: usize = 5;

/// Epochs shorter than this are shown when they end.
const SLOW_EPOCH: Duration = Duration::from_secs(2);

/// Shows a training, from any thread.
pub(super) struct Progress<'a> {
    monitor: &'a StageMonitor,
    epochs: usize,
    early_stopping: Option<EarlyStopping>,
    rows: usize,
    state: Mutex<State>,
}

struct State {
    last: Option<EpochRecord>,
    best: Option<EpochRecord>,
    recent: VecDeque<Duration>,
    began: Instant,
    shown: Instant,
    rows_read: usize,
}

impl<'a> Progress<'a> {
    /// Begins to show the training of so many rows.
    pub(super) fn new(monitor: &'a StageMonitor, options: &TrainOptions, rows: usize) -> Self {
        monitor.expect_at_most(options.epochs as u64, "epochs");
        let now = Instant::now();
        Self {
            monitor,
            epochs: options.epochs,
            early_stopping: options.early_stopping,
            rows,
            state: Mutex::new(State {
                last: None,
                best: None,
                recent: VecDeque::new(),
                began: now,
                shown: now,
                rows_read: 0,
            }),
        }
    }

    /// Takes in epochs that an earlier run made.
    pub(super) fn resumed(&self, history: &[EpochRecord]) {
        self.monitor.skip(history.len() as u64);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for record in history {
            state.take_in(record);
        }
    }

    /// Takes in an epoch.
    pub(super) fn epoch_ended(&self, record: &EpochRecord) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now - state.began;
        state.recent.push_front(elapsed);
        state.recent.truncate(RECENT_EPOCHS);
        (state.began, state.shown, state.rows_read) = (now, now, 0);
        state.take_in(record);
        let text = self.describe(&state, Duration::ZERO);
        self.monitor.advance_saying(1, text);
    }

    /// Counts training rows that were read, and shows them where epochs are slow.
    pub(super) fn rows_read(&self, count: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rows_read += count;
        let now = Instant::now();
        if now - state.shown < Duration::from_millis(500) || now - state.began < SLOW_EPOCH {
            return;
        }
        state.shown = now;
        let text = self.describe(&state, now - state.began);
        self.monitor.message(text);
    }

    /// The text beside the bar, an epoch being at work for some time.
    fn describe(&self, state: &State, at_work: Duration) -> String {
        let mut text = String::new();
        if at_work > Duration::ZERO {
            let epoch = state.last.as_ref().map_or(0, |record| record.epoch) + 1;
            let percent = (state.rows_read * 100 / self.rows.max(1)).min(100);
            let _ = write!(text, "epoch {epoch} {percent} %");
        }
        let (Some(last), Some(best)) = (&state.last, &state.best) else {
            return text;
        };
        if !text.is_empty() {
            text.push_str(", ");
        }
        // What matters most stands first: a narrow terminal cuts the rest off.
        if let Some(left) = self.left(state, at_work) {
            let _ = write!(text, "{left} left, ");
        }
        let _ = write!(text, "F1 {:.3}", last.validation_f1);
        if best.epoch != last.epoch {
            let (epoch, f1) = (best.epoch, best.validation_f1);
            let _ = write!(text, " (best: epoch {epoch}, {f1:.3})");
        }
        let (loss, validation_loss) = (last.loss, last.validation_loss);
        let _ = write!(
            text,
            ", loss {loss:.3}, validation loss {validation_loss:.3}"
        );
        text
    }

    /// The time left, or between which two times it lies.
    fn left(&self, state: &State, at_work: Duration) -> Option<String> {
        let (last, best) = (state.last.as_ref()?, state.best.as_ref()?);
        let recent = u32::try_from(state.recent.len()).unwrap_or(1);
        let per_epoch = state.recent.iter().sum::<Duration>().checked_div(recent)?;
        let until = |epoch: usize| {
            let epochs = epoch.saturating_sub(last.epoch);
            (per_epoch * u32::try_from(epochs).unwrap_or(u32::MAX)).saturating_sub(at_work)
        };
        let first_end = self.early_stopping.map_or(self.epochs, |stopping| {
            stopping.earliest_end(best.epoch).min(self.epochs)
        });
        let [soonest, latest] = [until(first_end), until(self.epochs)].map(duration);
        Some(if soonest == latest {
            latest
        } else {
            format!("{soonest} to {latest}")
        })
    }
}

impl State {
    fn take_in(&mut self, record: &EpochRecord) {
        let best = self.best.as_ref();
        if best.is_none_or(|best| record.validation_loss < best.validation_loss) {
            self.best = Some(record.clone());
        }
        self.last = Some(record.clone());
    }
}

/// A time as people say it, to two figures.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) if minutes < 10 => format!("{minutes} min {} s", seconds % 60),
        (0, minutes, _) => format!("{minutes} min"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Monitor;

    fn record(epoch: usize, validation_loss: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            loss: 0.5,
            accuracy: 0.8,
            f1: 0.8,
            validation_loss,
            validation_accuracy: 0.7,
            validation_f1: 0.7,
            learning_rate: 0.001,
        }
    }

    fn state(losses: &[f64], per_epoch_s: u64) -> State {
        let now = Instant::now();
        let mut state = State {
            last: None,
            best: None,
            recent: VecDeque::from(vec![Duration::from_secs(per_epoch_s); losses.len().min(5)]),
            began: now,
            shown: now,
            rows_read: 50,
        };
        for (epoch, &loss) in (1..).zip(losses) {
            state.take_in(&record(epoch, loss));
        }
        state
    }

    fn described(losses: &[f64], stopping: bool, at_work_s: u64) -> String {
        let stage = Monitor::default().stage("s");
        let options = TrainOptions {
            early_stopping: stopping.then(EarlyStopping::default),
            ..TrainOptions::default()
        };
        let progress = Progress::new(&stage, &options, 200);
        let at_work = Duration::from_secs(at_work_s);
        progress.describe(&state(losses, 10), at_work)
    }

    #[test]
    fn without_early_stopping_one_time_is_left() {
        assert_eq!(
            described(&[3.0, 2.0], false, 0),
            "4 min 40 s left, F1 0.700, loss 0.500, validation loss 2.000"
        );
    }

    #[test]
    fn with_early_stopping_the_time_left_lies_between_two() {
        // The best epoch is the second; epochs count from the eighth, and the fifth of them is the twelfth.
        assert_eq!(
            described(&[3.0, 2.0, 2.5], true, 0),
            "1 min 30 s to 4 min 30 s left, F1 0.700 (best: epoch 2, 0.700), loss 0.500, validation loss 2.500"
        );
    }

    #[test]
    fn an_epoch_at_work_is_shown_by_its_rows() {
        assert_eq!(described(&[], true, 3), "epoch 1 25 %");
        assert_eq!(
            described(&[3.0], false, 4),
            "epoch 2 25 %, 4 min 46 s left, F1 0.700, loss 0.500, validation loss 3.000"
        );
    }

    #[test]
    fn epochs_of_an_earlier_run_are_shown_but_do_not_count_as_done() {
        let stage = Monitor::default().stage("s");
        let progress = Progress::new(&stage, &TrainOptions::default(), 200);
        progress.resumed(&[record(1, 3.0), record(2, 2.0)]);
        progress.epoch_ended(&record(3, 1.0));
        assert_eq!(stage.done(), (1, "epochs"));
    }

    #[test]
    fn times_are_short() {
        let said = [0, 59, 60, 599, 600, 3599, 3600, 9000].map(Duration::from_secs);
        assert_eq!(
            said.map(duration),
            [
                "0 s",
                "59 s",
                "1 min 0 s",
                "9 min 59 s",
                "10 min",
                "59 min",
                "1 h 0 min",
                "2 h 30 min"
            ]
        );
    }
}
