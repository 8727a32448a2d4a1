//! Draws samples from an index; no audio is read.

use super::line::{LineLevels, PromptKind, SampleLine};
use super::settings::SynthesisSettings;
use crate::collections::{ChunkEntry, Index, SongEntry};
use crate::protocol::{Category, Split};
use crate::text::{Instructions, TextSampler};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::language::{Decision, Intent, StemError, render};
use mixing_buddy_core::{PerStem, Stem};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps per dB: gains are drawn, and levels stated, in hundredths of a dB, so that a line states them exactly.
const STEPS_PER_DB: f64 = 100.0;

/// A song and its chunks that pass the gate, with the stems that play in each.
struct UsableSong<'a> {
    song: &'a SongEntry,
    chunks: Vec<(usize, PerStem<bool>)>,
}

/// Draws samples.
pub struct Synthesizer<'a> {
    index: &'a Index,
    settings: &'a SynthesisSettings,
    text: &'a TextSampler,
    instructions: &'a Instructions,
    songs: Vec<UsableSong<'a>>,
    /// Numbers of the `songs` with a second chunk, which can be the reference.
    with_reference: Vec<usize>,
}

impl<'a> Synthesizer<'a> {
    /// Takes the chunks of the index that pass the gate, of songs in one of `splits` (all where it is empty; a song
    /// without a split always counts).
    ///
    /// # Errors
    /// When no chunk is left, or none can be a reference although the settings ask for one.
    pub fn new(
        index: &'a Index,
        settings: &'a SynthesisSettings,
        text: &'a TextSampler,
        instructions: &'a Instructions,
        splits: &[Split],
    ) -> Result<Self> {
        settings.check()?;
        let in_splits = |song: &&SongEntry| {
            splits.is_empty() || song.split.as_ref().is_none_or(|split| splits.contains(split))
        };
        let songs: Vec<UsableSong<'a>> = index
            .songs
            .iter()
            .filter(in_splits)
            .map(|song| {
                let chunks = index.chunks(song).iter().enumerate();
                let passing = chunks.filter_map(|(at, c)| Some((at, settings.gate.stems_present(c)?)));
                UsableSong { song, chunks: passing.collect() }
            })
            .filter(|usable| !usable.chunks.is_empty())
            .collect();
        let names: Vec<&str> = splits.iter().map(Split::name).collect();
        ensure!(
            !songs.is_empty(),
            "no chunk of the {} songs passes the gate{}",
            index.songs.len(),
            if splits.is_empty() { String::new() } else { format!(" in the splits {}", names.join(", ")) }
        );
        let with_reference: Vec<usize> = (0..songs.len()).filter(|at| songs[*at].chunks.len() > 1).collect();
        ensure!(
            settings.prompts.reference == 0.0 || !with_reference.is_empty(),
            "no song has two chunks that pass the gate, one of them as reference: set [prompts] reference to 0"
        );
        Ok(Synthesizer { index, settings, text, instructions, songs, with_reference })
    }

    /// Songs and chunks that samples are drawn from.
    pub fn counts(&self) -> (usize, usize) {
        (self.songs.len(), self.songs.iter().map(|usable| usable.chunks.len()).sum())
    }

