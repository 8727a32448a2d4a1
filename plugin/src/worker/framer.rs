//! From captured audio to windows of features: resamples, starts over at every break, keeps no audio but for
//! auditions.
//!
//! A loop that is shorter than a window is a window of its own, from its start to its end, once the host jumps back.

use super::tail::Tail;
use super::windows::{Slab, Window, pack};
use crate::capture::{Flow, Stretch};
use crate::settings::SLABS_PER_WINDOW;
use half::f16;
use mixing_buddy_core::audio::StreamResampler;
use mixing_buddy_core::features::{FeatureSettings, FeatureStream};
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{CancelFlag, Result};
use std::collections::VecDeque;
use std::sync::Arc;

/// Louder samples than this (120 dB over full scale) are a fault, not audio: their power would overflow.
const LOUDEST: f32 = 1e6;
/// Quieter samples than this (-300 dB) count as silence: denormals make the transform slow.
const QUIETEST: f32 = 1e-15;
/// A jump to within this many seconds of where the audio started is a loop: hosts that jump within a block report the
/// next block's position. The largest usual block is 8192 samples, 0.19 s.
const LOOP_TOLERANCE_S: f64 = 0.25;
/// Loops that are too short for the model by less than this, in seconds, are analyzed: hosts cut loops at blocks.
const SHORT_BY_S: f32 = 0.05;

/// Turns stretches into windows. Worker thread.
pub struct Framer {
    settings: FeatureSettings,
    slab_frames: usize,
    source_rate_hz: u32,
    is_offline: bool,
    resampler: StreamResampler,
    features: FeatureStream,
    cancel: CancelFlag,
    left: Vec<f32>,
    right: Vec<f32>,
    /// The slab that fills.
    filling: Vec<f16>,
    /// The slabs before it, at most one window.
    recent: VecDeque<Arc<Slab>>,
    /// Slabs since the last window was finished; none before the first.
    since_window: Option<usize>,
    /// Seconds of this loop since it was last a window; none if it was not yet.
    since_loop_s: Option<f64>,
    /// Where the current run of audio started, in seconds of the host's transport.
    run_start_s: f64,
    /// Frames of audio in this run, at the host's rate.
    run_frames: u64,
    /// Slabs finished in this run.
    run_slabs: usize,
    /// First and last slab of this run with samples that are not finite.
    damaged: Option<(usize, usize)>,
    /// Total of frames with samples that are not finite.
    bad_frames: u64,
    /// The last ten seconds, for auditions; none while no editor is open.
    tail: Option<Tail>,
}

impl Framer {
    /// A framer for audio at `source_rate_hz` that makes features with `settings` and the model's `separator`. The flag
    /// ends a separation that is under way.
    ///
    /// # Errors
    /// When the rate cannot be resampled.
    pub fn new(
        settings: &FeatureSettings,
        separator: Option<&Arc<Separator>>,
        source_rate_hz: u32,
        is_offline: bool,
        cancel: CancelFlag,
    ) -> Result<Self> {
        Ok(Framer {
            slab_frames: settings.slab_frames(),
            source_rate_hz,
            is_offline,
            resampler: StreamResampler::new(source_rate_hz, settings.sample_rate_hz)?,
            features: FeatureStream::new(settings, separator)?,
            cancel,
            left: Vec::new(),
            right: Vec::new(),
            filling: Vec::new(),
            recent: VecDeque::new(),
            since_window: None,
            since_loop_s: None,
            run_start_s: 0.0,
            run_frames: 0,
            run_slabs: 0,
            damaged: None,
            bad_frames: 0,
            tail: None,
            settings: settings.clone(),
        })
    }

    /// Whether it was made with these arguments.
    pub fn fits(
        &self,
        settings: &FeatureSettings,
        separator: Option<&Arc<Separator>>,
        source_rate_hz: u32,
        is_offline: bool,
    ) -> bool {
        let is_same_separator = match (self.features.separator(), separator) {
            (Some(ours), Some(other)) => Arc::ptr_eq(ours, other),
            (ours, other) => ours.is_none() && other.is_none(),
        };
        self.settings == *settings
            && is_same_separator
            && self.source_rate_hz == source_rate_hz
            && self.is_offline == is_offline
    }

    /// Keeps the last ten seconds of sound from now on, or frees them.
    pub fn keep_tail(&mut self, is_kept: bool) {
        match (&self.tail, is_kept) {
            (None, true) => {
                let rows =
                    self.run_slabs * self.slab_frames + self.filling.len() / self.features.row_values();
                let samples = self.run_frames as usize;
                self.tail = Some(Tail::new(&self.settings, self.source_rate_hz, samples, rows));
            }
            (Some(_), false) => self.tail = None,
            (None, false) | (Some(_), true) => {}
        }
    }

    /// The last ten seconds, if they are kept.
    pub fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// Rate of the audio that it takes.
    pub fn source_rate_hz(&self) -> u32 {
        self.source_rate_hz
    }

