//! `data conversations` and `score-conversations`: the large model's training texts, and checks of what it answers.

use crate::files;
use crate::text::conversation::{Language, ReadTurn, Score, Scorer, WordRuns};
use crate::train::examples::conversations::{Conversation, Conversations};
use anyhow::{Context, Result, ensure};
use clap::Args;
use mixing_buddy_core::output::print_line;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Options of `data conversations`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer data conversations --count 6000 --seed 1 --out train.jsonl
  mixing-buddy-trainer data conversations --held-out --seed 2 --out questions.jsonl

A line is a conversation about one simulated window: the reading, what may be said of it (`facts`), the decision with the
probabilities of all outcomes, and questions with answers (`turns`). The same seed gives the same bytes, and the first lines of a
longer file are those of a shorter one.

With --held-out there is one line for each question that training never uses. Put a model's answers in place of those in the file,
and give it to `score-conversations`.")]
pub struct ConversationsArgs {
    /// Conversations
    #[arg(long, required_unless_present = "held_out", conflicts_with = "held_out")]
    count: Option<u64>,
    /// Seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The conversations (JSON lines)
    #[arg(long)]
    out: PathBuf,
    /// Languages
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Language::En])]
    language: Vec<Language>,
    /// Asks the held-out questions, once each
    #[arg(long)]
    held_out: bool,
    /// Prints a summary as JSON
    #[arg(long)]
    json: bool,
}

/// Options of `score-conversations`.
#[derive(Args)]
#[command(after_help = "Examples:
  mixing-buddy-trainer score-conversations answers.jsonl --training train.jsonl
  mixing-buddy-trainer score-conversations answers.jsonl --training train.jsonl --out score.json

ANSWERS has the form of `data conversations`, with a model's answers. Without --training, only the texts of the templates count as
known.")]
pub struct ScoreConversationsArgs {
    /// Conversations with the answers to check (JSON lines)
    answers: PathBuf,
    /// Conversations that the model was trained on (JSON lines)
    #[arg(long)]
    training: Vec<PathBuf>,
    /// Writes the counts and examples of faults (JSON)
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Makes conversations.
pub(super) fn make(args: &ConversationsArgs) -> Result<()> {
    ensure!(!args.language.is_empty(), "--language needs a language");
    let conversations = Conversations::new(&args.language, args.seed)?;
    let mut turns = 0;
    let mut bytes = BufWriter::new(Vec::new());
    let mut write = |conversation: &Conversation| -> Result<()> {
        turns += conversation.turns.len();
        serde_json::to_writer(&mut bytes, conversation)?;
        Ok(bytes.write_all(b"\n")?)
    };
    let count = match args.count.filter(|_| !args.held_out) {
        Some(count) => {
            (0..count).try_for_each(|number| write(&conversations.draw(number)?))?;
            count
        }
        None => {
            let all = conversations.held_out()?;
            all.iter().try_for_each(&mut write)?;
            all.len() as u64
        }
    };
    files::replace(&args.out, bytes.into_inner()?)?;
    if args.json {
        print_line(&json!({ "conversations": count, "turns": turns }).to_string())?;
    } else {
        print_line(&format!("{}: {count} conversations, {turns} turns", args.out.display()))?;
    }
    Ok(())
}

/// Checks answers.
pub(super) fn score(args: &ScoreConversationsArgs) -> Result<()> {
    let mut runs = WordRuns::default();
    for literal in Conversations::new(&Language::ALL, 0)?.literals() {
        runs.add(&literal);
    }
    for path in &args.training {
        each_conversation(path, |conversation| {
            conversation.turns.iter().for_each(|turn| runs.add(&turn.answer))
        })?;
    }
    let mut scorer = Scorer::new(runs)?;
    each_conversation(&args.answers, |conversation| {
        let Conversation { language, facts, turns, .. } = &conversation;
        for turn in turns {
            let (question, answer) = (turn.question.as_str(), turn.answer.as_str());
            scorer.add(ReadTurn { language: *language, facts, topic: turn.topic, question, answer });
        }
    })?;
    let score = scorer.finish();
    if let Some(out) = &args.out {
        files::replace(out, serde_json::to_vec_pretty(&score)?)?;
    }
    print_line(&table(&score))?;
    Ok(())
}

/// Reads conversations line by line.
pub(super) fn each_conversation(path: &Path, mut take: impl FnMut(Conversation)) -> Result<()> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let at = || format!("{}, line {}", path.display(), number + 1);
        let line = line.with_context(at)?;
        take(serde_json::from_str(&line).with_context(at)?);
    }
    Ok(())
}

fn table(score: &Score) -> String {
    let rows = [
        ("explanations that contradict levels or verdict", score.contradicting),
        ("explanations in the model's own words", score.own_words),
        ("questions about a stem answered about that stem", score.about_the_stem),
        ("questions out of reach answered with a no", score.noes),
    ];
    let row = |(name, share): (&str, crate::text::conversation::score::Share)| {
        let percent = share.share().map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
        format!("{name:<48} {percent:>8}  {} of {}", share.count, share.of)
    };
    rows.map(row).join("\n")
}
