//! Advice in a few words, for panel, reports and command line: "Vocals too loud, −4 dB, 82 % sure". Plain functions of plain
//! values.

use crate::advice::{Advice, Verdict};
use crate::stem::{Direction, Stem};

/// The sentence of an advice, or the verdict if it has none.
pub fn sentence(advice: &Advice) -> String {
    let text = advice.text.trim();
    if text.is_empty() { verdict(advice) } else { text.to_string() }
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

/// "Vocals".
pub fn title(stem: Stem) -> String {
    let mut letters = stem.name().chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
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

/// "82 %". Never 100 %: no estimate is that certain.
pub fn percent(confidence: f32) -> String {
    let percent = if confidence.is_finite() { (confidence * 100.0).round().clamp(0.0, 99.0) } else { 0.0 };
    format!("{percent:.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_have_a_sign_and_steps_of_half_a_db() {
        assert_eq!(signed_db(-4.1), "−4 dB");
        assert_eq!(signed_db(3.4), "+3.5 dB");
        assert_eq!(signed_db(-0.2), "0 dB");
        assert_eq!(gain(-4.0, Some(1.23)), "−4 dB ± 1.2");
        assert_eq!(signed_tenth(-0.04), "0.0");
    }

    #[test]
    fn confidence_is_never_shown_as_100_percent() {
        assert_eq!(percent(0.823), "82 %");
        assert_eq!(percent(1.0), "99 %");
        assert_eq!(percent(f32::NAN), "0 %");
    }
}
