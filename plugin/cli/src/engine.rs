//! The engine that commands ask: the bundle's ears, and the language model that was chosen.

use crate::model::file::{Place, is_bundle, place};
use crate::model::settings::HubSettings;
use crate::model::store::Store;
use anyhow::{Result, ensure};
use clap::Args;
use mixing_buddy_core::large::LargeModel;
use mixing_buddy_core::model_choice::{COMPACT, LargeChoice};
use mixing_buddy_core::output::note;
use mixing_buddy_core::{CancelFlag, Engine, ModelChoice};
use std::path::PathBuf;
use std::sync::Arc;

/// Which model answers.
#[derive(Args)]
pub struct EngineArgs {
    /// A model file; the built-in model if none is given
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Model: `compact`, `qwen2-0.5b`, `hf://OWNER/NAME`, or a file; by default the one of `model use`
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// An adapter of your own for the file
    #[arg(long, value_name = "FILE", requires = "model")]
    adapter: Option<PathBuf>,
    /// Threads of a large language model
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

impl EngineArgs {
    /// Loads the engine.
    ///
    /// Where the model of `model use` cannot be loaded, a note says why, and the compact model answers. One that is named
    /// here must load.
    ///
    /// # Errors
    /// When a model that is named cannot be loaded.
    pub fn open(&self, cancel: &CancelFlag) -> Result<Engine> {
        let mut bundle = self.bundle.clone();
        let large = match &self.model {
            Some(model) => match self.named(model)? {
                Place::Compact => None,
                Place::File { path, .. } if is_bundle(&path)? => {
                    ensure!(
                        bundle.is_none(),
                        "--model {model} is a bundle: it and --bundle cannot be used together"
                    );
                    ensure!(self.adapter.is_none(), "--model {model} is a bundle, which takes no adapter");
                    bundle = Some(path);
                    None
                }
                Place::File { name, path, .. } => {
                    let choice = LargeChoice { name, file: path, adapter: self.adapter.clone() };
                    Some(LargeModel::of_choice(&choice)?)
                }
            },
            None => chosen().unwrap_or_else(|error| {
                note(&format!(
                    "Warning: the chosen model cannot be used, the compact one answers: {error:#}"
                ));
                None
            }),
        };
        let engine = Engine::open(bundle.as_deref(), cancel)?;
        Ok(match large {
            Some(large) => engine.with_large(Arc::new(large.with_threads(self.threads))),
            None => engine,
        })
    }

    fn named(&self, model: &str) -> Result<Place> {
        // The built-in model needs no folder of the hub, which a system without homes has not.
        if model == COMPACT {
            return Ok(Place::Compact);
        }
        place(model, &Store::at(HubSettings::from_environment(true)?.cache))
    }
}

/// The model of `model use`.
fn chosen() -> Result<Option<LargeModel>> {
    let Ok(path) = ModelChoice::path_of_user() else { return Ok(None) };
    Ok(LargeModel::of_choice_file(&path)?)
}
