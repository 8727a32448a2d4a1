//! From records to the report: nothing is measured or asked here.

use super::advisor::{Answered, Settings};
use super::asking::needs_other_song;
use super::baselines::ridge;
use super::bootstrap::SongResamples;
use super::confusion::Confusion;
use super::conventions::conventions;
use super::judges::{NormsSource, RuleJudge, mean_balance};
use super::meter::{MeterError, mean_error, meter_figures};
use super::records::{SongRecord, WindowRecord};
use super::report::{AnsweredWindow, Controls, LeftOut, Report, joint_over_bound};
use super::score::{Judged, calibration_bins, coverage_curve, score};
use super::separating::separator;
use crate::oracle::Posterior;
use crate::protocol::{Flaw, Protocol, Sample, shuffled_within_anchors};
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::PerStem;

const NO_ERROR: BestAnswer = BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None };

/// A window of a song that was used, with what follows from the seed.
pub(crate) struct PlannedWindow<'a> {
    /// Number of the song among those that were used.
    pub song: usize,
    pub record: &'a WindowRecord,
    pub flaws: Vec<Flaw>,
    pub samples: Vec<Sample>,
    /// The other windows of the song.
    pub others: Vec<&'a WindowRecord>,
}

/// All windows of all songs that were used, in order.
pub(crate) fn planned<'a>(records: &'a [SongRecord], settings: &Settings) -> Vec<PlannedWindow<'a>> {
    let used = records.iter().filter(|record| record.left_out.is_none()).enumerate();
    used.flat_map(|(song, record)| {
        record.windows.iter().enumerate().map(move |(at, window)| {
            let (flaws, samples) = window.plan(settings.protocol, settings.seed, &record.song);
            let others = record.windows.iter().enumerate().filter(|(index, _)| *index != at);
            PlannedWindow {
                song,
                record: window,
                flaws,
                samples,
                others: others.map(|(_, other)| other).collect(),
            }
        })
    })
    .collect()
}

impl PlannedWindow<'_> {
    pub(super) fn judged(&self, mut answer: impl FnMut(usize, &Sample) -> Answered) -> Vec<Judged> {
        let samples = self.samples.iter().enumerate();
        samples.map(|(at, sample)| Judged::new(self.song, sample, &answer(at, sample))).collect()
    }

    fn mean_of_others(&self, levels: impl Fn(&WindowRecord) -> PerStem<f64>) -> Option<PerStem<f64>> {
        mean_balance(&self.others.iter().map(|other| levels(other)).collect::<Vec<_>>())
    }

    /// The answers of a rule behind a meter: `metered_db` are the levels of the window's mixes, `unflawed` gives those of another
    /// window without a flaw.
    pub(super) fn judged_by_meter(
        &self,
        rule: &RuleJudge,
        metered_db: &[PerStem<f64>],
        protocol: Protocol,
        unflawed: impl Fn(&WindowRecord) -> PerStem<f64>,
    ) -> Vec<Judged> {
        let reference = (protocol == Protocol::Reference).then(|| self.mean_of_others(unflawed)).flatten();
        let rules: Vec<_> =
            metered_db.iter().map(|levels| rule.judge_meter(levels, reference.as_ref())).collect();
        self.judged(|_, sample| answer_of_rule(rules[sample.mix].posterior(sample.anchor)))
    }

    /// Measured minus true level of each mix.
    fn meter_errors(&self) -> impl Iterator<Item = MeterError> + '_ {
        self.flaws.iter().zip(&self.record.metered_db).map(|(flaw, metered)| {
            let truth = all_rest_levels_from_levels(&self.record.flawed_dbfs(*flaw));
            MeterError { song: self.song, error_db: PerStem::from_fn(|stem| metered[stem] - truth[stem]) }
        })
    }
}

