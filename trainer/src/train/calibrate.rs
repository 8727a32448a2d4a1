//! Puts encoder and decoder into one bundle, and fits its calibration on held-out songs.

use super::examples::held_out::{WindowChoice, general_questions, read_held_out};
use super::examples::mix_reading::MixReading;
use super::examples::tuning::songs_for_calibration;
use crate::files;
use crate::mixing::networks::networks_of;
use crate::protocol::QUIETEST_MEASURED_DB;
use crate::train::examples::advice::AdviceExample;
use crate::weights::{Part, TOKENIZER, Tensors, field, load_part};
use anyhow::{Context, Result};
use candle_core::Device;
use mixing_buddy_core::bundle::{Bundle, BundleInfo, Calibration};
use mixing_buddy_core::decoder::GenerationRequest;
use mixing_buddy_core::decoder::Outcomes;
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::large::LargeModel;
use mixing_buddy_core::large::package::Temperatures;
use mixing_buddy_core::nn::Params;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request};
use std::collections::BTreeMap;
use std::path::Path;

/// What a bundle is made from.
#[derive(Clone, Copy, Debug)]
pub struct BundleParts<'a> {
    /// The trained encoder: a run or a bundle.
    pub encoder: &'a Path,
    /// The trained decoder: a run of `train decoder`, `train advisor` or `train dpo`, or a bundle.
    pub decoder: &'a Path,
    /// Folder of feature maps with `calib` songs.
    pub cache: &'a Path,
    /// Version of the weights.
    pub version: &'a str,
    /// Mixes that the calibration is fitted on, [`CALIBRATION_MIXES`] for weights that are used.
    pub mixes: usize,
    /// Folder of the separator's networks, the same that the features were prepared with; the project's own if none.
    pub networks: Option<&'a Path>,
}

/// Mixes that a calibration is fitted on. Chosen, not tuned; the interval of a share of 600 is about ±4 points.
pub const CALIBRATION_MIXES: usize = 600;
/// Shares of these mixes with an anchor and with a reference: temperatures are fitted with and without a reference, so
/// each gets half. Chosen, not tuned.
const ANCHOR_SHARE: f64 = 0.6;
const REFERENCE_SHARE: f64 = 0.5;
/// Seed of the mixes. Any number would do; a fixed one makes the bundle reproducible.
const SEED: u64 = 77;
/// The threshold is the lowest confidence above which three of four answers are right. Chosen: an advisor that is wrong
/// more often costs more time than it saves.
const PRECISION: f64 = 0.75;
/// Bounds of the threshold, so that neither a bad model answers always nor a few mixes silence a good one. Chosen, not
/// tuned.
const THRESHOLD_BOUNDS: (f32, f32) = (0.4, 0.9);
/// Temperatures that are tried: from 0.5 to 5 in steps of 4 %, finer than 600 mixes can tell apart.
const LOWEST_TEMPERATURE: f32 = 0.5;
const TEMPERATURE_RATIO: f32 = 1.04;
const TEMPERATURES: i32 = 60;
/// Bounds of a probability, so that one confident mistake does not decide the fit.
const PROBABILITY_BOUNDS: (f64, f64) = (1e-4, 1.0 - 1e-4);

/// Builds a bundle of trained weights, calibrated on the `calib` songs of the cache, and writes it to `out`. A temporary
/// file is written and renamed.
///
/// # Errors
/// When a file is missing or damaged, the cache has no songs for the calibration, or `out` cannot be written.
pub fn build_bundle(parts: &BundleParts<'_>, out: &Path) -> Result<Calibration> {
    let (encoder_weights, encoder_meta) = load_part(parts.encoder, Part::Encoder)?;
    let (decoder_weights, decoder_meta) = load_part(parts.decoder, Part::LanguageModel)?;
    let mut info = BundleInfo {
        name: "compact".into(),
        version: parts.version.into(),
        licence: "CC-BY-SA-4.0".into(),
        features: field(&encoder_meta, "features", parts.encoder)?,
        encoder: field(&encoder_meta, "encoder", parts.encoder)?,
        decoder: field(&decoder_meta, "decoder", parts.decoder)?,
        projector: field(&decoder_meta, "projector", parts.decoder)?,
        lora: match decoder_meta.get("lora") {
            Some(_) => Some(field(&decoder_meta, "lora", parts.decoder)?),
            None => None,
        },
        calibration: Calibration::default(),
    };
    let mut weights: Tensors =
        encoder_weights.iter().map(|(name, tensor)| (format!("encoder.{name}"), tensor.clone())).collect();
    weights.extend(decoder_weights);
    let norms = NormsSummary::shipped();
    let networks = networks_of(&info.features.separated, parts.networks)?;
    let songs = songs_for_calibration(parts.cache)?;

    let params = Params::load(encoder_weights, BTreeMap::new(), &Device::Cpu);
    let encoder = Encoder::new(&params, &info.encoder, &info.features)?;
    let questions = general_questions(ANCHOR_SHARE, REFERENCE_SHARE);
    let choice = WindowChoice::Drawn(parts.mixes);
    let mixes = read_held_out(&encoder, &info.features, &songs, &questions, choice, SEED)
        .context("the bundle cannot be calibrated on the `calib` songs")?;
    fit_meter(&mixes, &mut info.calibration);

    let draft = Bundle::write(&info, TOKENIZER, norms, &weights, &networks)?;
    let engine = Engine::from_bytes(out, &draft, &CancelFlag::new())?;
    let answers = answer_all(&engine, mixes)?;
    fit_confidence(&answers, &mut info.calibration);
    let right = answers.iter().filter(|answer| answer.is_right).count();
    tracing::info!(
        "calibrated on {} mixes, {:.1} % answered right: {:?}",
        answers.len(),
        100.0 * right as f64 / answers.len().max(1) as f64,
        info.calibration
    );
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    }
    files::replace(out, Bundle::write(&info, TOKENIZER, norms, &weights, &networks)?)?;
    Ok(info.calibration)
}

