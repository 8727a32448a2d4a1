//! Passes over the song: which windows lie at the same place, and what changed between them.
//!
//! A window is compared with the window at its place from before the last change, not simply with the last one, so that
//! small moves add up. What was found at several places since a change is judged together: a fader moves all places
//! alike, automation does not.

use crate::settings::SLAB_S;
use mixing_buddy_core::passes::{Change, Place, Print, compare};
use mixing_buddy_core::{Advice, Analysis};
use std::collections::{BTreeMap, BTreeSet};

/// Two windows are at the same place if their starts differ by no more than this, in seconds: 50 ms later, a
/// print is that of another take. Hosts start a loop, and a song from a marker, at the same sample.
const SAME_PLACE_S: f64 = 0.005;
/// Most places at which a change is judged: the newest. Chosen, not tuned.
const MOST_PLACES: usize = 8;
/// Most places that are remembered, as in the history.
const MOST_HEARD: usize = super::history::MOST_MARKS;

/// A window as an earlier pass left it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Number of its mark.
    pub order: u64,
    /// Start in the song in seconds.
    pub start_s: f64,
    /// End in the song in seconds.
    pub end_s: f64,
    /// The advice on it.
    pub advice: Advice,
    /// What was measured.
    pub analysis: Analysis,
    /// The picture of its sound.
    pub print: Print,
}

/// What a window tells in comparison with earlier passes.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What changed.
    pub change: Change,
    /// At how many places.
    pub places: usize,
    /// The earlier window at the same place.
    pub before: Heard,
    /// Marks of a lower order are from before the change. None if the change does not touch the balance: a mute, another
    /// take, or nothing.
    pub outdated_before: Option<u64>,
}

/// The windows of the song by place, and the change that is being followed.
#[derive(Default)]
pub struct Passes {
    /// The newest windows from before the last change, or the first since.
    heard: BTreeMap<i64, Heard>,
    /// Number of the pass, from one.
    pass: u32,
    in_pass: BTreeSet<i64>,
    /// The window before this one.
    last: Option<(f64, f64, bool)>,
    streak: Option<Streak>,
}

/// A change that is being followed.
struct Streak {
    first_order: u64,
    /// The pass in which it was found.
    pass: u32,
    /// Windows of that pass that start before this position may lie across the change.
    clean_from_s: f64,
    places: Vec<Pair>,
}

/// A place in two passes.
struct Pair {
    before: Heard,
    after: Heard,
    /// Whether the later window is from after the change as a whole.
    is_clean: bool,
}

impl Passes {
    /// Number of the present pass, from one.
    pub fn pass(&self) -> u32 {
        self.pass.max(1)
    }

    /// Takes a window. Tells what changed if an earlier pass has its place.
    pub fn hear(&mut self, now: Heard) -> Option<Finding> {
        if !now.start_s.is_finite() {
            return None;
        }
        let at = key(now.start_s);
        if self.pass == 0 || !self.in_pass.insert(at) {
            self.pass += 1;
            self.in_pass = BTreeSet::from([at]);
            self.last = None;
        }
        let found = self.compare(at, &now);
        let is_same = found.as_ref().is_some_and(|finding| matches!(finding.change, Change::Nothing { .. }));
        self.last = Some((now.start_s, now.end_s, is_same));
        found
    }

