//! An advisor whose answers are known, and songs in memory that it measures exactly.

#![allow(dead_code, reason = "each test file uses its part")]

use anyhow::Result;
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::all_rest_levels_from_levels;
use mixing_buddy_core::stem::{PerStem, Stem};
use mixing_buddy_trainer::evaluation::{Advisor, Answered, Question, SongSource};
use mixing_buddy_trainer::oracle::{AllowedStems, BalanceDensity, Rule};
use mixing_buddy_trainer::protocol::SongAudio;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const RATE_HZ: u32 = 1600;

/// A song whose stems are sines of frequencies that can be told apart exactly, at these levels (dBFS RMS).
pub fn song(name: &str, windows: usize, levels_dbfs: [f64; 4]) -> SongAudio {
    let stems = PerStem::from_fn(|stem| {
        let cycles_per_second = [100.0, 180.0, 260.0, 340.0][stem.index()];
        let peak = 10_f64.powf(levels_dbfs[stem.index()] / 20.0) * 2.0_f64.sqrt();
        let wave: Vec<f32> = (0..windows * 10 * RATE_HZ as usize)
            .map(|n| {
                let phase = std::f64::consts::TAU * cycles_per_second * n as f64 / f64::from(RATE_HZ);
                (peak * phase.sin()) as f32
            })
            .collect();
        Some(StereoPcm { left: wave.clone(), right: wave, sample_rate_hz: RATE_HZ })
    });
    SongAudio { name: name.to_string(), stems }
}

/// Measures each sine exactly, and answers by the rule: by the reference, or by a balance that it knows to be right.
pub struct Oracle {
    analyzed: AtomicUsize,
    asked: AtomicUsize,
    pub truth: Balance,
    /// Error of its meter's level of vocals; its answers do not use it.
    pub bias_db: f64,
}

impl Oracle {
    pub fn new(truth: Balance, bias_db: f64) -> Self {
        Oracle { analyzed: AtomicUsize::new(0), asked: AtomicUsize::new(0), truth, bias_db }
    }

    pub fn analyzed(&self) -> usize {
        self.analyzed.load(Ordering::Relaxed)
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn mean(levels: &[&PerStem<f64>]) -> PerStem<f64> {
    PerStem::from_fn(|stem| levels.iter().map(|l| l[stem]).sum::<f64>() / levels.len() as f64)
}

impl Advisor for Oracle {
    type Analysis = PerStem<f64>;
    type Reference = PerStem<f64>;

    fn analyze(&self, mix: &StereoPcm) -> Result<PerStem<f64>> {
        self.analyzed.fetch_add(1, Ordering::Relaxed);
        Ok(PerStem::from_array([100.0, 180.0, 260.0, 340.0].map(|frequency| {
            let (mut real, mut imaginary) = (0.0, 0.0);
            for (n, sample) in mix.left.iter().enumerate() {
                let phase = std::f64::consts::TAU * frequency * n as f64 / f64::from(mix.sample_rate_hz);
                real += f64::from(*sample) * phase.cos();
                imaginary += f64::from(*sample) * phase.sin();
            }
            10.0 * (real * real + imaginary * imaginary).log10()
        })))
    }

    fn meter_db(&self, analysis: &PerStem<f64>) -> PerStem<f64> {
        let mut levels = all_rest_levels_from_levels(analysis);
        levels.vocals += self.bias_db;
        levels
    }

    fn pool(&self, windows: &[&PerStem<f64>]) -> Result<PerStem<f64>> {
        Ok(mean(windows))
    }

    fn reference_of(&self, windows: &[&PerStem<f64>]) -> PerStem<f64> {
        let levels: Vec<_> = windows.iter().map(|levels| all_rest_levels_from_levels(levels)).collect();
        self.reference_of_levels(&levels)
    }

    fn reference_of_levels(&self, rest_levels_db: &[PerStem<f64>]) -> PerStem<f64> {
        mean(&rest_levels_db.iter().collect::<Vec<_>>())
    }

    fn answer(&self, analysis: &PerStem<f64>, question: Question<'_, PerStem<f64>>) -> Result<Answered> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let right = question.reference.map_or(self.truth, |levels| levels.targets().into_array());
        let rule = Rule::new(BalanceDensity::reference(right, [0.3; Stem::TARGET_COUNT]));
        let answer = rule.posterior(analysis, AllowedStems::without(question.anchor)).answer();
        let (best, confidence) = (Some(answer.to_best()), answer.probability);
        Ok(Answered { best, confidence, spoken: confidence > 0.5, text: "Some words.".into() })
    }

    fn answer_without_audio(&self, _: Question<'_, PerStem<f64>>) -> Result<Answered> {
        let best = BestAnswer { verdict: Verdict::Quiet, stem: Some(Stem::Vocals), gain_db: Some(5.0) };
        Ok(Answered { best: Some(best), confidence: 0.4, ..Answered::default() })
    }

    fn answer_levels(
        &self,
        rest_levels_db: &PerStem<f64>,
        question: Question<'_, PerStem<f64>>,
    ) -> Result<Answered> {
        let levels = rest_levels_db.map(|level| -10.0 * (1.0 + 10_f64.powf(-level / 10.0)).log10());
        self.answer(&levels, question)
    }

    fn meter_sd_db(&self) -> Balance {
        [0.0; Stem::TARGET_COUNT]
    }
}

pub fn in_memory(songs: Vec<SongAudio>) -> Vec<SongSource<'static>> {
    songs.into_iter().map(SongSource::in_memory).collect()
}
