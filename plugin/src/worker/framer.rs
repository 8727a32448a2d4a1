//! From captured audio to windows of features: resamples, starts over at every break, keeps no audio.

use super::windows::{Slab, Window, pack, slab_frames};
use crate::capture::{Flow, Stretch};
use crate::settings::SLABS_PER_WINDOW;
use half::f16;
use mixing_buddy_core::Result;
use mixing_buddy_core::audio::StreamResampler;
use mixing_buddy_core::features::{FeatureSettings, FeatureStream};
use std::collections::VecDeque;
use std::sync::Arc;

/// Louder samples than this (120 dB over full scale) are a fault, not audio: their power would overflow.
const LOUDEST: f32 = 1e6;
/// Quieter samples than this (-300 dB) count as silence: denormals make the transform slow.
const QUIETEST: f32 = 1e-15;

/// Turns stretches into windows. Worker thread.
pub struct Framer {
    settings: FeatureSettings,
    slab_frames: usize,
    source_rate_hz: u32,
    is_offline: bool,
    resampler: StreamResampler,
    features: FeatureStream,
    left: Vec<f32>,
    right: Vec<f32>,
    /// The slab that fills.
    filling: Vec<f16>,
    /// The slabs before it, at most one window.
    recent: VecDeque<Arc<Slab>>,
    /// Slabs since the last window was finished; none before the first.
    since_window: Option<usize>,
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
}

impl Framer {
    /// A framer for audio at `source_rate_hz` that makes features with `settings`.
    ///
    /// # Errors
    /// When the rate cannot be resampled.
    pub fn new(settings: &FeatureSettings, source_rate_hz: u32, is_offline: bool) -> Result<Self> {
        Ok(Framer {
            slab_frames: slab_frames(settings),
            source_rate_hz,
            is_offline,
            resampler: StreamResampler::new(source_rate_hz, settings.sample_rate_hz)?,
            features: FeatureStream::new(settings),
            left: Vec::new(),
            right: Vec::new(),
            filling: Vec::new(),
            recent: VecDeque::new(),
            since_window: None,
            run_start_s: 0.0,
            run_frames: 0,
            run_slabs: 0,
            damaged: None,
            bad_frames: 0,
            settings: settings.clone(),
        })
    }

    /// Whether it was made with these arguments.
    pub fn fits(&self, settings: &FeatureSettings, source_rate_hz: u32, is_offline: bool) -> bool {
        self.settings == *settings && self.source_rate_hz == source_rate_hz && self.is_offline == is_offline
    }

    /// Seconds of audio since the last break.
    pub fn run_s(&self) -> f32 {
        (self.run_frames as f64 / f64::from(self.source_rate_hz)) as f32
    }

    /// Total of frames with samples that are not finite.
    pub fn bad_frames(&self) -> u64 {
        self.bad_frames
    }

