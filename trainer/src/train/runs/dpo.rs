//! Preference tuning of a tuned advisor: right advice over wrong advice, relative to the advisor as it was (direct
//! preference optimization, Rafailov et al. 2023).

use super::advice_loop::{AdviceLoop, Validation};
use super::config::tuning_config;
use super::setup::{LanguageTools, RunSetup, VALIDATION_SEED};
use crate::mixing::mixer::MixSettings;
use crate::train::dpo_loss::{DpoLoss, dpo_loss};
use crate::train::early_stop::EarlyStop;
use crate::train::examples::advice::QuestionShares;
use crate::train::examples::preferences::{PairText, RejectedShares, make_pair};
use crate::train::examples::simulate::SimulationSettings;
use crate::train::examples::tuning::MixSource;
use crate::train::optimizer::{AdamW, OptimizerSettings};
use crate::train::run::RunStart;
use crate::train::tuning::{ModelConfigs, TunedModel};
use crate::weights::AdvisorWeights;
use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::path::Path;

tuning_config! {
    /// One run of preference tuning, as in its TOML file. A batch holds pairs of answers.
    pub struct DpoRun {
        /// Price of moving away from the advisor as it was: the larger, the closer the tuned one stays.
        pub beta: f64,
        /// What is wrong in rejected answers.
        pub rejected: RejectedShares,
    }
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
            early_stop: EarlyStop::default(),
            optimizer: OptimizerSettings {
                learning_rate: 5e-5,
                warmup_steps: 20,
                weight_decay: 0.0,
                average_decay: 0.98,
                ..OptimizerSettings::default()
            },
            simulation: SimulationSettings::default(),
            questions: QuestionShares::default(),
            mixes: 1600,
            held_out_share: 0.5,
            simulated: 0.25,
            validation_mixes: 0,
            mix: MixSettings::default(),
            beta: 0.1,
            rejected: RejectedShares::default(),
        }
    }
}

/// Seeds of training examples are the run's seed shifted by this, and the number of the part.
const SEED_SHIFT: u32 = 42;

/// Starts or resumes the tuning that the configuration describes, from the weights `advisor` (of an advisor run or a
/// bundle).
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_dpo(start: &RunStart<'_>, source: MixSource<'_>, advisor: &Path) -> Result<()> {
    let run = DpoRun::from_toml(start.config)?;
    run.rejected.check().context("the configuration cannot be used")?;
    ensure!(run.beta > 0.0, "the configuration cannot be used: 'beta' must be above 0");
    let tools = LanguageTools::shipped()?;
    let simulator = tools.simulator(&run.simulation, &run.questions);

    let AdvisorWeights { decoder, projector, lora, tensors } = AdvisorWeights::load(advisor)?;
    let configs = ModelConfigs { decoder, projector, lora };
    let model = TunedModel::new(run.seed, tensors.clone(), configs, false, start.device)?;
    let before = model.frozen_with(tensors)?;
    source.check()?;
    let setup = RunSetup::open(start, run.schedule())?;
    let (mut optimizer, first_step) = setup.optimizer(model.trained_vars())?;
    let set = run.mix_reader(source, setup.device).read_all(&simulator, &tools.sampler)?;

    let reference = before.language_model(&tools.tokenizer);
    let text = PairText {
        tokenizer: &tools.tokenizer,
        sampler: &tools.sampler,
        audio_tokens: before.projector.audio_token_count(),
    };
    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << SEED_SHIFT | number);
        let pairs = (0..setup.split.examples_per_part())
            .map(|_| make_pair(set.examples.draw(&mut rng)?, text, &run.rejected, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        dpo_loss(model.language_model(&tools.tokenizer), reference, &pairs, run.beta)?.into_outcome()
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let frozen = model.frozen_with(model.weights(optimizer)?)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let pairs = set
            .held_out
            .iter()
            .map(|mix| make_pair(set.examples.ask_about(mix, &mut rng)?, text, &run.rejected, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        let outcome = dpo_loss(frozen.language_model(&tools.tokenizer), reference, &pairs, run.beta)?;
        Ok(f64::from(outcome.loss.to_scalar::<f32>()?))
    };
    let validate = (!set.held_out.is_empty()).then_some(&validate as Validation<'_>);
    let steps = AdviceLoop { name: "dpo", figures: &DpoLoss::FIGURES, setup: &setup };
    steps.run(&mut optimizer, first_step, loss, validate, |optimizer, step, path| {
        model.save(optimizer, step, path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::ranks::OneProcess;
    use candle_core::Device;

    #[test]
    fn unknown_keys_and_senseless_values_are_refused() {
        let nowhere = Path::new("/nowhere");
        let sentence = |config: &str| {
            let (device, ranks) = (&Device::Cpu, &OneProcess);
            let start = RunStart { config, out: nowhere, resume: false, device, ranks };
            let source = MixSource { cache: nowhere, encoder: nowhere };
            let refused = train_dpo(&start, source, nowhere).unwrap_err();
            format!("{refused:#}")
        };
        assert!(sentence("betta = 0.1").contains("betta"));
        assert!(sentence("beta = 0.0").contains("'beta' must be above 0"));
        assert!(sentence("[rejected]\ndirections = 0.5").contains("directions"));
        assert!(sentence("[rejected]\nstem = -1.0").contains("a share is a number from 0"));
    }
}
