//! What a later pass over the same place has changed.

use super::super::song::{lu, plain, playing, with_newest};
use super::Scene;
use mixing_buddy::since::{Since, Standing};
use mixing_buddy::view::Mark;
use mixing_buddy_core::passes::{Change, Followed, Move, Outcome};
use mixing_buddy_core::{Stem, Verdict};
use std::sync::Arc;

fn since(
    name: &'static str,
    change: Change,
    followed: Option<Followed>,
    standing: Option<Standing>,
) -> Scene {
    let mut view = playing();
    if followed.is_some_and(|followed| followed.outcome == Outcome::Done) {
        let mut advice = plain(Verdict::NoError, 0.77, "The balance is right.");
        advice.levels_lu = lu(-3.9, -6.1, -8.8, -0.6);
        view = with_newest(advice);
    }
    view.since = Some(Since { change, places: 3, followed, standing });
    let history = view.history.iter().map(|mark| {
        let is_vocals = mark.advice.stem == Some(Stem::Vocals);
        Arc::new(Mark { followed: followed.filter(|_| is_vocals), ..(**mark).clone() })
    });
    view.history = Arc::new(history.collect());
    Scene::new(name, view)
}

fn vocals_moved(name: &'static str, gain_db: f32, beyond_db: f32) -> Scene {
    let moved = Move { stem: Stem::Vocals, gain_db, sd_db: 0.6 };
    let followed = Followed::of(&moved, Stem::Vocals, -4.0, Some(1.0));
    let standing = Standing { stem: Stem::Vocals, beyond_db, is_reference: false };
    since(name, Change::Moved(moved), followed, Some(standing))
}

pub fn confirmed() -> Scene {
    vocals_moved("confirmed", -3.8, 0.0)
}

pub fn overdone() -> Scene {
    vocals_moved("overdone", -7.5, -2.2)
}

pub fn other_take() -> Scene {
    since("other_take", Change::OtherTake, None, None)
}

pub fn automation() -> Scene {
    since("automation", Change::Uneven { stem: Stem::Drums, least_db: -6.2, most_db: 0.0 }, None, None)
}
