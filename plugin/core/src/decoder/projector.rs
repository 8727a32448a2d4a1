//! From readings to soft tokens: few, and each with a meaning.
//!
//! Every stem gives one token with its level, its expected error and the levels of the others, and, in the shipped
//! models, one with its sound. A reference balance gives one token per stem, with the mix's distance from it.

use super::reference::ReferenceBalance;
use crate::encoder::Reading;
use crate::error::{Error, Result};
use crate::nn::{Init, Linear, Params};
use crate::stem::Stem;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Soft tokens per stem of the shipped models: one for its levels, one for its sound.
pub const SHIPPED_TOKENS_PER_STEM: usize = 2;
/// Most soft tokens per stem: a prompt has no room for many more.
const MOST_TOKENS_PER_STEM: usize = 8;

/// Bumps of the level code: Gaussians of 2 dB width every 2 dB from -26 to +14 dB.
const LEVEL_BUMPS: usize = 21;
/// Bumps of the difference code: every 2 dB from -16 to +16 dB.
const DIFFERENCE_BUMPS: usize = 17;
/// Values about the stem itself, after the codes, the stem's name and one value per stem.
const OWN_VALUES: usize = 4;
/// Values that describe a stem's level.
const LEVEL_VALUES: usize = LEVEL_BUMPS + 2 * Stem::COUNT + OWN_VALUES;
/// Values that describe a stem's difference from the reference.
const REFERENCE_VALUES: usize = DIFFERENCE_BUMPS + LEVEL_BUMPS + 2 * Stem::COUNT + OWN_VALUES;
/// Values that describe how far a stem's level in the reference can be relied on: spread, whether it is known, windows.
const SPREAD_VALUES: usize = 3;
/// Spreads above this in dB are coded as this one.
const LARGEST_SPREAD_DB: f32 = 10.0;
/// Levels are clamped to these bounds in dB: beyond them a stem is practically alone or absent.
const LEVEL_RANGE_DB: (f32, f32) = (-30.0, 18.0);

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
    /// Soft tokens per stem: 1 for its levels alone, each further one for its sound. Two if a file does not state it.
    #[serde(default = "shipped_tokens_per_stem", skip_serializing_if = "is_as_shipped")]
    pub tokens_per_stem: usize,
    /// What the tokens of a reference are made from.
    #[serde(default, skip_serializing_if = "ReferenceCode::is_mean")]
    pub reference: ReferenceCode,
}

/// What the tokens of a reference are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceCode {
    /// Its mean levels: models up to 0.5.
    #[default]
    Mean,
    /// Mean levels, their spread from window to window, and the number of windows.
    Spread,
}

impl ReferenceCode {
    fn is_mean(&self) -> bool {
        *self == ReferenceCode::Mean
    }

    /// Values per stem.
    fn values(self) -> usize {
        match self {
            ReferenceCode::Mean => REFERENCE_VALUES,
            ReferenceCode::Spread => REFERENCE_VALUES + SPREAD_VALUES,
        }
    }
}

fn shipped_tokens_per_stem() -> usize {
    SHIPPED_TOKENS_PER_STEM
}

fn is_as_shipped(tokens: &usize) -> bool {
    *tokens == SHIPPED_TOKENS_PER_STEM
}

impl ProjectorConfig {
    /// A projector of these widths with as many tokens per stem as the shipped ones have.
    pub fn new(summary: usize, inner: usize, hidden: usize) -> Self {
        ProjectorConfig {
            summary,
            inner,
            hidden,
            tokens_per_stem: SHIPPED_TOKENS_PER_STEM,
            reference: ReferenceCode::Mean,
        }
    }
}

/// The part that makes the tokens of the stems' sound.
struct Timbre {
    /// From a summary to all of a stem's tokens, one after the other.
    linear: Linear,
    /// Added to each token, so that it identifies its stem even without a summary.
    names: Tensor,
}

/// Two small networks that make embeddings for the decoder.
pub struct Projector {
    level_in: Linear,
    level_out: Linear,
    timbre: Option<Timbre>,
    reference_in: Linear,
    reference_out: Linear,
    reference: ReferenceCode,
    tokens_per_stem: usize,
}

impl Projector {
    /// The projector whose weights are at `params`.
    ///
    /// # Errors
    /// When a weight is missing or of another shape, or the number of tokens is zero or too large.
    pub fn new(params: &Params, config: &ProjectorConfig) -> Result<Self> {
        let (tokens, hidden) = (config.tokens_per_stem, config.hidden);
        if !(1..=MOST_TOKENS_PER_STEM).contains(&tokens) {
            return Err(Error::Format(format!(
                "the projector has {tokens} tokens per stem; 1 to {MOST_TOKENS_PER_STEM} are possible"
            )));
        }
        let linear = |name, inputs, outputs| Linear::new(params, name, (inputs, outputs), true, None);
        Ok(Projector {
            level_in: linear("level_in", LEVEL_VALUES, config.inner)?,
            level_out: linear("level_out", config.inner, config.hidden)?,
            timbre: if tokens > 1 {
                Some(Timbre {
                    linear: linear("timbre", config.summary, (tokens - 1) * hidden)?,
                    names: params.get("names", ((tokens - 1) * Stem::COUNT, hidden), Init::Normal(0.05))?,
                })
            } else {
                None
            },
            reference_in: linear("reference_in", config.reference.values(), config.inner)?,
            reference_out: linear("reference_out", config.inner, config.hidden)?,
            reference: config.reference,
            tokens_per_stem: tokens,
        })
    }

