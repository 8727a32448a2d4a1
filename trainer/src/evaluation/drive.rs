//! Asks the advisor and the controls every question of the benchmark.
//!
//! One song's sound is in memory at a time. Its analyses are kept until the next song is done, for the control with
//! shuffled sound.

use super::advisor::{Advisor, Answered, Progress, Question, Settings};
use super::bootstrap::SongResamples;
use super::judges::{NormsSource, RuleJudge, mean_of_others};
use super::meter::{MeterError, mean_error, meter_figures};
use super::report::{Controls, LeftOut, Report};
use super::score::{Judged, calibration_bins, coverage_curve, score};
use crate::oracle::Posterior;
use crate::protocol::{
    Flaw, GatedWindow, Protocol, Sample, SongAudio, gated_windows, missing_stem, plan_window, shuffled_mixes,
};
use anyhow::{Result, bail};
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};

/// Runs the benchmark on `songs`, which are taken one at a time. `progress` may stop it with an error.
pub fn evaluate<A: Advisor>(
    songs: impl IntoIterator<Item = Result<SongAudio>>,
    advisor: &mut A,
    settings: &Settings,
    norms: &NormsSource,
    progress: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<Report> {
    let mut run = Run::new(advisor, settings, norms, progress);
    let mut first: Option<SongAnalysis<A::Analysis>> = None;
    let mut before: Option<SongAnalysis<A::Analysis>> = None;
    for song in songs {
        let Some(analysis) = run.analyze_song(&song?)? else { continue };
        match (&before, &first) {
            (Some(other), _) | (None, Some(other)) => run.ask_about_song(&analysis, Some(other))?,
            // The first song is asked about last, when there is another to shuffle its sound with.
            (None, None) => {
                first = Some(analysis);
                continue;
            }
        }
        before = Some(analysis);
    }
    match &first {
        Some(first) => run.ask_about_song(first, before.as_ref())?,
        None => bail!("no song has a window in which all four stems play: nothing to evaluate"),
    }
    Ok(run.into_report())
}

/// The analyses of one song. `A` is the advisor's [`Advisor::Analysis`].
struct SongAnalysis<A> {
    number: usize,
    name: String,
    windows: Vec<WindowAnalysis<A>>,
    /// Measured stem-minus-rest levels of each window, unflawed.
    measured_db: Vec<PerStem<f64>>,
    /// True stem-minus-rest levels of each window, unflawed.
    true_db: Vec<PerStem<f64>>,
}

struct WindowAnalysis<A> {
    mixes: Vec<MixAnalysis<A>>,
    samples: Vec<Sample>,
}

struct MixAnalysis<A> {
    analysis: A,
    levels_dbfs: PerStem<f64>,
    metered_db: PerStem<f64>,
}

#[derive(Default)]
struct Answers {
    model: Vec<Judged>,
    no_audio: Vec<Judged>,
    shuffled_audio: Vec<Judged>,
    always_no_error: Vec<Judged>,
    bound: Vec<Judged>,
    exact_levels: Vec<Judged>,
}

/// The meter's levels of a window's mixes and of their reference, and the window's samples: the rule behind the meter
/// judges when every song's error is known.
struct MeteredWindow {
    song: usize,
    mixes_db: Vec<PerStem<f64>>,
    reference_db: Option<PerStem<f64>>,
    samples: Vec<Sample>,
}

struct Run<'a, A: Advisor> {
    advisor: &'a mut A,
    settings: &'a Settings,
    norms: &'a NormsSource,
    progress: &'a mut dyn FnMut(&Progress) -> Result<()>,
    bound: RuleJudge,
    meter_rule: RuleJudge,
    answers: Answers,
    metered: Vec<MeteredWindow>,
    meter_errors: Vec<MeterError>,
    unflawed_meter_errors: Vec<MeterError>,
    left_out: Vec<LeftOut>,
    songs: usize,
    eligible: usize,
    windows: usize,
    songs_done: usize,
}

const NO_ERROR: BestAnswer = BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None };

impl<'a, A: Advisor> Run<'a, A> {
    fn new(
        advisor: &'a mut A,
        settings: &'a Settings,
        norms: &'a NormsSource,
        progress: &'a mut dyn FnMut(&Progress) -> Result<()>,
    ) -> Self {
        let meter_sd_db = advisor.meter_sd_db();
        Run {
            bound: RuleJudge::new(settings.protocol, norms, [0.0; Stem::TARGET_COUNT]),
            meter_rule: RuleJudge::new(settings.protocol, norms, meter_sd_db),
            advisor,
            settings,
            norms,
            progress,
            answers: Answers::default(),
            metered: Vec::new(),
            meter_errors: Vec::new(),
            unflawed_meter_errors: Vec::new(),
            left_out: Vec::new(),
            songs: 0,
            eligible: 0,
            windows: 0,
            songs_done: 0,
        }
    }