    /// Seconds of audio since the last break.
    pub fn run_s(&self) -> f32 {
        (self.run_frames as f64 / f64::from(self.source_rate_hz)) as f32
    }

    /// Whether a window was finished since the last break.
    pub fn has_window(&self) -> bool {
        self.since_window.is_some()
    }

    /// Whether a stretch begins a new run of audio.
    pub fn is_end_of_run(stretch: &Stretch) -> bool {
        stretch.follows_break || matches!(stretch.flow, Flow::Paused | Flow::Bypassed)
    }

    /// Whether a stretch is the host's jump back to where the run started.
    pub fn loops_at(&self, stretch: &Stretch) -> bool {
        let position_s = stretch.position as f64 / f64::from(self.source_rate_hz);
        stretch.flow == Flow::Playing
            && stretch.follows_break
            && self.run_frames > 0
            && (position_s - self.run_start_s).abs() <= LOOP_TOLERANCE_S
    }

    /// Whether a loop of this length can be analyzed.
    pub fn is_long_enough(loop_s: f32) -> bool {
        loop_s >= FeatureSettings::SHORTEST_S - SHORT_BY_S
    }

    /// Total of frames with samples that are not finite.
    pub fn bad_frames(&self) -> u64 {
        self.bad_frames
    }

    /// Takes a stretch and its samples, and sets samples that are not finite to zero. Calls `windows` with each
    /// complete window, one every `hop_slabs` slabs, and with each loop that is shorter than a window.
    ///
    /// # Errors
    /// When resampling fails.
    pub fn take(
        &mut self,
        stretch: &Stretch,
        left: &mut [f32],
        right: &mut [f32],
        hop_slabs: usize,
        mut windows: impl FnMut(Window),
    ) -> Result<()> {
        if Self::is_end_of_run(stretch) {
            self.start_run(stretch, hop_slabs, &mut windows)?;
        }
        if left.is_empty() {
            return Ok(());
        }
        self.clean(left, right);
        if let Some(tail) = &mut self.tail {
            tail.push_sound(left, right);
        }
        self.run_frames += left.len() as u64;
        self.left.clear();
        self.right.clear();
        self.resampler.push(left, right, &mut self.left, &mut self.right)?;
        let slab_values = self.slab_frames * self.features.row_values();
        let mut finished: Vec<Vec<f16>> = Vec::new();
        let (filling, tail) = (&mut self.filling, &mut self.tail);
        self.features.push(&self.left, &self.right, &self.cancel, |row| {
            filling.extend(row.iter().map(|power| pack(*power)));
            if let Some(tail) = tail {
                tail.push_row(&filling[filling.len() - row.len()..]);
            }
            if filling.len() >= slab_values {
                finished.push(std::mem::take(filling));
            }
        })?;
        for values in finished {
            self.finish_slab(values, hop_slabs, &mut windows);
        }
        Ok(())
    }

    /// Finishes the slabs that still wait for the sound after them: with a separator, the end of a run would be lost.
    fn finish_waiting_slabs(&mut self, hop_slabs: usize, windows: &mut impl FnMut(Window)) -> Result<()> {
        let slab_values = self.slab_frames * self.features.row_values();
        let mut rows = std::mem::take(&mut self.filling);
        let known = rows.len();
        let mut pack_row = |row: &[f32]| rows.extend(row.iter().map(|power| pack(*power)));
        self.features.push(&self.left, &self.right, &self.cancel, &mut pack_row)?;
        self.features.finish(&self.cancel, pack_row)?;
        self.push_to_tail(&rows[known..]);
        for values in rows.chunks_exact(slab_values) {
            self.finish_slab(values.to_vec(), hop_slabs, windows);
        }
        Ok(())
    }

    fn push_to_tail(&mut self, rows: &[f16]) {
        if let Some(tail) = &mut self.tail {
            tail.push_row(rows);
        }
    }

    fn start_run(
        &mut self,
        stretch: &Stretch,
        hop_slabs: usize,
        windows: &mut impl FnMut(Window),
    ) -> Result<()> {
        self.left.clear();
        self.right.clear();
        if self.run_frames > 0 {
            // A flush resets the resampler. Its output belongs to the run that has ended.
            self.resampler.flush(&mut self.left, &mut self.right)?;
        }
        if self.loops_at(stretch) && !self.has_window() {
            self.finish_loop(hop_slabs, windows)?;
        } else {
            self.since_loop_s = None;
            if self.run_frames > 0 && self.features.separator().is_some() {
                self.finish_waiting_slabs(hop_slabs, windows)?;
            }
        }
        if let Some(tail) = &mut self.tail {
            tail.close();
        }
        self.features.restart();
        self.filling.clear();
        self.recent.clear();
        self.since_window = None;
        self.run_start_s = stretch.position as f64 / f64::from(self.source_rate_hz);
        self.run_frames = 0;
        self.run_slabs = 0;
        self.damaged = None;
        Ok(())
    }