    /// Soft tokens of a window: those of the levels, stem by stem, then those of the sound, stem by stem.
    pub fn audio_token_count(&self) -> usize {
        self.tokens_per_stem * Stem::COUNT
    }

    /// Whether the weight of this full name is among those that make the tokens of the sound.
    pub fn is_of_sound(name: &str) -> bool {
        name.starts_with("projector.timbre.") || name == "projector.names"
    }

    /// Audio tokens of a batch, `[batch, audio_token_count, hidden]`.
    ///
    /// `levels` is `[batch, stems, …]` of [`audio_features`], `summaries` `[batch, stems, summary]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn audio_tokens(&self, levels: &Tensor, summaries: &Tensor) -> Result<Tensor> {
        let level = self.level_out.forward(&self.level_in.forward(levels, None)?.silu()?, None)?;
        let Some(timbre) = &self.timbre else { return Ok(level) };
        let (batch, _, hidden) = level.dims3()?;
        let sound = timbre.linear.forward(summaries, None)?.reshape((batch, (), hidden))?;
        Ok(Tensor::cat(&[level, sound.broadcast_add(&timbre.names)?], 1)?)
    }

    /// The input of the reference tokens for one reference, `[1, stems, …]`.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn reference_features(
        &self,
        reading: &Reading,
        reference: &ReferenceBalance,
        device: &Device,
    ) -> Result<Tensor> {
        reference_features(reading, reference, self.reference, device)
    }

    /// Reference tokens of a batch, `[batch, stems, hidden]`, of [`Projector::reference_features`].
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

/// Level of a stem as the language model gets it: clamped, and the lower bound for an absent stem.
fn coded_level_db(reading: &Reading, stem: Stem) -> f32 {
    let stem = &reading[stem];
    if stem.is_present() { stem.level_db.clamp(LEVEL_RANGE_DB.0, LEVEL_RANGE_DB.1) } else { LEVEL_RANGE_DB.0 }
}

/// The projector's input for a window's levels, `[1, stems, …]`.
///
/// # Errors
/// As tensor operations.
pub fn audio_features(reading: &Reading, device: &Device) -> Result<Tensor> {
    let mut values = Vec::with_capacity(Stem::COUNT * LEVEL_VALUES);
    for stem in Stem::ALL {
        let level = coded_level_db(reading, stem);
        bumps(level, -26.0, LEVEL_BUMPS, &mut values);
        one_hot(stem, &mut values);
        values.extend(Stem::ALL.map(|other| coded_level_db(reading, other) / 10.0));
        values.extend([
            level / 10.0,
            reading[stem].error_db.clamp(0.1, 20.0).ln(),
            reading[stem].presence,
            1.0 / reading[stem].error_db.clamp(0.5, 20.0),
        ]);
    }
    Ok(Tensor::from_vec(values, (1, Stem::COUNT, LEVEL_VALUES), device)?)
}

fn reference_features(
    reading: &Reading,
    reference: &ReferenceBalance,
    code: ReferenceCode,
    device: &Device,
) -> Result<Tensor> {
    let known = |stem: Stem| reference.level_db[stem].filter(|_| reading[stem].is_present());
    let difference = |stem: Stem| {
        known(stem).map_or(0.0, |level| (coded_level_db(reading, stem) - level).clamp(-24.0, 24.0))
    };
    let mut values = Vec::with_capacity(Stem::COUNT * code.values());
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
        if code == ReferenceCode::Spread {
            let spread = reference.spread_db[stem];
            values.extend([
                spread.map_or(0.0, |spread| spread.clamp(0.0, LARGEST_SPREAD_DB) / 3.0),
                f32::from(u8::from(spread.is_some())),
                (reference.windows as f32).ln_1p() / 2.0,
            ]);
        }
    }
    Ok(Tensor::from_vec(values, (1, Stem::COUNT, code.values()), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_tokens_as_configured_and_two_by_default() {
        let json = r#"{"summary":8,"inner":16,"hidden":32}"#;
        let config: ProjectorConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config, ProjectorConfig::new(8, 16, 32));
        assert_eq!(serde_json::to_string(&config).unwrap(), json, "files of shipped models stay as they are");
        let device = Device::Cpu;
        let levels = audio_features(&Reading::default(), &device).unwrap();
        let summaries = Tensor::randn(0f32, 1.0, (1, Stem::COUNT, 8), &device).unwrap();
        let tokens = |count: usize| -> Result<Vec<Vec<f32>>> {
            let config = ProjectorConfig { tokens_per_stem: count, ..config.clone() };
            let params = Params::train(3, &device);
            let projector = Projector::new(&params.pp("projector"), &config)?;
            let tokens = projector.audio_tokens(&levels, &summaries)?;
            assert_eq!(tokens.dims(), [1, projector.audio_token_count(), 32]);
            let of_sound = params.vars().keys().filter(|name| Projector::is_of_sound(name)).count();
            assert_eq!(of_sound, if count == 1 { 0 } else { 3 });
            Ok(tokens.squeeze(0)?.to_vec2()?)
        };
        let (one, two, three) = (tokens(1).unwrap(), tokens(2).unwrap(), tokens(3).unwrap());
        assert_eq!([one.len(), two.len(), three.len()], [1, 2, 3].map(|tokens| tokens * Stem::COUNT));
        assert_eq!(one, two[..Stem::COUNT], "the tokens of the levels come first");
        for count in [0, 9] {
            let sentence = tokens(count).unwrap_err();
            assert!(sentence.to_string().contains(&format!("{count} tokens per stem")), "{sentence}");
        }
    }
}
