//! The panel's words: numbers, times and states as a person reads them. Plain functions of plain values.

use crate::view::{Activity, Mark, View};
use mixing_buddy_core::{Advice, BestAnswer, Direction, Stem, Verdict};

/// What stands large at the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// What kind of thing is said.
    pub tone: Tone,
    /// The sentence.
    pub sentence: String,
    /// The gain that mends it, with its standard deviation, both in dB.
    pub gain_db: Option<(f32, Option<f32>)>,
    /// How sure the advisor is, 0 to 1; none where nothing was judged.
    pub confidence: Option<f32>,
    /// A second sentence: the reason, or what to do next.
    pub note: String,
    /// The evidence, in parts: which window, how many agree, against what.
    pub evidence: Vec<String>,
}

/// What kind of thing the headline says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A stem is off.
    Advice(Stem, Direction),
    /// All is well.
    Balanced,
    /// Nothing is said, and why.
    Quiet,
}

/// What stands large at the top for a view.
///
/// A state in which no window can be judged comes before old advice, except a pause: who stops to turn a fader
/// wants to read on.
pub fn headline(view: &View) -> Headline {
    match (&view.activity, &view.newest) {
        (Activity::Bypassed, _) => quiet("Bypassed", "Sound passes through and is not listened to."),
        (Activity::NoModel, _) => quiet("No model", "Nothing can be judged. Choose a model below."),
        (Activity::CatchingUp { left }, _) => {
            let windows = if *left == 1 { "1 window".to_string() } else { format!("{left} windows") };
            quiet(
                &format!("Catching up: {windows} left"),
                "They were queued while the host rendered offline.",
            )
        }
        (_, Some(newest)) => judged(view, newest),
        (Activity::Loading, None) => {
            quiet("Loading the model…", "You can play already: what is heard is kept.")
        }
        (Activity::Waiting, None) => quiet("Ready", "Press play. Advice comes after ten seconds of sound."),
        (Activity::Paused, None) => quiet("Paused", "Press play. Advice comes after ten seconds of sound."),
        (Activity::Listening { buffered_s }, None) => {
            quiet(&listening(*buffered_s), "Advice comes with ten seconds of sound.")
        }
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

fn judged(view: &View, mark: &Mark) -> Headline {
    let advice = &mark.advice;
    let (tone, sentence, note) = match advice.verdict {
        Verdict::Silence => (Tone::Quiet, "Silence".to_string(), "There was nothing to hear.".to_string()),
        Verdict::NoError => (Tone::Balanced, "Balanced".to_string(), advice.text.clone()),
        Verdict::Abstain => {
            (Tone::Quiet, cannot_tell(view, advice), leaning(&advice.best, advice.confidence))
        }
        Verdict::Quiet | Verdict::VeryQuiet | Verdict::Loud | Verdict::VeryLoud => {
            let direction = advice.verdict.direction().unwrap_or(Direction::Quiet);
            let stem = advice.stem.unwrap_or(Stem::Other);
            (Tone::Advice(stem, direction), said(advice), String::new())
        }
    };
    let silent = advice.verdict == Verdict::Silence;
    let mut evidence = vec![span(mark.start_s, mark.end_s)];
    let says = !silent && advice.verdict != Verdict::Abstain;
    if says && let Some(agreement) = agreement(view.agreement) {
        evidence.push(agreement);
    }
    if !silent && let Some(reference) = &view.reference {
        evidence.push(format!("against {}", reference.name));
    }
    Headline {
        tone,
        sentence,
        gain_db: advice.gain_db.filter(|_| tone_speaks(tone)).map(|gain| (gain, advice.gain_db_sd)),
        confidence: says.then_some(advice.confidence),
        note,
        evidence,
    }
}

const fn tone_speaks(tone: Tone) -> bool {
    matches!(tone, Tone::Advice(..))
}

/// The sentence of an advice, or a plain one where it has none.
pub fn said(advice: &Advice) -> String {
    let text = advice.text.trim();
    if text.is_empty() { verdict(advice) } else { text.to_string() }
}

/// "Listening… 6 s".
pub fn listening(buffered_s: f32) -> String {
    format!(
        "Listening… {} s",
        if buffered_s.is_finite() { buffered_s.clamp(0.0, 10.0).floor() as i32 } else { 0 }
    )
}

/// What the plugin is doing, for the corner of the header.
pub fn activity(view: &View) -> String {
    match &view.activity {
        Activity::Loading => "Loading the model…".to_string(),
        Activity::NoModel => "No model".to_string(),
        Activity::Waiting => "Ready".to_string(),
        Activity::Listening { buffered_s } => listening(*buffered_s),
        Activity::Paused => "Paused".to_string(),
        Activity::Bypassed => "Bypassed".to_string(),
        Activity::CatchingUp { left } => format!("{left} left"),
    }
}

/// "Can't tell", and why where it can be seen: stems that belong to the song and were not heard in the window.
fn cannot_tell(view: &View, advice: &Advice) -> String {
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
        [one] => format!("Can't tell: no {one} in the last 10 s"),
        [one, two] => format!("Can't tell: no {one} or {two} in the last 10 s"),
        [..] => "Can't tell: no vocals, drums or bass in the last 10 s".to_string(),
    }
}

/// What it would say if it had to.
fn leaning(best: &BestAnswer, confidence: f32) -> String {
    match (best.stem, best.verdict.direction()) {
        (Some(stem), Some(direction)) => {
            let gain = best.gain_db.map(|gain| format!(", {}", signed_db(gain))).unwrap_or_default();
            format!(
                "It leans to {} too {}{gain}, but is only {} sure.",
                stem,
                word(direction),
                percent(confidence)
            )
        }
        _ => format!("It leans to balanced, but is only {} sure.", percent(confidence)),
    }
}

/// "Vocals too loud", "Balanced", "Can't tell", "Silence".
pub fn verdict(advice: &Advice) -> String {
    match (advice.verdict, advice.stem, advice.verdict.direction()) {
        (Verdict::NoError, ..) => "Balanced".to_string(),
        (Verdict::Abstain, ..) => "Can't tell".to_string(),
        (Verdict::Silence, ..) => "Silence".to_string(),
        (_, Some(stem), Some(direction)) => format!("{} too {}", title(stem), word(direction)),
        (..) => "Can't tell".to_string(),
    }
}

/// "Vocals too loud, −4 dB, 82 % sure".
pub fn verdict_in_full(advice: &Advice) -> String {
    let mut parts = vec![verdict(advice)];
    if let Some(gain) = advice.gain_db {
        parts.push(signed_db(gain));
    }
    if !matches!(advice.verdict, Verdict::Silence) {
        parts.push(format!("{} sure", percent(advice.confidence)));
    }
    parts.join(", ")
}

/// How many of the last windows agree; none where there is but one.
fn agreement((agree, of): (usize, usize)) -> Option<String> {
    match (agree, of) {
        (_, 0 | 1) => None,
        (agree, of) if agree >= of => Some(format!("all of the last {of} windows agree")),
        (1, of) => Some(format!("the only one of the last {of} windows to say so")),
        (agree, of) => Some(format!("{agree} of the last {of} windows agree")),
    }
}

/// What is copied: the advice with its evidence, and the song's if there is one.
pub fn for_clipboard(view: &View) -> String {
    let headline = headline(view);
    let mut text = headline.sentence.clone();
    if !headline.note.is_empty() {
        text = format!(
            "{text}{} {}",
            if text.ends_with(['.', '…', '!', '?']) { "" } else { "." },
            headline.note
        );
    }
    let mut evidence: Vec<String> = Vec::new();
    if let Some((gain_db, sd_db)) = headline.gain_db {
        evidence.push(gain(gain_db, sd_db));
    }
    if let Some(confidence) = headline.confidence {
        evidence.push(format!("{} sure", percent(confidence)));
    }
    evidence.extend(headline.evidence);
    if !evidence.is_empty() {
        text = format!("{text} ({})", evidence.join("; "));
    }
    if let Some(song) = &view.song {
        text = format!("{text}\n{}", song_line(song.windows, &song.advice));
    }
    text
}

/// What is copied of one mark.
pub fn mark_for_clipboard(mark: &Mark) -> String {
    format!("{}: {} ({})", span(mark.start_s, mark.end_s), said(&mark.advice), verdict_in_full(&mark.advice))
}

/// "Over 14 windows: …".
pub fn song_line(windows: usize, advice: &Advice) -> String {
    let of = if windows == 1 { "One window".to_string() } else { format!("Over {windows} windows") };
    format!("{of}: {}", song_said(advice))
}

/// What is said of a song, short: its sentence is the same as a window's, so the figures are added.
pub fn song_said(advice: &Advice) -> String {
    verdict_in_full(advice)
}

/// "Vocals".
pub const fn title(stem: Stem) -> &'static str {
    match stem {
        Stem::Vocals => "Vocals",
        Stem::Drums => "Drums",
        Stem::Bass => "Bass",
        Stem::Other => "Other",
    }
}

