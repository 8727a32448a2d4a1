//! The worker's end of the rings.

use super::Stretch;
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};

/// Reads what [`Tap`](super::Tap) captured. Worker thread.
pub struct TapReader {
    samples: HeapCons<[f32; 2]>,
    stretches: HeapCons<Stretch>,
    sample_rate_hz: u32,
    is_offline: bool,
    buffer: Vec<[f32; 2]>,
}

impl TapReader {
    pub(super) fn new(
        samples: HeapCons<[f32; 2]>,
        stretches: HeapCons<Stretch>,
        sample_rate_hz: u32,
        is_offline: bool,
    ) -> Self {
        TapReader { samples, stretches, sample_rate_hz, is_offline, buffer: Vec::new() }
    }

    /// Sample rate in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Whether the host renders.
    pub fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// Whether no stretch waits.
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The next stretch; its samples replace what is in `left` and `right`.
    pub fn next(&mut self, left: &mut Vec<f32>, right: &mut Vec<f32>) -> Option<Stretch> {
        let stretch = self.stretches.try_pop()?;
        self.buffer.resize(stretch.frames, [0.0; 2]);
        let read = self.samples.pop_slice(&mut self.buffer);
        debug_assert_eq!(read, stretch.frames, "samples are written before they are announced");
        left.clear();
        right.clear();
        left.extend(self.buffer[..read].iter().map(|frame| frame[0]));
        right.extend(self.buffer[..read].iter().map(|frame| frame[1]));
        Some(stretch)
    }
}
