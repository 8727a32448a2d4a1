//! Exact scores of structured answers, as the benchmark defines them.

use super::advisor::Answered;
use super::bootstrap::{Figure, SongResamples, percentiles};
use super::records::rounded;
use crate::protocol::{Category, Sample};
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::{Direction, PerDirection, PerTarget, Stem};
use serde::{Deserialize, Serialize};

/// Accuracy that `coverage_at_90` asks for.
const COVERAGE_ACCURACY: f64 = 0.9;
/// Bins of the expected calibration error.
pub const CALIBRATION_BINS: usize = 10;
/// Points kept of an accuracy-coverage curve.
const CURVE_POINTS: usize = 200;

/// A sample and the answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Number of the song, for the bootstrap.
    pub song: usize,
    /// The stem that was changed, or would have been.
    pub target: Stem,
    /// How it was changed.
    pub category: Category,
    /// By how much, in dB.
    pub gain_db: f64,
    /// The answer; none where it could not be read.
    pub answer: Option<BestAnswer>,
    /// How sure the answer is, 0 to 1.
    pub confidence: f64,
    /// Whether the user is told the answer.
    pub spoken: bool,
}

impl Judged {
    /// Joins a sample of song number `song` and an answer. An answer that contradicts itself counts as unreadable.
    pub fn new(song: usize, sample: &Sample, answered: &Answered) -> Judged {
        let confidence = answered.confidence;
        Judged {
            song,
            target: sample.target,
            category: sample.category,
            gain_db: sample.gain_db,
            answer: answered.best.filter(is_well_formed),
            // Confidences closer than a millionth are equal: the last bits of a sum must not break ties.
            confidence: rounded(if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) }),
            spoken: answered.spoken,
        }
    }

    fn names_target(&self) -> bool {
        self.answer.is_some_and(|answer| answer.stem == Some(self.target))
    }

    /// Right stem and direction, or "no error" for a balanced mix.
    pub fn is_right(&self) -> bool {
        let Some(answer) = self.answer else { return false };
        match self.category.direction() {
            None => answer.verdict == Verdict::NoError,
            direction => self.names_target() && answer.verdict.direction() == direction,
        }
    }

    /// Right stem, opposite direction.
    pub fn is_wrong_direction(&self) -> bool {
        let answered = self.answer.and_then(|answer| answer.verdict.direction());
        match (self.category.direction(), answered) {
            (Some(truth), Some(answered)) => self.names_target() && answered != truth,
            _ => false,
        }
    }

    fn flags(&self) -> bool {
        self.answer.is_some_and(|answer| answer.verdict.direction().is_some())
    }

    fn band_is_right(&self) -> bool {
        let is_very = |verdict| Category::of_verdict(verdict).is_some_and(Category::is_very);
        self.answer.is_some_and(|answer| is_very(answer.verdict) == self.category.is_very())
    }
}

/// Whether an answer can be acted upon: with an error it names a target and a gain against its direction, without one
/// neither, and it is never an abstention.
pub fn is_well_formed(answer: &BestAnswer) -> bool {
    match answer.verdict.direction() {
        Some(direction) => {
            answer.stem.is_some_and(Stem::is_target)
                && answer
                    .gain_db
                    .is_some_and(|gain_db| gain_db.is_finite() && gain_db * direction.sign() < 0.0)
        }
        None => {
            matches!(answer.verdict, Verdict::NoError | Verdict::Silence)
                && answer.stem.is_none()
                && answer.gain_db.is_none()
        }
    }
}

