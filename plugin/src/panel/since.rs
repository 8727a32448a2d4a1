//! What has changed since an earlier pass: one line under the advice.

use super::theme::{self, Palette, SMALL_PT};
use super::{widgets, words};
pub use crate::since::outcome;
use crate::since::{Since, Standing};
use crate::view::View;
use egui::{Frame, Label, RichText, Ui};
use mixing_buddy_core::Stem;
use mixing_buddy_core::passes::{Change, Outcome};

/// Draws the line, if there is something to say.
pub(super) fn show(ui: &mut Ui, colours: &Palette, view: &View) {
    let Some(since) = &view.since else { return };
    let frame = Frame::new().fill(colours.surface).corner_radius(4).inner_margin(theme::margin(10, 5));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 2.0;
        let line = format!("{} {}", sign(since), sentence(since));
        let colour = if is_confirmed(since) { colours.good } else { colours.strong };
        ui.add(Label::new(RichText::new(line).font(theme::strong_font(SMALL_PT)).color(colour)).wrap());
        let note = note(since);
        if !note.is_empty() {
            widgets::remark(ui, note, colours.text);
        }
    });
}

/// What stands before the sentence, so that nothing is told by colour alone.
fn sign(since: &Since) -> &'static str {
    match since.followed.map(|followed| followed.outcome) {
        Some(Outcome::Done) => "✓",
        Some(Outcome::PartlyDone | Outcome::Overdone | Outcome::Opposite) => "!",
        None => "•",
    }
}

fn is_confirmed(since: &Since) -> bool {
    since.followed.is_some_and(|followed| followed.outcome == Outcome::Done)
}

/// "Vocals came down by 3.8 dB since the last pass. Now within your target."
pub fn sentence(since: &Since) -> String {
    let stem = |stem: Stem| words::title(stem);
    match &since.change {
        Change::Nothing { within_db } => {
            format!("Same balance as in the last pass, as far as can be measured ({within_db:.1} dB).")
        }
        Change::Moved(moved) => {
            let way = if moved.gain_db < 0.0 { "came down" } else { "came up" };
            let standing = since.standing.as_ref().map(standing).unwrap_or_default();
            format!(
                "{} {way} by {:.1} dB since the last pass.{standing}",
                stem(moved.stem),
                moved.gain_db.abs()
            )
        }
        Change::Vanished(gone) => format!("{} can't be heard here any more.", stem(*gone)),
        Change::Appeared(new) => format!("{} can be heard here, unlike in the last pass.", stem(*new)),
        Change::OtherTake => "This place sounds different from the last pass.".into(),
        Change::Uneven { stem: moved, least_db, most_db } => format!(
            "{} changed by different amounts: {} to {} dB.",
            stem(*moved),
            words::signed_tenth(*least_db),
            words::signed_tenth(*most_db)
        ),
        Change::Several(shifts) => {
            let moved: Vec<String> = shifts
                .iter()
                .filter_map(|(stem, shift)| Some((stem, (*shift)?)))
                .filter(|(_, shift)| shift.abs() >= 1.0)
                .map(|(stem, shift)| format!("{stem} {} dB", words::signed_tenth(shift)))
                .collect();
            format!("Several stems changed since the last pass (against the rest: {}).", moved.join(", "))
        }
        Change::Unclear | Change::Incomparable => "The balance changed since the last pass.".into(),
    }
}

/// " Now within your target."
fn standing(standing: &Standing) -> String {
    let what = if standing.is_reference { "your target" } else { "the usual range" };
    let beyond = standing.beyond_db;
    match (beyond, beyond.abs()) {
        (_, apart) if !apart.is_finite() => String::new(),
        (_, apart) if apart < 0.05 => format!(" Now within {what}."),
        (beyond, apart) => {
            format!(" Now {apart:.1} dB {} {what}.", if beyond > 0.0 { "above" } else { "below" })
        }
    }
}

/// What is not known, or what became of the advice.
fn note(since: &Since) -> String {
    match &since.change {
        Change::Moved(moved) => {
            let places = match since.places {
                0 | 1 => "one place".to_string(),
                places => format!("{places} places"),
            };
            let followed = since.followed.as_ref().map(|followed| format!("{}. ", outcome(followed)));
            format!("{}Measured at {places}, ± {:.1} dB.", followed.unwrap_or_default(), moved.sd_db)
        }
        Change::Vanished(_) => "Muted, or not in this take. The song's advice stays as it is.".into(),
        Change::Appeared(_) => "Unmuted, or only in this take. The song's advice stays as it is.".into(),
        Change::OtherTake => {
            "Another take, another sound or several changes: can't tell whether a fader moved.".into()
        }
        Change::Uneven { .. } => "Automation or several moves: not one fader.".into(),
        Change::Several(_) => "More than one fader, so no single move is confirmed.".into(),
        Change::Unclear => "Can't tell which stem moved.".into(),
        Change::Nothing { .. } | Change::Incomparable => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::passes::{Followed, Move};

    #[test]
    fn a_move_is_told_in_a_sentence() {
        let moved = Move { stem: Stem::Vocals, gain_db: -3.8, sd_db: 0.6 };
        let standing = Some(Standing { stem: Stem::Vocals, beyond_db: 0.0, is_reference: true });
        let followed = Followed::of(&moved, Stem::Vocals, -4.0, None);
        let since = Since { change: Change::Moved(moved), places: 3, followed, standing };
        assert_eq!(
            sentence(&since),
            "Vocals came down by 3.8 dB since the last pass. Now within your target."
        );
        assert_eq!(
            note(&since),
            "Done: the advice was vocals −4 dB, it moved −3.8 dB. Measured at 3 places, ± 0.6 dB."
        );
        let above = Standing { stem: Stem::Vocals, beyond_db: 1.25, is_reference: false };
        assert_eq!(super::standing(&above), " Now 1.2 dB above the usual range.");
    }
}