    /// Makes the whole run a window, if it is long enough and the hop has passed since the last time.
    fn finish_loop(&mut self, hop_slabs: usize, windows: &mut impl FnMut(Window)) -> Result<()> {
        let run_s = self.run_s();
        let since_s = self.since_loop_s.map(|since| since + f64::from(run_s));
        let hop_s = hop_slabs.max(1) as f64 * self.slab_s();
        if !Self::is_long_enough(run_s) || since_s.is_some_and(|since| since < hop_s) {
            self.since_loop_s = since_s;
            return Ok(());
        }
        self.since_loop_s = Some(0.0);
        let known = self.filling.len();
        let filling = &mut self.filling;
        let mut pack_row = |row: &[f32]| filling.extend(row.iter().map(|power| pack(*power)));
        self.features.push(&self.left, &self.right, &self.cancel, &mut pack_row)?;
        self.features.finish(&self.cancel, pack_row)?;
        let late = self.filling[known..].to_vec();
        self.push_to_tail(&late);
        // Slabs are whole patches, so only the last one has frames to leave out. It may be longer than a slab: with a
        // separator, frames wait for the sound after them.
        let patch_values = self.settings.patch_frames * self.features.row_values();
        let room = (SLABS_PER_WINDOW - self.recent.len()) * self.slab_frames * self.features.row_values();
        let kept = self.filling.len().min(room) / patch_values * patch_values;
        self.filling.truncate(kept);
        let mut slabs: Vec<Arc<Slab>> = self.recent.iter().cloned().collect();
        let is_damaged = self.damaged.is_some_and(|(_, last)| last >= self.run_slabs);
        slabs.push(Arc::new(Slab::new(std::mem::take(&mut self.filling), is_damaged)));
        let loop_s = self.run_frames as f64 / f64::from(self.source_rate_hz);
        let (start_s, end_s) = (self.run_start_s, self.run_start_s + loop_s);
        windows(Window { start_s, end_s, is_offline: self.is_offline, slabs });
        Ok(())
    }

    fn slab_s(&self) -> f64 {
        (self.slab_frames * self.settings.hop_samples) as f64 / f64::from(self.settings.sample_rate_hz)
    }

    fn is_damaged(&self, slab: usize) -> bool {
        self.damaged.is_some_and(|(first, last)| (first..=last).contains(&slab))
    }

    /// Sets samples that are not audio to zero, and notes the slabs that they lie in.
    fn clean(&mut self, left: &mut [f32], right: &mut [f32]) {
        let is_audio = |x: f32| (x == 0.0) | ((x.abs() >= QUIETEST) & (x.abs() <= LOUDEST));
        if left.iter().chain(right.iter()).all(|x| is_audio(*x)) {
            return;
        }
        let slab_s = self.slab_s();
        let reach_s = self.settings.fft_samples as f64 / f64::from(self.settings.sample_rate_hz);
        for (index, (l, r)) in left.iter_mut().zip(right).enumerate() {
            let mut is_bad = false;
            for sample in [l, r] {
                if !is_audio(*sample) {
                    is_bad |= sample.is_nan() || sample.abs() > LOUDEST;
                    *sample = 0.0;
                }
            }
            if is_bad {
                self.bad_frames += 1;
                let at_s = (self.run_frames + index as u64) as f64 / f64::from(self.source_rate_hz);
                let first = ((at_s - reach_s).max(0.0) / slab_s) as usize;
                let last = ((at_s + reach_s) / slab_s) as usize;
                self.damaged = Some(
                    self.damaged.map_or((first, last), |(start, end)| (start.min(first), end.max(last))),
                );
            }
        }
    }

    fn finish_slab(&mut self, values: Vec<f16>, hop_slabs: usize, windows: &mut impl FnMut(Window)) {
        let is_damaged = self.is_damaged(self.run_slabs);
        if self.damaged.is_some_and(|(_, last)| last <= self.run_slabs) {
            self.damaged = None;
        }
        self.run_slabs += 1;
        self.recent.push_back(Arc::new(Slab::new(values, is_damaged)));
        if self.recent.len() > SLABS_PER_WINDOW {
            self.recent.pop_front();
        }
        if let Some(since) = &mut self.since_window {
            *since += 1;
        }
        let is_due = self.since_window.is_none_or(|since| since >= hop_slabs.max(1));
        if self.recent.len() < SLABS_PER_WINDOW || !is_due {
            return;
        }
        self.since_window = Some(0);
        let slab_s = self.slab_s();
        let end_s = self.run_start_s + self.run_slabs as f64 * slab_s;
        windows(Window {
            start_s: end_s - SLABS_PER_WINDOW as f64 * slab_s,
            end_s,
            is_offline: self.is_offline,
            slabs: self.recent.iter().cloned().collect(),
        });
    }
}

#[cfg(test)]
mod tests;