/// Declares the figures once: field, name in JSON and documentation.
macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The scores of one answerer.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Figures {
            /// Samples that were scored.
            pub samples: usize,
            $($(#[$doc])* pub $name: Figure,)+
            /// Right stem and direction, by category.
            pub joint_by_category: [Figure; Category::COUNT],
            /// Right stem and direction, by target.
            pub joint_by_stem: [Figure; Stem::TARGET_COUNT],
            /// Right stem and direction, by direction of the flaw.
            pub joint_by_direction: [Figure; Direction::COUNT],
        }

        impl Figures {
            /// Name and value of each single figure.
            pub fn named(&self) -> Vec<(&'static str, Figure)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }

        #[derive(Clone, Copy, Debug, Default)]
        struct Values {
            $($name: Option<f64>,)+
            joint_by_category: [Option<f64>; Category::COUNT],
            joint_by_stem: [Option<f64>; Stem::TARGET_COUNT],
            joint_by_direction: [Option<f64>; Direction::COUNT],
        }

        fn with_intervals(samples: usize, plain: &Values, drawn: &[Values]) -> Figures {
            let figure = |get: &dyn Fn(&Values) -> Option<f64>| Figure {
                value: get(plain),
                ci95: percentiles(drawn.iter().filter_map(get).collect(), drawn.len()),
            };
            Figures {
                samples,
                $($name: figure(&|values: &Values| values.$name),)+
                joint_by_category: std::array::from_fn(|index| figure(&|values| values.joint_by_category[index])),
                joint_by_stem: std::array::from_fn(|index| figure(&|values| values.joint_by_stem[index])),
                joint_by_direction: std::array::from_fn(|index| {
                    figure(&|values| values.joint_by_direction[index])
                }),
            }
        }
    };
}

figures! {
    /// Right stem and right direction, or "no error" for a balanced mix.
    joint,
    /// The same, of the flawed samples alone.
    joint_of_flawed,
    /// Balanced mixes that were answered with "no error".
    balanced_left_alone,
    /// Flawed samples whose right stem is named in the opposite direction.
    wrong_direction,
    /// Mean distance in dB between the gain of the answer and the one that corrects the mix, where stem and direction
    /// are right.
    gain_mae_db,
    /// Largest share of samples, most confident first, whose running accuracy is at least 0.90.
    coverage_at_90,
    /// Share of samples on which the user gets an answer: the confidence reaches the threshold.
    spoken_on,
    /// Of these, those with the right stem and direction.
    joint_of_spoken,
    /// Expected calibration error over ten bins of confidence.
    ece,
    /// Answers that can be read and acted upon.
    parse_rate,
    /// Of the mixes called flawed, those that are.
    error_precision,
    /// Of the flawed mixes, those called flawed.
    error_recall,
    /// Where stem and direction are right: whether 3 to 6 dB and 6 to 12 dB are told apart.
    magnitude_band_right,
}

/// Scores answers, with intervals over songs. `Judged::song` must be smaller than the resamples' number of songs.
pub fn score(judged: &[Judged], resamples: &SongResamples) -> Figures {
    let mut sorted: Vec<&Judged> = judged.iter().collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let plain = values(&sorted, &resamples.plain());
    let drawn: Vec<Values> = resamples.draws().iter().map(|weights| values(&sorted, weights)).collect();
    with_intervals(judged.len(), &plain, &drawn)
}

/// Scores answers once per set of song weights, without intervals.
pub(crate) fn score_once<'a>(
    judged: &'a [Judged],
    weights: impl IntoIterator<Item = &'a Vec<f64>>,
) -> impl Iterator<Item = Figures> {
    let mut sorted: Vec<&Judged> = judged.iter().collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    weights.into_iter().map(move |weights| with_intervals(judged.len(), &values(&sorted, weights), &[]))
}

#[derive(Clone, Copy, Default)]
struct Ratio {
    part: f64,
    whole: f64,
}

impl Ratio {
    fn add(&mut self, weight: f64, part: f64) {
        self.part += weight * part;
        self.whole += weight;
    }

    fn value(self) -> Option<f64> {
        (self.whole > 0.0).then(|| self.part / self.whole)
    }
}

/// All figures at once, of samples sorted by falling confidence. Each song counts as often as it was drawn.
fn values(sorted: &[&Judged], weights: &[f64]) -> Values {
    let one = |condition: bool| f64::from(u8::from(condition));
    let [mut joint, mut balanced, mut wrong, mut gain, mut parsed] = [Ratio::default(); 5];
    let [mut precision, mut recall, mut band, mut of_flawed, mut spoken, mut of_spoken] =
        [Ratio::default(); 6];
    let mut by_category = [Ratio::default(); Category::COUNT];
    let mut by_stem = PerTarget::<Ratio>::default();
    let mut by_direction = PerDirection::<Ratio>::default();
    for sample in sorted {
        let weight = weights[sample.song];
        if weight == 0.0 {
            continue;
        }
        let right = sample.is_right();
        let flawed = sample.category != Category::NoError;
        joint.add(weight, one(right));
        parsed.add(weight, one(sample.answer.is_some()));
        by_category[sample.category.index()].add(weight, one(right));
        by_stem[sample.target].add(weight, one(right));
        spoken.add(weight, one(sample.spoken));
        if sample.spoken {
            of_spoken.add(weight, one(right));
        }
        if let Some(direction) = sample.category.direction() {
            by_direction[direction].add(weight, one(right));
        }
        if sample.flags() {
            precision.add(weight, one(flawed));
        }
        if flawed {
            of_flawed.add(weight, one(right));
            wrong.add(weight, one(sample.is_wrong_direction()));
            recall.add(weight, one(sample.flags()));
            if right {
                let correction_db = sample.answer.and_then(|answer| answer.gain_db).map_or(0.0, f64::from);
                gain.add(weight, (correction_db + sample.gain_db).abs());
                band.add(weight, one(sample.band_is_right()));
            }
        } else {
            balanced.add(weight, one(right));
        }
    }
    Values {
        joint: joint.value(),
        joint_of_flawed: of_flawed.value(),
        balanced_left_alone: balanced.value(),
        wrong_direction: wrong.value(),
        gain_mae_db: gain.value(),
        coverage_at_90: coverage_at(COVERAGE_ACCURACY, sorted, weights),
        spoken_on: spoken.value(),
        joint_of_spoken: of_spoken.value(),
        ece: calibration_error(sorted, weights),
        parse_rate: parsed.value(),
        error_precision: precision.value(),
        error_recall: recall.value(),
        magnitude_band_right: band.value(),
        joint_by_category: by_category.map(Ratio::value),
        joint_by_stem: Stem::TARGETS.map(|target| by_stem[target].value()),
        joint_by_direction: Direction::ALL.map(|direction| by_direction[direction].value()),
    }
}

/// Calls `visit` with the share of samples and the running accuracy after each group of equal confidence.
fn walk_coverage(sorted: &[&Judged], weights: &[f64], mut visit: impl FnMut(f64, f64, f64)) {
    let total: f64 = sorted.iter().map(|sample| weights[sample.song]).sum();
    let mut running = Ratio::default();
    for (index, sample) in sorted.iter().enumerate() {
        running.add(weights[sample.song], f64::from(u8::from(sample.is_right())));
        let tied = sorted.get(index + 1).is_some_and(|next| next.confidence == sample.confidence);
        if !tied && running.whole > 0.0 {
            visit(running.whole / total, running.part / running.whole, sample.confidence);
        }
    }
}

fn coverage_at(accuracy: f64, sorted: &[&Judged], weights: &[f64]) -> Option<f64> {
    let mut best = if sorted.is_empty() { None } else { Some(0.0) };
    walk_coverage(sorted, weights, |coverage, running, _| {
        if running >= accuracy - 1e-12 {
            best = Some(coverage);
        }
    });
    best
}

/// A point of the accuracy-coverage curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// Share of samples that are answered.
    pub coverage: f64,
    /// Accuracy among them.
    pub accuracy: f64,
    /// Lowest confidence among them.
    pub confidence: f64,
}

