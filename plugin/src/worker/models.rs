//! One copy of a model for all instances of the process: shared, weakly held, loaded by whichever worker comes first.

use super::advisor::{Advisor, ModelSource, Wanted};
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;
use mixing_buddy_core::device::best_device;
use mixing_buddy_core::{CancelFlag, Engine, Error, Result};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Models in use or being loaded. Locked for moments only, never while loading.
static MODELS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

struct Entry {
    wanted: Wanted,
    /// None while it is being loaded.
    model: Option<Weak<Engine>>,
}

/// The models of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedModels;

impl ModelSource for SharedModels {
    fn get(&mut self, wanted: &Wanted, cancel: &CancelFlag) -> Result<Option<Arc<dyn Advisor>>> {
        {
            let mut models = lock();
            models.retain(|entry| entry.model.as_ref().is_none_or(|model| model.strong_count() > 0));
            match models.iter().find(|entry| entry.wanted == *wanted) {
                Some(Entry { model: None, .. }) => return Ok(None),
                Some(Entry { model: Some(model), .. }) => {
                    if let Some(engine) = model.upgrade() {
                        return Ok(Some(engine));
                    }
                }
                None => {}
            }
            models.retain(|entry| entry.wanted != *wanted);
            models.push(Entry { wanted: wanted.clone(), model: None });
        }
        let mut claim = Claim { wanted, model: None };
        let engine = Arc::new(load(wanted, cancel)?);
        claim.model = Some(Arc::downgrade(&engine));
        Ok(Some(engine))
    }
}

fn load(wanted: &Wanted, cancel: &CancelFlag) -> Result<Engine> {
    let from_bytes = |name: &Path, bytes: &[u8]| {
        if !wanted.cpu_only {
            let loaded = Engine::from_bytes_on(best_device(), name, bytes, cancel).and_then(|engine| {
                // A GPU loads its kernels here, or fails before the first window.
                if engine.device_kind().is_gpu() {
                    engine.warmup(cancel)?;
                }
                Ok(engine)
            });
            match loaded {
                // Whatever the GPU cannot do, the CPU can.
                Err(Error::Tensor(_)) => {}
                done => return done,
            }
        }
        Engine::from_bytes(name, bytes, cancel)
    };
    match &wanted.path {
        None => from_bytes(Path::new("compact (built in)"), SHIPPED_BUNDLE),
        Some(path) => {
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            from_bytes(path, &bytes)
        }
    }
}

fn lock() -> MutexGuard<'static, Vec<Entry>> {
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to load one model; given back however loading ends.
struct Claim<'a> {
    wanted: &'a Wanted,
    model: Option<Weak<Engine>>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut models = lock();
        models.retain(|entry| entry.wanted != *self.wanted);
        if let Some(model) = self.model.take() {
            models.push(Entry { wanted: self.wanted.clone(), model: Some(model) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_share_one_copy_and_the_last_frees_it() {
        let cancel = CancelFlag::new();
        let mut source = SharedModels;
        let first = source.get(&Wanted::default(), &cancel).unwrap().unwrap();
        let second = source.get(&Wanted::default(), &cancel).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(Arc::strong_count(&first), 2, "the list holds it weakly");
    }

    #[test]
    fn the_first_sensitivity_is_the_built_in_models_own() {
        // Not the shared copy, whose users the other test counts.
        let model = Engine::from_bytes("built-in".as_ref(), SHIPPED_BUNDLE, &CancelFlag::new()).unwrap();
        let off = model.threshold() - crate::params::DEFAULT_SENSITIVITY;
        assert!(off.abs() <= 0.025, "the model speaks from {}", model.threshold());
    }

    #[test]
    fn a_cancelled_or_failed_load_leaves_the_way_free() {
        let mut source = SharedModels;
        let wanted = Wanted { path: Some("/no/such/model.mixbuddy".into()), cpu_only: false };
        for _ in 0..2 {
            let error = source.get(&wanted, &CancelFlag::new()).err().unwrap().to_string();
            assert!(error.contains("/no/such/model.mixbuddy"), "{error}");
        }
        let cancelled = CancelFlag::new();
        cancelled.cancel();
        // Of another key than the built-in one, which the other test may be loading.
        let wanted = Wanted { path: None, cpu_only: true };
        assert!(matches!(source.get(&wanted, &cancelled), Err(Error::Cancelled)));
        assert!(source.get(&wanted, &CancelFlag::new()).unwrap().is_some());
    }
}