    /// Analyzes all distinct mixes of a song's windows; none where the song is left out.
    fn analyze_song(&mut self, song: &SongAudio) -> Result<Option<SongAnalysis<A::Analysis>>> {
        self.songs += 1;
        let windows = gated_windows(song);
        let fewest = self.settings.protocol.fewest_windows();
        if windows.len() < fewest {
            let reason = match missing_stem(song) {
                Some(stem) => format!("it has no {stem}"),
                None if windows.is_empty() => "in no window do all four stems play".to_string(),
                None => "a single window leaves none to take the reference from".to_string(),
            };
            self.left_out.push(LeftOut { song: song.name.clone(), reason });
            return Ok(None);
        }
        let mut analysis = SongAnalysis {
            number: self.eligible,
            name: song.name.clone(),
            windows: Vec::new(),
            measured_db: Vec::new(),
            true_db: Vec::new(),
        };
        self.eligible += 1;
        for window in &windows {
            let window_analysis = self.analyze_window(&song.name, analysis.number, window)?;
            let unflawed = &window_analysis.mixes[0];
            analysis.measured_db.push(unflawed.metered_db);
            analysis.true_db.push(all_rest_levels_from_levels(&unflawed.levels_dbfs));
            analysis.windows.push(window_analysis);
            self.windows += 1;
            self.report_progress(&song.name)?;
        }
        Ok(Some(analysis))
    }

    fn analyze_window(
        &mut self,
        song: &str,
        number: usize,
        window: &GatedWindow,
    ) -> Result<WindowAnalysis<A::Analysis>> {
        let (flaws, samples) = plan_window(self.settings.protocol, self.settings.seed, song, window.index);
        let mut mixes = Vec::with_capacity(flaws.len());
        for (index, flaw) in flaws.into_iter().enumerate() {
            let mix = self.analyze_mix(window, flaw)?;
            let truth = all_rest_levels_from_levels(&mix.levels_dbfs);
            let error = MeterError {
                song: number,
                error_db: PerStem::from_fn(|stem| mix.metered_db[stem] - truth[stem]),
            };
            self.meter_errors.push(error);
            if index == 0 {
                self.unflawed_meter_errors.push(error);
            }
            mixes.push(mix);
        }
        Ok(WindowAnalysis { mixes, samples })
    }

    fn analyze_mix(&mut self, window: &GatedWindow, flaw: Flaw) -> Result<MixAnalysis<A::Analysis>> {
        let analysis = self.advisor.analyze(&window.mix(flaw))?;
        let metered_db = self.advisor.meter_db(&analysis);
        Ok(MixAnalysis { analysis, levels_dbfs: window.flawed_levels_dbfs(flaw), metered_db })
    }

    /// Asks every question about a song; `other` is the song whose sound the shuffled control takes.
    fn ask_about_song(
        &mut self,
        song: &SongAnalysis<A::Analysis>,
        other: Option<&SongAnalysis<A::Analysis>>,
    ) -> Result<()> {
        for (index, window) in song.windows.iter().enumerate() {
            let (measured, exact) = match self.settings.protocol {
                Protocol::Anchor => (None, None),
                Protocol::Reference => {
                    (mean_of_others(&song.measured_db, index), mean_of_others(&song.true_db, index))
                }
            };
            let shuffled = other.map(|other| &other.windows[index % other.windows.len()]);
            self.ask_about_window(song.number, window, shuffled, measured, exact)?;
            self.report_progress(&song.name)?;
        }
        self.songs_done += 1;
        self.report_progress(&song.name)
    }

    fn ask_about_window(
        &mut self,
        song: usize,
        window: &WindowAnalysis<A::Analysis>,
        shuffled: Option<&WindowAnalysis<A::Analysis>>,
        reference_db: Option<PerStem<f64>>,
        exact_reference_db: Option<PerStem<f64>>,
    ) -> Result<()> {
        let by_bound: Vec<_> = (window.mixes.iter())
            .map(|mix| {
                self.bound
                    .judge(&mix.levels_dbfs, exact_reference_db.map(|levels| levels.targets().into_array()))
            })
            .collect();
        self.metered.push(MeteredWindow {
            song,
            mixes_db: window.mixes.iter().map(|mix| mix.metered_db).collect(),
            reference_db,
            samples: window.samples.clone(),
        });
        let (mut to_mix, mut to_shuffled) = (AnswerCache::default(), AnswerCache::default());
        let (mut to_prompt, mut to_levels) = (AnswerCache::default(), AnswerCache::default());
        let mixes_of_others = shuffled_mixes(self.settings.seed, &window.samples);
        for (sample, other_mix) in window.samples.iter().zip(mixes_of_others) {
            let question = Question { anchor: sample.anchor, reference_db };
            let (mix, anchor) = (sample.mix, sample.anchor);
            let answered =
                to_mix.get(mix, anchor, || self.advisor.answer(&window.mixes[mix].analysis, &question))?;
            self.answers.model.push(judged(song, sample, answered));
            if let Some(other) = shuffled {
                let analysis = &other.mixes[other_mix].analysis;
                let answered =
                    to_shuffled.get(other_mix, anchor, || self.advisor.answer(analysis, &question))?;
                self.answers.shuffled_audio.push(judged(song, sample, answered));
            }
            let answered = to_prompt.get(0, anchor, || self.advisor.answer_without_audio(&question))?;
            self.answers.no_audio.push(judged(song, sample, answered));
            let exact = Question { anchor, reference_db: exact_reference_db };
            let answered = to_levels.get(mix, anchor, || {
                let levels = all_rest_levels_from_levels(&window.mixes[mix].levels_dbfs);
                self.advisor.answer_levels(&levels, &exact)
            })?;
            self.answers.exact_levels.push(judged(song, sample, answered));
            let no_error = Answered { best: Some(NO_ERROR), confidence: 1.0 };
            self.answers.always_no_error.push(judged(song, sample, no_error));
            let bound = answer_of_rule(by_bound[mix].posterior(anchor));
            self.answers.bound.push(judged(song, sample, bound));
        }
        Ok(())
    }

