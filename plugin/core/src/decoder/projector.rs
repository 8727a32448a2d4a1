//! From readings to soft tokens: few, and each with a meaning.
//!
//! Every stem gives two tokens: one knows its level, its uncertainty and the levels of the others; the other knows
//! what it sounds like. A reference balance gives one token a stem, which knows how far this mix is from it.

use crate::encoder::Reading;
use crate::error::Result;
use crate::nn::{Init, Linear, Params};
use crate::stem::{PerStem, Stem};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Soft tokens of a window: two a stem.
pub const AUDIO_TOKENS: usize = 2 * Stem::ALL.len();

/// Bumps of the level code: Gaussians of 2 dB width every 2 dB from -26 to +14 dB.
const LEVEL_BUMPS: usize = 21;
/// Bumps of the difference code: every 2 dB from -16 to +16 dB.
const DIFFERENCE_BUMPS: usize = 17;
/// Values that describe a stem's level.
const LEVEL_VALUES: usize = LEVEL_BUMPS + 4 + 2 * 4;
/// Values that describe a stem's difference from the reference.
const REFERENCE_VALUES: usize = DIFFERENCE_BUMPS + LEVEL_BUMPS + 4 + 2 * 4;
/// Levels are kept within these bounds in dB: beyond them a stem is as good as alone or absent.
const LEVEL_RANGE_DB: (f32, f32) = (-30.0, 18.0);

/// The balance to aim at: each stem's level against the rest in dB (unweighted RMS); none where it was not heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceBalance {
    /// Levels by stem.
    pub level_db: PerStem<Option<f32>>,
}

impl ReferenceBalance {
    /// The mean of several windows' levels, each stem over the windows in which it was heard.
    pub fn mean_of<'a>(readings: impl Iterator<Item = &'a Reading> + Clone) -> Self {
        let level_db = PerStem::from_fn(|stem| {
            let heard = readings.clone().map(|reading| &reading[stem]).filter(|stem| stem.is_present());
            let (sum, count) = heard.fold((0.0, 0), |(sum, count), stem| (sum + stem.level_db, count + 1));
            (count > 0).then(|| sum / count as f32)
        });
        ReferenceBalance { level_db }
    }
}

/// Sizes of the projector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectorConfig {
    /// Width of the encoder's summary of a stem.
    pub summary: usize,
    /// Width of the inner layer.
    pub inner: usize,
    /// Width of the decoder.
    pub hidden: usize,
}

/// Two small networks that speak the decoder's language.
pub struct Projector {
    level_in: Linear,
    level_out: Linear,
    timbre: Linear,
    reference_in: Linear,
    reference_out: Linear,
    /// Added to each stem's timbre token, so that it is recognised even without a summary.
    names: Tensor,
}

impl Projector {
    /// The projector whose weights are at `params`.
    ///
    /// # Errors
    /// When a weight is missing or of another shape.
    pub fn new(params: &Params, config: &ProjectorConfig) -> Result<Self> {
        let linear = |name, inputs, outputs| Linear::new(params, name, (inputs, outputs), true, None);
        Ok(Projector {
            level_in: linear("level_in", LEVEL_VALUES, config.inner)?,
            level_out: linear("level_out", config.inner, config.hidden)?,
            timbre: linear("timbre", config.summary, config.hidden)?,
            reference_in: linear("reference_in", REFERENCE_VALUES, config.inner)?,
            reference_out: linear("reference_out", config.inner, config.hidden)?,
            names: params.get("names", (Stem::ALL.len(), config.hidden), Init::Normal(0.05))?,
        })
    }

    /// Audio tokens of a batch, `[batch, AUDIO_TOKENS, hidden]`.
    ///
    /// `levels` is `[batch, stems, …]` of [`audio_features`], `summaries` `[batch, stems, summary]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn audio_tokens(&self, levels: &Tensor, summaries: &Tensor) -> Result<Tensor> {
        let level = self.level_out.forward(&self.level_in.forward(levels, None)?.silu()?, None)?;
        let timbre = self.timbre.forward(summaries, None)?.broadcast_add(&self.names)?;
        Ok(Tensor::cat(&[level, timbre], 1)?)
    }

    /// Reference tokens of a batch, `[batch, stems, hidden]`, of [`reference_features`].
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn reference_tokens(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.reference_out.forward(&self.reference_in.forward(features, None)?.silu()?, None)?)
    }
}

fn bumps(value: f32, first: f32, count: usize, to: &mut Vec<f32>) {
    to.extend((0..count).map(|i| {
        let distance = (value - (first + 2.0 * i as f32)) / 2.0;
        (-0.5 * distance * distance).exp()
    }));
}

fn one_hot(stem: Stem, to: &mut Vec<f32>) {
    to.extend(Stem::ALL.map(|other| f32::from(u8::from(other == stem))));
}

/// Level of a stem as the language model is told: bounded, and the lower bound where it is absent.
fn told_level_db(reading: &Reading, stem: Stem) -> f32 {
    let stem = &reading[stem];
    if stem.is_present() { stem.level_db.clamp(LEVEL_RANGE_DB.0, LEVEL_RANGE_DB.1) } else { LEVEL_RANGE_DB.0 }
}

/// What the projector is told of a window's levels, `[1, stems, …]`.
///
/// # Errors
/// As tensor operations.
pub fn audio_features(reading: &Reading, device: &Device) -> Result<Tensor> {
    let mut values = Vec::with_capacity(Stem::ALL.len() * LEVEL_VALUES);
    for stem in Stem::ALL {
        let level = told_level_db(reading, stem);
        bumps(level, -26.0, LEVEL_BUMPS, &mut values);
        one_hot(stem, &mut values);
        values.extend(Stem::ALL.map(|other| told_level_db(reading, other) / 10.0));
        values.extend([
            level / 10.0,
            reading[stem].error_db.clamp(0.1, 20.0).ln(),
            reading[stem].presence,
            1.0 / reading[stem].error_db.clamp(0.5, 20.0),
        ]);
    }
    Ok(Tensor::from_vec(values, (1, Stem::ALL.len(), LEVEL_VALUES), device)?)
}

/// What the projector is told of a reference, `[1, stems, …]`.
///
/// # Errors
/// As tensor operations.
pub fn reference_features(
    reading: &Reading,
    reference: &ReferenceBalance,
    device: &Device,
) -> Result<Tensor> {
    let known = |stem: Stem| reference.level_db[stem].filter(|_| reading[stem].is_present());
    let difference = |stem: Stem| {
        known(stem).map_or(0.0, |level| (told_level_db(reading, stem) - level).clamp(-24.0, 24.0))
    };
    let mut values = Vec::with_capacity(Stem::ALL.len() * REFERENCE_VALUES);
    for stem in Stem::ALL {
        let level =
            reference.level_db[stem].unwrap_or(LEVEL_RANGE_DB.0).clamp(LEVEL_RANGE_DB.0, LEVEL_RANGE_DB.1);
        bumps(difference(stem), -16.0, DIFFERENCE_BUMPS, &mut values);
        bumps(level, -26.0, LEVEL_BUMPS, &mut values);
        one_hot(stem, &mut values);
        values.extend(Stem::ALL.map(|other| difference(other) / 5.0));
        values.extend([
            difference(stem) / 5.0,
            f32::from(u8::from(known(stem).is_some())),
            reading[stem].error_db.clamp(0.1, 20.0).ln(),
            level / 10.0,
        ]);
    }
    Ok(Tensor::from_vec(values, (1, Stem::ALL.len(), REFERENCE_VALUES), device)?)
}