    fn compare(&mut self, at: i64, now: &Heard) -> Option<Finding> {
        let Some((place, before)) = self.at_place(at, now.start_s) else {
            self.heard.insert(at, now.clone());
            while self.heard.len() > MOST_HEARD {
                self.heard.pop_first();
            }
            return None;
        };
        let single = compare(&[place_of(&before, now)]);
        let is_of_streak = self.streak.as_ref().is_some_and(|streak| before.order < streak.first_order);
        match &single {
            Change::Moved(_) | Change::Several(_) | Change::Uneven { .. } => {
                if !is_of_streak {
                    self.streak = Some(self.begin(now));
                }
            }
            // Elsewhere something has changed: this place speaks against a fader.
            Change::Nothing { .. } | Change::Unclear if is_of_streak => {}
            _ => return Some(finding(single, 1, before, None)),
        }
        let streak = self.streak.as_mut()?;
        let is_clean = self.pass > streak.pass || now.start_s >= streak.clean_from_s;
        if !is_clean && streak.places.iter().any(|pair| pair.is_clean) {
            return None;
        }
        if is_clean {
            // A window across the change tells a part of the move only, so a clean one replaces it.
            streak.places.retain(|pair| pair.is_clean);
            self.heard.insert(place, now.clone());
        } else {
            // What lies across the change is no measure for later passes.
            self.heard.remove(&place);
        }
        streak.places.retain(|pair| key(pair.after.start_s) != key(now.start_s));
        streak.places.push(Pair { before: before.clone(), after: now.clone(), is_clean });
        if streak.places.len() > MOST_PLACES {
            streak.places.remove(0);
        }
        let places: Vec<Place<'_>> =
            streak.places.iter().map(|pair| place_of(&pair.before, &pair.after)).collect();
        let (change, count, first) = (compare(&places), places.len(), streak.first_order);
        Some(finding(change, count, before, Some(first)))
    }

    /// A new change that this window is the first to show. If the window before it, in the same pass, was as ever, the
    /// change came while it played.
    fn begin(&self, now: &Heard) -> Streak {
        let clean_from_s = match self.last {
            Some((start_s, end_s, true)) if (start_s..end_s).contains(&now.start_s) => end_s,
            _ => f64::NEG_INFINITY,
        };
        Streak { first_order: now.order, pass: self.pass, clean_from_s, places: Vec::new() }
    }

    /// The window of an earlier pass at this place.
    fn at_place(&self, at: i64, start_s: f64) -> Option<(i64, Heard)> {
        (at - 1..=at + 1)
            .filter_map(|at| Some((at, self.heard.get(&at)?)))
            .map(|(at, heard)| (at, heard, (heard.start_s - start_s).abs()))
            .filter(|(_, _, apart)| *apart <= SAME_PLACE_S)
            .min_by(|a, b| a.2.total_cmp(&b.2))
            .map(|(at, heard, _)| (at, heard.clone()))
    }
}

fn place_of<'a>(before: &'a Heard, after: &'a Heard) -> Place<'a> {
    Place {
        before: &before.analysis,
        after: &after.analysis,
        before_print: Some(&before.print),
        after_print: Some(&after.print),
    }
}

fn finding(change: Change, places: usize, before: Heard, outdated_before: Option<u64>) -> Finding {
    Finding { change, places, before, outdated_before }
}

