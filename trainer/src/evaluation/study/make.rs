//! Makes the study's page, the key to its blinded systems, and what an ethics board asks for.

use super::clips::{matched, wav, with_advice};
use super::licence::{Credit, licensed_song, window_of};
use super::ratings::{RATINGS_FORMAT, SCALES};
use crate::collections::SongFolder;
use crate::evaluation::words::{Item, written_advice};
use crate::protocol::{Flaw, GatedWindow, gated_windows};
use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::hash::fnv1a;
use mixing_buddy_core::{CancelFlag, Stem};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// The page without its data.
const PAGE: &str = include_str!("page.html");
/// Where the data goes.
const DATA_SLOT: &str = "/*STUDY*/";

/// A system whose advice is rated.
#[derive(Clone, Debug)]
pub struct System {
    /// Its name, for the key.
    pub name: String,
    /// Its advice.
    pub items: Vec<Item>,
}

/// What a study holds.
#[derive(Clone, Debug)]
pub struct StudyPlan {
    /// Title of the page.
    pub title: String,
    /// Who runs the study, and how to reach them.
    pub contact: String,
    /// Items that are rated, without the training item.
    pub items: usize,
    /// Items that are shown a second time.
    pub repeats: usize,
    /// Whether good advice that we wrote is one of the systems.
    pub with_written: bool,
    /// Draws the items and codes.
    pub seed: u64,
}

/// Name of the system of advice that we wrote.
pub const WRITTEN_SYSTEM: &str = "written by the authors";

/// Which advice is whose. Raters must not see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// The study.
    pub study: String,
    /// Names of the systems.
    pub systems: Vec<String>,
    /// System and item by code.
    pub advice: BTreeMap<String, KeyEntry>,
}

/// What a code stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyEntry {
    /// Name of the system.
    pub system: String,
    /// Name of the item.
    pub item: String,
    /// Its song.
    pub song: String,
    /// Whether the item is for training and not scored.
    pub training: bool,
}

/// Everything that `study make` writes.
#[derive(Clone, Debug)]
pub struct Study {
    /// The page.
    pub page: String,
    /// The key.
    pub key: Key,
    /// Whom the page credits.
    pub credits: Vec<Credit>,
    /// The protocol of the study (Markdown).
    pub protocol: String,
    /// The information for participants (Markdown).
    pub information: String,
}

/// Makes a study from systems that were evaluated on the same items, and the songs of these.
///
/// # Errors
/// When the systems share too few items, a song is missing, or its licence does not permit to pass it on.
pub fn make_study(
    systems: &[System],
    folders: &[SongFolder],
    plan: &StudyPlan,
    cancel: &CancelFlag,
) -> Result<Study> {
    ensure!(!systems.is_empty(), "a study needs the items of at least one system");
    let chosen = choose(systems, plan)?;
    let mut names: Vec<String> = systems.iter().map(|system| system.name.clone()).collect();
    names.extend(plan.with_written.then(|| WRITTEN_SYSTEM.to_string()));
    ensure!((1..names.len()).all(|at| !names[..at].contains(&names[at])), "two systems have the same name");
    let study = study_name(plan, systems);
    let mut key = Key { study: study.clone(), systems: names, advice: BTreeMap::new() };
    let mut credits: Vec<Credit> = Vec::new();
    let (mut items, mut clips): (Vec<serde_json::Value>, Vec<String>) = (Vec::new(), Vec::new());
    for (at, versions) in chosen.iter().enumerate() {
        let item = versions[0];
        let (song, credit) = licensed_song(item, folders, cancel)?;
        let windows = gated_windows(&song);
        let window = window_of(item, &windows)?;
        let mut advice: Vec<(String, String, Option<BestAnswer>)> = versions
            .iter()
            .zip(systems)
            .map(|(item, system)| (system.name.clone(), item.text.clone(), item.best))
            .collect();
        if plan.with_written {
            let text = written_advice(item.truth).swap_remove(1);
            advice.push((WRITTEN_SYSTEM.into(), text, Some(right_answer(item))));
        }
        let first_clip = clips.len();
        let (sounds, clip_of) = sounds_of(window, item, &advice)?;
        for sound in matched(sounds)? {
            clips.push(STANDARD.encode(wav(&sound)?));
        }
        let training = at == 0;
        let mut shown = Vec::new();
        for ((system, text, _), clip) in advice.iter().zip(clip_of) {
            let code = format!("{:016x}", fnv1a(format!("{study}/{}/{system}", item.id).bytes()));
            let entry =
                KeyEntry { system: system.clone(), item: item.id.clone(), song: item.song.clone(), training };
            key.advice.insert(code.clone(), entry);
            shown.push(json!({"code": code, "text": text, "clip": clip.map(|clip| first_clip + clip)}));
        }
        // In the order of the codes, which tells nothing of the systems.
        shown.sort_by_key(|advice| advice["code"].to_string());
        items.push(json!({
            "training": training,
            "question": item.question,
            "anchor": item.anchor.map(Stem::name),
            "clip": first_clip,
            "advice": shown,
        }));
        if !credits.contains(&credit) {
            credits.push(credit);
        }
    }
    let scales: Vec<_> = SCALES
        .map(|(name, question, low, high)| json!({"name": name, "question": question, "low": low, "high": high}))
        .to_vec();
    let data = json!({
        "format": RATINGS_FORMAT, "study": study, "title": plan.title, "contact": plan.contact,
        "repeats": plan.repeats, "scales": scales, "items": items, "clips": clips, "credits": credits,
    });
    // "</" would end the script.
    let data = serde_json::to_string(&data)?.replace("</", "<\\/");
    let page = PAGE.replacen(DATA_SLOT, &data, 1);
    let [protocol, information] = super::texts::texts(plan, &key, &credits);
    Ok(Study { page, key, credits, protocol, information })
}