/// "loud" or "quiet".
pub const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Quiet => "quiet",
        Direction::Loud => "loud",
    }
}

/// "−4 dB ± 1.2".
pub fn gain(gain_db: f32, sd_db: Option<f32>) -> String {
    match sd_db.filter(|sd| sd.is_finite()) {
        Some(sd) => format!("{} ± {sd:.1}", signed_db(gain_db)),
        None => signed_db(gain_db),
    }
}

/// A gain to the nearest half dB, with its sign: "−4 dB", "+3.5 dB".
pub fn signed_db(gain_db: f32) -> String {
    let half = (gain_db * 2.0).round() / 2.0;
    let digits =
        if half.fract() == 0.0 { format!("{:.0}", half.abs()) } else { format!("{:.1}", half.abs()) };
    format!("{}{digits} dB", sign(half))
}

/// A level to a tenth, with its sign: "−3.2", "+0.4".
pub fn signed_tenth(value: f32) -> String {
    let tenth = (value * 10.0).round() / 10.0;
    format!("{}{:.1}", sign(tenth), tenth.abs())
}

fn sign(value: f32) -> &'static str {
    if value < 0.0 {
        "−"
    } else if value > 0.0 {
        "+"
    } else {
        ""
    }
}

/// "82 %"; never 100: nobody is that sure.
pub fn percent(confidence: f32) -> String {
    let percent = if confidence.is_finite() { (confidence * 100.0).round().clamp(0.0, 99.0) } else { 0.0 };
    format!("{percent:.0} %")
}

