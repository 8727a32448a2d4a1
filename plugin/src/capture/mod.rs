//! From the audio callback to the worker: sound and what the transport did, through rings without locks.
//!
//! [`Tap`] lives on the audio thread and never allocates, waits, logs or wakes anybody. [`TapReader`] lives on the
//! worker, which looks into it every few milliseconds. Samples go through one ring; a second, small one says of each
//! stretch of samples where it lies in the song. A stretch is announced after its samples are in, so the reader
//! never waits.

mod reader;

pub use reader::TapReader;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};

/// Length of the ring in seconds when the host plays live.
const LIVE_RING_S: u32 = 10;
/// Length of the ring in seconds when the host renders: much faster than the music, and it is never held up.
const OFFLINE_RING_S: u32 = 60;
/// Stretches are announced when they are a hundredth of a second long, so that blocks of one sample cost no more.
const ANNOUNCE_PER_S: u32 = 100;
/// A position within this many seconds of the expected one is taken as continuous: hosts round, and some derive it
/// from beats.
const POSITION_TOLERANCE_S: f64 = 0.02;

/// What the host's transport does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Sound of the song.
    Playing,
    /// The transport stands still.
    Paused,
    /// The plugin is bypassed: nothing is captured.
    Bypassed,
    /// The host has stopped calling.
    Stopped,
}

/// A stretch of sound, or a change of what the transport does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Frames in the sample ring that belong to it; 0 unless the flow is `Playing`.
    pub frames: usize,
    /// Position of the first frame in the song, in samples.
    pub position: i64,
    /// What the transport does.
    pub flow: Flow,
    /// Whether it does not follow on the stretch before: after a stop, seek, loop jump, bypass, or lost sound.
    pub starts_anew: bool,
    /// Frames lost so far, in all, because a ring was full.
    pub dropped: u64,
}

/// One block as the callback gets it.
#[derive(Clone, Copy, Debug)]
pub struct BlockInfo {
    /// What the transport does; never `Stopped`.
    pub flow: Flow,
    /// Position of the first frame in samples, where the host knows one.
    pub position: Option<i64>,
}

/// The audio side.
pub struct Tap {
    samples: HeapProd<[f32; 2]>,
    stretches: HeapProd<Stretch>,
    sample_rate_hz: u32,
    is_offline: bool,
    announce_frames: usize,
    tolerance_frames: i64,
    /// Written into the sample ring, not announced yet.
    pending: Stretch,
    /// What the reader was last told that the transport does.
    flow: Flow,
    /// Position that the next frame has if nothing happened; none after a break.
    expected: Option<i64>,
    /// Counts samples where the host gives no position.
    counter: i64,
    dropped: u64,
}

/// A connected pair for sound at `sample_rate_hz`; `is_offline` when the host renders rather than plays.
///
/// Allocates: on the main thread, never in the callback.
pub fn tap(sample_rate_hz: u32, is_offline: bool) -> (Tap, TapReader) {
    let rate = sample_rate_hz.max(1);
    let seconds = if is_offline { OFFLINE_RING_S } else { LIVE_RING_S };
    let (mut samples_in, mut samples_out) = HeapRb::new((seconds * rate) as usize).split();
    if !is_offline {
        // Touched once, so that the callback meets no page that the system has yet to fill in.
        samples_in.push_iter(std::iter::repeat([0.0; 2]));
        samples_out.clear();
    }
    // Room for a discontinuity as often as a stretch is announced, and some more.
    let (stretches_in, stretches_out) = HeapRb::new((2 * seconds * ANNOUNCE_PER_S) as usize + 64).split();
    let tap = Tap {
        samples: samples_in,
        stretches: stretches_in,
        sample_rate_hz: rate,
        is_offline,
        announce_frames: (rate / ANNOUNCE_PER_S).max(1) as usize,
        tolerance_frames: (POSITION_TOLERANCE_S * f64::from(rate)).ceil() as i64,
        pending: Stretch { frames: 0, position: 0, flow: Flow::Playing, starts_anew: true, dropped: 0 },
        flow: Flow::Stopped,
        expected: None,
        counter: 0,
        dropped: 0,
    };
    (tap, TapReader::new(samples_out, stretches_out, rate, is_offline))
}

impl Tap {
    /// Rate of the sound in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Whether the ring is that for rendering.
    pub fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// Frames that the worker has not read yet.
    pub fn waiting_frames(&self) -> usize {
        self.samples.occupied_len()
    }

    /// Takes a block of one or two channels. Audio thread: no allocation, no lock, no system call.
    pub fn block<C: AsRef<[f32]>>(&mut self, channels: &[C], info: BlockInfo) {
        let (Some(left), Some(right)) = (channels.first(), channels.last()) else { return };
        let (left, right) = (left.as_ref(), right.as_ref());
        let frames = left.len().min(right.len());
        if frames == 0 {
            return;
        }
        let position = info.position.unwrap_or(self.counter);
        self.counter = position.saturating_add(frames as i64);
        if info.flow != Flow::Playing {
            self.turn(info.flow);
            return;
        }
        let continues = self.expected.is_some_and(|expected| {
            expected.saturating_sub(position).unsigned_abs() <= self.tolerance_frames.unsigned_abs()
        });
        // One place for what is pending, one for this block.
        if self.samples.vacant_len() < frames || self.stretches.vacant_len() < 2 {
            self.dropped += frames as u64;
            self.announce();
            self.expected = None;
            return;
        }
        if !continues {
            self.announce();
            self.pending.starts_anew = true;
        }
        if self.pending.frames == 0 {
            self.pending.position = position;
        }
        self.samples.push_iter(left.iter().zip(right).map(|(l, r)| [*l, *r]));
        self.pending.frames += frames;
        self.flow = Flow::Playing;
        self.expected = Some(self.counter);
        if self.pending.frames >= self.announce_frames {
            self.announce();
        }
    }

    /// The host stops calling, or throws away what it has: what follows is new.
    pub fn stop(&mut self) {
        self.turn(Flow::Stopped);
    }

    /// Ends what is pending and says what the transport does now. Told again with the next block if there was no room.
    fn turn(&mut self, flow: Flow) {
        self.announce();
        self.expected = None;
        if self.flow == flow {
            return;
        }
        let change =
            Stretch { frames: 0, position: self.counter, flow, starts_anew: true, dropped: self.dropped };
        if self.stretches.try_push(change).is_ok() {
            self.flow = flow;
        }
    }

    /// Announces pending samples. There is always room: a place is kept before samples are written.
    fn announce(&mut self) {
        if self.pending.frames == 0 {
            return;
        }
        self.pending.dropped = self.dropped;
        if self.stretches.try_push(self.pending).is_ok() {
            self.pending.frames = 0;
            self.pending.starts_anew = false;
        }
    }
}

#[cfg(test)]
mod tests;
