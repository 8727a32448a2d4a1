//! `judge`: an LLM rates the advice of an evaluation.

use super::words::RESAMPLES;
use crate::evaluation::judge::{EndpointJudge, EndpointSettings, Judge, JudgePlan, LocalJudge, judge_report};
use crate::evaluation::words::read_items;
use crate::progress::spinner;
use anyhow::{Context, Result, ensure};
use clap::Args;
use mixing_buddy_core::output::print_line;
use std::path::PathBuf;
use std::time::Duration;

/// Environment variable with the endpoint's key.
const KEY_VARIABLE: &str = "MIXING_BUDDY_JUDGE_KEY";

/// Options of `judge`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  mixing-buddy-trainer judge items.jsonl --judge-url http://localhost:8000/v1 \
    --judge-model qwen2.5-7b-instruct --out judge.json\n  \
    mixing-buddy-trainer judge items.jsonl --judge-file qwen2.5-1.5b-instruct.gguf --count 20\n\n\
    A key, where the endpoint asks for one, is read from the environment: MIXING_BUDDY_JUDGE_KEY. It is neither logged nor \
    written. Each answer is kept in a folder; if the command is interrupted or the endpoint fails, give it again: it goes on \
    from there. What the run will cost is printed first; --dry-run stops there."
)]
pub struct JudgeArgs {
    /// Items of `evaluate --items`
    items: PathBuf,
    #[command(flatten)]
    judge: WhichJudge,
    /// Judges only the first items
    #[arg(long)]
    count: Option<usize>,
    /// How often each advice is judged; twice or more shows whether the judge agrees with itself
    #[arg(long, default_value_t = 2)]
    repeats: usize,
    /// Most requests per minute
    #[arg(long)]
    per_minute: Option<f64>,
    /// Seconds that an answer may take
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// Attempts per question, where the endpoint fails
    #[arg(long, default_value_t = 5)]
    attempts: u32,
    /// Price of a million tokens sent, for the estimate
    #[arg(long)]
    price_in: Option<f64>,
    /// Price of a million tokens received, for the estimate
    #[arg(long)]
    price_out: Option<f64>,
    /// Only prints what the run will cost
    #[arg(long)]
    dry_run: bool,
    /// Folder in which answers are kept
    #[arg(long, default_value = "judge-answers")]
    kept: PathBuf,
    /// Seed of the order and of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Writes the result as JSON
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The judge: behind an endpoint, or in a file.
#[derive(Args)]
struct WhichJudge {
    /// Base URL of an OpenAI-compatible endpoint, such as http://localhost:8000/v1
    #[arg(long, requires = "judge_model", conflicts_with = "judge_file")]
    judge_url: Option<String>,
    /// Name of its model
    #[arg(long, requires = "judge_url")]
    judge_model: Option<String>,
    /// A pretrained Qwen2 that judges in this process: a GGUF file, or a folder with safetensors
    #[arg(long, value_name = "FILE")]
    judge_file: Option<PathBuf>,
    /// Threads of the judge in this process
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

impl JudgeArgs {
    fn open(&self) -> Result<Box<dyn Judge>> {
        let WhichJudge { judge_url, judge_model, judge_file, threads } = &self.judge;
        if let Some(file) = judge_file {
            return Ok(Box::new(LocalJudge::open(file, *threads)?));
        }
        let (url, model) = judge_url
            .clone()
            .zip(judge_model.clone())
            .context("no judge is named: give --judge-url and --judge-model, or --judge-file")?;
        let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        Ok(Box::new(EndpointJudge::new(EndpointSettings {
            per_minute: self.per_minute,
            attempts: self.attempts,
            timeout: Duration::from_secs(self.timeout),
            ..EndpointSettings::new(url, model, key)
        })))
    }
}

pub(super) fn run(args: &JudgeArgs) -> Result<()> {
    ensure!(args.repeats > 0, "--repeats must be at least 1");
    ensure!(args.attempts > 0, "--attempts must be at least 1");
    ensure!(args.per_minute.is_none_or(|rate| rate > 0.0), "--per-minute must be more than 0");
    let mut items = read_items(&args.items)?;
    items.truncate(args.count.unwrap_or(usize::MAX));
    let plan = JudgePlan::new(&items, args.repeats, args.seed);
    let judge = args.open()?;
    print_line(&estimate_line(args, &judge.name(), &plan))?;
    if args.dry_run {
        return Ok(());
    }
    let line = spinner();
    let judgements = plan.run(judge.as_ref(), &args.kept, &mut |done| {
        line.set_message(format!("{done} of {} judgements", plan.len()));
        line.tick();
    });
    line.finish_and_clear();
    let report = judge_report(&judge.name(), &judgements?, args.seed, RESAMPLES);
    if let Some(out) = &args.out {
        crate::files::replace(out, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    print_line(&report.to_string())?;
    Ok(())
}

fn estimate_line(args: &JudgeArgs, judge: &str, plan: &JudgePlan<'_>) -> String {
    let estimate = plan.estimate(judge, &args.kept);
    let cost = args.price_in.zip(args.price_out).map_or(String::new(), |(price_in, price_out)| {
        let tokens = |count: usize| count as f64 / 1e6;
        let cost = tokens(estimate.prompt_tokens) * price_in + tokens(estimate.answer_tokens) * price_out;
        format!(", about {cost:.2} in the currency of the prices")
    });
    format!(
        "{} of {} questions are open: about {} tokens to send and {} to receive{cost}",
        estimate.requests,
        plan.len(),
        estimate.prompt_tokens,
        estimate.answer_tokens
    )
}
