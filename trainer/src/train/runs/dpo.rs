//! Preference tuning of a tuned advisor: right advice over wrong advice, against the advisor as it was (direct
//! preference optimisation, Rafailov et al. 2023).

use super::decoder::VALIDATION_SEED;
use crate::mixing::mixer::MixSettings;
use crate::text::TextSampler;
use crate::train::advice_loop::{AdviceSteps, Validation, train_advice};
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::QuestionMix;
use crate::train::examples::preferences::{Pair, RejectedShares, make_pair};
use crate::train::examples::readings::{Examples, MixReader};
use crate::train::examples::sequences::{LanguageModel, Sequence, answer_log_probabilities};
use crate::train::examples::simulate::{SimulationSettings, Simulator};
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::{RunFolder, RunStart};
use crate::train::shards::{BatchSplit, ShardOutcome};
use crate::train::tuning::TunedModel;
use crate::weights::AdvisorWeights;
use anyhow::{Context, Result, ensure};
use candle_core::{D, DType, Tensor};
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One run of preference tuning, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Pairs a micro-batch: what is in memory at a time.
    pub batch: usize,
    /// Micro-batches a step, whose gradients are averaged.
    pub accumulate: usize,
    /// Threads, each with its share of the micro-batch.
    pub shards: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// How dear it is to go away from the advisor as it was: the larger, the closer the tuned one stays.
    pub beta: f64,
    /// What is wrong in rejected answers.
    pub rejected: RejectedShares,
    /// Flawed mixes heard once before training; each is asked about many times.
    pub mixes: usize,
    /// Share of these that are of songs which the encoder was not trained on.
    #[serde(alias = "unheard")]
    pub held_out_share: f64,
    /// Share of simulated readings in each batch.
    pub simulated: f64,
    /// Flawed mixes of `calib` songs, never trained on, that each checkpoint is measured with; 0 for none.
    pub validation_mixes: usize,
    /// When the run ends before its last step, by the loss on those.
    pub early_stop: EarlyStop,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Mixing of the examples.
    pub mix: MixSettings,
    /// Simulated meter and songs.
    pub simulation: SimulationSettings,
    /// What is asked.
    pub questions: QuestionMix,
}

impl Default for DpoRun {
    fn default() -> Self {
        DpoRun {
            seed: 1,
            steps: 200,
            batch: 32,
            accumulate: 1,
            shards: 2,
            checkpoint_steps: 50,
            beta: 0.1,
            rejected: RejectedShares::default(),
            mixes: 1600,
            held_out_share: 0.5,
            simulated: 0.25,
            validation_mixes: 0,
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings {
                learning_rate: 5e-5,
                warmup_steps: 20,
                weight_decay: 0.0,
                average_decay: 0.98,
                ..OptimizerSettings::default()
            },
            mix: MixSettings::default(),
            simulation: SimulationSettings::default(),
            questions: QuestionMix::default(),
        }
    }
}

/// Figures beside the loss: by how many nats more than the advisor as it was the model prefers the right answer, and
/// the share of pairs in which it does prefer it more.
const FIGURES: [&str; 2] = ["margin", "preferred"];