    /// Takes a stretch and its samples, and sets samples that are not finite to zero. Calls `windows` with each
    /// complete window, one every `hop_slabs` slabs.
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
        if stretch.follows_break || stretch.flow != Flow::Playing {
            self.start_run(stretch)?;
        }
        if left.is_empty() {
            return Ok(());
        }
        self.clean(left, right);
        self.run_frames += left.len() as u64;
        self.left.clear();
        self.right.clear();
        self.resampler.push(left, right, &mut self.left, &mut self.right)?;
        let slab_values = self.slab_frames * self.features.row_values();
        let mut finished: Vec<Vec<f16>> = Vec::new();
        let filling = &mut self.filling;
        self.features.push(&self.left, &self.right, |row| {
            filling.extend(row.iter().map(|power| pack(*power)));
            if filling.len() >= slab_values {
                finished.push(std::mem::take(filling));
            }
        });
        for values in finished {
            self.finish_slab(values, hop_slabs, &mut windows);
        }
        Ok(())
    }

    fn start_run(&mut self, stretch: &Stretch) -> Result<()> {
        self.left.clear();
        self.right.clear();
        if self.run_frames > 0 {
            // A flush resets the resampler. Its output belongs to the run that has ended.
            self.resampler.flush(&mut self.left, &mut self.right)?;
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

    /// Sets samples that are not audio to zero, and notes the slabs that they lie in.
    fn clean(&mut self, left: &mut [f32], right: &mut [f32]) {
        let is_audio = |x: f32| (x == 0.0) | ((x.abs() >= QUIETEST) & (x.abs() <= LOUDEST));
        if left.iter().chain(right.iter()).all(|x| is_audio(*x)) {
            return;
        }
        let slab_s =
            (self.slab_frames * self.settings.hop_samples) as f64 / f64::from(self.settings.sample_rate_hz);
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
        let is_damaged = self.damaged.is_some_and(|(first, last)| (first..=last).contains(&self.run_slabs));
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
        let slab_s =
            (self.slab_frames * self.settings.hop_samples) as f64 / f64::from(self.settings.sample_rate_hz);
        let end_s = self.run_start_s + self.run_slabs as f64 * slab_s;
        windows(Window {
            start_s: end_s - SLABS_PER_WINDOW as f64 * slab_s,
            end_s,
            is_offline: self.is_offline,
            slabs: std::array::from_fn(|index| self.recent[index].clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::features::FeatureExtractor;

    const RATE_HZ: u32 = 48_000;

    fn framer() -> Framer {
        Framer::new(&FeatureSettings::default(), RATE_HZ, false).unwrap()
    }

    fn noise(count: usize) -> Vec<f32> {
        (0..count).map(|n| ((n * 7919) % 1009) as f32 / 2018.0 - 0.25).collect()
    }

    fn stretch(frames: usize, position: i64, follows_break: bool) -> Stretch {
        Stretch { frames, position, flow: Flow::Playing, follows_break, dropped: 0 }
    }

    /// Feeds seconds of noise in pieces and returns the starts of the windows.
    fn feed(framer: &mut Framer, from_s: f64, seconds: f64, after_break: bool, hop_slabs: usize) -> Vec<f64> {
        let sound = noise((seconds * f64::from(RATE_HZ)) as usize);
        let (mut position, mut after_break, mut starts) =
            ((from_s * f64::from(RATE_HZ)) as i64, after_break, Vec::new());
        for piece in sound.chunks(4800) {
            let (mut left, mut right) = (piece.to_vec(), piece.to_vec());
            framer
                .take(
                    &stretch(piece.len(), position, after_break),
                    &mut left,
                    &mut right,
                    hop_slabs,
                    |window| {
                        starts.push(window.start_s);
                    },
                )
                .unwrap();
            position += piece.len() as i64;
            after_break = false;
        }
        starts
    }

    #[test]
    fn windows_have_the_hosts_positions_and_are_one_hop_apart() {
        for (hop_slabs, expected) in
            [(1, vec![30.0, 32.5, 35.0, 37.5, 40.0]), (2, vec![30.0, 35.0, 40.0]), (4, vec![30.0, 40.0])]
        {
            assert_eq!(
                feed(&mut framer(), 30.0, 20.2, true, hop_slabs),
                expected,
                "hop of {hop_slabs} slabs"
            );
        }
    }

    #[test]
    fn no_window_contains_a_break() {
        let mut framer = framer();
        assert_eq!(feed(&mut framer, 0.0, 9.0, true, 2), [0.0; 0]);
        assert_eq!(
            feed(&mut framer, 60.0, 9.0, true, 2),
            [0.0; 0],
            "two runs of nine seconds make no window"
        );
        assert_eq!(feed(&mut framer, 69.0, 2.0, false, 2), [60.0]);
        let paused = Stretch { frames: 0, flow: Flow::Paused, ..stretch(0, 0, true) };
        framer.take(&paused, &mut [], &mut [], 2, |_| panic!("a pause makes no window")).unwrap();
        assert_eq!(framer.run_s(), 0.0);
        assert_eq!(feed(&mut framer, 71.0, 9.0, true, 2), [0.0; 0]);
    }

    #[test]
    fn samples_that_are_not_finite_damage_their_windows_and_no_others() {
        let mut framer = framer();
        let mut damaged = Vec::new();
        let mut position = 0;
        for second in 0..25 {
            let mut left = noise(RATE_HZ as usize);
            left[100] = 1e-40;
            if second == 12 {
                left[500] = f32::NAN;
                left[501] = f32::INFINITY;
            }
            let mut right = left.clone();
            framer
                .take(&stretch(left.len(), position, second == 0), &mut left, &mut right, 1, |window| {
                    let power = window.power(&FeatureSettings::default());
                    assert!(power.mid.iter().chain(&power.side).all(|p| p.is_finite()));
                    damaged.push((window.start_s, window.is_damaged()));
                })
                .unwrap();
            position += i64::from(RATE_HZ);
        }
        assert_eq!(framer.bad_frames(), 2);
        for (start_s, is_damaged) in damaged {
            // The sample lies at 12.01 s, in the slab from 10 to 12.5 s.
            assert_eq!(is_damaged, (2.5..=10.0).contains(&start_s), "window at {start_s} s");
        }
    }

    #[test]
    fn a_window_has_the_features_that_the_extractor_makes_of_the_same_audio() {
        let settings = FeatureSettings::default();
        let mut framer = Framer::new(&settings, settings.sample_rate_hz, false).unwrap();
        let sound = noise(11 * settings.sample_rate_hz as usize);
        let mut windows = Vec::new();
        let (mut left, mut right) = (sound.clone(), sound.iter().map(|x| 0.3 * x).collect::<Vec<_>>());
        let whole = FeatureExtractor::new(&settings).band_power(&left, &right).unwrap();
        framer.take(&stretch(sound.len(), 0, true), &mut left, &mut right, 2, |w| windows.push(w)).unwrap();
        let power = windows[0].power(&settings);
        assert_eq!(power.frames, 500);
        for (ours, theirs) in power.mid.iter().zip(&whole.mid).chain(power.side.iter().zip(&whole.side)) {
            let error_db = (10.0 * (ours / theirs.max(1e-30)).log10()).abs();
            assert!(error_db < 0.06, "{ours} and {theirs}");
        }
    }
}
