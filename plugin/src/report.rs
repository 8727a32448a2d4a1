//! The report: all advice as Markdown for people and as JSON for programs. Worker thread.

use crate::view::{Mark, View};
use mixing_buddy_core::report::{Report, Row};
use mixing_buddy_core::{Advice, DeviceKind, Error, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes `PATH.md` and `PATH.json` and returns the path of the former. An extension `.md` or `.json` in `path` is
/// dropped first.
///
/// # Errors
/// When a file cannot be written. An older file of that name is then unchanged.
pub fn save(path: &Path, view: &View) -> Result<PathBuf> {
    let is_ours = path.extension().is_some_and(|ending| ending == "md" || ending == "json");
    let stem = if is_ours { path.with_extension("") } else { path.to_path_buf() };
    let with_ending = |ending: &str| {
        let mut name = stem.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let (markdown_path, json_path) = (with_ending(".md"), with_ending(".json"));
    replace(&markdown_path, markdown(view).as_bytes())?;
    let text = serde_json::to_string_pretty(&value(view))
        .map_err(|error| Error::Format(format!("the report cannot be written: {error}")))?;
    replace(&json_path, text.as_bytes())?;
    Ok(markdown_path)
}

/// Writes to a temporary file in the same folder and renames it.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let attempt = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    attempt()
        .inspect_err(|_| {
            // A half-written file is of no use; that it cannot be removed is less important than the first error.
            let _ = std::fs::remove_file(&temporary);
        })
        .map_err(Error::io(path))
}

/// Marks by position in the song.
fn by_position(view: &View) -> Vec<&Mark> {
    let mut marks: Vec<&Mark> = view.history.iter().map(|mark| &**mark).collect();
    marks.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    marks
}

/// The report for people.
pub fn markdown(view: &View) -> String {
    fn row(mark: &Mark) -> Row<'_> {
        Row {
            start_s: mark.start_s,
            end_s: mark.end_s,
            advice: &mark.advice,
            remark: if mark.current { "" } else { " (before the last change)" },
        }
    }
    let report = Report {
        name: None,
        song: view.song.as_ref().map(|song| (&song.advice, song.windows)),
        reference: view.reference.as_ref().map(|reference| reference.name.as_str()),
        model: &view.model.name,
        device: device_name(view),
        levels_lu: view.song.as_ref().map_or(view.levels_lu, |song| song.advice.levels_lu),
        usual_lu: view.usual_lu,
        rows: by_position(view).into_iter().map(row).collect(),
    };
    report.markdown()
}

/// Where the model runs; empty while no model is loaded.
fn device_name(view: &View) -> &'static str {
    view.model.device.map_or("", DeviceKind::name)
}

/// The report for programs.
pub fn value(view: &View) -> Value {
    let window = |mark: &Mark| {
        let mut object = advice_value(&mark.advice);
        object["start_s"] = json!(mark.start_s);
        object["end_s"] = json!(mark.end_s);
        object["current"] = json!(mark.current);
        object
    };
    json!({
        "model": { "name": view.model.name, "device": device_name(view) },
        "reference": view.reference,
        "song": view.song.as_ref().map(|song| {
            let mut object = advice_value(&song.advice);
            object["windows"] = json!(song.windows);
            object
        }),
        "timeline": by_position(view).into_iter().map(window).collect::<Vec<_>>(),
    })
}

fn advice_value(advice: &Advice) -> Value {
    // Plain numbers and strings; a value that is not finite becomes null.
    serde_json::to_value(advice).unwrap_or_else(|_| json!({}))
}
