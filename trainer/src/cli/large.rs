//! The large model in commands that measure, and `answer-conversations`.

use super::conversations::each_conversation;
use crate::files;
use crate::progress::progress;
use crate::train::examples::conversations::Conversation;
use anyhow::Result;
use clap::Args;
use mixing_buddy_core::large::{LargeModel, Package};
use mixing_buddy_core::output::print_line;
use mixing_buddy_core::{Analysis, CancelFlag, Engine, Request};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The large model.
#[derive(Args)]
pub struct LargeArgs {
    /// Pretrained Qwen2 (a GGUF file, or a folder with safetensors) that decides in place of the bundle's decoder
    #[arg(long, requires = "adapter")]
    large: Option<PathBuf>,
    /// Adapter of the large model, as `train advisor` writes it
    #[arg(long, requires = "large")]
    adapter: Option<PathBuf>,
}

impl LargeArgs {
    /// The engine, with the large model where one is named.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn attach(&self, engine: Engine, threads: usize) -> Result<Engine> {
        let Some((base, adapter)) = self.large.as_deref().zip(self.adapter.as_deref()) else {
            return Ok(engine);
        };
        let large = LargeModel::open(base, (adapter, Package::open(adapter)?))?;
        Ok(engine.with_large(Arc::new(large.with_threads(threads))))
    }

    /// The files, for a description of a run.
    pub fn files(&self) -> Option<String> {
        let (base, adapter) = self.large.as_deref().zip(self.adapter.as_deref())?;
        Some(format!("{} with {}", base.display(), adapter.display()))
    }
}

/// Options of `answer-conversations`.
#[derive(Args)]
#[command(after_help = "Example:
  mixing-buddy-trainer data conversations --held-out --seed 2 --out questions.jsonl
  mixing-buddy-trainer answer-conversations questions.jsonl --large base.gguf --adapter RUN4 --out answers.jsonl
  mixing-buddy-trainer score-conversations answers.jsonl

Each window is decided and talked about as in the plugin; `facts` in the answers are those of this decision.")]
pub struct AnswerArgs {
    /// Conversations (JSON lines)
    questions: PathBuf,
    #[command(flatten)]
    large: LargeArgs,
    /// The conversations with the model's answers (JSON lines)
    #[arg(long)]
    out: PathBuf,
    /// Answers these only: every Nth conversation
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Threads of the large model
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Answers conversations.
pub(super) fn answer(args: &AnswerArgs) -> Result<()> {
    let cancel = CancelFlag::new();
    let engine = args.large.attach(Engine::open(None, &cancel)?, args.threads)?;
    let mut conversations = Vec::new();
    each_conversation(&args.questions, |conversation| conversations.push(conversation))?;
    let conversations: Vec<Conversation> = conversations.into_iter().step_by(args.every.max(1)).collect();
    let bar = progress("answers", conversations.len(), 0);
    let (mut lines, mut turns) = (Vec::new(), 0);
    let (mut first_s, mut words) = (Vec::new(), 0usize);
    for mut conversation in conversations {
        let summary = vec![0.0; engine.info().projector.summary];
        let reading = conversation.reading.map(|stem| {
            let mut stem = stem.clone();
            stem.summary.clone_from(&summary);
            stem
        });
        let analysis = Analysis { silent: false, reading, levels_lu: conversation.facts.levels_lu };
        let request = Request {
            anchor: conversation.facts.anchor,
            stems: Some(conversation.present),
            reference: conversation.reference,
            min_confidence: Some(conversation.facts.threshold),
            ..Request::default()
        };
        let mut talk = mixing_buddy_core::Conversation::new(analysis, request);
        for turn in &mut conversation.turns {
            let began = Instant::now();
            let mut first = None;
            let reply = engine.ask(&mut talk, &turn.question, &cancel, &mut |_| {
                first.get_or_insert_with(|| began.elapsed().as_secs_f64());
                words += 1;
            })?;
            first_s.extend(first);
            turn.answer = reply.advice.text;
            if let Some(facts) = reply.facts {
                conversation.facts = facts;
            }
            turns += 1;
        }
        lines.extend(serde_json::to_vec(&conversation)?);
        lines.push(b'\n');
        bar.inc(1);
    }
    bar.finish_and_clear();
    files::replace(&args.out, lines)?;
    first_s.sort_by(f64::total_cmp);
    let median = first_s.get(first_s.len() / 2).copied().unwrap_or(0.0);
    let summary = json!({ "answers": turns, "first_word_s": median, "pieces": words });
    print_line(&summary.to_string())?;
    Ok(())
}
