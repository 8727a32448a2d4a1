//! The model that ships, as the benchmark asks it.

use super::advisor::{Advisor, Answered, Question};
use crate::protocol::{Flaw, GatedWindow};
use anyhow::{Context, Result};
use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::{BandPower, FeatureExtractor};
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::{Advice, Analysis, CancelFlag, Engine, PerStem, Request, Stem, Verdict};

/// Level that is reported for an absent stem, in dB against the rest.
const ABSENT_LEVEL_DB: f64 = -40.0;

/// An engine under test.
pub struct EngineAdvisor {
    engine: Engine,
    cancel: CancelFlag,
}

impl EngineAdvisor {
    /// Tests `engine`; `cancel` stops it.
    pub fn new(engine: Engine, cancel: CancelFlag) -> Self {
        EngineAdvisor { engine, cancel }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The advice to a question.
    ///
    /// # Errors
    /// When cancelled or the model fails.
    pub fn advice(
        &self,
        analysis: &Analysis,
        question: Question<'_, Option<ReferenceBalance>>,
    ) -> Result<Advice> {
        let request = Request {
            question: DEFAULT_QUESTION.into(),
            anchor: question.anchor,
            reference: question.reference.copied().flatten(),
            ..Request::default()
        };
        Ok(self.engine.answer(analysis, &request, &self.cancel)?)
    }

    fn ask(&self, analysis: &Analysis, question: Question<'_, Option<ReferenceBalance>>) -> Result<Answered> {
        let advice = self.advice(analysis, question)?;
        Ok(Answered {
            best: Some(advice.best),
            confidence: f64::from(advice.confidence),
            spoken: advice.verdict != Verdict::Abstain,
            text: advice.text,
        })
    }
}

impl Advisor for EngineAdvisor {
    type Analysis = Analysis;
    type Reference = Option<ReferenceBalance>;

    fn name(&self) -> String {
        let info = self.engine.info();
        let ears = format!("{} {}", info.name, info.version);
        match self.engine.large() {
            None => ears,
            Some(large) => format!("{} {} behind {ears}", large.base_name(), large.about().version),
        }
    }

    fn analyze(&self, mix: &StereoPcm) -> Result<Analysis> {
        Ok(self.engine.analyze(mix, &self.cancel)?)
    }

    /// The band power of a stem at gain `g` in the rest is `|R + gS|² = |R|² + g²|S|² + g·2Re(R*S)`. The last term follows
    /// from the unflawed mix, so that seven transforms serve all mixes of a window. A separator's shares do not follow: a
    /// model with one gets every mix as sound.
    fn analyze_flawed(&self, window: &GatedWindow<'_>, flaws: &[Flaw]) -> Result<Vec<Analysis>> {
        let features = &self.engine.info().features;
        if window.sample_rate_hz() != features.sample_rate_hz || self.engine.separator().is_some() {
            return flaws.iter().map(|flaw| self.analyze(&window.mix(*flaw))).collect();
        }
        let mut extractor = FeatureExtractor::new(features);
        let mut power_of = |pcm: &StereoPcm| extractor.band_power(&pcm.left, &pcm.right);
        let whole = power_of(&window.mix(Flaw::NONE))?;
        let mut parts: PerStem<Option<(BandPower, BandPower)>> = PerStem::default();
        for flaw in flaws.iter().filter(|flaw| **flaw != Flaw::NONE) {
            if parts[flaw.stem].is_none() {
                let rest = window.mix(Flaw { stem: flaw.stem, gain_db: f64::NEG_INFINITY });
                parts[flaw.stem] = Some((power_of(&window.stem(flaw.stem))?, power_of(&rest)?));
            }
        }
        let power_with = |flaw: &Flaw| -> Result<BandPower> {
            if *flaw == Flaw::NONE {
                return Ok(whole.clone());
            }
            let (stem, rest) = parts[flaw.stem].as_ref().context("a part for each flaw")?;
            let gain = 10_f32.powf(flaw.gain_db as f32 / 20.0);
            let sum = |whole: &[f32], stem: &[f32], rest: &[f32]| {
                let cells = whole.iter().zip(stem).zip(rest);
                cells.map(|((w, s), r)| (r + gain * gain * s + gain * (w - s - r)).max(0.0)).collect()
            };
            Ok(BandPower {
                frames: whole.frames,
                bands: whole.bands,
                mid: sum(&whole.mid, &stem.mid, &rest.mid),
                side: sum(&whole.side, &stem.side, &rest.side),
                shares: Vec::new(),
            })
        };
        flaws.iter().map(|flaw| Ok(self.engine.analyze_power(&power_with(flaw)?, &self.cancel)?)).collect()
    }

    fn pool(&self, windows: &[&Analysis]) -> Result<Analysis> {
        let windows: Vec<Analysis> = windows.iter().map(|window| (*window).clone()).collect();
        self.engine.pool(&windows).context("a song without windows cannot be pooled")
    }

    fn reference_of(&self, windows: &[&Analysis]) -> Option<ReferenceBalance> {
        let windows: Vec<Analysis> = windows.iter().map(|window| (*window).clone()).collect();
        self.engine.reference_of(&windows)
    }

    fn reference_of_levels(&self, rest_levels_db: &[PerStem<f64>]) -> Option<ReferenceBalance> {
        let exact = rest_levels_db.iter().map(|levels| self.engine.with_exact_levels(levels));
        self.engine.reference_of(&exact.collect::<Vec<_>>())
    }

    fn meter_db(&self, analysis: &Analysis) -> PerStem<f64> {
        PerStem::from_fn(|stem: Stem| f64::from(analysis.reading[stem].level_db).max(ABSENT_LEVEL_DB))
    }

    fn answer(
        &self,
        analysis: &Analysis,
        question: Question<'_, Option<ReferenceBalance>>,
    ) -> Result<Answered> {
        self.ask(analysis, question)
    }

    fn answer_without_audio(&self, question: Question<'_, Option<ReferenceBalance>>) -> Result<Answered> {
        self.ask(&self.engine.without_audio(), question)
    }

    fn answer_levels(
        &self,
        rest_levels_db: &PerStem<f64>,
        question: Question<'_, Option<ReferenceBalance>>,
    ) -> Result<Answered> {
        self.ask(&self.engine.with_exact_levels(rest_levels_db), question)
    }

    fn meter_sd_db(&self) -> Balance {
        self.engine.meter_sd_db().into_array()
    }
}
