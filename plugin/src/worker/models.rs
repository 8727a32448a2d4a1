//! One copy of each model for all instances in the process. The first worker loads it; the last to drop it frees it.

use super::advice_model::{AdviceModel, ModelKey, ModelSource};
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::device::best_device;
use mixing_buddy_core::large::LargeModel;
use mixing_buddy_core::{CancelFlag, Engine, Error, ModelChoice, Result};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tracing::warn;

/// Models in use or being loaded. Locked briefly, never while a model loads.
static MODELS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// How often an instance has stored the choice of a language model: the others then read it again.
static LANGUAGE_CHANGES: AtomicU64 = AtomicU64::new(0);

struct Entry {
    key: ModelKey,
    /// None while it loads.
    model: Option<Weak<Engine>>,
}

/// The models of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedModels;

impl ModelSource for SharedModels {
    fn get(&mut self, key: &ModelKey, cancel: &CancelFlag) -> Result<Option<Arc<dyn AdviceModel>>> {
        {
            let mut models = lock();
            models.retain(|entry| entry.model.as_ref().is_none_or(|model| model.strong_count() > 0));
            match models.iter().find(|entry| entry.key == *key) {
                Some(Entry { model: None, .. }) => return Ok(None),
                Some(Entry { model: Some(model), .. }) => {
                    if let Some(engine) = model.upgrade() {
                        return Ok(Some(engine));
                    }
                }
                None => {}
            }
            models.retain(|entry| entry.key != *key);
            models.push(Entry { key: key.clone(), model: None });
        }
        let mut claim = Claim { key, model: None };
        let engine = Arc::new(load(key, cancel)?);
        claim.model = Some(Arc::downgrade(&engine));
        Ok(Some(engine))
    }

    fn language(&mut self) -> Result<ModelChoice> {
        ModelChoice::read(&ModelChoice::path_of_user()?)
    }

    fn choose_language(&mut self, choice: &ModelChoice) -> Result<()> {
        choice.write(&ModelChoice::path_of_user()?)?;
        LANGUAGE_CHANGES.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn language_changes(&self) -> u64 {
        LANGUAGE_CHANGES.load(Ordering::Relaxed)
    }
}

fn load(key: &ModelKey, cancel: &CancelFlag) -> Result<Engine> {
    let from_bytes = |name: &Path, bytes: &[u8]| {
        if !key.cpu_only {
            let loaded = Engine::from_bytes_on(best_device(), name, bytes, cancel).and_then(|engine| {
                // A GPU loads its kernels here, or fails before the first window.
                if engine.device_kind().is_gpu() {
                    engine.warmup(cancel)?;
                }
                Ok(engine)
            });
            match loaded {
                // The CPU can do what the GPU cannot.
                Err(Error::Tensor(error)) => {
                    warn!(%error, "the model did not load on the best device, the CPU is used")
                }
                done => return done,
            }
        }
        Engine::from_bytes(name, bytes, cancel)
    };
    match &key.path {
        None => with_language(from_bytes(Path::new("compact (built in)"), SHIPPED_BUNDLE)?, &key.language),
        Some(path) => {
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            from_bytes(path, &bytes)
        }
    }
}

/// The engine with the large model of a choice, if it names one.
fn with_language(engine: Engine, choice: &ModelChoice) -> Result<Engine> {
    match choice {
        ModelChoice::Compact => Ok(engine),
        ModelChoice::Large(choice) => Ok(engine.with_large(Arc::new(LargeModel::of_choice(choice)?))),
    }
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to load one model, released however loading ends.
struct Claim<'a> {
    key: &'a ModelKey,
    model: Option<Weak<Engine>>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut models = lock();
        models.retain(|entry| entry.key != *self.key);
        if let Some(model) = self.model.take() {
            models.push(Entry { key: self.key.clone(), model: Some(model) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_instances_share_one_copy() {
        let cancel = CancelFlag::new();
        let mut source = SharedModels;
        let first = source.get(&ModelKey::default(), &cancel).unwrap().unwrap();
        let second = source.get(&ModelKey::default(), &cancel).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(Arc::strong_count(&first), 2, "the list holds it weakly");
    }

    #[test]
    fn the_default_threshold_is_the_built_in_models_own() {
        // Not the shared copy: another test counts its users.
        let model = Engine::from_bytes("built-in".as_ref(), SHIPPED_BUNDLE, &CancelFlag::new()).unwrap();
        let off = model.threshold() - crate::params::DEFAULT_CONFIDENCE_THRESHOLD;
        assert!(off.abs() <= 0.025, "the model's threshold is {}", model.threshold());
    }

    #[test]
    fn after_a_failed_or_cancelled_load_others_can_load() {
        let mut source = SharedModels;
        let key = ModelKey { path: Some("/no/such/model.mixbuddy".into()), ..ModelKey::default() };
        for _ in 0..2 {
            let error = source.get(&key, &CancelFlag::new()).err().unwrap().to_string();
            assert!(error.contains("/no/such/model.mixbuddy"), "{error}");
        }
        let cancelled = CancelFlag::new();
        cancelled.cancel();
        // Not the key of the built-in model, which another test may load at the same time.
        let key = ModelKey { cpu_only: true, ..ModelKey::default() };
        assert!(matches!(source.get(&key, &cancelled), Err(Error::Cancelled)));
        assert!(source.get(&key, &CancelFlag::new()).unwrap().is_some());
    }
}