/// The right answer to an item.
fn right_answer(item: &Item) -> BestAnswer {
    match item.truth {
        None => BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None },
        Some(truth) => BestAnswer {
            verdict: Verdict::of_error(truth.direction, truth.gain_db as f32),
            stem: Some(truth.stem),
            gain_db: Some(-truth.gain_db as f32),
        },
    }
}

/// The flawed mix and each distinct correction, and which clip is whose; none for advice that changes nothing.
fn sounds_of(
    window: &GatedWindow<'_>,
    item: &Item,
    advice: &[(String, String, Option<BestAnswer>)],
) -> Result<(Vec<mixing_buddy_core::audio::StereoPcm>, Vec<Option<usize>>)> {
    let flaw = item.truth.map_or(Flaw::NONE, |truth| Flaw { stem: truth.stem, gain_db: truth.gain_db });
    let mut sounds = vec![window.mix(flaw)];
    let mut known: Vec<(Stem, f32)> = Vec::new();
    let mut clip_of = Vec::new();
    for (_, _, best) in advice {
        let change = best.and_then(|best| best.stem.zip(best.gain_db));
        clip_of.push(change.map(|change| {
            let at = known.iter().position(|other| *other == change).unwrap_or_else(|| {
                known.push(change);
                sounds.push(with_advice(window, flaw, *best));
                known.len() - 1
            });
            at + 1
        }));
    }
    Ok((sounds, clip_of))
}

/// The items of the study, the training item first, each as the versions of all systems.
fn choose<'a>(systems: &'a [System], plan: &StudyPlan) -> Result<Vec<Vec<&'a Item>>> {
    let version = |system: &'a System, id: &str| system.items.iter().find(|item| item.id == id);
    let mut shared: Vec<Vec<&Item>> = Vec::new();
    for item in &systems[0].items {
        let versions: Option<Vec<&Item>> = systems.iter().map(|system| version(system, &item.id)).collect();
        let Some(versions) = versions else { continue };
        for other in &versions {
            ensure!(
                other.truth == item.truth && other.anchor == item.anchor,
                "the systems were asked about different mixes under the name {}: evaluate them with the same seed",
                item.id
            );
        }
        shared.push(versions);
    }
    let needed = plan.items + 1;
    ensure!(
        shared.len() >= needed,
        "{needed} items are needed ({} and one for training), and the systems share {}",
        plan.items,
        shared.len()
    );
    ensure!(plan.repeats <= plan.items, "no more items can be repeated than there are");
    shared.shuffle(&mut ChaCha8Rng::seed_from_u64(plan.seed ^ 0x7374_7564));
    shared.truncate(needed);
    Ok(shared)
}

/// Name of the study: the same plan on the same items is the same study.
fn study_name(plan: &StudyPlan, systems: &[System]) -> String {
    let mut text = format!("{plan:?}");
    for system in systems {
        text += &system.name;
        system.items.iter().for_each(|item| text += &format!("{}{}", item.id, item.text));
    }
    format!("{:016x}", fnv1a(text.bytes()))
}
