//! What is saved with the project beside the parameters: choices, reference, history, looks. Main thread and worker.
//!
//! The host saves and loads on its own thread, at any time; the worker changes what is saved. They meet in
//! [`Session`], each for moments only. The audio thread never comes here.

use crate::panel::{DEFAULT_SIZE_PT, Look};
use crate::view::{Choices, Mark, Reference};
use mixing_buddy_core::encoder::Reading;
use mixing_buddy_core::{Advice, Analysis, PerStem};
use nice_plug::prelude::{ParamPtr, Params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version of [`Saved`] that this program writes. It reads this one and all older ones.
pub const STATE_VERSION: u32 = 1;
/// Longer texts than this are no state of ours: a full history takes about 2 MB.
const LONGEST_TEXT: usize = 8 << 20;
/// Key of the state among the host's fields.
const KEY: &str = "session";

/// Everything that a project keeps. Unknown fields are ignored, missing ones take their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    /// [`STATE_VERSION`] of the writer.
    pub version: u32,
    /// The user's settings that are no parameters.
    pub choices: Choices,
    /// The balance to aim at.
    pub reference: Option<Reference>,
    /// Judged windows.
    pub history: Vec<Mark>,
    /// The song so far, to go on from.
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
    /// What was said of the song.
    pub advice: Advice,
    /// Number of windows pooled.
    pub windows: usize,
    /// What was heard, pooled.
    pub reading: Reading,
    /// The same in LU.
    pub levels_lu: PerStem<Option<f32>>,
}

impl SavedSong {
    /// As evidence among new windows.
    pub fn analysis(&self) -> Analysis {
        Analysis { silent: false, reading: self.reading.clone(), levels_lu: self.levels_lu }
    }
}

/// How the panel looks, and its size in points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Panel {
    /// Theme and scale.
    pub look: Look,
    /// Width and height.
    pub size_pt: (f32, f32),
}

impl Default for Panel {
    fn default() -> Self {
        Panel { look: Look::default(), size_pt: DEFAULT_SIZE_PT.into() }
    }
}

/// What a project file held.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// State, to be taken up.
    Saved(Arc<Saved>),
    /// Nothing usable: defaults are taken, and this is said.
    Unusable(String),
}

/// The meeting place of host and worker.
#[derive(Default)]
pub struct Session {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What a save writes.
    current: Arc<Saved>,
    panel: Panel,
    /// Loaded by the host, not yet taken up by the worker.
    loaded: Option<Loaded>,
    /// State of a newer version: written back as it came until something is changed here.
    foreign: Option<String>,
}

/// The text that a project holds.
#[derive(Serialize, Deserialize)]
struct Text<S> {
    #[serde(flatten)]
    saved: S,
    #[serde(default)]
    panel: Panel,
}

impl Session {
    /// What a save would write now.
    pub fn current(&self) -> Arc<Saved> {
        self.lock().current.clone()
    }

    /// Takes what the host has loaded since the last call. Worker.
    pub fn take_loaded(&self) -> Option<Loaded> {
        self.lock().loaded.take()
    }

    /// Has the next save write this. Not while a loaded state waits to be taken up, which would be lost. Worker.
    pub fn publish(&self, saved: Saved) {
        let mut inner = self.lock();
        if inner.loaded.is_none() && *inner.current != saved {
            inner.current = Arc::new(saved);
            inner.foreign = None;
        }
    }

    /// How the panel looks.
    pub fn panel(&self) -> Panel {
        self.lock().panel
    }

    /// Remembers how the panel looks.
    pub fn set_panel(&self, panel: Panel) {
        self.lock().panel = panel;
    }

    /// The text that goes into a project.
    pub fn to_text(&self) -> String {
        let (saved, panel, foreign) = {
            let inner = self.lock();
            (inner.current.clone(), inner.panel, inner.foreign.clone())
        };
        foreign.unwrap_or_else(|| {
            // Plain values with string keys: there is nothing in them that could fail.
            serde_json::to_string(&Text { saved: &*saved, panel }).unwrap_or_default()
        })
    }

    /// Takes up the text of a project. Whatever it holds, nothing but a sentence comes of it at worst.
    pub fn load_text(&self, text: &str) {
        let read = read(text);
        let mut inner = self.lock();
        inner.foreign = None;
        match read {
            Ok((saved, panel)) => {
                let saved = Arc::new(saved);
                inner.current = saved.clone();
                inner.panel = panel;
                inner.loaded = Some(Loaded::Saved(saved));
            }
            Err(Unreadable { sentence, keep }) => {
                inner.current = Arc::default();
                inner.foreign = keep.then(|| text.to_string());
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
    /// Whether the text is worth keeping.
    keep: bool,
}

fn read(text: &str) -> Result<(Saved, Panel), Unreadable> {
    let unusable = |reason: String| Unreadable {
        sentence: format!(
            "The settings saved with this project cannot be used ({reason}). Defaults are in place."
        ),
        keep: false,
    };
    if text.len() > LONGEST_TEXT {
        return Err(unusable(format!("they are {} MB long", text.len() >> 20)));
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
                "This project was saved by a newer MixingBuddy. Defaults are in place; its settings stay \
                       in the project until you change something here."
                    .into(),
            keep: true,
        });
    }
    // Version 0 lacked the number and the looks, for which the defaults stand; all else is as in version 1.
    let Text::<Saved> { mut saved, panel } =
        serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
    saved.version = STATE_VERSION;
    saved.check().map_err(|reason| unusable(reason.into()))?;
    Ok((saved, panel.checked()))
}

impl Saved {
    /// Values that no writer of ours makes.
    fn check(&self) -> Result<(), &'static str> {
        let finite = |levels: &PerStem<Option<f32>>| {
            levels.iter().all(|(_, level)| level.is_none_or(|level| level.is_finite()))
        };
        if let Some(reference) = &self.reference
            && !(finite(&reference.balance.level_db) && finite(&reference.levels_lu))
        {
            return Err("its reference is no balance");
        }
        if let Some(song) = &self.song
            && !song.reading.iter().all(|(_, stem)| {
                let summary = stem.summary.iter().all(|value| value.is_finite());
                stem.level_db.is_finite() && stem.error_db.is_finite() && stem.presence.is_finite() && summary
            })
        {
            return Err("its song is no reading");
        }
        Ok(())
    }
}

impl Panel {
    fn checked(self) -> Self {
        let within = |points: f32, usual: f32| {
            if points.is_finite() { points.clamp(320.0, 8000.0) } else { usual }
        };
        let usual = Panel::default().size_pt;
        Panel { size_pt: (within(self.size_pt.0, usual.0), within(self.size_pt.1, usual.1)), ..self }
    }
}

// SAFETY: there are no parameters, so no pointer to any is handed out.
unsafe impl Params for Session {
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
