//! Tells what changed between two passes.
//!
//! Every hypothesis (nothing moved; the fader of one stem moved by some gain) predicts how the level of each stem shifts.
//! The one that fits the readings best is told, if it fits within the meter's error and no other fits about as well.

use super::print::{Print, Tails};
use super::shift::shift_db;
use crate::encoder::StemReading;
use crate::engine::Analysis;
use crate::stem::{PerStem, Stem};

/// The same place in two passes.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The earlier pass.
    pub before: &'a Analysis,
    /// The later pass.
    pub after: &'a Analysis,
    /// The print of the earlier pass, if there is one. Without prints, another take is not told from a fader.
    pub before_print: Option<&'a Print>,
    /// The print of the later pass.
    pub after_print: Option<&'a Print>,
}

/// A fader's move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// The stem.
    pub stem: Stem,
    /// By how many dB; positive is louder.
    pub gain_db: f32,
    /// Standard deviation of `gain_db` in dB.
    pub sd_db: f32,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing, as far as the meter can tell: no stem moved by more than this many dB.
    Nothing {
        /// The smallest move that would have been noticed, in dB.
        within_db: f32,
    },
    /// One fader, at all places alike.
    Moved(Move),
    /// A stem was present before and is not any more: muted, or it does not play in this take, or almost so.
    Vanished(Stem),
    /// A stem is present that was not.
    Appeared(Stem),
    /// The sound is another: another take, another sound, an effect, or several changes at once. Levels may have moved too,
    /// but that is not a fader's move alone.
    OtherTake,
    /// One stem moved by different amounts at different places: automation, or several moves.
    Uneven {
        /// The stem.
        stem: Stem,
        /// The lowest gain at a place in dB.
        least_db: f32,
        /// The highest gain at a place in dB.
        most_db: f32,
    },
    /// More than one stem moved; the shifts of the levels against the rest in dB are all that is known.
    Several(PerStem<Option<f32>>),
    /// The levels moved, and several explanations are as good.
    Unclear,
    /// There is nothing to compare: silence, or no stem in both passes.
    Incomparable,
}

/// Standard deviation by which a shift is noticed and explanations are held against each other, as a share of the mean of
/// the two expected errors. Most of the meter's error is the same in both passes, and where nothing changed, the readings
/// are equal. Measured; see `plugin/core/benches/passes.rs`.
const SHIFT_ERROR_SHARE: f64 = 0.35;
/// Standard deviation of the gain that is told, as such a share: 0.8 over seven songs held back for calibration.
const GAIN_ERROR_SHARE: f64 = 0.8;
/// Smallest standard deviation of a shift in dB.
const LEAST_SHIFT_SD_DB: f64 = 0.3;
/// A shift counts from this many standard deviations on.
const NOTICED_SD: f64 = 2.5;
/// No move smaller than this is told, in dB: a fader is not set more finely. Chosen, not tuned.
const LEAST_MOVE_DB: f64 = 1.0;
/// Largest gain that is considered, in dB.
const MOST_GAIN_DB: f64 = 24.0;
/// A fader is not moved by more than this; a stem that falls further has vanished, in dB. Chosen, not tuned.
const MUTED_DB: f64 = 15.0;
/// Distance between two gains that are considered, in dB.
const GAIN_STEP_DB: f64 = 0.1;
/// Another hypothesis is as good if its mean square of standardized residuals is at most this much larger.
const AS_GOOD: f64 = 0.75;
/// Presence from which, and up to which, a stem counts as surely present and surely absent.
const SURELY_PRESENT: f32 = 0.75;
const SURELY_ABSENT: f32 = 0.25;
/// The sound is another if it moves both ways by more than this, in dB. Over seven songs held back for calibration, 19 of 20
/// moves of a fader gave at most 0.01 dB, and 19 of 20 other takes of a song at least 0.35 to 3 dB.
const BOTH_WAYS_DB: f32 = 0.4;
/// The sound refutes a gain if it moved by this much more, in dB, in one part of twenty: about twice the error of the
/// gain that is told.
const BEYOND_DB: f64 = 2.5;
/// A stem is muted, not lowered, if it takes more than this off the sound where it is most of it, in dB. Chosen, not tuned.
const MUTED_CELLS_DB: f32 = 12.0;
/// Share of the error that all places have in common, which more places do not reduce. As in the pooling of readings.
const COMMON_SHARE: f64 = 0.6;

