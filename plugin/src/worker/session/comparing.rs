//! Compares a window with earlier passes, and does what follows from a change.

use super::Session;
use crate::since::{Since, Standing};
use crate::worker::passes::{Finding, Heard};
use mixing_buddy_core::passes::{Change, Followed, Move, Print};
use mixing_buddy_core::{Advice, Analysis};

/// Smallest half width of the range around a reference in dB: its spread may not be known. Chosen, not tuned.
const LEAST_SPREAD_DB: f32 = 1.5;

impl Session {
    /// Takes a window into the passes; its mark has the number `order`.
    pub(super) fn compare_passes(
        &mut self,
        order: u64,
        span_s: (f64, f64),
        heard: (&Advice, &Analysis, Print),
    ) {
        let (advice, analysis, print) = heard;
        let heard = Heard {
            order,
            start_s: span_s.0,
            end_s: span_s.1,
            advice: advice.clone(),
            analysis: analysis.clone(),
            print,
        };
        let finding = self.passes.hear(heard);
        self.history.set_pass(order, self.passes.pass());
        let Some(finding) = finding else { return };
        let moved = match &finding.change {
            Change::Moved(moved) => Some(*moved),
            _ => None,
        };
        let followed = moved.as_ref().and_then(|moved| self.followed(moved, &finding));
        if let Some(first) = finding.outdated_before {
            self.history.outdate(first, moved.as_ref());
            self.earlier_song = None;
            self.song_due = true;
        }
        if let Some(followed) = followed {
            self.history.set_followed(order, followed);
        }
        // "Nothing" is news only while nothing else is known, and as long as the change before it is older.
        let is_nothing = matches!(finding.change, Change::Nothing { .. } | Change::Incomparable);
        let is_passing = |since: &Since| {
            matches!(
                since.change,
                Change::Vanished(_) | Change::Appeared(_) | Change::OtherTake | Change::Unclear
            )
        };
        if is_nothing && self.view.since.as_ref().is_some_and(|since| !is_passing(since)) {
            return;
        }
        self.view.since = Some(Since {
            standing: moved.as_ref().and_then(|moved| self.standing(moved, analysis)),
            change: finding.change,
            places: finding.places,
            followed,
        });
    }

    /// What became of the advice: that of the earlier pass at this place, or else that on the song.
    fn followed(&self, moved: &Move, finding: &Finding) -> Option<Followed> {
        let of = |advice: &Advice| Followed::of(moved, advice.stem?, advice.gain_db?, advice.gain_db_sd);
        of(&finding.before.advice).or_else(|| {
            // Once the change is known, the song's advice is of after the change: keep what was found first.
            let earlier = self.view.since.as_ref().and_then(|since| since.followed);
            match earlier {
                Some(earlier) if finding.places > 1 => {
                    Followed::of(moved, earlier.stem, earlier.asked_db, None)
                }
                _ if finding.places > 1 => None,
                _ => self.view.song.as_ref().and_then(|song| of(&song.advice)),
            }
        })
    }

    /// Where the stem stands now.
    fn standing(&self, moved: &Move, analysis: &Analysis) -> Option<Standing> {
        let stem = moved.stem;
        let beyond = |level: f32, (low, high): (f32, f32)| {
            if level > high { level - high } else { (level - low).min(0.0) }
        };
        if let Some(reference) = &self.view.reference {
            let (mean, level) = (reference.balance.level_db[stem]?, analysis.level_db(stem)?);
            let spread = reference.balance.spread_db[stem].unwrap_or(0.0).max(LEAST_SPREAD_DB);
            let beyond_db = beyond(level, (mean - spread, mean + spread));
            return Some(Standing { stem, beyond_db, is_reference: true });
        }
        let beyond_db = beyond(analysis.levels_lu[stem]?, self.view.usual_lu[stem]);
        Some(Standing { stem, beyond_db, is_reference: false })
    }
}
