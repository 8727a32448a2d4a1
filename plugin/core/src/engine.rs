//! `load`, `warmup`, `advise`: sound in, plain advice out. Knows nothing of its callers.
//!
//! ```
//! use mixing_buddy_core::audio::StereoPcm;
//! use mixing_buddy_core::{CancelFlag, Engine, Request, Stem};
//!
//! # fn main() -> mixing_buddy_core::Result<()> {
//! let cancel = CancelFlag::new();
//! let engine = Engine::open(None, &cancel)?; // the shipped model
//! let tone: Vec<f32> = (0..4 * 32_000).map(|n| 0.2 * (n as f32 * 0.05).sin()).collect();
//! let window = StereoPcm::new(tone.clone(), tone, 32_000)?;
//! let request = Request { anchor: Some(Stem::Drums), ..Request::default() };
//! let advice = engine.advise(&window, &request, &cancel)?;
//! assert!((0.0..=1.0).contains(&advice.confidence) && !advice.text.is_empty());
//! # Ok(())
//! # }
//! ```

mod conversation;
mod reply;

pub use conversation::Conversation;
pub use reply::Reply;

use crate::advice::Advice;
use crate::audio::{StereoPcm, resample};
use crate::audition::{StemMasks, Unmixed, separate};
use crate::bundle::{Bundle, BundleInfo, SHIPPED_BUNDLE};
use crate::cancel::CancelFlag;
use crate::decoder::{
    Decoder, Generated, GenerationRequest, Generator, Outcomes, Projector, ReferenceBalance,
};
use crate::device::DeviceKind;
use crate::encoder::{
    Encoder, EncoderBatch, Reading, StemReading, levels_against_rest_db, mask_energies, pool_readings,
    readings,
};
use crate::error::{Error, Result};
use crate::features::{BandPower, FeatureExtractor, FeatureSettings, FeatureStream, k_weight_power};
use crate::language::{AdviceTokenizer, Intent};
use crate::large::LargeModel;
use crate::norms::NormsSummary;
use crate::separator::Separator;
use crate::stem::{PerStem, PerTarget, Stem};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A window below this level (RMS of both channels, dBFS) is silent. Chosen, not tuned: far below music,
/// above dither.
const SILENCE_DBFS: f32 = -70.0;

/// Level against the rest in dB of a reading without information: about that of a stem in a mix of equal stems.
const UNKNOWN_LEVEL_DB: f32 = -5.0;
/// Expected error in dB of a reading without information: the largest that the projector codes.
const UNKNOWN_ERROR_DB: f32 = 20.0;
/// Expected error in dB of exact levels: the projector's code of the inverse does not distinguish smaller ones.
const EXACT_ERROR_DB: f32 = 0.5;

/// A question to the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The user's words; blank for the general question.
    pub question: String,
    /// The anchor: a stem that the user says is right.
    pub anchor: Option<Stem>,
    /// Stems in the mix as the user states them. Those that the encoder does not detect are left out.
    pub stems: Option<PerStem<bool>>,
    /// The balance to aim at.
    pub reference: Option<ReferenceBalance>,
    /// Confidence from which to answer; by default the model's own threshold.
    pub min_confidence: Option<f32>,
}

/// What the encoder measured in a window, or in several pooled: numbers only, no sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The sound is silent: there is nothing to judge.
    pub silent: bool,
    /// Level, expected error and presence of each stem (unweighted RMS against the rest).
    pub reading: Reading,
    /// K-weighted level of each stem against the rest in LU; none where absent.
    pub levels_lu: PerStem<Option<f32>>,
}

impl Analysis {
    /// Level of a stem against the rest in dB, unweighted RMS; none where absent.
    pub fn level_db(&self, stem: Stem) -> Option<f32> {
        (!self.silent && self.reading[stem].is_present()).then_some(self.reading[stem].level_db)
    }
}

