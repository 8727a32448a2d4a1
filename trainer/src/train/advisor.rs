//! LoRA-tunes the decoder, and the projector with it, on flawed mixes as the encoder hears them.

use super::advice::{AdviceExample, QuestionMix, advice_loss, allowed_stems, draw_sample};
use super::advice_loop::{AdviceSteps, Validation, train_advice};
use super::calibrate::field;
use super::checkpoint::{load_encoder, load_tensors, save_tensors};
use super::decoder::VALIDATION_SEED;
use super::early_stop::EarlyStop;
use super::optimizer::{AdamW, OptimizerSettings};
use super::run::{RunFolder, RunStart, progress};
use super::shards::BatchSplit;
use super::simulate::{SimulationSettings, Simulator};
use crate::data::batch::read_example;
use crate::data::cache::{MapCache, MapHeader};
use crate::data::mixer::{MixSettings, Mixer};
use crate::text::TextSampler;
use anyhow::{Context, Result, ensure};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use mixing_buddy_core::decoder::{Decoder, DecoderConfig, Projector, ProjectorConfig, ReferenceBalance};
use mixing_buddy_core::encoder::{Encoder, Reading, STEMS};
use mixing_buddy_core::features::FeatureSettings;
use mixing_buddy_core::language::AdviceTokenizer;
use mixing_buddy_core::nn::{DropoutStream, LoraConfig, Params};
use mixing_buddy_core::norms::{NormsSummary, Posterior};
use mixing_buddy_core::{PerStem, Stem};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One advisor run, as in its TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvisorRun {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: usize,
    /// Examples a micro-batch: what is in memory at a time.
    pub batch: usize,
    /// Micro-batches a step, whose gradients are averaged.
    pub accumulate: usize,
    /// Threads, each with its share of the micro-batch.
    pub shards: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
    /// Flawed mixes heard once before training; each is asked about many times.
    pub mixes: usize,
    /// Share of these that are of songs which the encoder was not trained on.
    pub unheard: f64,
    /// Share of simulated readings in each batch, which keeps what the pretraining taught.
    pub simulated: f64,
    /// Flawed mixes of `calib` songs, never trained on, that each checkpoint is measured with; 0 for none.
    pub validation_mixes: usize,
    /// When the run ends before its last step, by that figure.
    pub early_stop: EarlyStop,
    /// Whether the frozen decoder is stored in 8 bits and dequantised where it is used (QLoRA): a quarter of the memory.
    pub quantize_base: bool,
    /// The adapter.
    pub lora: LoraConfig,
    /// Optimiser.
    pub optimizer: OptimizerSettings,
    /// Mixing of the examples.
    pub mix: MixSettings,
    /// Simulated meter and songs.
    pub simulation: SimulationSettings,
    /// What is asked.
    pub questions: QuestionMix,
}

impl Default for AdvisorRun {
    fn default() -> Self {
        AdvisorRun {
            seed: 1,
            steps: 800,
            batch: 64,
            accumulate: 1,
            shards: 2,
            checkpoint_steps: 100,
            mixes: 3000,
            unheard: 0.5,
            simulated: 0.4,
            validation_mixes: 0,
            early_stop: EarlyStop::default(),
            quantize_base: false,
            lora: LoraConfig { rank: 8, alpha: 16.0, ..LoraConfig::default() },
            optimizer: OptimizerSettings {
                learning_rate: 5e-4,
                warmup_steps: 50,
                weight_decay: 0.01,
                average_decay: 0.99,
                ..OptimizerSettings::default()
            },
            mix: MixSettings::default(),
            simulation: SimulationSettings::default(),
            questions: QuestionMix::default(),
        }
    }
}

/// A flawed mix as the encoder read it.
struct HeardMix {
    reading: Reading,
    reference: ReferenceBalance,
    /// True relative levels of the stems in dB, and of the window that the reference was measured in.
    levels_db: PerStem<f64>,
    song_db: PerStem<f64>,
    has_reference: bool,
}

/// Windows that a reference is measured over, at the most; an engineer pins as many.
pub(super) const MOST_REFERENCE_WINDOWS: usize = 3;

/// Whether a variable is trained here: adapters and the projector.
fn is_trained(name: &str) -> bool {
    name.contains(".lora_") || name.starts_with("projector.")
}

/// Whether a weight of the base is kept in 8 bits: those of the blocks' linear layers, whose rows fill whole blocks.
fn is_quantised(name: &str, tensor: &Tensor) -> bool {
    let is_layer = name.starts_with("decoder.model.layers.") && name.ends_with("_proj.weight");
    is_layer && tensor.rank() == 2 && tensor.dims()[1].is_multiple_of(GgmlDType::Q8_0.block_size())
}

