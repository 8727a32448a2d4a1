//! How near the audition of a gain comes to the true remix, on songs with stems.

use super::meter::median;
use crate::protocol::{Flaw, GatedWindow, SongAudio, gated_windows};
use anyhow::Result;
use mixing_buddy_core::audio::{StereoPcm, resample};
use mixing_buddy_core::audition::{Remixer, StemMasks, Unmixed};
use mixing_buddy_core::features::{BandPower, FeatureExtractor, FeatureSettings};
use mixing_buddy_core::{CancelFlag, PerStem, Stem};
use std::fmt;

/// Gains that are tried on each target, in dB.
const GAINS_DB: [f32; 4] = [-6.0, -3.0, 3.0, 6.0];

/// What to measure on.
#[derive(Clone, Debug)]
pub struct AuditionSettings {
    /// The model's features.
    pub features: FeatureSettings,
    /// Windows per song, spread evenly over those that pass the gate.
    pub windows_per_song: usize,
    /// Length of the remix's transform in seconds.
    pub transform_s: f64,
}

/// Signal-to-distortion ratios against the true remix, in dB: medians over windows.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditionRow {
    /// The stem with the gain.
    pub stem: Stem,
    /// Its gain in dB.
    pub gain_db: f32,
    /// The untouched mix.
    pub untouched_db: f64,
    /// The audition, with the model's estimates of the stems.
    pub audition_db: f64,
    /// The same with the ideal ratio masks of the true stems.
    pub ideal_db: f64,
    /// Improvement of the audition over the untouched mix.
    pub gained_db: f64,
    /// Improvement of the ideal masks over the untouched mix.
    pub ideal_gained_db: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditionReport {
    /// Songs with at least one window.
    pub songs: usize,
    /// Windows measured.
    pub windows: usize,
    /// One row per target and gain.
    pub rows: Vec<AuditionRow>,
}

/// Ratios of one window: untouched, audition, ideal masks.
type Ratios = [f64; 3];

/// Measures songs. `unmix` takes a mix apart with the model.
///
/// # Errors
/// When a mix cannot be resampled or `unmix` fails.
pub fn measure_auditions(
    songs: impl Iterator<Item = Result<SongAudio>>,
    settings: &AuditionSettings,
    unmix: &mut dyn FnMut(&StereoPcm) -> Result<Unmixed>,
) -> Result<AuditionReport> {
    let mut report = AuditionReport::default();
    let mut found: Vec<Vec<Ratios>> = vec![Vec::new(); Stem::TARGETS.len() * GAINS_DB.len()];
    for song in songs {
        let song = song?;
        let windows = gated_windows(&song);
        let wanted = settings.windows_per_song.min(windows.len());
        for number in 0..wanted {
            let window = &windows[(2 * number + 1) * windows.len() / (2 * wanted)];
            for (to, ratios) in found.iter_mut().zip(window_ratios(window, settings, unmix)?) {
                to.push(ratios);
            }
            report.windows += 1;
        }
        report.songs += usize::from(wanted > 0);
    }
    let cases = Stem::TARGETS.into_iter().flat_map(|stem| GAINS_DB.map(|gain_db| (stem, gain_db)));
    report.rows = cases
        .zip(&found)
        .map(|((stem, gain_db), found)| {
            let median = |value: &dyn Fn(&Ratios) -> f64| median(found.iter().map(value));
            AuditionRow {
                stem,
                gain_db,
                untouched_db: median(&|ratios| ratios[0]),
                audition_db: median(&|ratios| ratios[1]),
                ideal_db: median(&|ratios| ratios[2]),
                gained_db: median(&|ratios| ratios[1] - ratios[0]),
                ideal_gained_db: median(&|ratios| ratios[2] - ratios[0]),
            }
        })
        .collect();
    Ok(report)
}

