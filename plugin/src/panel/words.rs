//! The panel's words: numbers and states as text. Plain functions of plain values.

use crate::view::{Activity, Mark, Obstacle, View};
pub use mixing_buddy_core::words::*;
use mixing_buddy_core::{Advice, BestAnswer, Direction, Stem, Verdict, clock};

/// The headline and the evidence under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// What kind of headline it is.
    pub tone: Tone,
    /// The sentence.
    pub sentence: String,
    /// The gain that corrects the mix, and its standard deviation, both in dB.
    pub gain_db: Option<(f32, Option<f32>)>,
    /// The confidence, 0 to 1; none if there is no advice.
    pub confidence: Option<f32>,
    /// A second sentence: the reason, or what to do next. Can be empty.
    pub note: String,
    /// The evidence, in parts: which window, how many windows agree, which reference.
    pub evidence: Vec<String>,
}

/// What kind of headline it is; decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A stem is too loud or too quiet.
    Advice(Stem, Direction),
    /// The mix is balanced.
    Balanced,
    /// There is no advice; the headline gives the reason.
    Quiet,
}

/// The headline of a view.
///
/// A state in which no window can be analyzed comes before old advice, except a pause: a user who stops to move a fader
/// still wants to read the advice.
pub fn headline(view: &View) -> Headline {
    match (&view.activity, &view.newest) {
        (Activity::Bypassed, _) => quiet("Bypassed", "Audio passes through and is not analyzed."),
        (Activity::NoModel, _) => quiet("No model", "Choose a model below to get advice."),
        (Activity::CatchingUp { left }, _) => {
            let windows = if *left == 1 { "1 window".to_string() } else { format!("{left} windows") };
            quiet(
                &format!("Catching up: {windows} left"),
                "The host rendered faster than the model can follow.",
            )
        }
        (Activity::Obstructed(obstacle), _) => obstructed(*obstacle),
        (_, Some(newest)) => advice(view, newest),
        (Activity::Loading, None) => quiet("Loading the model…", "You can already press play."),
        (Activity::Waiting, None) => quiet("Ready", "Press play. The first advice comes after 10 seconds."),
        (Activity::Paused, None) => quiet("Paused", "Press play. The first advice comes after 10 seconds."),
        (Activity::Filling { filled_s }, None) => {
            quiet(&filling(*filled_s), "The first advice comes after 10 seconds.")
        }
    }
}

/// Why there is no advice, and what to do.
fn obstructed(obstacle: Obstacle) -> Headline {
    match obstacle {
        Obstacle::ShortLoop { loop_s } => quiet(
            "This loop is too short for advice",
            &format!(
                "It is {loop_s:.1} s long. Make it at least 3 s long, or let the song play for 10 s in a row."
            ),
        ),
        Obstacle::Jumps => quiet(
            "No advice: the position keeps jumping",
            "Let the song play for 10 s in a row without a jump, or play a loop of at least 3 s.",
        ),
        Obstacle::Stops => {
            quiet("No advice: playback keeps stopping", "Let the song play for 10 s in a row without a stop.")
        }
        Obstacle::LostAudio => quiet(
            "No advice: audio is lost",
            "The computer is too busy to analyze 10 s in a row. Close other programs, or use larger blocks.",
        ),
    }
}

fn quiet(sentence: &str, note: &str) -> Headline {
    Headline {
        tone: Tone::Quiet,
        sentence: sentence.to_string(),
        gain_db: None,
        confidence: None,
        note: note.to_string(),
        evidence: Vec::new(),
    }
}

fn advice(view: &View, mark: &Mark) -> Headline {
    let advice = &mark.advice;
    let (tone, sentence, note) = match advice.verdict {
        Verdict::Silence => {
            (Tone::Quiet, "Silence".to_string(), "There was no audio to analyze.".to_string())
        }
        Verdict::NoError => (Tone::Balanced, "Balanced".to_string(), advice.text.clone()),
        Verdict::Abstain => {
            (Tone::Quiet, cannot_tell(view, mark), best_guess(&advice.best, advice.confidence))
        }
        Verdict::Quiet | Verdict::VeryQuiet | Verdict::Loud | Verdict::VeryLoud => {
            let direction = advice.verdict.direction().unwrap_or(Direction::Quiet);
            let stem = advice.stem.unwrap_or(Stem::Other);
            (Tone::Advice(stem, direction), sentence(advice), String::new())
        }
    };
    let silent = advice.verdict == Verdict::Silence;
    let mut evidence = vec![clock::span(mark.start_s, mark.end_s)];
    evidence.extend(why(view, advice));
    let is_decided = !silent && advice.verdict != Verdict::Abstain;
    if is_decided && let Some(agreement) = agreement(view.agreement) {
        evidence.push(agreement);
    }
    if !silent && let Some(reference) = &view.reference {
        evidence.push(format!("reference: {}", reference.name));
    }
    Headline {
        tone,
        sentence,
        gain_db: advice
            .gain_db
            .filter(|_| matches!(tone, Tone::Advice(..)))
            .map(|gain| (gain, advice.gain_db_sd)),
        confidence: is_decided.then_some(advice.confidence),
        note,
        evidence,
    }
}

