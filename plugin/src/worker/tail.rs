//! The last ten seconds of sound with their features, for auditions. Kept only while the editor is open.

use super::windows::unpack;
use half::f16;
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::features::{BandPower, FeatureSettings};
use std::collections::VecDeque;

/// A stretch of sound without a break.
#[derive(Default)]
struct Part {
    sound: VecDeque<[f32; 2]>,
    /// Number of the first sample that is kept, counted from the start of the run.
    first_sample: usize,
    /// Packed rows of features.
    rows: VecDeque<f16>,
    /// Number of the first row that is kept.
    first_row: usize,
}

/// Sound and features of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// The sound at the host's rate.
    pub sound: StereoPcm,
    /// Its features: the first frame is centred on the first sample.
    pub power: BandPower,
}

/// The last ten seconds of sound. After a break, what was before it stays until three seconds have come after it, as far
/// as both together are not longer than ten seconds.
pub struct Tail {
    settings: FeatureSettings,
    rate_hz: u32,
    earlier: Part,
    part: Part,
    /// Whether the next sound begins a new part.
    is_closed: bool,
}

impl Tail {
    /// An empty tail of sound at a rate, in a run of which so many samples and rows are over.
    pub fn new(settings: &FeatureSettings, rate_hz: u32, samples: usize, rows: usize) -> Self {
        let part = Part { first_sample: samples, first_row: rows, ..Part::default() };
        Tail { settings: settings.clone(), rate_hz, earlier: Part::default(), part, is_closed: false }
    }

    /// Samples per frame of the features.
    fn frame_samples(&self) -> f64 {
        self.settings.hop_samples as f64 * f64::from(self.rate_hz) / f64::from(self.settings.sample_rate_hz)
    }

    /// Adds sound.
    pub fn push_sound(&mut self, left: &[f32], right: &[f32]) {
        if std::mem::take(&mut self.is_closed) {
            let ended = std::mem::take(&mut self.part);
            if self.range(&ended).is_some() {
                self.earlier = ended;
            }
        }
        self.part.sound.extend(left.iter().zip(right).map(|(l, r)| [*l, *r]));
        let most = (f64::from(FeatureSettings::WINDOW_S) * f64::from(self.rate_hz)) as usize;
        self.part.keep_sound(most);
        self.earlier.keep_sound(most - self.part.sound.len());
        // Some rows more than the sound has: a separator's come late.
        let rows = 2 * FeatureSettings::SLABS_PER_WINDOW * self.settings.slab_frames();
        self.part.keep_rows(rows, self.settings.row_values());
        if self.range(&self.part).is_some() {
            self.earlier = Part::default();
        }
    }

    /// Adds a packed row of features of the sound so far.
    pub fn push_row(&mut self, row: &[f16]) {
        if !self.is_closed {
            self.part.rows.extend(row);
        }
    }

    /// The sound breaks here.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// The frames of a part that have both sound and features: whole patches, at least three seconds, at most a window.
    fn range(&self, part: &Part) -> Option<std::ops::Range<usize>> {
        let step = self.frame_samples();
        let rows_end = part.first_row + part.rows.len() / self.settings.row_values();
        let sound_end = ((part.first_sample + part.sound.len()) as f64 / step) as usize;
        let end = rows_end.min(sound_end);
        let first = part.first_row.max((part.first_sample as f64 / step).ceil() as usize);
        let most = FeatureSettings::SLABS_PER_WINDOW * self.settings.slab_frames();
        let patch = self.settings.patch_frames;
        let count = end.saturating_sub(first).min(most) / patch * patch;
        let least_s = f64::from(FeatureSettings::SHORTEST_S);
        let is_long = count as f64 * step >= least_s * f64::from(self.rate_hz);
        is_long.then_some(end - count..end)
    }

    /// The part to play: the newest that is long enough.
    fn best(&self) -> Option<(&Part, std::ops::Range<usize>)> {
        [&self.part, &self.earlier].into_iter().find_map(|part| Some((part, self.range(part)?)))
    }

    /// Length of what can be played, in seconds; 0 if it is too short.
    pub fn playable_s(&self) -> f32 {
        let frames = self.best().map_or(0, |(_, range)| range.len());
        (frames as f64 * self.frame_samples() / f64::from(self.rate_hz)) as f32
    }

