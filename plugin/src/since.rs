//! What has changed since an earlier pass, as the panel shows it: plain values.

use mixing_buddy_core::Stem;
use mixing_buddy_core::passes::{Change, Followed, Outcome};
use mixing_buddy_core::words;

/// What has changed between the last pass over a place and the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    /// What changed.
    pub change: Change,
    /// At how many places that was found.
    pub places: usize,
    /// What became of the advice of the earlier pass.
    pub followed: Option<Followed>,
    /// Where the stem that moved stands now.
    pub standing: Option<Standing>,
}

/// Where a stem stands against what it is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The stem.
    pub stem: Stem,
    /// Distance from the nearest end of the range in dB: 0 within, positive above, negative below.
    pub beyond_db: f32,
    /// Whether the range is that of the user's reference, or else the usual one.
    pub is_reference: bool,
}

/// What became of advice: "Done: the advice was vocals −4 dB, it moved −3.8 dB".
pub fn outcome(followed: &Followed) -> String {
    let word = match followed.outcome {
        Outcome::Done => "Done",
        Outcome::PartlyDone => "Partly done",
        Outcome::Overdone => "Overdone",
        Outcome::Opposite => "Moved the other way",
    };
    let (asked, moved) = (words::signed_db(followed.asked_db), words::signed_tenth(followed.moved_db));
    format!("{word}: the advice was {} {asked}, it moved {moved} dB", followed.stem)
}