/// A host position: "1:20", "1:02:03", "−0:05" in a pre-roll.
pub fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".to_string();
    }
    let whole = seconds.abs().floor() as u64;
    let sign = if seconds < 0.0 && whole > 0 { "−" } else { "" };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{minutes}:{seconds:02}")
    }
}

/// "1:20–1:30".
pub fn span(start_s: f64, end_s: f64) -> String {
    format!("{}–{}", clock(start_s), clock(end_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_have_a_sign_and_half_steps() {
        assert_eq!(signed_db(-4.1), "−4 dB");
        assert_eq!(signed_db(3.4), "+3.5 dB");
        assert_eq!(signed_db(-0.2), "0 dB");
        assert_eq!(gain(-4.0, Some(1.23)), "−4 dB ± 1.2");
        assert_eq!(signed_tenth(-0.04), "0.0");
    }

    #[test]
    fn times_read_like_a_transport() {
        assert_eq!(clock(80.9), "1:20");
        assert_eq!(clock(3723.0), "1:02:03");
        assert_eq!(clock(-5.0), "−0:05");
        assert_eq!(clock(f64::NAN), "–");
    }

    #[test]
    fn nobody_is_wholly_sure() {
        assert_eq!(percent(0.823), "82 %");
        assert_eq!(percent(1.0), "99 %");
        assert_eq!(percent(f32::NAN), "0 %");
    }

    #[test]
    fn agreement_counts() {
        assert_eq!(agreement((1, 1)), None);
        assert_eq!(agreement((4, 5)).as_deref(), Some("4 of the last 5 windows agree"));
        assert_eq!(agreement((5, 5)).as_deref(), Some("all of the last 5 windows agree"));
        assert_eq!(agreement((1, 5)).as_deref(), Some("the only one of the last 5 windows to say so"));
    }
}
