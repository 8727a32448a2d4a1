//! What is saved with the project next to the parameters: choices, reference, history, look of the panel.
//!
//! The host saves and loads on its own thread at any time. The worker changes what is saved. Both use
//! [`ProjectState`], each for a moment only. The audio thread never does. Main thread and worker.

use crate::settings::PanelSettings;
use crate::view::{Choices, Mark, Reference};
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::{Advice, Analysis, PerStem};
use nice_plug::prelude::{ParamPtr, Params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version of [`Saved`] that this program writes. It reads this version and all older ones.
pub const STATE_VERSION: u32 = 1;
/// Longest text that is read, in bytes. A full history takes about 2 MB, so a longer text is not a state of ours.
const LONGEST_TEXT: usize = 8 << 20;
/// Key of the state among the host's fields. Projects know it by this name.
const KEY: &str = "session";

/// Everything that a project keeps. Unknown fields are ignored; missing fields take their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    /// [`STATE_VERSION`] of the writer.
    pub version: u32,
    /// The user's settings that are not parameters.
    pub choices: Choices,
    /// The balance to aim at.
    pub reference: Option<Reference>,
    /// Advice on each window.
    pub history: Vec<Mark>,
    /// The song so far, to continue from.
    pub song: Option<SavedSong>,
}

impl Default for Saved {
    fn default() -> Self {
        Saved {
            version: STATE_VERSION,
            choices: Choices::default(),
            reference: None,
            history: Vec::new(),
            song: None,
        }
    }
}

/// The windows since the last "Start over", pooled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSong {
    /// The advice on the song.
    pub advice: Advice,
    /// Number of windows pooled.
    pub windows: usize,
    /// The pooled reading.
    pub reading: Reading,
    /// The pooled levels against the rest of the mix, in LU.
    pub levels_lu: PerStem<Option<f32>>,
}

impl SavedSong {
    /// The song as one analysis, to pool with new windows.
    pub fn analysis(&self) -> Analysis {
        Analysis { silent: false, reading: self.reading.clone(), levels_lu: self.levels_lu }
    }
}

/// What a project file contained.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A state, to be used.
    Saved(Arc<Saved>),
    /// Nothing usable: the defaults are used, and the user reads this sentence.
    Unusable(String),
}

/// The state of one instance, shared by host and worker.
#[derive(Default)]
pub struct ProjectState {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What a save writes.
    current: Arc<Saved>,
    panel: PanelSettings,
    /// Counts what the user has changed.
    changes: u64,
    /// Loaded by the host, not yet taken by the worker.
    loaded: Option<Loaded>,
    /// The text of a newer version. A save writes it back unchanged until something changes here.
    newer_text: Option<String>,
}

/// The text in a project.
#[derive(Serialize, Deserialize)]
struct Text<S> {
    #[serde(flatten)]
    saved: S,
    #[serde(default)]
    panel: PanelSettings,
}

impl ProjectState {
    /// What a save would write now.
    pub fn current(&self) -> Arc<Saved> {
        self.lock().current.clone()
    }

    /// Takes what the host has loaded since the last call. Worker.
    pub fn take_loaded(&self) -> Option<Loaded> {
        self.lock().loaded.take()
    }

    /// Makes `saved` what the next save writes. Ignored while a loaded state waits for the worker, because that state
    /// would be lost. Worker.
    pub fn publish(&self, saved: Saved) {
        let mut inner = self.lock();
        if inner.loaded.is_none() && *inner.current != saved {
            let current = &inner.current;
            let is_users = current.choices != saved.choices || current.reference != saved.reference;
            inner.changes += u64::from(is_users);
            inner.current = Arc::new(saved);
            inner.newer_text = None;
        }
    }

    /// How often the user has changed a choice or the reference. When it grows, the host is told that the project is
    /// modified. Advice that comes while the song plays is no change of the user's.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Look and size of the panel.
    pub fn panel(&self) -> PanelSettings {
        self.lock().panel
    }

    /// Stores look and size of the panel.
    pub fn set_panel(&self, panel: PanelSettings) {
        self.lock().panel = panel;
    }

    /// The text that goes into a project.
    pub fn to_text(&self) -> String {
        let (saved, panel, newer_text) = {
            let inner = self.lock();
            (inner.current.clone(), inner.panel, inner.newer_text.clone())
        };
        newer_text.unwrap_or_else(|| {
            // Plain values with string keys: serializing them cannot fail.
            serde_json::to_string(&Text { saved: &*saved, panel }).unwrap_or_default()
        })
    }

    /// Loads the text of a project. A text that cannot be used leaves the defaults and a sentence for the user.
    pub fn load_text(&self, text: &str) {
        let read = read(text);
        let mut inner = self.lock();
        inner.newer_text = None;
        match read {
            Ok((saved, panel)) => {
                let saved = Arc::new(saved);
                inner.current = saved.clone();
                inner.panel = panel;
                inner.loaded = Some(Loaded::Saved(saved));
            }
            Err(Unreadable { sentence, is_newer }) => {
                inner.current = Arc::default();
                inner.newer_text = is_newer.then(|| text.to_string());
                inner.loaded = Some(Loaded::Unusable(sentence));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Unreadable {
    sentence: String,
    /// Whether a newer version wrote the text, so that it must be kept.
    is_newer: bool,
}

fn read(text: &str) -> Result<(Saved, PanelSettings), Unreadable> {
    let unusable = |reason: String| Unreadable {
        sentence: format!(
            "The settings saved with this project cannot be used ({reason}). Defaults are in use."
        ),
        is_newer: false,
    };
    if text.len() > LONGEST_TEXT {
        return Err(unusable(format!("they take {} MB", text.len() >> 20)));
    }
    #[derive(Deserialize)]
    struct Version {
        #[serde(default)]
        version: u32,
    }
    let Version { version } = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
    if version > STATE_VERSION {
        return Err(Unreadable {
            sentence:
                "A newer version of MixingBuddy saved this project. Defaults are in use. The saved settings \
                       stay in the project until you change something here."
                    .into(),
            is_newer: true,
        });
    }
    // Version 0 had no number and no panel, for which the defaults apply; the rest is as in version 1.
    let Text::<Saved> { mut saved, panel } =
        serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
    saved.version = STATE_VERSION;
    saved.check().map_err(|reason| unusable(reason.into()))?;
    Ok((saved, panel.checked()))
}

impl Saved {
    /// Rejects values that this program never writes: numbers too large for their type, which become infinite and which
    /// no text can hold.
    fn check(&self) -> Result<(), &'static str> {
        let again = serde_json::to_string(self).and_then(|text| serde_json::from_str::<Saved>(&text));
        match again {
            Ok(again) if again == *self => Ok(()),
            _ => Err("it holds numbers that are too large"),
        }
    }
}

// SAFETY: there are no parameters here, so no pointer to one is given out.
unsafe impl Params for ProjectState {
    fn param_map(&self) -> Vec<(String, ParamPtr, String)> {
        Vec::new()
    }

    fn serialize_fields(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(KEY.to_string(), self.to_text())])
    }

    fn deserialize_fields(&self, serialized: &BTreeMap<String, String>) {
        if let Some(text) = serialized.get(KEY) {
            self.load_text(text);
        }
    }
}
