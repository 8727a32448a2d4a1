//! What a user might pick instead of the model: band energies with a ridge regression, judged by the norms.
//!
//! The regression is fitted on the other songs of the same run (leave one song out), with the strength of its penalty chosen
//! on these, so that it needs no data of its own. Its levels are judged by the same rule as those of the model's meter.

use super::figures::PlannedWindow;
use super::judges::{NormsSource, RuleJudge};
use super::score::Judged;
use crate::protocol::{Flaw, GatedWindow, Protocol};
use anyhow::Result;
use mixing_buddy_core::features::{FeatureExtractor, FeatureSettings};
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use nalgebra::{Cholesky, DMatrix};

/// Penalties that are tried, per sample of standardized features.
const PENALTIES: [f64; 5] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
/// Fewest songs: one to judge, and two to choose the penalty on.
pub const FEWEST_SONGS_OF_RIDGE: usize = 3;
/// Smallest share of the power of a band: -70 dB of the whole, as the model's input has it.
const FLOOR: f64 = 1e-7;

/// Level of each band against the whole in dB, mid then side, of each mix of a window.
pub(super) fn band_levels(window: &GatedWindow<'_>, flaws: &[Flaw]) -> Result<Vec<Vec<f32>>> {
    let settings = FeatureSettings::default();
    let mut extractor = FeatureExtractor::new(&settings);
    let mut power_of = |pcm: &mixing_buddy_core::audio::StereoPcm| -> Result<Vec<f64>> {
        let power = extractor.band_power(&pcm.left, &pcm.right)?;
        let mut sums = vec![0.0; 2 * power.bands];
        for (map, values) in [&power.mid, &power.side].into_iter().enumerate() {
            for (cell, value) in values.iter().enumerate() {
                sums[map * power.bands + cell % power.bands] += f64::from(*value);
            }
        }
        Ok(sums)
    };
    let whole = power_of(&window.mix(Flaw::NONE))?;
    let mut parts: PerStem<Option<(Vec<f64>, Vec<f64>)>> = PerStem::default();
    flaws
        .iter()
        .map(|flaw| {
            // As in the engine's analysis: a gain on a stem changes each band's power by a polynomial of the gain.
            let gain = 10_f64.powf(flaw.gain_db / 20.0);
            let (stem, rest) = match &mut parts[flaw.stem] {
                Some(known) => known,
                unknown => {
                    let rest = window.mix(Flaw { stem: flaw.stem, gain_db: f64::NEG_INFINITY });
                    unknown.insert((power_of(&window.stem(flaw.stem))?, power_of(&rest)?))
                }
            };
            let powers: Vec<f64> = (whole.iter().zip(&*stem).zip(&*rest))
                .map(|((w, s), r)| (r + gain * gain * s + gain * (w - s - r)).max(0.0))
                .collect();
            let total: f64 = powers.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            // Three decimals: what is kept on disk must be what is used.
            let level = |power: &f64| ((1e4 * (power / total + FLOOR).log10()).round() / 1e3) as f32;
            Ok(powers.iter().map(level).collect())
        })
        .collect()
}

/// Sums of a song's mixes, from which any regression on any set of songs follows.
#[derive(Clone)]
struct Sums {
    /// `[1 x]'[1 x]`.
    gram: DMatrix<f64>,
    /// `[1 x]'y`, a column per stem.
    right: DMatrix<f64>,
    /// `y'y` per stem.
    squares: [f64; Stem::COUNT],
    count: f64,
}

impl Sums {
    fn new(width: usize) -> Sums {
        let gram = DMatrix::zeros(width, width);
        Sums { gram, right: DMatrix::zeros(width, Stem::COUNT), squares: [0.0; Stem::COUNT], count: 0.0 }
    }

    fn add(&mut self, row: &[f64], levels_db: &PerStem<f64>) {
        let x = nalgebra::DVector::from_row_slice(row);
        self.gram.ger(1.0, &x, &x, 1.0);
        for (stem, level) in levels_db.iter() {
            self.right.column_mut(stem.index()).axpy(*level, &x, 1.0);
            self.squares[stem.index()] += level * level;
        }
        self.count += 1.0;
    }

