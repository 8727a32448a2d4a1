//! The large model: a base, its adapter, and the decision on a window.

use super::choices::Choices;
use super::layout::{Layout, WindowPrompt, WindowSpec};
use super::package::{About, Package, Temperatures};
use crate::cancel::CancelFlag;
use crate::decoder::sampling::{mean_and_sd, shares};
use crate::decoder::{Generated, GenerationRequest, Outcomes, Projector, ReferenceBalance, audio_features};
use crate::encoder::Reading;
use crate::error::{Error, Result};
use crate::gain_grid::GainStep;
use crate::language::{Decision, Intent, ParsedAnswer, StemError, fallback_sentence};
use crate::nn::Params;
use crate::qwen2::{Cache, Checkpoint, Model, Precision, QwenTokenizer, RunOptions};
use crate::stem::{Direction, Stem};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// A pretrained Qwen2 with our adapter.
pub struct LargeModel {
    pub(super) model: Model,
    pub(super) tokenizer: QwenTokenizer,
    pub(super) choices: Choices,
    name: String,
    about: About,
    projector: Projector,
    threads: usize,
    /// What the model remembers of the opening, which all windows share.
    opening: OnceLock<Cache>,
}

/// A decision on a window.
#[derive(Clone)]
pub struct Decided {
    /// Probabilities of all outcomes, uncalibrated.
    pub outcomes: Outcomes,
    /// The most probable outcome, with the mean size.
    pub error: Option<StemError>,
    /// Standard deviation of the size in dB; 0 without an error.
    pub gain_sd_db: f32,
    /// Tokens that were read and decided.
    pub tokens: usize,
    /// What the model remembers, up to the decision.
    pub cache: Cache,
}

impl Decided {
    /// In the form of the compact model's answers, with a plain sentence.
    ///
    /// # Errors
    /// When the decision contradicts itself.
    pub fn generated(&self) -> Result<Generated> {
        let decision = Decision::new(Intent::Balance, self.error)?;
        let sentence = fallback_sentence(&decision);
        Ok(Generated {
            answer: ParsedAnswer { decision, verdict: decision.verdict(), sentence },
            outcomes: self.outcomes,
            gain_sd_db: self.gain_sd_db,
            tokens: self.tokens,
        })
    }
}

impl LargeModel {
    /// Opens a base (a GGUF file, or a folder with safetensors) and puts an adapter over it. `name` stands for the adapter in
    /// messages.
    ///
    /// # Errors
    /// When the base cannot be used, or the adapter is for another base.
    pub fn open(base: &Path, (name, package): (&Path, Package)) -> Result<Self> {
        let checkpoint = Checkpoint::open(base)?;
        let mut model = Model::load(&checkpoint)?;
        let Package { adapter, projector, about } = package;
        if about.projector.hidden != model.config().hidden_size || about.projector.tokens_per_stem != 1 {
            return Err(Error::model(name, "has a projector that does not fit the base"));
        }
        model.adapt(name, adapter)?;
        let params = Params::load(projector, BTreeMap::new(), &Device::Cpu).frozen();
        let projector = Projector::new(&params.pp("projector"), &about.projector)
            .map_err(|cause| Error::model(name, cause.to_string()))?;
        let choices =
            Choices::new(&checkpoint.tokenizer).map_err(|cause| Error::model(base, cause.to_string()))?;
        Ok(LargeModel {
            model,
            tokenizer: checkpoint.tokenizer,
            choices,
            name: checkpoint.name,
            about,
            projector,
            threads: 1,
            opening: OnceLock::new(),
        })
    }

    /// Uses this many threads per call, the calling one included; 1 by default. Those that are started end with the call.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Decides itself, whatever the adapter says: for measurements.
    #[must_use]
    pub fn deciding(mut self) -> Self {
        self.about.decides = true;
        self
    }

    /// Whether it decides, or talks about the compact model's decision.
    pub fn decides(&self) -> bool {
        self.about.decides
    }

    /// Name that the base gives itself.
    pub fn base_name(&self) -> &str {
        &self.name
    }

    /// What the adapter says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Temperatures of the decision.
    pub fn temperatures(&self) -> Temperatures {
        self.about.temperatures.unwrap_or(Temperatures { usual: 1.0, reference: 1.0 })
    }