/// Runs (or goes on with) the tuning that the configuration describes, from the weights `advisor`.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_dpo(begin: &RunStart<'_>, cache: &Path, encoder: &Path, advisor: &Path) -> Result<()> {
    let run: DpoRun = toml::from_str(begin.config).context("the configuration cannot be used")?;
    run.rejected.check().context("the configuration cannot be used")?;
    ensure!(run.beta > 0.0, "the configuration cannot be used: 'beta' must be above 0");
    let split = BatchSplit::new(run.batch, run.shards, run.accumulate)?;
    let folder = RunFolder::open(begin)?;

    let advisor = AdvisorWeights::load(advisor)?;
    let configs = (advisor.decoder, advisor.projector, advisor.lora);
    let model = TunedModel::begin(run.seed, advisor.tensors.clone(), configs, false, begin.device)?;
    let before = model.still(advisor.tensors)?;
    let mut optimizer = AdamW::new(model.trained(), &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;

    let sampler = TextSampler::shipped()?;
    let tokenizer = AdviceTokenizer::from_bytes(crate::weights::TOKENIZER)?;
    let simulator = Simulator::new(&run.simulation, &run.questions, NormsSummary::shipped(), &sampler);
    let reader = MixReader {
        seed: run.seed,
        shards: run.shards,
        held_out_share: run.held_out_share,
        mix: &run.mix,
        encoder,
        cache,
        device: begin.device,
    };
    let examples = Examples {
        simulator: &simulator,
        sampler: &sampler,
        questions: &run.questions,
        simulated: run.simulated,
        readings: reader.for_training(run.mixes, &simulator)?,
    };
    let held_out = reader.held_out(run.validation_mixes, &simulator)?;
    let reference = (&before.0, &before.1, &tokenizer);
    let text = (&tokenizer, &sampler, before.1.audio_token_count());
    let plan = AdviceSteps {
        name: "dpo",
        figures: &FIGURES,
        steps: run.steps,
        split,
        checkpoint_steps: run.checkpoint_steps,
        optimizer: &run.optimizer,
        early_stop: &run.early_stop,
    };
    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << 42 | number);
        let pairs = (0..split.examples_per_part())
            .map(|_| make_pair(examples.draw(&mut rng)?, text, &run.rejected, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        dpo_loss(model.language_model(&tokenizer), reference, &pairs, run.beta)
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let (decoder, projector) = model.still(model.weights(optimizer)?)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let pairs = held_out
            .iter()
            .map(|mix| make_pair(examples.ask_about(mix, &mut rng)?, text, &run.rejected, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        let outcome = dpo_loss((&decoder, &projector, &tokenizer), reference, &pairs, run.beta)?;
        Ok(f64::from(outcome.loss.to_scalar::<f32>()?))
    };
    let validate = (!held_out.is_empty()).then_some(&validate as Validation<'_>);
    train_advice(&plan, &folder, &mut optimizer, start, loss, validate, |optimizer, step, path| {
        model.save(optimizer, step, path)
    })
}

/// Mean over pairs of `-ln σ(beta · ((ln p(chosen) - ln p₀(chosen)) - (ln p(rejected) - ln p₀(rejected))))`, where p is
/// the policy's probability of an answer, all its tokens, and p₀ the reference's (Rafailov et al. 2023, equation 7).
///
/// # Errors
/// When there is no pair, or a tensor operation fails.
pub fn dpo_loss(
    policy: LanguageModel<'_>,
    reference: LanguageModel<'_>,
    pairs: &[Pair],
    beta: f64,
) -> Result<ShardOutcome> {
    let ids = pairs.iter().map(|pair| &pair.chosen).chain(pairs.iter().map(|pair| &pair.rejected));
    let sequences: Vec<Sequence<'_>> = ids
        .zip(pairs.iter().chain(pairs))
        .map(|(ids, pair)| Sequence {
            reading: &pair.example.reading,
            reference: pair.example.reference.as_ref(),
            ids,
        })
        .collect();
    let preference = |model| -> Result<Tensor> {
        let log = answer_probabilities(model, &sequences)?;
        Ok((log.narrow(0, 0, pairs.len())? - log.narrow(0, pairs.len(), pairs.len())?)?)
    };
    let gained = (preference(policy)? - preference(reference)?.detach())?;
    // -ln σ(z) is ln(1 + e^-z), here as the logarithm of a sum of exponentials, which overflows nowhere.
    let zero = gained.zeros_like()?;
    let terms = Tensor::stack(&[&zero, &(&gained * -beta)?], 1)?;
    let top = terms.max_keepdim(D::Minus1)?.detach();
    let sum = terms.broadcast_sub(&top)?.exp()?.sum_keepdim(D::Minus1)?;
    let loss = (sum.log()? + top)?.mean_all()?;
    let gained: Vec<f32> = gained.to_vec1()?;
    let share = 1.0 / gained.len() as f64;
    let preferred = gained.iter().filter(|gain| **gain > 0.0).count() as f64 * share;
    let margin = gained.iter().map(|gain| f64::from(*gain)).sum::<f64>() * share;
    let figures =
        vec![("loss", f64::from(loss.to_scalar::<f32>()?)), (FIGURES[0], margin), (FIGURES[1], preferred)];
    Ok(ShardOutcome { loss, figures })
}

/// Log-probability of each answer, the sum over its tokens, `[sequences]`.
fn answer_probabilities(model: LanguageModel<'_>, sequences: &[Sequence<'_>]) -> Result<Tensor> {
    let log = answer_log_probabilities(model, sequences, None)?;
    let answers = || sequences.iter().map(|sequence| &sequence.ids.answer.ids);
    let said: Vec<u32> = answers().flatten().copied().collect();
    let owner: Vec<u32> =
        answers().enumerate().flat_map(|(at, ids)| std::iter::repeat_n(at as u32, ids.len())).collect();
    let device = log.device();
    let said = Tensor::new(said, device)?.unsqueeze(1)?;
    let picked = log.gather(&said, D::Minus1)?.squeeze(1)?;
    let none = Tensor::zeros(sequences.len(), DType::F32, device)?;
    Ok(none.index_add(&Tensor::new(owner, device)?, &picked, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::shards::gradients;
    use candle_core::Device;
    use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
    use mixing_buddy_core::nn::{LoraConfig, Params};
    use std::collections::BTreeMap;

    fn sizes(tokenizer: &AdviceTokenizer) -> DecoderConfig {
        DecoderConfig {
            vocab_size: tokenizer.vocabulary_size(),
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            ..DecoderConfig::default()
        }
    }

    /// A random advisor whose adapter has been trained: B is not zero, as it would be at the start.
    fn advisor(tokenizer: &AdviceTokenizer) -> (TunedModel, (Decoder, Projector), BTreeMap<String, Tensor>) {
        let decoder = sizes(tokenizer);
        let projector = ProjectorConfig::new(8, 16, 32);
        let lora = LoraConfig { rank: 4, ..LoraConfig::default() };
        let fresh = Params::train(5, &Device::Cpu);
        Decoder::new(&fresh.pp("decoder"), &decoder, Some(&lora)).unwrap();
        Projector::new(&fresh.pp("projector"), &projector).unwrap();
        let weights: BTreeMap<String, Tensor> = fresh
            .vars()
            .into_iter()
            .map(|(name, var)| {
                let shift = if name.contains("lora_B") { 0.02 } else { 0.0 };
                (name, (var.as_tensor() + shift).unwrap().copy().unwrap())
            })
            .collect();
        let model =
            TunedModel::begin(1, weights.clone(), (decoder, projector, lora), false, &Device::Cpu).unwrap();
        let before = model.still(weights.clone()).unwrap();
        (model, before, weights)
    }

    fn pairs(tokenizer: &AdviceTokenizer, audio_tokens: usize) -> Vec<Pair> {
        let sampler = TextSampler::shipped().unwrap();
        let simulation = SimulationSettings { summary: 8, ..SimulationSettings::default() };
        let questions = QuestionMix { reference: 0.5, ..QuestionMix::default() };
        let simulator = Simulator::new(&simulation, &questions, NormsSummary::shipped(), &sampler);
        let mut rng = SmallRng::seed_from_u64(9);
        let pairs: Vec<Pair> = (0..8)
            .map(|_| {
                let mut example = simulator.example(&mut rng).unwrap();
                // Simulated readings have no sound; here its weights are to learn as well.
                for stem in mixing_buddy_core::Stem::ALL {
                    example.reading[stem].summary = (0..8).map(|i| 0.1 * i as f32 - 0.3).collect();
                }
                let text = (tokenizer, &sampler, audio_tokens);
                make_pair(example, text, &RejectedShares::default(), &mut rng).unwrap()
            })
            .collect();
        assert!(pairs.iter().any(|pair| pair.example.reference.is_some()));
        assert!(pairs.iter().all(|pair| pair.chosen.prompt == pair.rejected.prompt));
        assert!(pairs.iter().all(|pair| pair.chosen.answer.ids != pair.rejected.answer.ids));
        pairs
    }

    #[test]
    fn prefers_right_advice_more_with_each_step_and_leaves_the_base_alone() {
        let tokenizer = AdviceTokenizer::from_bytes(crate::weights::TOKENIZER).unwrap();
        let (model, before, weights) = advisor(&tokenizer);
        let pairs = pairs(&tokenizer, before.1.audio_token_count());
        let loss = |beta: f64| {
            dpo_loss(model.language_model(&tokenizer), (&before.0, &before.1, &tokenizer), &pairs, beta)
        };
        let start = f64::from(loss(0.5).unwrap().loss.to_scalar::<f32>().unwrap());
        assert!((start - std::f64::consts::LN_2).abs() < 1e-5, "{start}");

        let settings =
            OptimizerSettings { learning_rate: 1e-3, average_decay: 0.0, ..OptimizerSettings::default() };
        let mut optimizer = AdamW::new(model.trained(), &settings).unwrap();
        let trained = optimizer.vars().len();
        assert_eq!(trained, 2 * 7 + 11, "A and B of seven layers, and the projector");
        let mut margins = Vec::new();
        for step in 0..6 {
            let (grads, figures) =
                gradients(optimizer.vars(), BatchSplit::new(8, 1, 1).unwrap(), |_| loss(0.5)).unwrap();
            if step == 0 {
                assert_eq!(grads.len(), trained);
                for (name, gradient) in &grads {
                    assert!(gradient.iter().any(|g| *g != 0.0), "{name} does not learn");
                }
            }
            margins.push(figures.iter().find(|(name, _)| *name == "margin").unwrap().1);
            optimizer.step(&grads, settings.learning_rate).unwrap();
        }
        assert!(margins.windows(2).all(|pair| pair[1] > pair[0]), "{margins:?}");
        assert!(margins[5] > 0.5, "{margins:?}");
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (name, after) in model.weights(&optimizer).unwrap() {
            let is_trained = optimizer.vars().contains_key(&name);
            assert_eq!(values(&weights[&name]) != values(&after), is_trained, "{name}");
        }
    }

    #[test]
    fn a_start_far_from_right_does_not_overflow() {
        let tokenizer = AdviceTokenizer::from_bytes(crate::weights::TOKENIZER).unwrap();
        let (model, before, _) = advisor(&tokenizer);
        let pairs = pairs(&tokenizer, before.1.audio_token_count());
        // Another model as the reference, and a beta that makes every exponent huge.
        let other = Decoder::new(&Params::train(77, &Device::Cpu), &sizes(&tokenizer), None).unwrap();
        let reference = (&other, &before.1, &tokenizer);
        let loss = dpo_loss(model.language_model(&tokenizer), reference, &pairs, 1e6).unwrap().loss;
        assert!(loss.to_scalar::<f32>().unwrap().is_finite());
    }

    #[test]
    fn what_is_not_known_or_makes_no_sense_is_refused() {
        let nowhere = Path::new("/nowhere");
        let sentence = |config: &str| {
            let begin = RunStart { config, out: nowhere, resume: false, device: &Device::Cpu };
            let refused = train_dpo(&begin, nowhere, nowhere, nowhere).unwrap_err();
            format!("{refused:#}")
        };
        assert!(sentence("betta = 0.1").contains("betta"));
        assert!(sentence("beta = 0.0").contains("'beta' must be above 0"));
        assert!(sentence("[rejected]\ndirections = 0.5").contains("directions"));
        assert!(sentence("[rejected]\nstem = -1.0").contains("a share is a number from 0"));
    }
}
