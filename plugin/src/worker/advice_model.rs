//! What the worker needs from a model. The engine is one; tests have their own.

use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::audition::{StemMasks, Unmixed};
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::{BandPower, FeatureSettings};
use mixing_buddy_core::norms::usual;
use mixing_buddy_core::separator::Separator;
use mixing_buddy_core::{
    Advice, Analysis, CancelFlag, Conversation, DeviceKind, Engine, ModelChoice, PerStem, Request, Result,
    Stem,
};
use std::path::PathBuf;
use std::sync::Arc;

/// A loaded model. Called on worker threads only.
pub trait AdviceModel: Send + Sync {
    /// Name and version: "compact 0.1.0".
    fn name(&self) -> String;
    /// Where it runs.
    fn device(&self) -> DeviceKind;
    /// The features that it takes.
    fn features(&self) -> &FeatureSettings;
    /// The separator that the features need; none for a model without one.
    fn separator(&self) -> Option<&Arc<Separator>>;
    /// Its own confidence threshold.
    fn threshold(&self) -> f32;
    /// The usual range of each stem in LU against the rest of the mix: low and high end.
    fn usual_lu(&self) -> PerStem<(f32, f32)>;
    /// Analyzes a window.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn analyze(&self, power: &BandPower, cancel: &CancelFlag) -> Result<Analysis>;
    /// How the power of a window is shared among the stems: at once.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn stem_masks(&self, power: &BandPower, cancel: &CancelFlag) -> Result<StemMasks>;
    /// The sound of the stems that the separator has a network for, in a window with masks and these features. It takes
    /// half a second.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn separate(
        &self,
        window: &Unmixed,
        power: &BandPower,
        cancel: &CancelFlag,
    ) -> Result<Vec<(Stem, StereoPcm)>>;
    /// Answers a request about an analysis.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice>;
    /// Does what an answer begins with, before there is a question; nothing where answers come at once.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn begin(&self, _conversation: &mut Conversation, _cancel: &CancelFlag) -> Result<()> {
        Ok(())
    }

    /// Answers the next question of a conversation. `written` gets the answer in pieces, as it comes.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn ask(
        &self,
        conversation: &mut Conversation,
        question: &str,
        cancel: &CancelFlag,
        _written: &mut dyn FnMut(&str),
    ) -> Result<Advice> {
        let request = Request { question: question.to_string(), ..conversation.request().clone() };
        self.answer(conversation.analysis(), &request, cancel)
    }

    /// Pools the analyses of several windows; none if there is no window.
    fn pool(&self, analyses: &[Analysis]) -> Option<Analysis>;
    /// The mean balance of several windows; none if no stem is present in them.
    fn reference_of(&self, analyses: &[Analysis]) -> Option<ReferenceBalance>;
}

impl AdviceModel for Engine {
    fn name(&self) -> String {
        let ears = format!("{} {}", self.info().name, self.info().version);
        match self.large() {
            None => ears,
            Some(large) => format!("{ears}, {}", large.base_name()),
        }
    }

    fn device(&self) -> DeviceKind {
        self.device_kind()
    }

    fn features(&self) -> &FeatureSettings {
        &self.info().features
    }

    fn separator(&self) -> Option<&Arc<Separator>> {
        Engine::separator(self)
    }

    fn threshold(&self) -> f32 {
        Engine::threshold(self)
    }

    fn usual_lu(&self) -> PerStem<(f32, f32)> {
        usual::bands_lu(self.norms())
    }

    fn analyze(&self, power: &BandPower, cancel: &CancelFlag) -> Result<Analysis> {
        self.analyze_power(power, cancel)
    }

    fn stem_masks(&self, power: &BandPower, cancel: &CancelFlag) -> Result<StemMasks> {
        Engine::stem_masks(self, power, cancel)
    }

    fn separate(
        &self,
        window: &Unmixed,
        power: &BandPower,
        cancel: &CancelFlag,
    ) -> Result<Vec<(Stem, StereoPcm)>> {
        Engine::separate(self, window, power, cancel)
    }

    fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice> {
        Engine::answer(self, analysis, request, cancel)
    }

    fn begin(&self, conversation: &mut Conversation, cancel: &CancelFlag) -> Result<()> {
        match self.large() {
            Some(_) => Engine::begin(self, conversation, cancel),
            None => Ok(()),
        }
    }

    fn ask(
        &self,
        conversation: &mut Conversation,
        question: &str,
        cancel: &CancelFlag,
        written: &mut dyn FnMut(&str),
    ) -> Result<Advice> {
        Ok(Engine::ask(self, conversation, question, cancel, written)?.advice)
    }

    fn pool(&self, analyses: &[Analysis]) -> Option<Analysis> {
        Engine::pool(self, analyses)
    }

    fn reference_of(&self, analyses: &[Analysis]) -> Option<ReferenceBalance> {
        Engine::reference_of(self, analyses)
    }
}

/// Which model to load, and where to run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelKey {
    /// A bundle file; none for the built-in model.
    pub path: Option<PathBuf>,
    /// Whether a GPU has failed already.
    pub cpu_only: bool,
    /// The language model beside the built-in model's ears. A bundle file has its own.
    pub language: ModelChoice,
}

/// Where models come from.
pub trait ModelSource: Send {
    /// The model, loaded now or shared. None while another instance loads it: ask again soon.
    ///
    /// # Errors
    /// When it cannot be loaded, or when cancelled.
    fn get(&mut self, key: &ModelKey, cancel: &CancelFlag) -> Result<Option<Arc<dyn AdviceModel>>>;

    /// The language model that the user chose for all projects.
    ///
    /// # Errors
    /// When the stored choice cannot be read.
    fn language(&mut self) -> Result<ModelChoice> {
        Ok(ModelChoice::Compact)
    }

    /// Stores the choice of a language model for all projects.
    ///
    /// # Errors
    /// When it cannot be written.
    fn choose_language(&mut self, _choice: &ModelChoice) -> Result<()> {
        Ok(())
    }

    /// How often an instance of this process has stored a choice.
    fn language_changes(&self) -> u64 {
        0
    }
}
