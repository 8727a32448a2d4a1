//! From the audio callback to the worker: audio and the state of the transport, through lock-free rings.
//!
//! [`Tap`] is on the audio thread. It never allocates, waits, logs or wakes another thread. [`TapReader`] is on the
//! worker, which polls it every few milliseconds. One ring holds samples. A second, small ring holds [`Stretch`]es: how
//! many samples, and where in the song they lie. A stretch is announced after its samples are written, so the reader
//! never waits.

mod reader;
mod trend;

pub use reader::TapReader;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapProd, HeapRb};
use trend::Trend;

/// Length of the ring in seconds when the host plays live.
const LIVE_RING_S: u32 = 10;
/// Length of the ring in seconds when the host renders, which is much faster than real time and never waits for us.
const OFFLINE_RING_S: u32 = 60;
/// A stretch is announced once it is a hundredth of a second long, so that blocks of one sample cost no more than
/// others.
const ANNOUNCE_PER_S: u32 = 100;

/// State of the host's transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The host plays the song.
    Playing,
    /// The transport is stopped, and the host still calls.
    Paused,
    /// The plugin is bypassed: nothing is captured.
    Bypassed,
    /// The host has stopped, reset or deactivated the plugin. Some hosts do so around every block, so this alone is no
    /// break in the song.
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
    /// Whether a break separates it from the stretch before: a pause, seek, loop jump, bypass, or lost audio.
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
    /// Samples that are written and not announced yet.
    pending: Stretch,
    /// The last state of the transport that was announced.
    flow: Flow,
    trend: Trend,
    /// Position of the next frame in samples, counted for hosts that give none or one that stands still.
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
        pending: Stretch { frames: 0, position: 0, flow: Flow::Playing, follows_break: true, dropped: 0 },
        flow: Flow::Stopped,
        trend: Trend::new(rate),
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
        let given = info.position.unwrap_or(self.counter);
        let position = if self.trend.stands_at(given) { self.counter } else { given };
        if info.flow != Flow::Playing {
            self.counter = position.saturating_add(frames as i64);
            self.change_flow(info.flow);
            return;
        }
        let continues = self.trend.continues(given, frames);
        self.counter = if continues { self.counter } else { position }.saturating_add(frames as i64);
        // One place for the pending stretch, one for this block.
        if self.samples.vacant_len() < frames || self.stretches.vacant_len() < 2 {
            self.dropped += frames as u64;
            self.announce();
            self.trend.interrupt();
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
        if self.pending.frames >= self.announce_frames {
            self.announce();
        }
    }

    /// The host stops, resets or deactivates the plugin. No break: if the position runs on, so does the song.
    ///
    /// A host may do so around every block, and the reader may be busy for seconds. So only half the ring of stretches
    /// is for these calls. When it is full, pending samples wait for the next block.
    pub fn stop(&mut self) {
        if self.stretches.vacant_len() <= self.stretches.capacity().get() / 2 {
            return;
        }
        self.announce();
        self.announce_flow(Flow::Stopped, false);
    }

    /// A pause or a bypass: announces pending samples and the new state of the transport. If there is no room, the next
    /// block tries again.
    fn change_flow(&mut self, flow: Flow) {
        self.announce();
        self.trend.interrupt();
        self.announce_flow(flow, true);
    }

    fn announce_flow(&mut self, flow: Flow, follows_break: bool) {
        if self.flow == flow {
            return;
        }
        let change =
            Stretch { frames: 0, position: self.counter, flow, follows_break, dropped: self.dropped };
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