/// Runs (or goes on with) the tuning that the configuration describes.
///
/// # Errors
/// As [`super::encoder::train_encoder`].
pub fn train_advisor(
    begin: &RunStart<'_>,
    cache: &Path,
    encoder_file: &Path,
    decoder_file: &Path,
) -> Result<()> {
    let run: AdvisorRun = toml::from_str(begin.config).context("the configuration cannot be used")?;
    let split = BatchSplit::new(run.batch, run.shards, run.accumulate)?;
    let folder = RunFolder::open(begin)?;

    let (mut base, metadata) = load_tensors(decoder_file)?;
    let decoder_config: DecoderConfig = field(&metadata, "decoder", decoder_file)?;
    let projector_config: ProjectorConfig = field(&metadata, "projector", decoder_file)?;
    let params = Params::train(run.seed, begin.device);
    let mut quantised = Vec::new();
    for (name, tensor) in &base {
        if run.quantize_base && is_quantised(name, tensor) {
            params.set_quantized(name, QTensor::quantize(tensor, GgmlDType::Q8_0)?)?;
            quantised.push(name.clone());
        } else {
            params.set(name, tensor)?;
        }
    }
    // What is stored quantised is not kept beside it.
    base.retain(|name, _| !quantised.contains(name));
    let decoder = Decoder::new(&params.pp("decoder").frozen(), &decoder_config, Some(&run.lora))?;
    let projector = Projector::new(&params.pp("projector"), &projector_config)?;
    let trained: BTreeMap<_, _> = params.vars().into_iter().filter(|(name, _)| is_trained(name)).collect();
    let mut optimizer = AdamW::new(trained, &run.optimizer)?;
    let start = folder.begin(&mut optimizer)?;

    let sampler = TextSampler::shipped()?;
    let tokenizer = AdviceTokenizer::from_bytes(super::calibrate::TOKENIZER)?;
    let simulator = Simulator::new(&run.simulation, &run.questions, NormsSummary::shipped(), &sampler);
    let known = MapCache::open(cache, |song| song.is_for_training() && song.source != "voice")?;
    let mut songs = vec![known];
    if run.unheard > 0.0 {
        songs.push(MapCache::open(cache, MapHeader::is_for_tuning)?);
    }
    let encoder = load_encoder(encoder_file, begin.device)?;
    let heard = hear_mixes(&run, &songs, run.mixes, &encoder, &simulator)?;
    let held_out = match run.validation_mixes {
        0 => Vec::new(),
        count => {
            let songs = [MapCache::open(cache, MapHeader::is_for_calibration)?];
            hear_mixes(&run, &songs, count, &encoder, &simulator)?
        }
    };
    let plan = AdviceSteps {
        name: "advisor",
        steps: run.steps,
        split,
        checkpoint_steps: run.checkpoint_steps,
        optimizer: &run.optimizer,
        early_stop: &run.early_stop,
    };
    let loss = |number: u64| {
        let mut rng = SmallRng::seed_from_u64(run.seed << 41 | number);
        let examples = (0..split.examples_a_part())
            .map(|_| {
                if rng.random_bool(run.simulated) {
                    simulator.example(&mut rng)
                } else {
                    let mix = &heard[rng.random_range(0..heard.len())];
                    ask_about(mix, &run, &simulator, &sampler, &mut rng)
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let dropout = DropoutStream::new(run.seed ^ number << 33);
        advice_loss((&decoder, &projector, &tokenizer), &sampler, &examples, Some(&dropout), &mut rng)
    };
    let tuned = |optimizer: &AdamW| -> Result<BTreeMap<String, Tensor>> {
        let mut weights: BTreeMap<String, Tensor> = base.clone();
        weights.extend(optimizer.averaged()?);
        for name in &quantised {
            let stored = params.get_quantized(name).context("a quantised weight is gone")?;
            weights.insert(name.clone(), stored.dequantize(&Device::Cpu)?);
        }
        Ok(weights)
    };
    let validate = |optimizer: &AdamW| -> Result<f64> {
        let params = Params::load(tuned(optimizer)?, BTreeMap::new(), begin.device);
        let decoder = Decoder::new(&params.pp("decoder"), &decoder_config, Some(&run.lora))?;
        let projector = Projector::new(&params.pp("projector"), &projector_config)?;
        let mut rng = SmallRng::seed_from_u64(VALIDATION_SEED ^ run.seed);
        let examples = held_out
            .iter()
            .map(|mix| ask_about(mix, &run, &simulator, &sampler, &mut rng))
            .collect::<Result<Vec<_>>>()?;
        let loss = advice_loss((&decoder, &projector, &tokenizer), &sampler, &examples, None, &mut rng)?;
        Ok(loss.decision)
    };
    let validate = (!held_out.is_empty()).then_some(&validate as Validation<'_>);
    train_advice(&plan, &folder, &mut optimizer, start, loss, validate, |optimizer, step, path| {
        let weights = tuned(optimizer)?;
        let metadata = [
            ("decoder", serde_json::to_string(&decoder_config)?),
            ("projector", serde_json::to_string(&projector_config)?),
            ("lora", serde_json::to_string(&run.lora)?),
            ("step", step.to_string()),
        ];
        save_tensors(path, &weights, &metadata)
    })
}

/// Mixes `count` flawed windows and hears them, on all threads: of the first songs, and a share of [`AdvisorRun::unheard`]
/// of the second where there are such.
fn hear_mixes(
    run: &AdvisorRun,
    songs: &[MapCache],
    count: usize,
    (encoder, features): &(Encoder, FeatureSettings),
    simulator: &Simulator<'_>,
) -> Result<Vec<HeardMix>> {
    let mixers: Vec<Mixer<'_>> =
        songs.iter().map(|songs| Mixer::new(songs, &run.mix, NormsSummary::shipped())).collect();
    let bar = progress("hearing", count, 0);
    let hear = |shard: usize| -> Result<Vec<HeardMix>> {
        let mut rng = SmallRng::seed_from_u64(run.seed << 20 | shard as u64);
        let mut all = Vec::new();
        while all.len() < count / run.shards {
            let is_unheard = mixers.len() > 1 && rng.random_bool(run.unheard);
            let mixer = &mixers[usize::from(is_unheard)];
            let most = rng.random_range(1..=MOST_REFERENCE_WINDOWS);
            let Some((song, window, others)) = mixer.full_window(most, &mut rng) else { break };
            let flawed = simulator.flawed(None, &mut rng);
            // All windows of a song went over one desk, and are misheard alike.
            let colours = SmallRng::seed_from_u64(rng.random());
            let mut read = |window: usize, levels: &PerStem<f64>| -> Result<(Reading, PerStem<f64>)> {
                let mut plan = mixer.levelled(song, window, levels);
                mixer.colour(&mut plan, &mut colours.clone());
                let example = mixer.mix(&plan, &mut rng);
                let powers = PerStem::from_fn(|stem: Stem| {
                    let power: f64 = example.parts[stem.index()].iter().map(|p| f64::from(*p)).sum();
                    10.0 * power.max(1e-12).log10()
                });
                Ok((read_example(encoder, features, &example)?, powers))
            };
            let (reading, levels_db) = read(window, &flawed.levels_db)?;
            let mut heard = HeardMix {
                reading,
                levels_db,
                song_db: levels_db,
                reference: ReferenceBalance::default(),
                has_reference: false,
            };
            if flawed.has_reference {
                let windows =
                    others.iter().map(|other| read(*other, &flawed.song_db)).collect::<Result<Vec<_>>>()?;
                heard.reference = ReferenceBalance::mean_of(windows.iter().map(|(reading, _)| reading));
                heard.song_db = PerStem::from_fn(|stem| {
                    windows.iter().map(|(_, levels)| levels[stem]).sum::<f64>() / windows.len() as f64
                });
                heard.has_reference = true;
            }
            all.push(heard);
            bar.inc(1);
        }
        Ok(all)
    };
    let parts: Vec<Result<Vec<HeardMix>>> = std::thread::scope(|scope| {
        let hear = &hear;
        let handles: Vec<_> = (0..run.shards).map(|shard| scope.spawn(move || hear(shard))).collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))
            .collect()
    });
    bar.finish_and_clear();
    let heard: Vec<HeardMix> = parts.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    ensure!(!heard.is_empty(), "no song of the cache has two windows in which all {STEMS} stems play");
    Ok(heard)
}

/// A question about a mix that was heard, and what perfect ears would say.
fn ask_about(
    mix: &HeardMix,
    run: &AdvisorRun,
    simulator: &Simulator<'_>,
    sampler: &TextSampler,
    rng: &mut SmallRng,
) -> Result<AdviceExample> {
    let present = PerStem::from_fn(|_| true);
    let has_reference = mix.has_reference && rng.random_bool(0.9);
    let intent = run.questions.intent(has_reference, &present, rng);
    let anchor = rng.random_bool(run.questions.anchor).then(|| Stem::BLAMED[rng.random_range(0..3)]);
    let anchor = anchor.filter(|stem| intent.asked_stem() != Some(*stem));
    let allowed = allowed_stems(intent, anchor, &present);
    let posterior: Posterior =
        simulator.believe(&mix.levels_db, has_reference.then_some(&mix.song_db), &present, allowed);
    let sample = draw_sample(sampler, intent, present, anchor, has_reference, &posterior, rng)?;
    Ok(AdviceExample {
        reading: mix.reading.clone(),
        reference: has_reference.then_some(mix.reference),
        sample,
        posterior,
    })
}