/// Accuracy against coverage, most confident first, samples of equal confidence entering together.
pub fn coverage_curve(judged: &[Judged]) -> Vec<CoveragePoint> {
    let mut sorted: Vec<&Judged> = judged.iter().collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let songs = judged.iter().map(|sample| sample.song + 1).max().unwrap_or(0);
    let mut points = Vec::new();
    walk_coverage(&sorted, &vec![1.0; songs], |coverage, accuracy, confidence| {
        points.push(CoveragePoint { coverage, accuracy, confidence });
    });
    let step = points.len().div_ceil(CURVE_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(index, _)| index % step == 0 || *index == last)
        .map(|(_, p)| p)
        .collect()
}

/// One bin of the calibration diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Samples in the bin.
    pub samples: f64,
    /// Their mean confidence.
    pub confidence: f64,
    /// Their accuracy.
    pub accuracy: f64,
}

/// Confidence against accuracy in ten equal bins of confidence.
pub fn calibration_bins(judged: &[Judged]) -> [CalibrationBin; CALIBRATION_BINS] {
    let sorted: Vec<&Judged> = judged.iter().collect();
    let songs = judged.iter().map(|sample| sample.song + 1).max().unwrap_or(0);
    weighted_bins(&sorted, &vec![1.0; songs])
}

fn weighted_bins(judged: &[&Judged], weights: &[f64]) -> [CalibrationBin; CALIBRATION_BINS] {
    let mut bins = [CalibrationBin::default(); CALIBRATION_BINS];
    for sample in judged {
        let index = ((sample.confidence * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1);
        let weight = weights[sample.song];
        bins[index].samples += weight;
        bins[index].confidence += weight * sample.confidence;
        bins[index].accuracy += weight * f64::from(u8::from(sample.is_right()));
    }
    for bin in bins.iter_mut().filter(|bin| bin.samples > 0.0) {
        bin.confidence /= bin.samples;
        bin.accuracy /= bin.samples;
    }
    bins
}

fn calibration_error(judged: &[&Judged], weights: &[f64]) -> Option<f64> {
    let bins = weighted_bins(judged, weights);
    let total: f64 = bins.iter().map(|bin| bin.samples).sum();
    (total > 0.0).then(|| {
        bins.iter().map(|bin| bin.samples * (bin.confidence - bin.accuracy).abs()).sum::<f64>() / total
    })
}