/// The samples of a window with the answers to the sound of the song before it (of the last one, for the first), to the same
/// question, in a seeded random order: in the order of the plan, the other song would have the same flaw, and so the right
/// answer.
fn with_other_sound(
    window: &PlannedWindow<'_>,
    all: &[PlannedWindow<'_>],
    songs: usize,
    settings: &Settings,
) -> Vec<Judged> {
    let of_song = |song: usize| all.iter().filter(move |other| other.song == song);
    let before = (window.song + songs - 1) % songs;
    let at = of_song(window.song).take_while(|other| other.record.index != window.record.index).count();
    let Some(other) = of_song(before).nth(at % of_song(before).count().max(1)) else { return Vec::new() };
    let order = shuffled_within_anchors(settings.seed, &window.samples);
    window.judged(|at, _| {
        let sample = &other.samples[order[at]];
        other.record.model.get(sample.mix, sample.anchor).cloned().unwrap_or_default()
    })
}

/// The report of an evaluation.
pub(crate) fn report_of(
    advisor: String,
    records: &[SongRecord],
    settings: &Settings,
    norms: &NormsSource,
    meter_sd_db: Balance,
) -> Report {
    let windows = planned(records, settings);
    let eligible = records.iter().filter(|record| record.left_out.is_none()).count();
    let resamples = SongResamples::new(eligible, settings.resamples, settings.seed);
    let by_reference = settings.protocol == Protocol::Reference;
    let all = |answer: &dyn Fn(&PlannedWindow<'_>) -> Vec<Judged>| -> Vec<Judged> {
        windows.iter().flat_map(answer).collect()
    };
    let known = |answered: Option<&Answered>| answered.cloned().unwrap_or_default();

    let answers: Vec<AnsweredWindow> = (windows.iter())
        .map(|window| AnsweredWindow {
            song: window.samples.first().map_or(String::new(), |sample| sample.song.clone()),
            window: window.record.index,
            samples: window.judged(|_, sample| known(window.record.model.get(sample.mix, sample.anchor))),
        })
        .collect();
    let model: Vec<Judged> = answers.iter().flat_map(|window| window.samples.iter().cloned()).collect();
    let exact_levels = all(&|window| {
        window.judged(|_, sample| known(window.record.exact_levels.get(sample.mix, sample.anchor)))
    });
    let no_audio =
        all(&|window| window.judged(|_, sample| known(window.record.no_audio.get(0, sample.anchor))));
    let shuffled = match settings.protocol {
        protocol if needs_other_song(protocol) => all(&|window| match &window.record.shuffled_audio {
            Some(answers) => window.judged(|at, _| known(answers.get(at))),
            None => Vec::new(),
        }),
        _ if eligible < 2 => Vec::new(),
        _ => {
            windows.iter().flat_map(|window| with_other_sound(window, &windows, eligible, settings)).collect()
        }
    };
    let always_no_error = all(&|window| window.judged(|_, _| certain(NO_ERROR)));

    let bound = RuleJudge::new(settings.protocol, norms, Balance::default());
    let by_bound = all(&|window| {
        let reference = by_reference.then(|| window.mean_of_others(WindowRecord::true_db)).flatten();
        let reference = reference.map(|levels| levels.targets().into_array());
        let flaws = window.flaws.iter();
        let rules: Vec<_> =
            flaws.map(|flaw| bound.judge(&window.record.flawed_dbfs(*flaw), reference)).collect();
        window.judged(|_, sample| answer_of_rule(rules[sample.mix].posterior(sample.anchor)))
    });

    let meter_rule = RuleJudge::new(settings.protocol, norms, meter_sd_db);
    let by_meter = |bias_db: &dyn Fn(usize) -> PerStem<f64>| {
        all(&|window| {
            let bias = bias_db(window.song);
            let corrected = |levels: &PerStem<f64>| PerStem::from_fn(|stem| levels[stem] - bias[stem]);
            let metered: Vec<_> = window.record.metered_db.iter().map(corrected).collect();
            let unflawed = |other: &WindowRecord| corrected(&other.metered_db[0]);
            window.judged_by_meter(&meter_rule, &metered, settings.protocol, unflawed)
        })
    };
    let meter_errors: Vec<MeterError> = windows.iter().flat_map(PlannedWindow::meter_errors).collect();
    let unflawed_errors: Vec<MeterError> =
        windows.iter().filter_map(|window| window.meter_errors().next()).collect();
    // What a bias shared by all songs costs: the bias of each song is the mean error on all others.
    let biases: Option<Vec<_>> = (0..eligible).map(|song| mean_error(&meter_errors, song)).collect();
    let unbiased = biases.map(|biases| by_meter(&|song| biases[song]));
    let meter_rule = by_meter(&|_| PerStem::default());

    let left_out = |record: &SongRecord| {
        let reason = record.left_out.clone()?;
        Some(LeftOut { song: record.song.clone(), reason })
    };
    let scored = |judged: &[Judged]| score(judged, &resamples);
    Report {
        advisor,
        protocol: settings.protocol,
        seed: settings.seed,
        resamples: settings.resamples,
        norms: norms.name().to_string(),
        songs: records.len(),
        eligible_songs: eligible,
        windows: windows.len(),
        left_out: records.iter().filter_map(left_out).collect(),
        joint_over_bound: joint_over_bound(&model, &by_bound, &resamples),
        model: scored(&model),
        controls: Controls {
            no_audio: scored(&no_audio),
            shuffled_audio: (!shuffled.is_empty()).then(|| scored(&shuffled)),
            always_no_error: scored(&always_no_error),
            bound: scored(&by_bound),
            exact_levels: scored(&exact_levels),
            meter_rule: scored(&meter_rule),
            unbiased_meter_rule: unbiased.map(|judged| scored(&judged)),
            separator: separator(&windows, eligible, settings.protocol, norms).map(|judged| scored(&judged)),
            ridge: ridge(&windows, eligible, settings.protocol, norms).map(|judged| scored(&judged)),
        },
        meter: meter_figures(&meter_errors, &resamples),
        unflawed_meter: meter_figures(&unflawed_errors, &resamples),
        coverage: coverage_curve(&model),
        calibration: calibration_bins(&model),
        confusion: Confusion::of(&model),
        conventions: conventions(&windows, norms, settings.vocals, &resamples),
        answers,
    }
}

fn certain(best: BestAnswer) -> Answered {
    Answered { best: Some(best), confidence: 1.0, spoken: true, text: String::new() }
}

pub(super) fn answer_of_rule(posterior: Option<Posterior>) -> Answered {
    posterior.map_or_else(Answered::default, |posterior| {
        let answer = posterior.answer();
        Answered {
            best: Some(answer.to_best()),
            confidence: answer.probability,
            spoken: true,
            text: String::new(),
        }
    })
}