/// A loaded model. Share it by `Arc`: all calls take `&self`.
pub struct Engine {
    info: BundleInfo,
    norms: NormsSummary,
    tokenizer: AdviceTokenizer,
    encoder: Encoder,
    decoder: Decoder,
    projector: Projector,
    /// The separator whose shares the encoder gets, in models that have one.
    separator: Option<Arc<Separator>>,
    /// The large model that explains, and decides if it is one that does, in place of the bundle's decoder.
    large: Option<Arc<LargeModel>>,
    /// K-weighting factor of each cell of a patch.
    k_weights: Vec<f32>,
    /// The last words that the language model was asked to understand: one question is often asked of many windows.
    understood: Mutex<Option<(String, Intent)>>,
    device: Device,
}

impl Engine {
    /// Loads a bundle file.
    ///
    /// # Errors
    /// When the file cannot be read or the bundle is damaged, or when cancelled.
    pub fn load(path: &Path, cancel: &CancelFlag) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        Self::from_bytes(path, &bytes, cancel)
    }

    /// Loads the bundle at `path`, or the shipped compact model without a path.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn open(path: Option<&Path>, cancel: &CancelFlag) -> Result<Self> {
        match path {
            Some(path) => Self::load(path, cancel),
            None => Self::from_bytes(Path::new("compact.mixbuddy"), SHIPPED_BUNDLE, cancel),
        }
    }

    /// Loads a bundle from memory; `name` is for messages.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn from_bytes(name: &Path, bytes: &[u8], cancel: &CancelFlag) -> Result<Self> {
        Self::from_bytes_on(Device::Cpu, name, bytes, cancel)
    }

    /// Loads a bundle from memory onto a device, for instance [`best_device`](crate::device::best_device).
    ///
    /// # Errors
    /// As [`Engine::load`], and when the device fails.
    pub fn from_bytes_on(device: Device, name: &Path, bytes: &[u8], cancel: &CancelFlag) -> Result<Self> {
        let bundle = Bundle::read(name, bytes, &device, cancel)?;
        let Bundle { info, tokenizer, norms, weights, separator } = bundle;
        let fail = |error: Error| Error::Bundle { path: name.to_path_buf(), reason: error.to_string() };
        let encoder = Encoder::new(&weights.pp("encoder"), &info.encoder, &info.features).map_err(fail)?;
        cancel.check()?;
        let decoder =
            Decoder::new(&weights.pp("decoder").frozen(), &info.decoder, info.lora.as_ref()).map_err(fail)?;
        let projector = Projector::new(&weights.pp("projector"), &info.projector).map_err(fail)?;
        cancel.check()?;
        let centres = FeatureExtractor::new(&info.features).bank().centres_hz().to_vec();
        let row: Vec<f32> = centres.iter().map(|hz| k_weight_power(*hz)).collect();
        let k_weights = row.repeat(2 * info.features.patch_frames);
        let separator = separator.map(Arc::new);
        // A model whose settings and separator do not fit each other is refused here, not at the first window.
        FeatureStream::new(&info.features, separator.as_ref()).map_err(fail)?;
        let understood = Mutex::new(None);
        Ok(Engine {
            info,
            norms,
            tokenizer,
            encoder,
            decoder,
            projector,
            separator,
            large: None,
            k_weights,
            understood,
            device,
        })
    }

    /// The same engine, with a large model that explains. Ears, and what a question is taken to be about, stay those of the bundle;
    /// decisions too, unless the large model is one that decides.
    #[must_use]
    pub fn with_large(mut self, large: Arc<LargeModel>) -> Self {
        self.large = Some(large);
        self
    }

    /// The large model, if there is one.
    pub fn large(&self) -> Option<&Arc<LargeModel>> {
        self.large.as_ref()
    }

    /// Where the model runs.
    pub fn device_kind(&self) -> DeviceKind {
        DeviceKind::of(&self.device)
    }

    /// Name, version, sizes and calibration of the model.
    pub fn info(&self) -> &BundleInfo {
        &self.info
    }

    /// The separator, in models that have one.
    pub fn separator(&self) -> Option<&Arc<Separator>> {
        self.separator.as_ref()
    }

    /// The norms that the model was trained with.
    pub fn norms(&self) -> &NormsSummary {
        &self.norms
    }

    /// Confidence from which the model answers unless a request says otherwise.
    pub fn threshold(&self) -> f32 {
        self.info.calibration.threshold
    }

    /// Standard deviation of the meter's error in dB on held-out songs.
    pub fn meter_sd_db(&self) -> PerTarget<f64> {
        self.info.calibration.meter_sd_db
    }

    /// Judges a window of noise, so that a GPU loads its kernels, or fails, before the first real window.
    ///
    /// On a CPU it costs as much time as it saves, so it is of no use there.
    ///
    /// # Errors
    /// When cancelled or the model fails.
    pub fn warmup(&self, cancel: &CancelFlag) -> Result<()> {
        let samples = (FeatureSettings::SHORTEST_S * self.info.features.sample_rate_hz as f32) as usize;
        let noise: Vec<f32> = (0..samples).map(|n| ((n * 7919) % 1000) as f32 / 5000.0 - 0.1).collect();
        let pcm = StereoPcm::new(noise.clone(), noise, self.info.features.sample_rate_hz)?;
        self.advise(&pcm, &Request::default(), cancel).map(|_| ())
    }

    /// Analyzes a window of 3 to 10 seconds, at any sample rate.
    ///
    /// # Errors
    /// When it is too short or too long, holds a sample that is not a number, or when cancelled.
    pub fn analyze(&self, pcm: &StereoPcm, cancel: &CancelFlag) -> Result<Analysis> {
        let features = &self.info.features;
        let seconds = pcm.duration_s() as f32;
        if !(FeatureSettings::SHORTEST_S - 0.01..=FeatureSettings::WINDOW_S + 0.1).contains(&seconds) {
            return Err(Error::Samples(format!("it is {seconds:.1} s long, a window is 3 to 10 s")));
        }
        pcm.check_finite()?;
        let resampled;
        let pcm = if pcm.sample_rate_hz == features.sample_rate_hz {
            pcm
        } else {
            resampled = resample(pcm, features.sample_rate_hz)?;
            &resampled
        };
        cancel.check()?;
        let power = self.feature_stream()?.whole(&pcm.left, &pcm.right, cancel)?;
        cancel.check()?;
        self.analyze_power(&power, cancel)
    }

    /// A stream that turns sound into the features that this model takes.
    ///
    /// # Errors
    /// When the rate of the features cannot be resampled.
    pub fn feature_stream(&self) -> Result<FeatureStream> {
        FeatureStream::new(&self.info.features, self.separator.as_ref())
    }

    /// Analyzes a window from its features, at least one patch long.
    ///
    /// # Errors
    /// When the features do not fit the model's settings, or when cancelled.
    pub fn analyze_power(&self, power: &BandPower, cancel: &CancelFlag) -> Result<Analysis> {
        let total = self.check_power(power)?;
        let features = &self.info.features;
        let mean = total / (power.frames * features.hop_samples) as f64;
        if mean < 10f64.powf(f64::from(SILENCE_DBFS) / 10.0) {
            return Ok(self.silence());
        }
        let batch = EncoderBatch::new(std::slice::from_ref(power), features, &self.device)?;
        let encoded = self.encoder.encode_until(&batch, None, cancel)?;
        cancel.check()?;
        let metered = self.encoder.meter(&encoded, &batch, None)?;
        // Not a product of tensors: candle would start threads of its own for one as large as this.
        let weighted: Vec<f32> = batch
            .power
            .flatten_all()?
            .to_vec1::<f32>()?
            .chunks_exact(features.patch_values())
            .flat_map(|patch| patch.iter().zip(&self.k_weights).map(|(p, k)| p * k))
            .collect();
        let weighted = Tensor::from_vec(weighted, batch.power.shape(), &self.device)?;
        let k_levels = levels_against_rest_db(&mask_energies(&encoded.mask_logits, &weighted)?.sum(1)?)?;
        let k_levels = self.encoder.with_separated(&k_levels, &batch, &weighted)?;
        // The head's correction is the same for both weightings.
        let k_levels =
            ((k_levels + &metered.level_db)? - &metered.base_level_db)?.squeeze(0)?.to_vec1::<f32>()?;
        let reading = readings(&metered)?.swap_remove(0);
        let levels_lu = PerStem::from_fn(|stem| {
            let level = k_levels[stem.index()];
            (reading[stem].is_present() && level.is_finite()).then_some(level)
        });
        Ok(Analysis { silent: false, reading, levels_lu })
    }

    /// A window taken apart, for auditions: its sound, at any rate, and its features.
    ///
    /// # Errors
    /// As [`Engine::analyze_power`], and when the sound cannot be brought to the separator's rate.
    pub fn unmix(&self, sound: StereoPcm, power: &BandPower, cancel: &CancelFlag) -> Result<Unmixed> {
        let masks = self.stem_masks(power, cancel)?;
        let mut window = Unmixed::new(sound, Vec::new(), masks);
        window.set_separated(self.separate(&window, power, cancel)?);
        Ok(window)
    }

    /// The sound of the stems that the model has a network for, in a window that was taken apart by masks.
    ///
    /// # Errors
    /// When the sound cannot be brought to the separator's rate, or when cancelled.
    pub fn separate(
        &self,
        window: &Unmixed,
        power: &BandPower,
        cancel: &CancelFlag,
    ) -> Result<Vec<(Stem, StereoPcm)>> {
        match &self.separator {
            Some(separator) => {
                separate(window.sound(), separator, power, window.masks(), &self.info.features, cancel)
            }
            None => Ok(Vec::new()),
        }
    }

    /// How the power of each cell of a window is shared among the stems, from its features.
    ///
    /// # Errors
    /// As [`Engine::analyze_power`].
    pub fn stem_masks(&self, power: &BandPower, cancel: &CancelFlag) -> Result<StemMasks> {
        self.check_power(power)?;
        let features = &self.info.features;
        let batch = EncoderBatch::new(std::slice::from_ref(power), features, &self.device)?;
        let encoded = self.encoder.encode_until(&batch, None, cancel)?;
        StemMasks::from_logits(&encoded.mask_logits, features)
    }

    /// The sum of a window's features, which must fit the model.
    fn check_power(&self, power: &BandPower) -> Result<f64> {
        let features = &self.info.features;
        let values = power.frames * power.bands;
        if power.bands != features.bands
            || power.frames == 0
            || !power.frames.is_multiple_of(features.patch_frames)
            || power.mid.len() != values
            || power.side.len() != values
            || power.shares.len() != features.separated.len()
            || power.shares.iter().any(|map| map.len() != values)
        {
            let (frames, bands) = (power.frames, power.bands);
            return Err(Error::Samples(format!("{frames} frames of {bands} bands do not fit this model")));
        }
        // Sums over the maps are sums over samples of mid² + side², which is the mean power of both channels.
        let total: f64 = power.mid.iter().chain(&power.side).map(|p| f64::from(*p)).sum();
        if !total.is_finite() {
            return Err(Error::Samples("its features hold a value that is not a number".into()));
        }
        Ok(total)
    }

    /// The analysis of silence.
    fn silence(&self) -> Analysis {
        Analysis { silent: true, reading: self.no_reading(0.0), levels_lu: PerStem::default() }
    }

    fn no_reading(&self, presence: f32) -> Reading {
        PerStem::from_fn(|_| StemReading {
            level_db: UNKNOWN_LEVEL_DB,
            error_db: UNKNOWN_ERROR_DB,
            presence,
            summary: vec![0.0; self.info.projector.summary],
        })
    }

    /// An analysis without information: a control that shows how much the question alone reveals.
    pub fn without_audio(&self) -> Analysis {
        Analysis { silent: false, reading: self.no_reading(1.0), levels_lu: PerStem::default() }
    }

    /// An analysis of known levels, stem against rest in dB (RMS), with a very small expected error: a control that
    /// shows how well the language model uses a perfect meter.
    pub fn with_exact_levels(&self, rest_levels_db: &PerStem<f64>) -> Analysis {
        let reading = PerStem::from_fn(|stem| StemReading {
            level_db: rest_levels_db[stem] as f32,
            error_db: EXACT_ERROR_DB,
            presence: 1.0,
            summary: vec![0.0; self.info.projector.summary],
        });
        Analysis { silent: false, reading, levels_lu: PerStem::default() }
    }

    /// Several windows pooled into one. None without windows.
    pub fn pool(&self, analyses: &[Analysis]) -> Option<Analysis> {
        let audible: Vec<&Analysis> = analyses.iter().filter(|analysis| !analysis.silent).collect();
        if audible.is_empty() {
            return analyses.first().map(|_| self.silence());
        }
        let windows: Vec<Reading> = audible.iter().map(|analysis| analysis.reading.clone()).collect();
        let reading = pool_readings(&windows)?;
        let levels_lu = PerStem::from_fn(|stem| {
            let levels: Vec<f32> = audible.iter().filter_map(|analysis| analysis.levels_lu[stem]).collect();
            let mean = levels.iter().sum::<f32>() / levels.len().max(1) as f32;
            (reading[stem].is_present() && !levels.is_empty()).then_some(mean)
        });
        Some(Analysis { silent: false, reading, levels_lu })
    }

    /// The balance of windows that are right, as a reference. None if no stem is present.
    pub fn reference_of(&self, analyses: &[Analysis]) -> Option<ReferenceBalance> {
        let audible = analyses.iter().filter(|analysis| !analysis.silent).map(|analysis| &analysis.reading);
        let reference = ReferenceBalance::of_windows(audible);
        reference.level_db.iter().any(|(_, level)| level.is_some()).then_some(reference)
    }

    /// Answers a question about an analysis: the advice of [`Engine::reply`].
    ///
    /// # Errors
    /// When cancelled or the model fails.
    pub fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice> {
        Ok(self.reply(analysis, request, cancel)?.advice)
    }

    /// The answer as the language model generated it, unchecked, with uncalibrated probabilities: calibration is fitted
    /// to these.
    ///
    /// # Errors
    /// When cancelled or the model fails.
    pub fn generate(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Generated> {
        match self.large_decider() {
            Some(large) => large.generate(&analysis.reading, &asked(request), cancel),
            None => self.generate_compact(analysis, request, cancel),
        }
    }

    /// The large model, if it decides.
    fn large_decider(&self) -> Option<&LargeModel> {
        self.large.as_deref().filter(|large| large.decides())
    }

    fn generate_compact(
        &self,
        analysis: &Analysis,
        request: &Request,
        cancel: &CancelFlag,
    ) -> Result<Generated> {
        let generator = Generator {
            decoder: &self.decoder,
            projector: &self.projector,
            tokenizer: &self.tokenizer,
            device: &self.device,
        };
        generator.generate(&analysis.reading, &asked(request), cancel)
    }

    /// Analyzes a window and answers.
    ///
    /// # Errors
    /// As [`Engine::analyze`] and [`Engine::answer`].
    pub fn advise(&self, pcm: &StereoPcm, request: &Request, cancel: &CancelFlag) -> Result<Advice> {
        self.answer(&self.analyze(pcm, cancel)?, request, cancel)
    }

    fn confidence(&self, outcomes: &Outcomes, with_reference: bool) -> f32 {
        outcomes.confidence(self.temperature(with_reference))
    }

    fn temperature(&self, with_reference: bool) -> f32 {
        let calibration = &self.info.calibration;
        let (usual, reference) = match self.large_decider() {
            Some(large) => (large.temperatures().usual, large.temperatures().reference),
            None => (calibration.temperature, calibration.reference_temperature),
        };
        if with_reference { reference } else { usual }
    }
}

/// A request as the language models get it.
fn asked(request: &Request) -> GenerationRequest<'_> {
    GenerationRequest {
        question: &request.question,
        stems: request.stems,
        anchor: request.anchor,
        reference: request.reference,
    }
}