    /// The sound to play and its features; none if it is shorter than three seconds.
    pub fn take(&self) -> Option<Take> {
        let (part, range) = self.best()?;
        let at = |frame: usize| (frame as f64 * self.frame_samples()).round() as usize - part.first_sample;
        let frames = at(range.start)..at(range.end);
        let channel = |c: usize| part.sound.range(frames.clone()).map(|frame| frame[c]).collect();
        let values = self.settings.row_values();
        let rows = (range.start - part.first_row) * values..(range.end - part.first_row) * values;
        let rows: Vec<f32> = part.rows.range(rows).map(|value| unpack(*value)).collect();
        let sound = StereoPcm { left: channel(0), right: channel(1), sample_rate_hz: self.rate_hz };
        Some(Take { sound, power: BandPower::from_rows(&rows, &self.settings) })
    }
}

impl Part {
    fn keep_sound(&mut self, most: usize) {
        let over = self.sound.len().saturating_sub(most);
        self.sound.drain(..over);
        self.first_sample += over;
    }

    fn keep_rows(&mut self, most: usize, row_values: usize) {
        let over = (self.rows.len() / row_values).saturating_sub(most);
        self.rows.drain(..over * row_values);
        self.first_row += over;
    }
}

#[cfg(test)]
mod tests {
    use super::super::windows::pack;
    use super::*;

    const RATE_HZ: u32 = 48_000;

    /// Plays seconds of a ramp whose features tell the number of the frame, with features a quarter second late.
    fn play(tail: &mut Tail, from_s: f64, to_s: f64) {
        let bands = 2 * FeatureSettings::default().bands;
        let sample = |s: f64| (s * f64::from(RATE_HZ)) as usize;
        for at in (sample(from_s)..sample(to_s)).step_by(480) {
            let piece: Vec<f32> = (at..at + 480).map(|n| n as f32).collect();
            tail.push_sound(&piece, &piece);
            // A frame is 960 samples long.
            let frame = (at / 960) as isize - 12;
            if at % 960 == 0 && frame >= 0 {
                tail.push_row(&vec![pack((frame as f32 / 64.0).exp2()); bands]);
            }
        }
    }

    #[test]
    fn sound_and_features_of_a_take_belong_together() {
        let mut tail = Tail::new(&FeatureSettings::default(), RATE_HZ, 0, 0);
        play(&mut tail, 0.0, 2.9);
        assert!(tail.take().is_none() && tail.playable_s() == 0.0);
        play(&mut tail, 2.9, 37.0);
        let take = tail.take().unwrap();
        assert!((9.4..=10.0).contains(&tail.playable_s()), "{}", tail.playable_s());
        assert!(tail.part.sound.len() <= 480_000);
        let frame = (take.power.mid[0].log2() * 64.0).round() as usize;
        assert_eq!(take.sound.left[0] as usize, frame * 960);
        assert_eq!(take.power.frames * 960, take.sound.len());
        assert_eq!(take.power.frames % 5, 0);
    }

    #[test]
    fn a_tail_that_begins_within_a_run_has_no_features_without_sound() {
        // Twenty seconds are over when it begins; the features of their last quarter second come later.
        let mut tail = Tail::new(&FeatureSettings::default(), RATE_HZ, 960_000, 988);
        play(&mut tail, 20.0, 24.0);
        let take = tail.take().unwrap();
        let frame = (take.power.mid[0].log2() * 64.0).round() as usize;
        assert!(frame >= 1000);
        assert_eq!(take.sound.left[0] as usize, frame * 960);
    }

    #[test]
    fn after_a_break_the_sound_before_it_stays_until_there_is_enough_of_the_new() {
        let mut tail = Tail::new(&FeatureSettings::default(), RATE_HZ, 0, 0);
        play(&mut tail, 0.0, 12.0);
        tail.close();
        let stands = tail.playable_s();
        assert!(stands > 9.0);
        play(&mut tail, 0.0, 2.0);
        assert!((6.5..8.0).contains(&tail.playable_s()), "{}", tail.playable_s());
        assert!(tail.part.sound.len() + tail.earlier.sound.len() <= 480_000);
        play(&mut tail, 2.0, 4.0);
        assert!((3.0..4.0).contains(&tail.playable_s()), "{}", tail.playable_s());
        assert!(tail.earlier.sound.is_empty());
        // A short piece does not replace what can be played.
        tail.close();
        play(&mut tail, 0.0, 0.1);
        tail.close();
        play(&mut tail, 0.0, 0.1);
        assert!(tail.playable_s() > 3.0);
    }
}