    /// The sample of a seed. The same seed gives the same sample.
    ///
    /// # Errors
    /// When a wording cannot be drawn.
    pub fn draw(&self, id: u64, seed: u64) -> Result<SampleLine> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let kind = self.kind(&mut rng);
        // Each song is as likely as any other, however long it is.
        let usable = if kind == PromptKind::Reference {
            &self.songs[*self.with_reference.choose(&mut rng).context("no song can be a reference")?]
        } else {
            self.songs.choose(&mut rng).context("there are no songs")?
        };
        let (chunk, present) = *usable.chunks.choose(&mut rng).context("the song has no chunks")?;
        let reference_chunk = (kind == PromptKind::Reference).then(|| {
            loop {
                let other = usable.chunks[rng.random_range(0..usable.chunks.len())].0;
                if other != chunk {
                    break other;
                }
            }
        });
        let candidates: Vec<Stem> = Stem::TARGETS.into_iter().filter(|stem| present[*stem]).collect();
        let target = *candidates.choose(&mut rng).context("no stem of the chunk is a target")?;
        let others: Vec<Stem> = candidates.iter().copied().filter(|stem| *stem != target).collect();
        let category = self.category(&mut rng);
        let gain_db = self.gain_db(category, &mut rng);
        // Without another target there is no anchor.
        let anchor = if kind == PromptKind::Anchor { others.choose(&mut rng).copied() } else { None };
        let kind = if kind == PromptKind::Anchor && anchor.is_none() { PromptKind::Generic } else { kind };
        let asked = (kind == PromptKind::Question).then(|| {
            let about_target = rng.random_bool(self.settings.prompts.about_target);
            let elsewhere: Vec<Stem> =
                Stem::ALL.into_iter().filter(|stem| present[*stem] && *stem != target).collect();
            if about_target { target } else { elsewhere.choose(&mut rng).copied().unwrap_or(target) }
        });
        let (instruction, answer) =
            self.texts(kind, anchor, asked, target, category, gain_db, &present, &mut rng)?;
        let entry = &self.index.chunks(usable.song)[chunk];
        Ok(SampleLine {
            id,
            song: usable.song.name.clone(),
            split: usable.song.split.clone(),
            chunk,
            seed,
            kind,
            anchor,
            asked,
            reference_chunk,
            target,
            category,
            gain_db,
            stems_present: Stem::ALL.into_iter().filter(|stem| present[*stem]).collect(),
            levels_dbfs: levels(entry, &present, target, gain_db),
            instruction,
            answer,
        })
    }

    fn kind(&self, rng: &mut ChaCha8Rng) -> PromptKind {
        let p = &self.settings.prompts;
        let mut left: f64 = rng.random();
        for (share, kind) in [
            (p.generic, PromptKind::Generic),
            (p.anchor, PromptKind::Anchor),
            (p.reference, PromptKind::Reference),
        ] {
            left -= share;
            if left < 0.0 {
                return kind;
            }
        }
        if p.question > 0.0 { PromptKind::Question } else { PromptKind::Generic }
    }

    fn category(&self, rng: &mut ChaCha8Rng) -> Category {
        let mut left: f64 = rng.random();
        for category in Category::ALL {
            left -= self.settings.categories.get(category).prior;
            if left < 0.0 {
                return category;
            }
        }
        // The shares may add up to a little less than 1: the last category that can be drawn at all.
        let drawn = |category: &&Category| self.settings.categories.get(**category).prior > 0.0;
        Category::ALL.iter().rev().find(drawn).copied().unwrap_or(Category::NoError)
    }

    fn gain_db(&self, category: Category, rng: &mut ChaCha8Rng) -> f64 {
        if category == Category::NoError {
            return 0.0;
        }
        let [low, high] = self.settings.categories.get(category).range_db;
        let drawn: f64 = rng.random_range(low..high);
        ((drawn * STEPS_PER_DB).round() / STEPS_PER_DB).clamp(low, high)
    }

    #[expect(clippy::too_many_arguments, reason = "everything that decides the texts")]
    fn texts(
        &self,
        kind: PromptKind,
        anchor: Option<Stem>,
        asked: Option<Stem>,
        target: Stem,
        category: Category,
        gain_db: f64,
        present: &PerStem<bool>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(String, String)> {
        let (instruction, intent) = match (kind, anchor, asked) {
            (PromptKind::Anchor, Some(anchor), _) => {
                (self.instructions.with_anchor(anchor, rng)?, Intent::Balance)
            }
            (PromptKind::Reference, ..) => (self.instructions.with_reference(rng)?, Intent::Compare),
            (PromptKind::Question, _, Some(stem)) => {
                (self.text.question(Intent::About(stem), rng)?, Intent::About(stem))
            }
            _ => (self.instructions.generic(rng)?, Intent::Balance),
        };
        // The category names the verdict, whatever gains the settings give it: a size in the middle of its range.
        let size_db = category.gain_range_db().map_or(0.0, |(low, high)| (0.5 * (low + high)).abs() as f32);
        let error = category.direction().filter(|_| intent.may_target(target)).map(|direction| StemError {
            stem: target,
            direction,
            size_db,
        });
        let decision = Decision { intent, error };
        let sentence = self.text.answer_text(&decision, kind == PromptKind::Reference, present, rng)?;
        let correction_db = error.map(|_| -gain_db as f32);
        Ok((instruction, render(&sentence, decision.slot_stem(), correction_db)?))
    }
}

fn levels(chunk: &ChunkEntry, present: &PerStem<bool>, target: Stem, gain_db: f64) -> LineLevels {
    let round = |level: f64| (level * STEPS_PER_DB).round() / STEPS_PER_DB;
    LineLevels {
        stems: PerStem::from_fn(|stem| {
            let gain_db = if stem == target { gain_db } else { 0.0 };
            present[stem].then(|| round(f64::from(chunk.level_dbfs[stem.index()]) + gain_db))
        }),
        mixture: round(chunk.flawed_mix_dbfs(target, gain_db)),
    }
}
