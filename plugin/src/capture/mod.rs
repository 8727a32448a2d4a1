//! From the audio callback to the worker: audio and the state of the transport, through lock-free rings.
//!
//! [`Tap`] is on the audio thread. It never allocates, waits, logs or wakes another thread. [`TapReader`] is on the
//! worker, which polls it every few milliseconds. One ring holds samples. A second, small ring holds [`Stretch`]es: how
//! many samples, and where in the song they lie. A stretch is announced after its samples are written, so the reader
//! never waits.

mod reader;

pub use reader::TapReader;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};

/// Length of the ring in seconds when the host plays live.
const LIVE_RING_S: u32 = 10;
/// Length of the ring in seconds when the host renders, which is much faster than real time and never waits for us.
const OFFLINE_RING_S: u32 = 60;
/// A stretch is announced once it is a hundredth of a second long, so that blocks of one sample cost no more than
/// others.
const ANNOUNCE_PER_S: u32 = 100;
/// A position within this many seconds of the expected one counts as continuous: hosts round positions, and some derive
/// them from beats. Not tuned.
const POSITION_TOLERANCE_S: f64 = 0.02;

/// State of the host's transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The host plays the song.
    Playing,
    /// The transport is stopped, and the host still calls.
    Paused,
    /// The plugin is bypassed: nothing is captured.
    Bypassed,
    /// The host no longer calls.
    Stopped,
}

/// A stretch of audio, or a change of the transport's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its frames in the sample ring; 0 unless the flow is `Playing`.
    pub frames: usize,
    /// Position of the first frame in the song, in samples.
    pub position: i64,
    /// State of the transport.
    pub flow: Flow,
    /// Whether a break separates it from the stretch before: a stop, seek, loop jump, bypass, or lost audio.
    pub follows_break: bool,
    /// Total of frames lost because a ring was full.
    pub dropped: u64,
}

/// What the callback knows about a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockInfo {
    /// State of the transport; never `Stopped`.
    pub flow: Flow,
    /// Position of the first frame in samples, if the host gives one.
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
    /// Samples that are written and not announced yet.
    pending: Stretch,
    /// The last state of the transport that was announced.
    flow: Flow,
    /// Position of the next frame if there is no break; none after a break.
    expected: Option<i64>,
    /// Position in samples, counted for hosts that give none.
    counter: i64,
    dropped: u64,
}

/// A connected pair for audio at `sample_rate_hz`; `is_offline` when the host renders.
///
/// Allocates, so call it on the main thread, never in the callback.
pub fn tap(sample_rate_hz: u32, is_offline: bool) -> (Tap, TapReader) {
    let rate = sample_rate_hz.max(1);
    let seconds = if is_offline { OFFLINE_RING_S } else { LIVE_RING_S };
    let (mut samples_in, mut samples_out) = HeapRb::new((seconds * rate) as usize).split();
    if !is_offline {
        // Written once, so that the system has mapped every page before the callback uses it.
        samples_in.push_iter(std::iter::repeat([0.0; 2]));
        samples_out.clear();
    }
    // Room for as many breaks as stretches, and some more.
    let (stretches_in, stretches_out) = HeapRb::new((2 * seconds * ANNOUNCE_PER_S) as usize + 64).split();
    let tap = Tap {
        samples: samples_in,
        stretches: stretches_in,
        sample_rate_hz: rate,
        is_offline,
        announce_frames: (rate / ANNOUNCE_PER_S).max(1) as usize,
        tolerance_frames: (POSITION_TOLERANCE_S * f64::from(rate)).ceil() as i64,
        pending: Stretch { frames: 0, position: 0, flow: Flow::Playing, follows_break: true, dropped: 0 },
        flow: Flow::Stopped,
        expected: None,
        counter: 0,
        dropped: 0,
    };
    (tap, TapReader::new(samples_out, stretches_out, rate, is_offline))
}

impl Tap {
    /// Sample rate in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Whether the ring is the long one for rendering.
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
            self.change_flow(info.flow);
            return;
        }
        let continues = self.expected.is_some_and(|expected| {
            expected.saturating_sub(position).unsigned_abs() <= self.tolerance_frames.unsigned_abs()
        });
        // One place for the pending stretch, one for this block.
        if self.samples.vacant_len() < frames || self.stretches.vacant_len() < 2 {
            self.dropped += frames as u64;
            self.announce();
            self.expected = None;
            return;
        }
        if !continues {
            self.announce();
            self.pending.follows_break = true;
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

    /// The host no longer calls, or resets: a break follows.
    pub fn stop(&mut self) {
        self.change_flow(Flow::Stopped);
    }

    /// Announces pending samples and the new state of the transport. If there is no room, the next block tries again.
    fn change_flow(&mut self, flow: Flow) {
        self.announce();
        self.expected = None;
        if self.flow == flow {
            return;
        }
        let change =
            Stretch { frames: 0, position: self.counter, flow, follows_break: true, dropped: self.dropped };
        if self.stretches.try_push(change).is_ok() {
            self.flow = flow;
        }
    }

    /// Announces pending samples. There is always room: `block` keeps a place before it writes samples.
    fn announce(&mut self) {
        if self.pending.frames == 0 {
            return;
        }
        self.pending.dropped = self.dropped;
        if self.stretches.try_push(self.pending).is_ok() {
            self.pending.frames = 0;
            self.pending.follows_break = false;
        }
    }
}

#[cfg(test)]
mod tests;
