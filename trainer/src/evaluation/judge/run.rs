//! Asks a judge, in random order, and keeps each answer, so that a run that fails goes on from there.

use super::candidates::{Candidate, CandidateKind, candidates};
use super::rubric::{Prompt, Ratings, parse_ratings, prompt};
use crate::evaluation::words::Item;
use anyhow::{Context, Result, anyhow};
use mixing_buddy_core::hash::fnv1a;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A language model that answers a prompt: behind an endpoint, or in this process.
pub trait Judge {
    /// Name of the model, for the report and for kept answers.
    fn name(&self) -> String;

    /// Answers a prompt. `number` tells repeats of the same prompt apart: it may seed the answer.
    ///
    /// # Errors
    /// When the judge cannot answer any more: the run ends, and can be gone on with.
    fn answer(&self, prompt: &Prompt, number: u64) -> Result<String, JudgeFailure>;
}

/// Why a judge cannot go on, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JudgeFailure(pub String);

/// Attempts to get numbers out of a judge's answer, after which it counts as unreadable.
const ATTEMPTS: u64 = 3;
/// Characters per token of English text, for estimates: about four, as providers state it.
const CHARACTERS_PER_TOKEN: usize = 4;
/// Tokens of an answer, for estimates: the JSON alone.
const ANSWER_TOKENS: usize = 40;

/// One question to the judge.
struct Request {
    item: usize,
    candidate: Candidate,
    repeat: usize,
    prompt: Prompt,
}

/// All questions of a run, in random order.
pub struct JudgePlan<'a> {
    items: &'a [Item],
    requests: Vec<Request>,
}

/// What a run will cost at most, if every first answer can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Questions to the judge that are not answered yet.
    pub requests: usize,
    /// Tokens that are sent, about.
    pub prompt_tokens: usize,
    /// Tokens that come back, about.
    pub answer_tokens: usize,
}

/// A judge's opinion of one advice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The item's name.
    pub item: String,
    /// The item's song.
    pub song: String,
    /// Where the advice comes from.
    pub kind: CandidateKind,
    /// Which of the repeats it is.
    pub repeat: usize,
    /// The ratings; none where no answer could be read.
    pub ratings: Option<Ratings>,
}

/// A kept answer.
#[derive(Serialize, Deserialize)]
struct KeptAnswer {
    judge: String,
    prompt: Prompt,
    number: u64,
    answer: String,
}

impl<'a> JudgePlan<'a> {
    /// Every advice on every item, `repeats` times, in an order drawn from `seed`.
    pub fn new(items: &'a [Item], repeats: usize, seed: u64) -> JudgePlan<'a> {
        let mut requests = Vec::new();
        for (item, of) in items.iter().enumerate() {
            for candidate in candidates(of) {
                for repeat in 0..repeats {
                    let prompt = prompt(of, &candidate.text);
                    requests.push(Request { item, candidate: candidate.clone(), repeat, prompt });
                }
            }
        }
        requests.shuffle(&mut ChaCha8Rng::seed_from_u64(seed ^ 0x6a75_6467));
        JudgePlan { items, requests }
    }

    /// Number of questions.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is no question.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// What is left to ask, and how much text that is.
    pub fn estimate(&self, judge: &str, kept: &Path) -> Estimate {
        let open = self.requests.iter().filter(|request| {
            let number = (request.repeat as u64) * ATTEMPTS;
            read_kept(&kept_file(kept, judge, &request.prompt, number)).is_none()
        });
        let (requests, characters) = open.fold((0, 0), |(requests, characters), request| {
            let Prompt { system, user } = &request.prompt;
            (requests + 1, characters + system.len() + user.len())
        });
        Estimate {
            requests,
            prompt_tokens: characters / CHARACTERS_PER_TOKEN,
            answer_tokens: requests * ANSWER_TOKENS,
        }
    }

    /// Asks everything that is not in `kept`. `progress` gets the number of judgements so far.
    ///
    /// # Errors
    /// When the judge fails; what it answered before is kept.
    pub fn run(
        &self,
        judge: &dyn Judge,
        kept: &Path,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Judgement>> {
        std::fs::create_dir_all(kept).with_context(|| format!("{} cannot be made", kept.display()))?;
        let mut judgements = Vec::with_capacity(self.requests.len());
        for request in &self.requests {
            let ratings = self.ratings(judge, kept, request).map_err(|failure| {
                anyhow!(
                    "{failure:#}. {} of {} judgements are kept in {}: give the same command again to go on",
                    judgements.len(),
                    self.requests.len(),
                    kept.display()
                )
            })?;
            let item = &self.items[request.item];
            judgements.push(Judgement {
                item: item.id.clone(),
                song: item.song.clone(),
                kind: request.candidate.kind,
                repeat: request.repeat,
                ratings,
            });
            progress(judgements.len());
        }
        judgements.sort_by(|a, b| (&a.item, a.kind, a.repeat).cmp(&(&b.item, b.kind, b.repeat)));
        Ok(judgements)
    }

    fn ratings(&self, judge: &dyn Judge, kept: &Path, request: &Request) -> Result<Option<Ratings>> {
        for attempt in 0..ATTEMPTS {
            let number = request.repeat as u64 * ATTEMPTS + attempt;
            let file = kept_file(kept, &judge.name(), &request.prompt, number);
            let answer = match read_kept(&file) {
                Some(kept) => kept.answer,
                None => {
                    let answer = judge.answer(&request.prompt, number)?;
                    let (judge, prompt) = (judge.name(), request.prompt.clone());
                    let answered = KeptAnswer { judge, prompt, number, answer: answer.clone() };
                    crate::files::replace(&file, serde_json::to_vec_pretty(&answered)?)?;
                    answer
                }
            };
            match parse_ratings(&answer) {
                Ok(ratings) => return Ok(Some(ratings)),
                Err(reason) => tracing::debug!("an answer of the judge cannot be read: {reason}"),
            }
        }
        Ok(None)
    }
}

fn kept_file(dir: &Path, judge: &str, prompt: &Prompt, number: u64) -> PathBuf {
    let parts = [judge.as_bytes(), prompt.system.as_bytes(), prompt.user.as_bytes(), &number.to_le_bytes()];
    // Parts are separated, so that no two lists of them are one text.
    let bytes = parts.into_iter().flat_map(|part| part.iter().copied().chain([0xff]));
    dir.join(format!("{:016x}.json", fnv1a(bytes)))
}

fn read_kept(file: &Path) -> Option<KeptAnswer> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}