/// What was measured of the stem that the advice names, and what it is compared with:
/// "vocals at +1.9 LU, usual −8.6 to −1.4".
fn why(view: &View, advice: &Advice) -> Option<String> {
    let stem = advice.stem?;
    let level_lu = advice.levels_lu[stem].filter(|level| level.is_finite())?;
    let measured = format!("{stem} at {} LU", signed_tenth(level_lu));
    let compared = match &view.reference {
        Some(reference) => {
            reference.levels_lu[stem].map(|level| format!("reference {}", signed_tenth(level)))
        }
        None => {
            let (low, high) = view.usual_lu[stem];
            (low < high).then(|| format!("usual {} to {}", signed_tenth(low), signed_tenth(high)))
        }
    };
    Some(compared.map_or(measured.clone(), |compared| format!("{measured}, {compared}")))
}

/// "Listening… 6 s".
pub fn filling(filled_s: f32) -> String {
    format!(
        "Listening… {} s",
        if filled_s.is_finite() { filled_s.clamp(0.0, 10.0).floor() as i32 } else { 0 }
    )
}

/// What the plugin is doing, for the corner of the header.
pub fn activity(view: &View) -> String {
    match &view.activity {
        Activity::Loading => "Loading the model…".to_string(),
        Activity::NoModel => "No model".to_string(),
        Activity::Waiting => "Ready".to_string(),
        Activity::Filling { filled_s } => filling(*filled_s),
        Activity::Obstructed(Obstacle::ShortLoop { .. }) => "Loop too short".to_string(),
        Activity::Obstructed(Obstacle::Jumps) => "Position jumps".to_string(),
        Activity::Obstructed(Obstacle::Stops) => "Playback stops".to_string(),
        Activity::Obstructed(Obstacle::LostAudio) => "Audio lost".to_string(),
        Activity::Paused => "Paused".to_string(),
        Activity::Bypassed => "Bypassed".to_string(),
        Activity::CatchingUp { left } => format!("{left} left"),
    }
}

/// "Can't tell", and the reason if it is known: stems that belong to the song and are not in the window.
fn cannot_tell(view: &View, mark: &Mark) -> String {
    let advice = &mark.advice;
    // A window is as long as the loop that it is.
    let last = format!("the last {:.0} s", mark.end_s - mark.start_s);
    let present = |stem: Stem| advice.levels_lu[stem].is_some();
    let missing: Vec<Stem> = if Stem::TARGETS.into_iter().any(present) {
        let belongs = |stem: Stem| match &view.choices.stems {
            Some(stems) => stems[stem],
            None => view.history.iter().any(|mark| mark.advice.levels_lu[stem].is_some()),
        };
        Stem::TARGETS.into_iter().filter(|&stem| !present(stem) && belongs(stem)).collect()
    } else {
        Stem::TARGETS.to_vec()
    };
    match missing.as_slice() {
        [] => "Can't tell".to_string(),
        [one] => format!("Can't tell: no {one} in {last}"),
        [one, two] => format!("Can't tell: no {one} or {two} in {last}"),
        [..] => format!("Can't tell: no vocals, drums or bass in {last}"),
    }
}

/// What the model would answer if it had to.
fn best_guess(best: &BestAnswer, confidence: f32) -> String {
    match (best.stem, best.verdict.direction()) {
        (Some(stem), Some(direction)) => {
            let gain = best.gain_db.map(|gain| format!(", {}", signed_db(gain))).unwrap_or_default();
            let sure = percent(confidence);
            format!("Best guess: {stem} too {}{gain}, but only {sure} sure.", word(direction))
        }
        _ => format!("Best guess: balanced, but only {} sure.", percent(confidence)),
    }
}

/// How many of the last windows agree; none if there is only one window.
fn agreement((agree, of): (usize, usize)) -> Option<String> {
    match (agree, of) {
        (_, 0 | 1) => None,
        (agree, of) if agree >= of => Some(format!("all of the last {of} windows agree")),
        (1, of) => Some(format!("none of the other {} windows agrees", of - 1)),
        (agree, of) => Some(format!("{agree} of the last {of} windows agree")),
    }
}

/// "Over 14 windows: …".
pub fn song_line(windows: usize, advice: &Advice) -> String {
    let of = if windows == 1 { "One window".to_string() } else { format!("Over {windows} windows") };
    format!("{of}: {}", verdict_in_full(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_counted_in_windows() {
        assert_eq!(agreement((1, 1)), None);
        assert_eq!(agreement((4, 5)).as_deref(), Some("4 of the last 5 windows agree"));
        assert_eq!(agreement((5, 5)).as_deref(), Some("all of the last 5 windows agree"));
        assert_eq!(agreement((1, 5)).as_deref(), Some("none of the other 4 windows agrees"));
    }
}
