//! The plugin's saved state, read as any host or script could: eight bytes of length (little endian), then JSON.
//!
//! The JSON is the framework's: `params` by id, and `fields` of text. The field `session` is JSON again; it holds
//! `history` (judged windows with `start_s`, `end_s`, `advice`) and `song` (`advice`, and how many `windows` it pools).

use anyhow::{Context, Result, ensure};
use mixing_buddy_core::Advice;
use serde::Deserialize;
use serde_json::Value;

/// What the tests look at in a saved state.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Seconds from one judged window to the next.
    pub hop_s: f64,
    /// Judged windows, in the order of the song.
    pub history: Vec<Window>,
    /// The song so far; none before the first window.
    pub song: Option<Song>,
    /// All of the session, to compare.
    pub session: Value,
}

/// A judged window.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Window {
    /// Start by the host's transport in seconds.
    pub start_s: f64,
    /// End by the host's transport in seconds.
    pub end_s: f64,
    /// What was said.
    pub advice: Advice,
}

/// The windows so far, as one song.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Song {
    /// What was said.
    pub advice: Advice,
    /// Windows pooled.
    pub windows: usize,
}

/// The part of the session that is read here.
#[derive(Deserialize)]
struct Session {
    history: Vec<Window>,
    song: Option<Song>,
}

impl State {
    /// Reads what [`crate::host::Instance::save`] gave.
    ///
    /// # Errors
    /// When it is not what the module's page describes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let whole: Value = serde_json::from_slice(payload(bytes)?).context("the saved state is no JSON")?;
        let text = whole["fields"]["session"].as_str().context("the saved state has no session")?;
        let session: Value = serde_json::from_str(text).context("the saved session is no JSON")?;
        let Session { mut history, song } =
            serde_json::from_value(session.clone()).context("the saved session has no history")?;
        history.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        let hop = &whole["params"]["hop"];
        let hop_s = find_number(hop).with_context(|| format!("the saved hop is {hop}"))?;
        Ok(Self { hop_s, history, song, session })
    }

    /// The window that starts at `start_s`, give or take half a second.
    pub fn window_at(&self, start_s: f64) -> Option<&Window> {
        self.history.iter().find(|window| (window.start_s - start_s).abs() < 0.5)
    }
}

/// A state as a host would hand it back, with the session's text replaced.
///
/// # Errors
/// When `bytes` is no saved state.
pub fn with_session(bytes: &[u8], session: &str) -> Result<Vec<u8>> {
    let mut whole: Value = serde_json::from_slice(payload(bytes)?)?;
    whole["fields"]["session"] = Value::from(session);
    Ok(framed(&serde_json::to_vec(&whole)?))
}

/// JSON with its length before it.
pub fn framed(json: &[u8]) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes(), json].concat()
}

fn payload(bytes: &[u8]) -> Result<&[u8]> {
    let (length, json) = bytes.split_first_chunk().context("the saved state is shorter than its length")?;
    ensure!(u64::from_le_bytes(*length) == json.len() as u64, "the saved state is not as long as it says");
    Ok(json)
}

/// Choices are saved by id, wrapped in their type: `{"string": "5"}`.
fn find_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Object(map) => map.values().find_map(find_number),
        _ => None,
    }
}