/// The spread of the meter's errors per target: the rule that runs next to the language model expects such errors.
fn fit_meter(mixes: &[MixReading], calibration: &mut Calibration) {
    for (stem, slot) in calibration.meter_sd_db.iter_mut() {
        let errors: Vec<f64> = mixes
            .iter()
            .filter(|mix| mix.present[stem] && mix.truth.rest_db[stem] > QUIETEST_MEASURED_DB)
            .map(|mix| f64::from(mix.reading[stem].level_db) - mix.truth.rest_db[stem])
            .collect();
        if errors.is_empty() {
            continue;
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        *slot = (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / errors.len() as f64).sqrt();
    }
}

/// Temperatures of a large model's decisions, fitted on examples: simulated readings, or mixes of `calib` songs.
///
/// # Errors
/// When the model fails.
pub fn fit_temperatures(
    large: &LargeModel,
    examples: impl Iterator<Item = Result<AdviceExample>>,
    mut done: impl FnMut(),
) -> Result<(Temperatures, usize, usize)> {
    let cancel = CancelFlag::new();
    let mut answers = Vec::new();
    for example in examples {
        let AdviceExample { reading, reference, sample, .. } = example?;
        let request = GenerationRequest {
            question: "",
            stems: Some(sample.stems_present),
            anchor: sample.anchor,
            reference,
        };
        let outcomes = large.decide(&reading, &request, &cancel)?.outcomes;
        // Drawn from the oracle's posterior, so it is right as often as the truth would be.
        let truth = sample.decision.error.map(|error| (error.stem, error.direction));
        let is_right = outcomes.best().0 == truth;
        answers.push(Answer { outcomes, is_right, has_reference: reference.is_some() });
        done();
    }
    let temperatures =
        Temperatures { usual: fit_temperature(&answers, false), reference: fit_temperature(&answers, true) };
    let right = answers.iter().filter(|answer| answer.is_right).count();
    Ok((temperatures, right, answers.len()))
}

/// The answer to one mix.
struct Answer {
    outcomes: Outcomes,
    is_right: bool,
    has_reference: bool,
}

fn answer_all(engine: &Engine, mixes: Vec<MixReading>) -> Result<Vec<Answer>> {
    let answer = |mix: MixReading| -> Result<Answer> {
        let reference = mix.reference.map(|reference| reference.balance);
        let request = Request {
            question: DEFAULT_QUESTION.into(),
            anchor: mix.anchor,
            reference,
            ..Request::default()
        };
        let analysis = Analysis { silent: false, reading: mix.reading, levels_lu: PerStem::default() };
        let outcomes = engine.generate(&analysis, &request, &CancelFlag::new())?.outcomes;
        let is_right = outcomes.best().0 == mix.error;
        Ok(Answer { outcomes, is_right, has_reference: reference.is_some() })
    };
    mixes.into_iter().map(answer).collect()
}

/// Fits the temperatures by the log-likelihood of "the best answer is right", and the threshold by precision.
fn fit_confidence(answers: &[Answer], calibration: &mut Calibration) {
    calibration.temperature = fit_temperature(answers, false);
    calibration.reference_temperature = fit_temperature(answers, true);
    let mut confident: Vec<(f32, bool)> = answers
        .iter()
        .map(|answer| {
            let temperature = if answer.has_reference {
                calibration.reference_temperature
            } else {
                calibration.temperature
            };
            (answer.outcomes.confidence(temperature), answer.is_right)
        })
        .collect();
    confident.sort_by(|a, b| b.0.total_cmp(&a.0));
    calibration.threshold = fit_threshold(&confident);
}

fn fit_temperature(answers: &[Answer], with_reference: bool) -> f32 {
    let loss = |temperature: f32| -> f64 {
        answers
            .iter()
            .filter(|answer| answer.has_reference == with_reference)
            .map(|answer| {
                let p = f64::from(answer.outcomes.confidence(temperature))
                    .clamp(PROBABILITY_BOUNDS.0, PROBABILITY_BOUNDS.1);
                if answer.is_right { -p.ln() } else { -(1.0 - p).ln() }
            })
            .sum()
    };
    let grid = (0..TEMPERATURES).map(|i| LOWEST_TEMPERATURE * TEMPERATURE_RATIO.powi(i));
    grid.min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(1.0)
}

/// The lowest confidence down to which [`PRECISION`] of the answers are right. `confident` are confidences, the highest
/// first, and whether the answer is right.
fn fit_threshold(confident: &[(f32, bool)]) -> f32 {
    let (lowest, highest) = THRESHOLD_BOUNDS;
    let (mut right, mut threshold) = (0, highest);
    for (count, (confidence, is_right)) in confident.iter().enumerate() {
        right += usize::from(*is_right);
        if right as f64 >= PRECISION * (count + 1) as f64 {
            threshold = *confidence;
        }
    }
    threshold.clamp(lowest, highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_lowest_confidence_with_three_of_four_right() {
        let confident = [(0.95, true), (0.8, true), (0.7, false), (0.6, true), (0.5, false), (0.45, false)];
        assert_eq!(fit_threshold(&confident), 0.6);
        assert_eq!(fit_threshold(&[(0.2, true)]), 0.4, "never under the lower bound");
        assert_eq!(fit_threshold(&[(0.8, false)]), 0.9, "a model that is never right answers least");
        assert_eq!(fit_threshold(&[]), 0.9);
    }
}