    fn plus(mut self, other: &Sums, sign: f64) -> Sums {
        self.gram += sign * &other.gram;
        self.right += sign * &other.right;
        self.squares.iter_mut().zip(other.squares).for_each(|(sum, more)| *sum += sign * more);
        self.count += sign * other.count;
        self
    }

    /// Coefficients, a column per stem. The penalty is on each feature in units of its variance; the constant has none.
    fn regression(&self, penalty: f64) -> Option<DMatrix<f64>> {
        let mut matrix = self.gram.clone();
        for at in 1..matrix.nrows() {
            let mean = self.gram[(0, at)] / self.count;
            let variance = (self.gram[(at, at)] / self.count - mean * mean).max(1e-2);
            matrix[(at, at)] += penalty * self.count * variance;
        }
        Some(Cholesky::new(matrix)?.solve(&self.right))
    }

    /// Mean squared error per stem of these mixes under a regression.
    fn squared_error(&self, coefficients: &DMatrix<f64>) -> [f64; Stem::COUNT] {
        let fitted = &self.gram * coefficients;
        std::array::from_fn(|stem| {
            let [c, r, f] = [coefficients, &self.right, &fitted].map(|matrix| matrix.column(stem));
            ((self.squares[stem] - 2.0 * c.dot(&r) + c.dot(&f)) / self.count).max(0.0)
        })
    }
}

fn row_of(bands: &[f32]) -> Vec<f64> {
    std::iter::once(1.0).chain(bands.iter().map(|level| f64::from(*level))).collect()
}

/// The answers of the regression with the norms; none without band levels, or with fewer than [`FEWEST_SONGS_OF_RIDGE`] songs.
pub(super) fn ridge(
    windows: &[PlannedWindow<'_>],
    songs: usize,
    protocol: Protocol,
    norms: &NormsSource,
) -> Option<Vec<Judged>> {
    let width = 1 + windows.first()?.record.bands.as_ref()?.first()?.len();
    if songs < FEWEST_SONGS_OF_RIDGE {
        return None;
    }
    let mut sums = vec![Sums::new(width); songs];
    for window in windows {
        for (flaw, bands) in window.flaws.iter().zip(window.record.bands.as_ref()?) {
            let levels = all_rest_levels_from_levels(&window.record.flawed_dbfs(*flaw));
            sums[window.song].add(&row_of(bands), &levels);
        }
    }
    let all = sums.iter().fold(Sums::new(width), |all, song| all.plus(song, 1.0));
    let mut judged = Vec::new();
    for song in 0..songs {
        let others = all.clone().plus(&sums[song], -1.0);
        // Error on each other song of a regression on the rest.
        let error_of = |penalty: f64| -> Option<[f64; Stem::COUNT]> {
            let mut sum = [0.0; Stem::COUNT];
            for other in (0..songs).filter(|other| *other != song) {
                let coefficients = others.clone().plus(&sums[other], -1.0).regression(penalty)?;
                let error = sums[other].squared_error(&coefficients);
                sum.iter_mut().zip(error).for_each(|(sum, error)| *sum += error / (songs - 1) as f64);
            }
            Some(sum)
        };
        let tried = PENALTIES.into_iter().filter_map(|penalty| Some((penalty, error_of(penalty)?)));
        let total = |error: &[f64; Stem::COUNT]| error.iter().sum::<f64>();
        let (penalty, error) = tried.min_by(|a, b| total(&a.1).total_cmp(&total(&b.1)))?;
        let sd_db: Balance = Stem::TARGETS.map(|stem| error[stem.index()].sqrt());
        let coefficients = others.regression(penalty)?;
        let rule = RuleJudge::new(protocol, norms, sd_db);
        let measure = |bands: &Vec<f32>| {
            let row = nalgebra::RowDVector::from_row_slice(&row_of(bands));
            let levels = row * &coefficients;
            PerStem::from_fn(|stem| levels[stem.index()])
        };
        for window in windows.iter().filter(|window| window.song == song) {
            let metered: Vec<PerStem<f64>> = window.record.bands.iter().flatten().map(measure).collect();
            let unflawed = |record: &super::records::WindowRecord| {
                record.bands.iter().flatten().next().map(measure).unwrap_or_default()
            };
            judged.extend(window.judged_by_meter(&rule, &metered, protocol, unflawed));
        }
    }
    Some(judged)
}
