//! The loss of preference tuning (direct preference optimization, Rafailov et al. 2023).

use super::examples::preferences::Pair;
use super::examples::sequences::{LanguageModel, Sequence, answer_log_probabilities};
use super::shards::ShardOutcome;
use anyhow::Result;
use candle_core::{D, DType, Tensor};

/// The loss of pairs of answers.
pub struct DpoLoss {
    /// The loss to differentiate, a scalar.
    pub loss: Tensor,
    /// By how many nats more than the reference the policy prefers the right answer, mean over the pairs.
    pub margin: f64,
    /// Share of the pairs in which it prefers the right answer more than the reference does.
    pub preferred: f64,
}

impl DpoLoss {
    /// Names of the logged figures, without the loss.
    pub const FIGURES: [&'static str; 2] = ["margin", "preferred"];

    /// The loss with its figures for the log.
    ///
    /// # Errors
    /// As tensor operations.
    pub fn into_outcome(self) -> Result<ShardOutcome> {
        let [margin, preferred] = Self::FIGURES;
        let loss = f64::from(self.loss.to_scalar::<f32>()?);
        let figures = vec![("loss", loss), (margin, self.margin), (preferred, self.preferred)];
        Ok(ShardOutcome { loss: self.loss, figures })
    }
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
) -> Result<DpoLoss> {
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
    // -ln σ(z) is ln(1 + e^-z), here as the logarithm of a sum of exponentials, which does not overflow.
    let zero = gained.zeros_like()?;
    let terms = Tensor::stack(&[&zero, &(&gained * -beta)?], 1)?;
    let top = terms.max_keepdim(D::Minus1)?.detach();
    let sum = terms.broadcast_sub(&top)?.exp()?.sum_keepdim(D::Minus1)?;
    let loss = (sum.log()? + top)?.mean_all()?;
    let gained: Vec<f32> = gained.to_vec1()?;
    let share = 1.0 / gained.len() as f64;
    let preferred = gained.iter().filter(|gain| **gain > 0.0).count() as f64 * share;
    let margin = gained.iter().map(|gain| f64::from(*gain)).sum::<f64>() * share;
    Ok(DpoLoss { loss, margin, preferred })
}

/// Log-probability of each answer, the sum over its tokens, `[sequences]`.
fn answer_probabilities(model: LanguageModel<'_>, sequences: &[Sequence<'_>]) -> Result<Tensor> {
    let log = answer_log_probabilities(model, sequences, None)?;
    let answers = || sequences.iter().map(|sequence| &sequence.ids.answer.ids);
    let tokens: Vec<u32> = answers().flatten().copied().collect();
    let owner: Vec<u32> =
        answers().enumerate().flat_map(|(at, ids)| std::iter::repeat_n(at as u32, ids.len())).collect();
    let device = log.device();
    let tokens = Tensor::new(tokens, device)?.unsqueeze(1)?;
    let picked = log.gather(&tokens, D::Minus1)?.squeeze(1)?;
    let none = Tensor::zeros(sequences.len(), DType::F32, device)?;
    Ok(none.index_add(&Tensor::new(owner, device)?, &picked, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TextSampler;
    use crate::train::examples::advice::QuestionShares;
    use crate::train::examples::preferences::{PairText, RejectedShares, make_pair};
    use crate::train::examples::simulate::{SimulationSettings, Simulator};
    use crate::train::optimizer::{AdamW, OptimizerSettings};
    use crate::train::shards::{BatchSplit, gradients};
    use crate::train::tuning::{FrozenModel, ModelConfigs, TunedModel};
    use crate::weights::Tensors;
    use candle_core::Device;
    use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig};
    use mixing_buddy_core::language::AdviceTokenizer;
    use mixing_buddy_core::nn::{LoraConfig, Params};
    use mixing_buddy_core::norms::NormsSummary;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

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
    fn advisor(tokenizer: &AdviceTokenizer) -> (TunedModel, FrozenModel, Tensors) {
        let decoder = sizes(tokenizer);
        let projector = ProjectorConfig::new(8, 16, 32);
        let lora = LoraConfig { rank: 4, ..LoraConfig::default() };
        let fresh = Params::train(5, &Device::Cpu);
        Decoder::new(&fresh.pp("decoder"), &decoder, Some(&lora)).unwrap();
        Projector::new(&fresh.pp("projector"), &projector).unwrap();
        let weights: Tensors = fresh
            .vars()
            .into_iter()
            .map(|(name, var)| {
                let shift = if name.contains("lora_B") { 0.02 } else { 0.0 };
                (name, (var.as_tensor() + shift).unwrap().copy().unwrap())
            })
            .collect();
        let configs = ModelConfigs { decoder, projector, lora };
        let model = TunedModel::new(1, weights.clone(), configs, false, &Device::Cpu).unwrap();
        let before = model.frozen_with(weights.clone()).unwrap();
        (model, before, weights)
    }

    fn pairs(tokenizer: &AdviceTokenizer, audio_tokens: usize) -> Vec<Pair> {
        let sampler = TextSampler::shipped().unwrap();
        let simulation = SimulationSettings { summary: 8, ..SimulationSettings::default() };
        let questions = QuestionShares { reference: 0.5, ..QuestionShares::default() };
        let simulator = Simulator::new(&simulation, &questions, NormsSummary::shipped(), &sampler);
        let mut rng = SmallRng::seed_from_u64(9);
        let pairs: Vec<Pair> = (0..8)
            .map(|_| {
                let mut example = simulator.example(&mut rng).unwrap();
                // Simulated readings have no sound; here its weights are to learn as well.
                for stem in mixing_buddy_core::Stem::ALL {
                    example.reading[stem].summary = (0..8).map(|i| 0.1 * i as f32 - 0.3).collect();
                }
                let text = PairText { tokenizer, sampler: &sampler, audio_tokens };
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
        let pairs = pairs(&tokenizer, before.projector.audio_token_count());
        let loss = |beta: f64| {
            dpo_loss(model.language_model(&tokenizer), before.language_model(&tokenizer), &pairs, beta)
        };
        let start = f64::from(loss(0.5).unwrap().loss.to_scalar::<f32>().unwrap());
        assert!((start - std::f64::consts::LN_2).abs() < 1e-5, "{start}");

        let settings =
            OptimizerSettings { learning_rate: 1e-3, average_decay: 0.0, ..OptimizerSettings::default() };
        let mut optimizer = AdamW::new(model.trained_vars(), &settings).unwrap();
        let trained = optimizer.vars().len();
        assert_eq!(trained, 2 * 7 + 11, "A and B of seven layers, and the projector");
        let mut margins = Vec::new();
        for step in 0..6 {
            let (grads, figures) =
                gradients(optimizer.vars(), BatchSplit::new(8, 1, 1).unwrap(), |_| loss(0.5)?.into_outcome())
                    .unwrap();
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
        let pairs = pairs(&tokenizer, before.projector.audio_token_count());
        // Another model as the reference, and a beta that makes every exponent huge.
        let other = Decoder::new(&Params::train(77, &Device::Cpu), &sizes(&tokenizer), None).unwrap();
        let reference =
            LanguageModel { decoder: &other, projector: &before.projector, tokenizer: &tokenizer };
        let loss = dpo_loss(model.language_model(&tokenizer), reference, &pairs, 1e6).unwrap().loss;
        assert!(loss.to_scalar::<f32>().unwrap().is_finite());
    }
}
