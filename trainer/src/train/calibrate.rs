//! Puts encoder and decoder into one bundle and fits its calibration on held-out licensed songs.

use super::examples::flaws::{FlawReading, Windows, general_questions, read_flaws};
use super::examples::readings::songs_for_calibration;
use crate::files;
use crate::protocol::QUIETEST_MEASURED_DB;
use crate::weights::{Part, TOKENIZER, field, load_part, load_tensors};
use anyhow::{Context, Result};
use candle_core::Device;
use mixing_buddy_core::bundle::{Bundle, BundleInfo, Calibration};
use mixing_buddy_core::encoder::Encoder;
use mixing_buddy_core::language::DEFAULT_QUESTION;
use mixing_buddy_core::norms::NormsSummary;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, PerStem, Request};
use std::collections::BTreeMap;
use std::path::Path;

/// Confidence is worth speaking from where three of four such answers are right.
const ADVICE_PRECISION: f64 = 0.75;

/// Builds a bundle of trained weights, calibrated on the `calib` songs of `cache`, and writes it beside and renamed.
///
/// # Errors
/// When a file is missing or damaged, or `out` cannot be written.
pub fn build_bundle(
    encoder: &Path,
    decoder: &Path,
    cache: &Path,
    version: &str,
    out: &Path,
) -> Result<Calibration> {
    let (encoder_weights, encoder_meta) = load_part(encoder, Part::Encoder)?;
    let (decoder_weights, decoder_meta) = load_tensors(decoder)?;
    let mut info = BundleInfo {
        name: "compact".into(),
        version: version.into(),
        licence: "CC-BY-SA-4.0".into(),
        features: field(&encoder_meta, "features", encoder)?,
        encoder: field(&encoder_meta, "encoder", encoder)?,
        decoder: field(&decoder_meta, "decoder", decoder)?,
        projector: field(&decoder_meta, "projector", decoder)?,
        lora: match decoder_meta.get("lora") {
            Some(_) => Some(field(&decoder_meta, "lora", decoder)?),
            None => None,
        },
        calibration: Calibration::default(),
    };
    let mut weights: BTreeMap<_, _> =
        encoder_weights.iter().map(|(name, tensor)| (format!("encoder.{name}"), tensor.clone())).collect();
    weights.extend(decoder_weights);
    let norms = NormsSummary::shipped();
    let songs = songs_for_calibration(cache)?;

    let encoder = Encoder::new(
        &mixing_buddy_core::nn::Params::load(encoder_weights, BTreeMap::new(), &Device::Cpu),
        &info.encoder,
        &info.features,
    )?;
    let questions = general_questions(0.6, 0.5);
    let readings = read_flaws(&encoder, &info.features, &songs, &questions, Windows::Drawn(600), 77)
        .context("the `calib` songs cannot be measured with")?;
    fit_meter(&readings, &mut info.calibration);

    let engine =
        Engine::from_bytes(out, &Bundle::write(&info, TOKENIZER, norms, &weights)?, &CancelFlag::new())?;
    fit_confidence(&engine, &readings, &mut info.calibration)?;
    files::replace(out, Bundle::write(&info, TOKENIZER, norms, &weights)?)?;
    Ok(info.calibration)
}

/// The meter's spread a stem: what the rule that stands beside the language model takes its errors to be.
fn fit_meter(readings: &[FlawReading], calibration: &mut Calibration) {
    for (stem, slot) in calibration.meter_sd_db.iter_mut() {
        let errors: Vec<f64> = readings
            .iter()
            .filter(|flaw| flaw.present[stem] && flaw.true_db[stem] > QUIETEST_MEASURED_DB)
            .map(|flaw| f64::from(flaw.reading[stem].level_db) - flaw.true_db[stem])
            .collect();
        if errors.is_empty() {
            continue;
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        *slot = (errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / errors.len() as f64).sqrt();
    }
}

/// Temperatures by the log-likelihood of "the best answer is right"; the threshold by precision.
fn fit_confidence(engine: &Engine, readings: &[FlawReading], calibration: &mut Calibration) -> Result<()> {
    let mut generated = Vec::new();
    for flaw in readings {
        let readings =
            Analysis { silent: false, reading: flaw.reading.clone(), levels_lu: PerStem::default() };
        let request = Request {
            question: DEFAULT_QUESTION.into(),
            anchor: flaw.anchor,
            reference: flaw.reference,
            ..Request::default()
        };
        let outcomes = engine.generate(&readings, &request, &CancelFlag::new())?.outcomes;
        generated.push((outcomes, outcomes.best().0 == flaw.error, flaw.reference.is_some()));
    }
    let fit = |with_reference: bool| {
        let loss = |temperature: f32| -> f64 {
            generated
                .iter()
                .filter(|(_, _, reference)| *reference == with_reference)
                .map(|(outcomes, right, _)| {
                    let p = f64::from(outcomes.confidence(temperature)).clamp(1e-4, 1.0 - 1e-4);
                    if *right { -p.ln() } else { -(1.0 - p).ln() }
                })
                .sum()
        };
        let grid = (0..60).map(|i| 0.5 * 1.04f32.powi(i));
        grid.min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(1.0)
    };
    calibration.temperature = fit(false);
    calibration.reference_temperature = fit(true);
    let mut confident: Vec<(f32, bool)> = generated
        .iter()
        .map(|(outcomes, right, reference)| {
            let t = if *reference { calibration.reference_temperature } else { calibration.temperature };
            (outcomes.confidence(t), *right)
        })
        .collect();
    confident.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut threshold) = (0, 0.9);
    for (count, (confidence, is_right)) in confident.iter().enumerate() {
        right += usize::from(*is_right);
        if right as f64 >= ADVICE_PRECISION * (count + 1) as f64 {
            threshold = *confidence;
        }
    }
    let share = confident.iter().filter(|c| c.1).count() as f64 / confident.len().max(1) as f64;
    eprintln!("{} calibration samples, {:.1} % right", confident.len(), 100.0 * share);
    calibration.threshold = threshold.clamp(0.4, 0.9);
    Ok(())
}