    pub(super) fn layout(&self) -> Layout<'_> {
        Layout::new(&self.tokenizer, &self.choices)
    }

    pub(super) fn options(&self, cancel: &CancelFlag) -> RunOptions {
        RunOptions { threads: self.threads, precision: Precision::Fast, cancel: cancel.clone() }
    }

    /// The cache behind the opening. Read once, at the first window.
    fn opening(&self, options: &RunOptions) -> Result<Cache> {
        if let Some(cache) = self.opening.get() {
            return Ok(cache.clone());
        }
        let mut cache = Cache::new(self.model.config());
        self.model.read(&mut cache, &self.model.embed(&self.layout().opening()?)?, options)?;
        Ok(self.opening.get_or_init(|| cache).clone())
    }

    /// Decides what is off. The words of the request's question are not read.
    ///
    /// # Errors
    /// When cancelled, or when the model fails.
    pub fn decide(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        cancel: &CancelFlag,
    ) -> Result<Decided> {
        let options = self.options(cancel);
        let stems_present = request.stems_present(reading);
        let (mut cache, window) = self.window(reading, request, &options)?;
        let first = self.model.extend(&mut cache, &window, &options)?;
        let before = cache.tokens();

        let targets: Vec<Stem> = Stem::TARGETS
            .into_iter()
            .filter(|stem| stems_present[*stem] && request.anchor != Some(*stem))
            .collect();
        let ids: Vec<u32> =
            [self.choices.none].into_iter().chain(targets.iter().map(|s| self.choices.stems[*s])).collect();
        let of_stems = shares(&first, &ids);
        let mut outcomes = Outcomes { none: of_stems[0], ..Outcomes::default() };
        let directions = Direction::ALL.map(|direction| self.choices.directions[direction]);
        for (stem, share) in targets.iter().zip(&of_stems[1..]) {
            cache.truncate(before);
            let logits = self.next_logits(&mut cache, self.choices.stems[*stem], &options)?;
            for (error, of) in
                outcomes.errors[*stem].values_mut().iter_mut().zip(shares(&logits, &directions))
            {
                *error = share * of;
            }
        }
        cache.truncate(before);
        let (mut error, mut gain_sd_db) = (None, 0.0);
        if let Some((stem, direction)) = outcomes.best().0 {
            self.next_logits(&mut cache, self.choices.stems[stem], &options)?;
            let logits = self.next_logits(&mut cache, self.choices.directions[direction], &options)?;
            let (size_db, sd_db) =
                mean_and_sd(GainStep::all().map(GainStep::size_db), &shares(&logits, &self.choices.gains));
            gain_sd_db = sd_db;
            error = Some(StemError { stem, direction, size_db: GainStep::nearest(size_db).size_db() });
        }
        // The last token of the decision is read together with what follows it.
        Ok(Decided { outcomes, error, gain_sd_db, tokens: cache.tokens() + 1, cache })
    }

    /// The decision in the form of the compact model's answers, with a plain sentence.
    ///
    /// # Errors
    /// As [`LargeModel::decide`].
    pub fn generate(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        cancel: &CancelFlag,
    ) -> Result<Generated> {
        self.decide(reading, request, cancel)?.generated()
    }

    /// Reads one token, and returns the logits of the next.
    pub(super) fn next_logits(&self, cache: &mut Cache, id: u32, options: &RunOptions) -> Result<Vec<f32>> {
        self.model.extend(cache, &self.model.embed(&[id])?, options)
    }

    /// What the model remembers before a window, and the window's embeddings, which are to be read next.
    pub(super) fn window(
        &self,
        reading: &Reading,
        request: &GenerationRequest<'_>,
        options: &RunOptions,
    ) -> Result<(Cache, Vec<f32>)> {
        let spec = WindowSpec {
            stems_present: request.stems_present(reading),
            anchor: request.anchor,
            has_reference: request.reference.is_some(),
        };
        let prompt = self.layout().window(&spec)?;
        Ok((self.opening(options)?, self.embeddings(&prompt, reading, request.reference.as_ref())?))
    }

    /// Embeddings of a window, `[tokens, hidden]`, with the soft tokens in their slots.
    fn embeddings(
        &self,
        prompt: &WindowPrompt,
        reading: &Reading,
        reference: Option<&ReferenceBalance>,
    ) -> Result<Vec<f32>> {
        let (hidden, device) = (self.model.config().hidden_size, Device::Cpu);
        let mut embeddings = self.model.embed(&prompt.ids)?;
        let mut fill = |slots: &std::ops::Range<usize>, tokens: Tensor| -> Result<()> {
            let values = tokens.flatten_all()?.to_vec1::<f32>()?;
            embeddings[slots.start * hidden..slots.end * hidden].copy_from_slice(&values);
            Ok(())
        };
        // With one token per stem, the summaries are not used.
        let no_summaries = Tensor::zeros((1, Stem::COUNT, 1), candle_core::DType::F32, &device)?;
        fill(
            &prompt.audio_slots,
            self.projector.audio_tokens(&audio_features(reading, &device)?, &no_summaries)?,
        )?;
        if let (Some(slots), Some(reference)) = (&prompt.reference_slots, reference) {
            let features = self.projector.reference_features(reading, reference, &device)?;
            fill(slots, self.projector.reference_tokens(&features)?)?;
        }
        Ok(embeddings)
    }
}
