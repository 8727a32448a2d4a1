//! The plugin's saved state, read as any host or script could: eight bytes of length (little endian), then JSON.
//!
//! The JSON is the framework's: `params` by id, and text `fields`. The field `session` is JSON again. It contains
//! `history` (windows with `start_s`, `end_s`, `advice`) and `song` (`advice`, and how many `windows` it pools).

use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Advice;
use serde::Deserialize;
use serde_json::Value;

/// The parts of a saved state that the tests look at.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Seconds from one window to the next.
    pub hop_s: f64,
    /// Windows with advice, in the order of the song.
    pub history: Vec<SavedWindow>,
    /// The song so far; none before the first window.
    pub song: Option<SavedSong>,
    /// The whole field `session`, to compare.
    pub session: Value,
}

/// A window with its advice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SavedWindow {
    /// Start in seconds of the host's transport.
    pub start_s: f64,
    /// End in seconds of the host's transport.
    pub end_s: f64,
    /// The advice.
    pub advice: Advice,
}

/// The windows so far, as one song.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SavedSong {
    /// The advice.
    pub advice: Advice,
    /// Windows pooled.
    pub windows: usize,
}

/// The part of the field `session` that is read here.
#[derive(Deserialize)]
struct SessionField {
    history: Vec<SavedWindow>,
    song: Option<SavedSong>,
}

impl State {
    /// Reads the bytes from [`crate::host::Instance::save`].
    ///
    /// # Errors
    /// When the bytes do not have the form that this module describes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let whole: Value = serde_json::from_slice(payload(bytes)?).context("the saved state is not JSON")?;
        let text = whole["fields"]["session"].as_str().context("the saved state has no session")?;
        let session: Value = serde_json::from_str(text).context("the saved session is not JSON")?;
        let SessionField { mut history, song } =
            serde_json::from_value(session.clone()).context("the saved session has no history")?;
        history.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let hop = &whole["params"]["hop"];
        let hop_s = find_number(hop).with_context(|| format!("the saved hop is {hop}"))?;
        Ok(Self { hop_s, history, song, session })
    }

    /// The window that starts at `start_s`, give or take half a second.
    pub fn window_at(&self, start_s: f64) -> Option<&SavedWindow> {
        self.history.iter().find(|window| (window.start_s - start_s).abs() < 0.5)
    }
}

/// A saved state with another text in its field `session`.
///
/// # Errors
/// When `bytes` is not a saved state.
pub fn with_session(bytes: &[u8], session: &str) -> Result<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(payload(bytes)?)?;
    whole["fields"]["session"] = Value::from(session);
    Ok(framed(&serde_json::to_vec(&whole)?))
}

/// JSON with its length in front, as the framework saves it.
pub fn framed(json: &[u8]) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json].concat()
}

fn payload(bytes: &[u8]) -> Result<&[u8]> {
    let (length, json) = bytes.split_first_chunk().context("the saved state is shorter than its length")?;
    ensure!(
        u64::from_le_bytes(*length) == json.len() as u64,
        "the saved state does not have the length that it states"
    );
    Ok(json)
}

/// The framework saves a choice by its id, with the type around it: `{"string": "5"}`.
fn find_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Object(map) => map.values().find_map(find_number),
        _ => None,
    }
}