/// Ratios of all targets and gains in one window.
fn window_ratios(
    window: &GatedWindow<'_>,
    settings: &AuditionSettings,
    unmix: &mut dyn FnMut(&StereoPcm) -> Result<Unmixed>,
) -> Result<Vec<Ratios>> {
    let mix = window.mix(Flaw { stem: Stem::Vocals, gain_db: 0.0 });
    let rate = mix.sample_rate_hz;
    let model = unmix(&mix)?;
    let mut extractor = FeatureExtractor::new(&settings.features);
    let mut powers = Vec::new();
    for stem in Stem::ALL {
        let pcm = resample(&window.stem(stem), settings.features.sample_rate_hz)?;
        powers.push(extractor.band_power(&pcm.left, &pcm.right)?);
    }
    let powers: PerStem<BandPower> = PerStem::from_fn(|stem| powers[stem.index()].clone());
    let ideal = Unmixed::new(mix.clone(), Vec::new(), StemMasks::ideal(&powers));
    let mut remixer = Remixer::with_length(&settings.features, rate, settings.transform_s);
    let cancel = CancelFlag::new();
    let mut ratios = Vec::new();
    for stem in Stem::TARGETS {
        for gain_db in GAINS_DB {
            let truth = window.mix(Flaw { stem, gain_db: f64::from(gain_db) });
            let gains = PerStem::all(0.0).with(stem, gain_db);
            let with = remixer.remix(&model, &gains, &cancel)?;
            let with_ideal = remixer.remix(&ideal, &gains, &cancel)?;
            ratios.push([sdr_db(&truth, &mix), sdr_db(&truth, &with), sdr_db(&truth, &with_ideal)]);
        }
    }
    Ok(ratios)
}

/// Power of the truth over the power of the difference to it, both channels together, in dB.
fn sdr_db(truth: &StereoPcm, estimate: &StereoPcm) -> f64 {
    let (mut signal, mut distortion) = (1e-20, 1e-20);
    for (truth, estimate) in [(&truth.left, &estimate.left), (&truth.right, &estimate.right)] {
        for (truth, estimate) in truth.iter().zip(estimate) {
            signal += f64::from(*truth).powi(2);
            distortion += f64::from(truth - estimate).powi(2);
        }
    }
    10.0 * (signal / distortion).log10()
}

impl fmt::Display for AuditionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} songs, {} windows; medians in dB", self.songs, self.windows)?;
        writeln!(
            f,
            "{:<8} {:>5} {:>10} {:>9} {:>7} {:>9} {:>12}",
            "stem", "gain", "untouched", "audition", "ideal", "gained", "ideal gains"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<8} {:>+5.0} {:>10.1} {:>9.1} {:>7.1} {:>9.1} {:>12.1}",
                row.stem.name(),
                row.gain_db,
                row.untouched_db,
                row.audition_db,
                row.ideal_db,
                row.gained_db,
                row.ideal_gained_db
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone in pieces, so that it passes the gate.
    fn tone(hz: f32) -> StereoPcm {
        let samples = 10 * 32_000;
        let channel: Vec<f32> =
            (0..samples).map(|n| 0.2 * (std::f32::consts::TAU * hz * n as f32 / 32_000.0).sin()).collect();
        StereoPcm::new(channel.clone(), channel, 32_000).unwrap()
    }

    #[test]
    fn stems_in_bands_of_their_own_are_remixed_well_by_ideal_masks_and_not_at_all_by_equal_ones() {
        let stems =
            PerStem { vocals: 1000.0, drums: 5000.0, bass: 80.0, other: 300.0 }.map(|hz| Some(tone(*hz)));
        let song = SongAudio { name: "tones".into(), stems };
        let features = FeatureSettings::default();
        let settings =
            AuditionSettings { features: features.clone(), windows_per_song: 2, transform_s: 0.128 };
        let mut equal = |mix: &StereoPcm| {
            let (frames, bands) = (500, features.bands);
            let maps = PerStem::from_fn(|_| vec![0.25; frames * bands]);
            let masks = StemMasks { frames, bands, mid: maps.clone(), side: maps };
            Ok(Unmixed::new(mix.clone(), Vec::new(), masks))
        };
        let report = measure_auditions([Ok(song)].into_iter(), &settings, &mut equal).unwrap();
        assert_eq!((report.songs, report.windows, report.rows.len()), (1, 1, 12));
        for row in &report.rows {
            assert!(row.ideal_gained_db > 15.0, "{row:?}");
            assert!(row.gained_db < 3.0, "{row:?}");
            assert!((row.audition_db - row.untouched_db - row.gained_db).abs() < 1e-9);
        }
    }

    #[test]
    fn ratios_and_medians_are_exact() {
        let truth = StereoPcm::new(vec![1.0; 10], vec![1.0; 10], 8000).unwrap();
        let estimate = StereoPcm::new(vec![0.9; 10], vec![1.1; 10], 8000).unwrap();
        assert!((sdr_db(&truth, &estimate) - 20.0).abs() < 1e-4);
        assert_eq!(median([3.0, -5.0, 1.0].into_iter()), 1.0);
        assert_eq!(median([-4.0, -2.0].into_iter()), -3.0);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
