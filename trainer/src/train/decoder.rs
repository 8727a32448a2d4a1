//! Pretrains the small decoder and the projector on advice text over simulated readings.

use super::advice::{QuestionMix, advice_loss};
use super::checkpoint::{resume_run, save_run, save_tensors};
use super::optimizer::{AdamW, OptimizerSettings};
use super::runlog::RunLog;
use super::shards::{ShardOutcome, gradients};
use super::simulate::{SimulationSettings, Simulator};
use crate::text::TextSampler;
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use indicatif::{ProgressBar, ProgressStyle};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::Params;
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One decoder run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Examples a step.
    pub batch: usize,
    /// Threads, each with its share of the batch.
    pub shards: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// Inner width of the projector.
    pub projector_inner: usize,
    /// Sizes of the decoder; the vocabulary is the tokenizer's.
    pub decoder: DecoderConfig,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Simulated meter and songs.
    pub simulation: SimulationSettings,
    /// What is asked.
    pub questions: QuestionMix,
}

impl Default for DecoderRun {
    fn default() -> Self {
        DecoderRun {
            seed: 1,
            steps: 3000,
            batch: 64,
            shards: 2,
            checkpoint_steps: 250,
            projector_inner: 128,
            decoder: DecoderConfig::default(),
            optimizer: OptimizerSettings { learning_rate: 2e-3, ..OptimizerSettings::default() },
            simulation: SimulationSettings::default(),
            questions: QuestionMix::default(),
        }
    }
}

/// Runs (or goes on with) the pretraining that `config` describes, into `out`.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_decoder(config: &str, tokenizer: &Path, out: &Path, resume: bool) -> Result<()> {
    let mut run: DecoderRun = toml::from_str(config).context("the configuration cannot be used")?;
    ensure!(
        run.batch.is_multiple_of(run.shards.max(1)) && run.shards > 0,
        "'batch' must be a multiple of 'shards'"
    );
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let checkpoint = out.join("last.safetensors");
    ensure!(
        resume || !checkpoint.exists(),
        "{} exists: resume it, or choose another folder",
        checkpoint.display()
    );
    std::fs::write(out.join("config.toml"), config)
        .with_context(|| format!("{} cannot be written", out.display()))?;
    let json = std::fs::read(tokenizer).with_context(|| format!("{} cannot be read", tokenizer.display()))?;
    let tokenizer = AdviceTokenizer::from_bytes(&json)?;
    run.decoder.vocab_size = tokenizer.vocabulary_size().next_multiple_of(32);

    let params = Params::train(run.seed, &Device::Cpu);
    let projector_config = ProjectorConfig {
        summary: run.simulation.summary,
        inner: run.projector_inner,
        hidden: run.decoder.hidden_size,
    };
    let decoder = Decoder::new(&params.pp("decoder"), &run.decoder, None)?;
    let projector = Projector::new(&params.pp("projector"), &projector_config)?;
    let sampler = TextSampler::shipped()?;
    let norms = NormsSummary::shipped();
    let simulator = Simulator::new(&run.simulation, &run.questions, norms, &sampler);
    let mut optimizer = AdamW::new(params.vars(), &run.optimizer)?;
    let start =
        if resume && checkpoint.exists() { resume_run(&checkpoint, &mut optimizer, config)? } else { 0 };
    let log = RunLog::open(out, &["loss", "decision", "text", "gradient_norm", "learning_rate"], start)?;
    let weights: usize = params.vars().values().map(|v| v.elem_count()).sum();
    eprintln!("{weights} weights, {} tokens, from step {start} of {}", run.decoder.vocab_size, run.steps);
    let bar = ProgressBar::new(run.steps as u64).with_style(
        ProgressStyle::with_template("decoder {wide_bar} {pos}/{len}, {msg}, {eta} left")
            .expect("a valid template"),
    );
    let mut means: BTreeMap<String, f64> = BTreeMap::new();
    for step in start..run.steps {
        let rate = run.optimizer.learning_rate_at(step, run.steps);
        let (grads, figures) = gradients(optimizer.vars(), run.shards, |shard| {
            let mut rng = SmallRng::seed_from_u64(run.seed << 40 | (step * run.shards + shard) as u64);
            let examples = (0..run.batch / run.shards)
                .map(|_| simulator.example(&mut rng))
                .collect::<Result<Vec<_>>>()?;
            let loss = advice_loss((&decoder, &projector, &tokenizer), &sampler, &examples, None, &mut rng)?;
            let total = f64::from(loss.total.to_scalar::<f32>()?);
            let figures = vec![("loss", total), ("decision", loss.decision), ("text", loss.text)];
            Ok(ShardOutcome { loss: loss.total, figures })
        })
        .with_context(|| format!("step {}", step + 1))?;
        let norm = optimizer.step(&grads, rate).with_context(|| {
            format!("training stopped; {} holds the last good weights", checkpoint.display())
        })?;
        for (name, value) in figures.into_iter().chain([("gradient_norm", norm), ("learning_rate", rate)]) {
            *means.entry(name.to_string()).or_default() += value / 25.0;
        }
        let done = step + 1;
        bar.set_position(done as u64);
        if done % 25 == 0 {
            bar.set_message(format!("decision {:.3}, text {:.3}", means["decision"], means["text"]));
            log.row(done, &means)?;
            means.clear();
        }
        if done % run.checkpoint_steps == 0 || done == run.steps {
            save_run(&checkpoint, &optimizer, config)?;
            let metadata = [
                ("decoder", serde_json::to_string(&run.decoder)?),
                ("projector", serde_json::to_string(&projector_config)?),
                ("step", done.to_string()),
            ];
            save_tensors(&out.join("decoder.safetensors"), &optimizer.averaged()?, &metadata)?;
            log.plot("Decoder", &["decision", "text"])?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}
