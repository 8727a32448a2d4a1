//! What the worker needs of a model. The engine is one; tests bring their own.

use crate::usual;
use mixing_buddy_core::decoder::ReferenceBalance;
use mixing_buddy_core::features::{BandPower, FeatureSettings};
use mixing_buddy_core::{Advice, Analysis, CancelFlag, DeviceKind, Engine, PerStem, Request, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// A loaded model. Called on worker threads only.
pub trait Advisor: Send + Sync {
    /// Name and version: "compact 0.1.0".
    fn name(&self) -> String;
    /// Where it runs.
    fn device(&self) -> DeviceKind;
    /// The features that it hears.
    fn features(&self) -> &FeatureSettings;
    /// Confidence from which it speaks by itself.
    fn threshold(&self) -> f32;
    /// The usual band of each stem in LU against the rest.
    fn usual_lu(&self) -> PerStem<(f32, f32)>;
    /// Hears a window.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn analyze(&self, power: &BandPower, cancel: &CancelFlag) -> Result<Analysis>;
    /// Answers about what was heard.
    ///
    /// # Errors
    /// When the model fails or is cancelled.
    fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice>;
    /// Several windows as one.
    fn pool(&self, analysis: &[Analysis]) -> Option<Analysis>;
    /// The balance of windows that are right.
    fn reference_of(&self, analysis: &[Analysis]) -> Option<ReferenceBalance>;
}

impl Advisor for Engine {
    fn name(&self) -> String {
        format!("{} {}", self.info().name, self.info().version)
    }

    fn device(&self) -> DeviceKind {
        self.device_kind()
    }

    fn features(&self) -> &FeatureSettings {
        &self.info().features
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

    fn answer(&self, analysis: &Analysis, request: &Request, cancel: &CancelFlag) -> Result<Advice> {
        Engine::answer(self, analysis, request, cancel)
    }

    fn pool(&self, analysis: &[Analysis]) -> Option<Analysis> {
        Engine::pool(self, analysis)
    }

    fn reference_of(&self, analysis: &[Analysis]) -> Option<ReferenceBalance> {
        Engine::reference_of(self, analysis)
    }
}

/// Which model is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A bundle file; the built-in one where none is named.
    pub path: Option<PathBuf>,
    /// Whether a GPU has failed already.
    pub cpu_only: bool,
}

/// Where models come from.
pub trait ModelSource: Send {
    /// The model, loaded now or shared; none while another instance is loading it: ask again soon.
    ///
    /// # Errors
    /// When it cannot be loaded, or when cancelled.
    fn get(&mut self, wanted: &Wanted, cancel: &CancelFlag) -> Result<Option<Arc<dyn Advisor>>>;
}
