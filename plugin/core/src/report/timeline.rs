//! The song as a picture: one lane per stem that advice may name, one mark per window. Up means too loud, down too quiet, a
//! bar on all lanes balanced, a ring can't tell, so nothing depends on colour alone.

use super::Window;
use super::page::escaped;
use crate::advice::Verdict;
use crate::clock;
use crate::stem::{Direction, Stem};
use crate::words;
use std::fmt::Write as _;

/// The timeline is never shorter than this, in seconds.
const SHORTEST_S: f64 = 60.0;
/// A gain of this size or more fills half a lane, in dB. As in the panel.
const FULL_DB: f32 = 9.0;
/// Labels on the axis, at most: as many as fit a phone.
const MOST_LABELS: f64 = 6.0;
/// Steps between labels in seconds: round numbers on a clock.
const STEPS_S: [f64; 10] = [10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];

/// The timeline of windows that are in the order of the song.
pub(super) fn timeline(windows: &[Window<'_>]) -> String {
    // A position that is not finite or beyond thirty years is a fault of the host: that window is only in the table.
    let shown = || {
        windows.iter().filter(|window| {
            window.start_s.abs() < 1e9 && window.end_s.abs() < 1e9 && window.end_s > window.start_s
        })
    };
    let first_s = shown().map(|window| window.start_s).fold(f64::INFINITY, f64::min);
    let last_s = shown().map(|window| window.end_s).fold(f64::NEG_INFINITY, f64::max);
    if first_s > last_s {
        return String::new();
    }
    // A song that starts near the start of the project is shown from there.
    let from_s = if (0.0..SHORTEST_S).contains(&first_s) { 0.0 } else { first_s };
    let length_s = (last_s - from_s).max(SHORTEST_S);
    let place = |seconds: f64| 100.0 * (seconds - from_s) / length_s;

    let mut html = String::from("<h2>Timeline</h2>\n<div class=\"timeline\">\n");
    for stem in Stem::TARGETS {
        // Writing into a string cannot fail.
        let _ =
            write!(html, "<div class=\"lane {stem}\"><b>{}</b><span class=\"track\">", words::title(stem));
        for window in shown() {
            let Some(mark) = Mark::of(window, stem) else { continue };
            let (left, right) = (place(window.start_s), place(window.end_s));
            let outdated = if window.is_outdated { " outdated" } else { "" };
            let _ = write!(
                html,
                "<i class=\"{}{outdated}\" style=\"left:{left:.2}%;width:{:.2}%{}\" title=\"{}\"></i>",
                mark.class,
                right - left,
                mark.size.map_or(String::new(), |size| format!(";--size:{size:.2}")),
                escaped(&format!(
                    "{}: {}",
                    clock::span(window.start_s, window.end_s),
                    words::verdict_in_full(window.advice)
                ))
            );
        }
        html.push_str("</span></div>\n");
    }
    html.push_str("<div class=\"lane axis\" aria-hidden=\"true\"><b></b><span class=\"track\">");
    let step_s = STEPS_S.into_iter().find(|step| length_s / step <= MOST_LABELS).unwrap_or(7200.0);
    let mut label_s = (from_s / step_s).ceil() * step_s;
    // A host can report positions days apart, so the number of labels has a limit of its own.
    for _ in 0..24 {
        // A label needs room at its right.
        if place(label_s) > 94.0 {
            break;
        }
        let _ = write!(html, "<i style=\"left:{:.2}%\">{}</i>", place(label_s), clock::text(label_s));
        label_s += step_s;
    }
    html.push_str(
        "</span></div>\n</div>\n<p class=\"dim\">Up: too loud. Down: too quiet. Bar: balanced. Ring: can't tell. \
         Pale: before the last change.</p>\n",
    );
    html
}

/// How a window looks on the lane of a stem.
struct Mark {
    class: &'static str,
    /// Height against half a lane, 0 to 1.
    size: Option<f32>,
}

impl Mark {
    fn of(window: &Window<'_>, lane: Stem) -> Option<Mark> {
        let advice = window.advice;
        let plain = |class| Some(Mark { class, size: None });
        match (advice.verdict, advice.stem, advice.verdict.direction()) {
            (Verdict::NoError, ..) => plain("fine"),
            (Verdict::Silence, ..) => None,
            (_, Some(stem), Some(direction)) => {
                let size =
                    advice.gain_db.filter(|gain| gain.is_finite()).map_or(0.5, |gain| gain.abs() / FULL_DB);
                let class = match direction {
                    Direction::Loud => "up",
                    Direction::Quiet => "down",
                };
                (stem == lane).then(|| Mark { class, size: Some(size.clamp(0.2, 1.0)) })
            }
            _ => plain("ring"),
        }
    }
}