/// What changed at these places, all of the same two passes.
pub fn compare(places: &[Place<'_>]) -> Change {
    let places: Vec<Place<'_>> =
        places.iter().copied().filter(|place| !place.before.silent && !place.after.silent).collect();
    if places.is_empty() {
        return Change::Incomparable;
    }
    if let Some(change) = presence(&places) {
        return change;
    }
    let measured: Vec<Measured> = places.iter().map(Measured::of).collect();
    if measured.iter().all(|place| place.shift_db.iter().all(|(_, shift)| shift.is_none())) {
        return Change::Incomparable;
    }
    let change = if measured.iter().all(|place| place.is_still()) {
        Change::Nothing { within_db: noticed_db(&measured) as f32 }
    } else {
        moved(&measured)
    };
    let (gain_db, sd_db) = match &change {
        Change::Moved(moved) => (f64::from(moved.gain_db), f64::from(moved.sd_db)),
        _ => (0.0, 0.0),
    };
    match (sound(&places, gain_db, sd_db), change) {
        // Levels mean little where the sound is another.
        (Sound::BothWays, Change::Nothing { .. } | Change::Moved(_) | Change::Unclear) => Change::OtherTake,
        (Sound::Down(db), Change::Moved(_) | Change::Several(_) | Change::Unclear) if db > MUTED_CELLS_DB => {
            Change::Vanished(most_changed(&places, -1.0))
        }
        (Sound::Up(db), Change::Moved(_) | Change::Several(_) | Change::Unclear) if db > MUTED_CELLS_DB => {
            Change::Appeared(most_changed(&places, 1.0))
        }
        // The levels name a gain that the sound refutes.
        (Sound::Down(_) | Sound::Up(_), Change::Moved(_)) => Change::Unclear,
        (_, change) => change,
    }
}

/// The stem whose level fell most (`sign` -1) or rose most (1).
fn most_changed(places: &[Place<'_>], sign: f32) -> Stem {
    let change = |stem: Stem| -> f32 {
        places.iter().map(|p| p.after.reading[stem].level_db - p.before.reading[stem].level_db).sum()
    };
    let by_change = |a: &Stem, b: &Stem| (sign * change(*a)).total_cmp(&(sign * change(*b)));
    Stem::ALL.into_iter().max_by(by_change).unwrap_or(Stem::Other)
}

/// A stem that vanished or appeared at every place where it can be told.
fn presence(places: &[Place<'_>]) -> Option<Change> {
    Stem::ALL.into_iter().find_map(|stem| {
        let is = |reading: &StemReading| match reading.presence {
            presence if presence >= SURELY_PRESENT => Some(true),
            presence if presence <= SURELY_ABSENT => Some(false),
            _ => None,
        };
        let known: Vec<(bool, bool)> = places
            .iter()
            .filter_map(|place| Some((is(&place.before.reading[stem])?, is(&place.after.reading[stem])?)))
            .collect();
        let all = |change: (bool, bool)| known.iter().all(|both| *both == change || *both == (false, false));
        if known.contains(&(true, false)) && all((true, false)) {
            Some(Change::Vanished(stem))
        } else if known.contains(&(false, true)) && all((false, true)) {
            Some(Change::Appeared(stem))
        } else {
            None
        }
    })
}

/// What the sound itself says of a single fader.
enum Sound {
    /// It fits, or nothing is known of it.
    Fits,
    /// It moved both ways: another take, or several changes.
    BothWays,
    /// It fell in places by this many dB, more than the gain says.
    Down(f32),
    /// It rose in places by this many dB, more than the gain says.
    Up(f32),
}

/// What the prints say of a move by `gain_db`, at most places.
fn sound(places: &[Place<'_>], gain_db: f64, sd_db: f64) -> Sound {
    let mut tails: Vec<Tails> =
        places.iter().filter_map(|place| place.before_print?.tails(place.after_print?)).collect();
    let both_ways = tails.iter().filter(|tails| tails.both_ways_db() > BOTH_WAYS_DB).count();
    if 2 * both_ways > tails.len() {
        return Sound::BothWays;
    }
    tails.sort_by(|a, b| (a.up_db - a.down_db).total_cmp(&(b.up_db - b.down_db)));
    let Some(middle) = tails.get(tails.len() / 2) else { return Sound::Fits };
    let beyond = (NOTICED_SD * sd_db).max(BEYOND_DB);
    if f64::from(middle.down_db) > beyond - gain_db.min(0.0) {
        Sound::Down(middle.down_db)
    } else if f64::from(middle.up_db) > beyond + gain_db.max(0.0) {
        Sound::Up(middle.up_db)
    } else {
        Sound::Fits
    }
}

/// The shifts at a place.
struct Measured {
    level_db: PerStem<Option<f64>>,
    shift_db: PerStem<Option<f64>>,
    sd_db: PerStem<f64>,
}

impl Measured {
    fn of(place: &Place<'_>) -> Self {
        let both = |stem: Stem| Some((place.before.level_db(stem)?, place.after.level_db(stem)?));
        let error = |stem: Stem| {
            0.5 * f64::from(place.before.reading[stem].error_db + place.after.reading[stem].error_db)
        };
        Measured {
            level_db: PerStem::from_fn(|stem| both(stem).map(|(before, _)| f64::from(before))),
            shift_db: PerStem::from_fn(|stem| both(stem).map(|(before, after)| f64::from(after - before))),
            sd_db: PerStem::from_fn(|stem| (SHIFT_ERROR_SHARE * error(stem)).max(LEAST_SHIFT_SD_DB)),
        }
    }

    fn is_still(&self) -> bool {
        self.shift_db.iter().all(|(stem, shift)| {
            shift.is_none_or(|shift| shift.abs() < (NOTICED_SD * self.sd_db[stem]).max(LEAST_MOVE_DB))
        })
    }

    /// Mean square of the standardized residuals of a hypothesis.
    fn misfit(&self, stem: Stem, gain_db: f64) -> f64 {
        let expected = shift_db(&self.level_db, stem, gain_db);
        let squares: Vec<f64> = Stem::ALL
            .into_iter()
            .filter_map(|stem| Some(((self.shift_db[stem]? - expected[stem]?) / self.sd_db[stem]).powi(2)))
            .collect();
        squares.iter().sum::<f64>() / squares.len().max(1) as f64
    }

    /// The gain of this stem that fits best.
    fn best_gain(&self, stem: Stem) -> Option<f64> {
        self.shift_db[stem]?;
        gains().min_by(|a, b| self.misfit(stem, *a).total_cmp(&self.misfit(stem, *b)))
    }
}

fn gains() -> impl Iterator<Item = f64> {
    let steps = (MOST_GAIN_DB / GAIN_STEP_DB).round() as i32;
    (-steps..=steps).map(|step| f64::from(step) * GAIN_STEP_DB)
}

/// The smallest move that would have been noticed at the best place, of the stem that is measured worst.
fn noticed_db(places: &[Measured]) -> f64 {
    let of_place = |place: &Measured| {
        place
            .shift_db
            .iter()
            .filter(|(_, shift)| shift.is_some())
            .map(|(stem, _)| (NOTICED_SD * place.sd_db[stem]).max(LEAST_MOVE_DB))
            .fold(0.0, f64::max)
    };
    places.iter().map(of_place).fold(f64::INFINITY, f64::min)
}

/// The move that explains the shifts.
fn moved(places: &[Measured]) -> Change {
    let mut fits: Vec<(Stem, f64, f64)> = Stem::ALL
        .into_iter()
        .filter_map(|stem| {
            let own: Vec<&Measured> = places.iter().filter(|place| place.shift_db[stem].is_some()).collect();
            if own.len() < places.len().div_ceil(2) {
                return None;
            }
            let misfit = |gain: f64| own.iter().map(|p| p.misfit(stem, gain)).sum::<f64>() / own.len() as f64;
            let gain = gains().min_by(|a, b| misfit(*a).total_cmp(&misfit(*b)))?;
            Some((stem, gain, misfit(gain)))
        })
        .collect();
    fits.sort_by(|a, b| a.2.total_cmp(&b.2));
    let Some(&(stem, gain_db, misfit)) = fits.first() else { return Change::Unclear };
    let good = NOTICED_SD * NOTICED_SD / 2.0;
    // The gain at each place by itself, which tells automation from a fader.
    let own: Vec<(f64, f64)> =
        places.iter().filter_map(|place| Some((place.best_gain(stem)?, place.sd_db[stem]))).collect();
    let is_uneven =
        own.iter().any(|(gain, sd)| (gain - gain_db).abs() > (NOTICED_SD * sd).max(1.5 * LEAST_MOVE_DB));
    let fits_by_place = || {
        let each = places.iter().filter_map(|place| Some(place.misfit(stem, place.best_gain(stem)?)));
        each.fold(0.0, f64::max) <= good
    };
    if is_uneven && fits_by_place() {
        let (least, most) =
            own.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (gain, _)| {
                (gain.min(least), gain.max(most))
            });
        return Change::Uneven { stem, least_db: least as f32, most_db: most as f32 };
    }
    if misfit > good {
        return Change::Several(mean_shifts(places));
    }
    let is_rivalled = fits.get(1).is_some_and(|(_, _, next)| next - misfit < AS_GOOD);
    if is_rivalled || gain_db.abs() < LEAST_MOVE_DB {
        return Change::Unclear;
    }
    if gain_db <= -MUTED_DB {
        return Change::Vanished(stem);
    }
    if gain_db >= MUTED_DB {
        return Change::Appeared(stem);
    }
    let sd = own.iter().map(|(_, sd)| sd).sum::<f64>() / own.len() as f64;
    let sd_db = sd
        * (GAIN_ERROR_SHARE / SHIFT_ERROR_SHARE)
        * (COMMON_SHARE + (1.0 - COMMON_SHARE) / (own.len() as f64).sqrt());
    Change::Moved(Move { stem, gain_db: gain_db as f32, sd_db: sd_db as f32 })
}

fn mean_shifts(places: &[Measured]) -> PerStem<Option<f32>> {
    PerStem::from_fn(|stem| {
        let shifts: Vec<f64> = places.iter().filter_map(|place| place.shift_db[stem]).collect();
        (!shifts.is_empty()).then(|| (shifts.iter().sum::<f64>() / shifts.len() as f64) as f32)
    })
}
