//! The models: what there is, a fetch, and what went wrong.

use super::{Scene, advice};
use mixing_buddy::panel::program::{List, Listed, Said};
use mixing_buddy_core::ModelChoice;
use mixing_buddy_core::model_choice::LargeChoice;

/// Where the large model is when it is here.
pub const FILE: &str = "/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";

/// The list of the command line.
pub fn list(is_here: bool) -> List {
    let large = Listed {
        name: "qwen2-0.5b".into(),
        purpose: "advice".into(),
        size_bytes: Some(491_400_064),
        licence: Some("Apache-2.0".into()),
        path: is_here.then(|| FILE.into()),
    };
    let compact = Listed { name: "compact".into(), purpose: "advice".into(), ..Listed::default() };
    List { models: vec![compact, large] }
}

fn after(name: &'static str, is_here: bool, said: impl IntoIterator<Item = Said>) -> Scene {
    let mut scene = advice().named(name);
    scene.state.models.is_open = true;
    for said in std::iter::once(Said::Listed(list(is_here))).chain(said) {
        scene.state.models.hear(said, &mut scene.recorder);
    }
    scene
}

pub fn listed() -> Scene {
    after("models", false, [])
}

pub fn here() -> Scene {
    after("models_here", true, [])
}

pub fn fetching() -> Scene {
    let progress = Said::Progress { bytes: 181_000_000, size_bytes: 491_400_064, seconds_left: Some(38.0) };
    after("models_fetching", false, [progress])
}

pub fn failed() -> Scene {
    let reason = "https://huggingface.co cannot be reached: no route to the host";
    after("models_failed", false, [Said::Failed(reason.into())])
}

pub fn in_use() -> Scene {
    let mut scene = after("models_in_use", true, []);
    scene.view.model.name = "compact 0.6.0, qwen2.5-coder-0.5b-instruct-q4_k_m.gguf".into();
    scene.view.model.language =
        ModelChoice::Large(LargeChoice { name: "qwen2-0.5b".into(), file: FILE.into(), adapter: None });
    scene
}
