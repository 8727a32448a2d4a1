//! The report: all advice as a page for browsers, as Markdown, and as JSON for programs. Worker thread.

use crate::since::outcome;
use crate::view::{Mark, View};
use mixing_buddy_core::{Advice, DeviceKind, Error, Result, Stem, clock, report};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Endings of the files: the page, Markdown, JSON.
const ENDINGS: [&str; 3] = ["html", "md", "json"];

/// Writes `PATH.html`, `PATH.md` and `PATH.json` and returns the path of the first. One of these endings in `path` is dropped
/// first.
///
/// # Errors
/// When a file cannot be written. An older file of that name is then unchanged.
pub fn save(path: &Path, view: &View) -> Result<PathBuf> {
    let is_ours = path.extension().is_some_and(|ending| ENDINGS.iter().any(|ours| ending == *ours));
    let stem = if is_ours { path.with_extension("") } else { path.to_path_buf() };
    let with_ending = |ending: &str| {
        let mut name = stem.clone().into_os_string();
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let json = serde_json::to_string_pretty(&value(view))
        .map_err(|error| Error::Format(format!("the report cannot be written: {error}")))?;
    let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let texts = [html(view, &name), markdown(view), json];
    for (ending, text) in ENDINGS.into_iter().zip(&texts) {
        report::write(&with_ending(ending), text.as_bytes())?;
    }
    Ok(with_ending(ENDINGS[0]))
}

/// The report as a page for browsers. `name` is that of the song.
pub fn html(view: &View, name: &str) -> String {
    let windows = by_position(view)
        .into_iter()
        .map(|mark| report::Window {
            start_s: mark.start_s,
            end_s: mark.end_s,
            advice: &mark.advice,
            is_outdated: !mark.current,
            followed: mark.followed.as_ref().map(outcome),
        })
        .collect();
    let target = match &view.reference {
        Some(reference) => report::Target::Reference(reference.name.clone(), reference.levels_lu),
        None => report::Target::Usual(view.usual_lu),
    };
    let song = report::Song {
        name: name.to_string(),
        whole: view.song.as_ref().map(|song| (&song.advice, song.windows)),
        windows,
        target,
        meters: Some(view.meters),
    };
    let mut made_by = vec![format!("MixingBuddy {}", view.version)];
    made_by.extend([view.model.name.as_str(), device_name(view)].map(str::to_string));
    made_by.retain(|part| !part.trim().is_empty());
    report::page(&[song], &made_by.join(" · "))
}

/// Marks by position in the song.
fn by_position(view: &View) -> Vec<&Mark> {
    let mut marks: Vec<&Mark> = view.history.iter().map(|mark| &**mark).collect();
    marks.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    marks
}

/// The report for people.
pub fn markdown(view: &View) -> String {
    let mut text = String::from("# MixingBuddy: mix balance\n\n");
    // Writing into a string cannot fail.
    let _ = match &view.song {
        Some(song) => {
            writeln!(text, "**The song** ({} windows): {}\n", song.windows, one_line(&song.advice.text))
        }
        None => writeln!(text, "The song has not been analyzed yet.\n"),
    };
    if let Some(reference) = &view.reference {
        let _ = writeln!(text, "Reference: {}.\n", one_line(&reference.name));
    }
    let _ = writeln!(text, "Model: {} on {}.\n", view.model.name, device_name(view));
    let levels = view.song.as_ref().map_or(view.levels_lu, |song| song.advice.levels_lu);
    text.push_str("| stem | level against the rest (LU) | usual range (LU) |\n| --- | --- | --- |\n");
    for stem in Stem::ALL {
        let level = levels[stem].map_or("absent".to_string(), |level| format!("{level:+.1}"));
        let (low, high) = view.usual_lu[stem];
        let _ = writeln!(text, "| {stem} | {level} | {low:+.1} to {high:+.1} |");
    }
    text.push_str("\n## Timeline\n\n| from | to | confidence | advice |\n| --- | --- | --- | --- |\n");
    for mark in by_position(view) {
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} % | {}{} |",
            clock::text(mark.start_s),
            clock::text(mark.end_s),
            100.0 * mark.advice.confidence,
            one_line(&mark.advice.text).replace('|', "\\|"),
            if mark.current { "" } else { " (before the last change)" },
        );
    }
    text
}

/// Where the model runs; empty while no model is loaded.
fn device_name(view: &View) -> &'static str {
    view.model.device.map_or("", DeviceKind::name)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