fn key(start_s: f64) -> i64 {
    (start_s / SLAB_S).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::encoder::StemReading;
    use mixing_buddy_core::passes::shift::shift_db;
    use mixing_buddy_core::{AdviceKind, BestAnswer, PerStem, Stem, Verdict};

    /// A window whose stem `moved` is `gain_db` louder than at first.
    fn heard(order: u64, start_s: f64, moved: Stem, gain_db: f64) -> Heard {
        let levels = PerStem::from_array([-4.0, -5.0, -8.0, -2.0]);
        let shift = shift_db(&levels.map(|level| Some(*level)), moved, gain_db);
        let reading = PerStem::from_fn(|stem| StemReading {
            level_db: (levels[stem] + shift[stem].unwrap_or(0.0)) as f32,
            error_db: 1.0,
            presence: 1.0,
            summary: vec![0.5; 4],
        });
        let advice = Advice {
            kind: AdviceKind::Balance,
            verdict: Verdict::NoError,
            stem: None,
            gain_db: None,
            gain_db_sd: None,
            confidence: 0.8,
            best: BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None },
            levels_lu: PerStem::default(),
            text: String::new(),
        };
        let analysis = Analysis { silent: false, reading, levels_lu: PerStem::default() };
        Heard { order, start_s, end_s: start_s + 10.0, advice, analysis, print: Print::default() }
    }

    struct Player {
        passes: Passes,
        order: u64,
    }

    impl Player {
        fn new() -> Self {
            Player { passes: Passes::default(), order: 0 }
        }

        fn play(&mut self, start_s: f64, moved: Stem, gain_db: f64) -> Option<Finding> {
            self.order += 1;
            self.passes.hear(heard(self.order, start_s, moved, gain_db))
        }
    }

    fn gain(finding: &Finding) -> (Stem, f32) {
        match &finding.change {
            Change::Moved(moved) => (moved.stem, moved.gain_db),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_fader_that_moved_between_two_passes_is_told_at_all_places() {
        let mut player = Player::new();
        for place in 0..4 {
            assert!(player.play(f64::from(place) * 5.0, Stem::Vocals, 0.0).is_none());
        }
        for place in 0..4 {
            let finding = player.play(f64::from(place) * 5.0 + 0.002, Stem::Vocals, -4.0).unwrap();
            assert_eq!(gain(&finding).0, Stem::Vocals);
            assert!((gain(&finding).1 + 4.0).abs() < 0.11);
            assert_eq!((finding.places, finding.outdated_before), (place as usize + 1, Some(5)));
        }
        assert_eq!(player.passes.pass(), 2);
        let again = player.play(0.0, Stem::Vocals, -4.0).unwrap();
        assert!(
            matches!(again.change, Change::Nothing { .. }),
            "the next pass is compared with the moved one"
        );
    }

    #[test]
    fn small_moves_add_up() {
        let mut player = Player::new();
        let moves: Vec<bool> = [0.0, -0.5, -1.0, -1.5, -2.0]
            .into_iter()
            .map(|gain_db| player.play(0.0, Stem::Drums, gain_db))
            .map(|finding| matches!(finding.map(|f| f.change), Some(Change::Moved(_))))
            .collect();
        assert!(moves.iter().any(|moved| *moved), "{moves:?}");
    }

    #[test]
    fn a_fader_that_moves_while_the_song_plays_is_not_taken_for_automation() {
        let mut player = Player::new();
        for place in 0..8 {
            player.play(f64::from(place) * 5.0, Stem::Vocals, 0.0);
        }
        player.play(0.0, Stem::Vocals, 0.0);
        // The fader moves at 12 s: the window from 5 s on has a part of it.
        player.play(5.0, Stem::Vocals, -1.5);
        for place in 2..8 {
            let finding = player.play(f64::from(place) * 5.0, Stem::Vocals, -4.0);
            if let Some(finding) = finding.filter(|_| place > 2) {
                assert!((gain(&finding).1 + 4.0).abs() < 0.11, "{finding:?}");
            }
        }
        // In the next pass, places before the move are compared, too.
        let finding = player.play(0.0, Stem::Vocals, -4.0).unwrap();
        assert!((gain(&finding).1 + 4.0).abs() < 0.11, "{finding:?}");
    }

    #[test]
    fn a_gain_that_differs_from_place_to_place_is_told_as_such() {
        let mut player = Player::new();
        for place in 0..4 {
            player.play(f64::from(place) * 10.0, Stem::Vocals, 0.0);
        }
        let last = (0..4).filter_map(|place| {
            let gain_db = if place < 2 { -5.0 } else { 0.0 };
            player.play(f64::from(place) * 10.0, Stem::Vocals, gain_db)
        });
        let last = last.last().unwrap();
        assert!(matches!(last.change, Change::Uneven { stem: Stem::Vocals, .. }), "{:?}", last.change);
    }

    #[test]
    fn windows_at_other_places_are_not_compared() {
        let mut player = Player::new();
        player.play(0.0, Stem::Vocals, 0.0);
        assert!(player.play(1.2, Stem::Vocals, -6.0).is_none());
        assert!(player.play(f64::NAN, Stem::Vocals, -6.0).is_none());
    }
}
