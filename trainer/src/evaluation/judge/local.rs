//! A judge in this process: a pretrained Qwen2 of a file.
//!
//! Its answer always has the rubric's form. The names of the criteria are given; at each of them the model chooses among the five
//! numbers, by its probabilities. So a small model that would not keep to the form can judge too; whether it may be believed is
//! another question, which the report answers.

use super::rubric::{CRITERIA, Prompt, SCALE};
use super::run::{Judge, JudgeFailure};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::decoder::sampling::shares;
use mixing_buddy_core::hash::mix_bits;
use mixing_buddy_core::qwen2::files::chat::START;
use mixing_buddy_core::qwen2::{Cache, Checkpoint, Model, Role, RunOptions};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The judge.
pub struct LocalJudge {
    name: String,
    checkpoint: Checkpoint,
    model: Model,
    options: RunOptions,
    /// The numbers of the scale as tokens.
    numbers: Vec<u32>,
    /// The last prompt, as read: prompts begin with the same rubric.
    read: Mutex<(Cache, Vec<u32>)>,
}

impl LocalJudge {
    /// Opens a GGUF file, or a folder with safetensors, to run on `threads` threads.
    ///
    /// # Errors
    /// When it cannot be opened, or its tokenizer has no token for a number of the scale.
    pub fn open(path: &Path, threads: usize) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let model = Model::load(&checkpoint)?;
        let numbers = SCALE.map(|number| checkpoint.tokenizer.encode(&number.to_string()));
        let numbers: Vec<Vec<u32>> = numbers.collect::<Result<_, _>>()?;
        ensure!(
            numbers.iter().all(|ids| ids.len() == 1),
            "{}: its tokenizer has no tokens for the numbers 1 to 5",
            path.display()
        );
        Ok(LocalJudge {
            name: checkpoint.name.clone(),
            options: RunOptions { threads, ..RunOptions::default() },
            numbers: numbers.concat(),
            read: Mutex::new((Cache::new(model.config()), Vec::new())),
            checkpoint,
            model,
        })
    }

    /// The tokens of a prompt, up to where the judge answers.
    fn tokens(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let Checkpoint { tokenizer, template, .. } = &self.checkpoint;
        let mut ids = Vec::new();
        template.push(tokenizer, Role::System, &prompt.system, &mut ids)?;
        template.push(tokenizer, Role::User, &prompt.user, &mut ids)?;
        ids.push(tokenizer.mark(START)?);
        ids.extend(tokenizer.encode("assistant\n")?);
        Ok(ids)
    }

    fn rate(&self, prompt: &Prompt, number: u64) -> Result<String> {
        let ids = self.tokens(prompt)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (cache, known) = &mut *read;
        let same = ids.iter().zip(known.iter()).take_while(|(a, b)| a == b).count();
        cache.truncate(same);
        // If reading fails, the cache holds no more than this.
        known.truncate(same);
        let extend = |cache: &mut Cache, ids: &[u32]| -> Result<Vec<f32>> {
            Ok(self.model.extend(cache, &self.model.embed(ids)?, &self.options)?)
        };
        let rest = ids.get(same..).unwrap_or_default();
        if !rest.is_empty() {
            extend(cache, rest)?;
            known.extend(rest);
        }
        let mut unread = Vec::new();
        let mut seed = prompt.user.bytes().fold(mix_bits(number), |seed, b| mix_bits(seed ^ u64::from(b)));
        let mut answer = String::new();
        for (index, criterion) in CRITERIA.iter().enumerate() {
            let given = format!("{}\"{}\": ", if index == 0 { "{" } else { ", " }, criterion.name);
            unread.extend(self.checkpoint.tokenizer.encode(&given)?);
            let logits = extend(cache, &unread)?;
            let shares = shares(&logits, &self.numbers);
            let chosen = drawn(&shares, &mut seed);
            answer += &format!("{given}{}", SCALE.start() + chosen as u8);
            unread = vec![*self.numbers.get(chosen).context("a number of the scale")?];
        }
        cache.truncate(known.len());
        Ok(answer + "}")
    }
}

/// An index drawn by these probabilities, which sum to one. `seed` moves on.
fn drawn(shares: &[f32], seed: &mut u64) -> usize {
    *seed = mix_bits(seed.wrapping_add(1));
    let mut left = (*seed >> 40) as f32 / (1u64 << 24) as f32;
    let found = shares.iter().position(|share| {
        left -= share;
        left < 0.0
    });
    found.unwrap_or(shares.len().saturating_sub(1))
}

impl Judge for LocalJudge {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn answer(&self, prompt: &Prompt, number: u64) -> Result<String, JudgeFailure> {
        self.rate(prompt, number).map_err(|error| JudgeFailure(format!("{}: {error:#}", self.name)))
    }
}