    /// The answers of the rule behind the meter, with `bias_db(song)` subtracted from the meter's levels.
    fn judge_by_meter(&self, bias_db: impl Fn(usize) -> PerStem<f64>) -> Vec<Judged> {
        let mut judgements = Vec::new();
        for window in &self.metered {
            let bias = bias_db(window.song);
            let corrected = |levels: &PerStem<f64>| PerStem::from_fn(|stem| levels[stem] - bias[stem]);
            let reference = window.reference_db.as_ref().map(corrected);
            let by_rule: Vec<_> = (window.mixes_db.iter())
                .map(|levels| self.meter_rule.judge_meter(&corrected(levels), reference.as_ref()))
                .collect();
            judgements.extend(window.samples.iter().map(|sample| {
                let answered = answer_of_rule(by_rule[sample.mix].posterior(sample.anchor));
                judged(window.song, sample, answered)
            }));
        }
        judgements
    }

    fn report_progress(&mut self, song: &str) -> Result<()> {
        (self.progress)(&Progress {
            song: song.to_string(),
            songs_done: self.songs_done,
            windows_analyzed: self.windows,
            samples_answered: self.answers.model.len(),
        })
    }

    fn into_report(self) -> Report {
        let resamples = SongResamples::new(self.eligible, self.settings.resamples, self.settings.seed);
        let by_meter = self.judge_by_meter(|_| PerStem::default());
        // What a bias shared by all songs costs: the bias of each song is the mean error on all others.
        let biases: Option<Vec<_>> =
            (0..self.eligible).map(|song| mean_error(&self.meter_errors, song)).collect();
        let unbiased = biases.map(|biases| self.judge_by_meter(|song| biases[song]));
        let answers = &self.answers;
        let scored = |judged: &[Judged]| score(judged, &resamples);
        let model = scored(&answers.model);
        let bound = scored(&answers.bound);
        Report {
            protocol: self.settings.protocol,
            seed: self.settings.seed,
            resamples: self.settings.resamples,
            norms: self.norms.name().to_string(),
            songs: self.songs,
            eligible_songs: self.eligible,
            windows: self.windows,
            left_out: self.left_out,
            joint_over_bound: super::report::joint_over_bound(&answers.model, &answers.bound, &resamples),
            model,
            controls: Controls {
                no_audio: scored(&answers.no_audio),
                shuffled_audio: (!answers.shuffled_audio.is_empty()).then(|| scored(&answers.shuffled_audio)),
                always_no_error: scored(&answers.always_no_error),
                bound,
                exact_levels: scored(&answers.exact_levels),
                meter_rule: scored(&by_meter),
                unbiased_meter_rule: unbiased.map(|judged| scored(&judged)),
            },
            meter: meter_figures(&self.meter_errors, &resamples),
            unflawed_meter: meter_figures(&self.unflawed_meter_errors, &resamples),
            coverage: coverage_curve(&answers.model),
            calibration: calibration_bins(&answers.model),
        }
    }
}

fn judged(song: usize, sample: &Sample, answered: Answered) -> Judged {
    Judged::new(song, sample, answered.best, answered.confidence)
}

fn answer_of_rule(posterior: Option<Posterior>) -> Answered {
    posterior.map_or(Answered { best: None, confidence: 0.0 }, |posterior| {
        let answer = posterior.answer();
        Answered { best: Some(answer.to_best()), confidence: answer.probability }
    })
}

/// Answers about one window, each computed once: the target is not in the prompt, so samples share them.
#[derive(Default)]
struct AnswerCache(Vec<((usize, Option<Stem>), Answered)>);

impl AnswerCache {
    fn get(
        &mut self,
        mix: usize,
        anchor: Option<Stem>,
        ask: impl FnOnce() -> Result<Answered>,
    ) -> Result<Answered> {
        if let Some((_, answered)) = self.0.iter().find(|(key, _)| *key == (mix, anchor)) {
            return Ok(*answered);
        }
        let answered = ask()?;
        self.0.push(((mix, anchor), answered));
        Ok(answered)
    }
}
