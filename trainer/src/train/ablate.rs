//! Ablations: the same short encoder run again and again, one thing changed each time, measured on songs and
//! instruments that no run has heard.

use super::checkpoint::load_encoder;
use super::encoder::{EncoderRun, train_encoder};
use super::run::RunStart;
use crate::data::augment::AugmentSettings;
use crate::data::batch::read_example;
use crate::data::cache::MapCache;
use crate::data::mixer::{MixSettings, Mixer};
use crate::evaluate::SongResamples;
use crate::files;
use crate::text::TextSampler;
use crate::train::advice::QuestionMix;
use crate::train::simulate::{SimulationSettings, Simulator};
use anyhow::{Context, Result, ensure};
use candle_core::Device;
use mixing_buddy_core::Stem;
use mixing_buddy_core::norms::NormsSummary;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to compare, as in its TOML file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationPlan {
    /// Feature maps of every run that names no others.
    pub cache: PathBuf,
    /// The run that the variants change, as in an encoder's configuration.
    pub encoder: toml::Table,
    /// What is changed, one at a time.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// One run of the comparison.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// For the table.
    pub name: String,
    /// Other feature maps.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Keys of the run's configuration that are changed.
    #[serde(default)]
    pub encoder: toml::Table,
}

/// The meter of one variant on unheard songs.
#[derive(Clone, Debug, Serialize)]
pub struct VariantFigures {
    /// Its name.
    pub name: String,
    /// Median absolute error of stem against rest in dB with its 95 % interval, by stem.
    pub meter_mad_db: BTreeMap<Stem, (f64, Option<[f64; 2]>)>,
    /// Songs measured on.
    pub songs: usize,
    /// Mixes measured on.
    pub mixes: usize,
}

/// Mixes measured a song, two windows each at the most.
const MIXES_A_SONG: usize = 8;

/// Runs every variant that has not been run yet into a folder of its own below `out`, and measures all on the songs of
/// the split `split`. Writes `ablation.json` and `ablation.md`.
///
/// # Errors
/// When the plan, a configuration or a cache cannot be used, or as [`train_encoder`].
pub fn ablate(plan_text: &str, split: &str, out: &Path) -> Result<Vec<VariantFigures>> {
    let plan: AblationPlan = toml::from_str(plan_text).context("the plan cannot be used")?;
    ensure!(!plan.variants.is_empty(), "the plan names no [[variant]]");
    let mut table = Vec::new();
    for variant in &plan.variants {
        let mut config = plan.encoder.clone();
        merge(&mut config, &variant.encoder);
        let text = toml::to_string(&config)?;
        let run: EncoderRun = toml::from_str(&text)
            .with_context(|| format!("the configuration of \"{}\" cannot be used", variant.name))?;
        let folder = out.join(folder_name(&variant.name));
        let cache = variant.cache.as_ref().unwrap_or(&plan.cache);
        eprintln!("{}: {} steps", variant.name, run.steps);
        let resume = folder.join("last.safetensors").exists();
        train_encoder(&RunStart { config: &text, out: &folder, resume, device: &Device::Cpu }, cache)?;
        table.push(measure(&variant.name, &folder.join("encoder.safetensors"), cache, split)?);
        files::replace(&out.join("ablation.json"), serde_json::to_string_pretty(&table)? + "\n")?;
        files::replace(&out.join("ablation.md"), markdown(&table))?;
    }
    Ok(table)
}

/// Lays `changes` over `base`, table by table.
fn merge(base: &mut toml::Table, changes: &toml::Table) {
    for (key, value) in changes {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(changes)) => merge(inner, changes),
            _ => _ = base.insert(key.clone(), value.clone()),
        }
    }
}

fn folder_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The meter's errors on uncoloured windows of `split`, levelled after the norms and flawed.
fn measure(name: &str, encoder_file: &Path, cache: &Path, split: &str) -> Result<VariantFigures> {
    let (encoder, features) = load_encoder(encoder_file, &Device::Cpu)?;
    let norms = NormsSummary::shipped();
    let (simulation, questions) = (SimulationSettings::default(), QuestionMix::default());
    let sampler = TextSampler::shipped()?;
    let simulator = Simulator::new(&simulation, &questions, norms, &sampler);
    let settings = MixSettings { augment: AugmentSettings::none(), ..MixSettings::default() };
    let songs = MapCache::open(cache, |song| song.split == split && song.source != "voice")?;
    let mixer = Mixer::new(&songs, &settings, norms);
    let mut rng = SmallRng::seed_from_u64(20);
    // For each stem: song and absolute error in dB.
    let mut errors: BTreeMap<Stem, Vec<(usize, f64)>> = BTreeMap::new();
    let mut counted = (0, 0);
    for song in 0..songs.songs.len() {
        let full = mixer.full_windows_of(song);
        if full.is_empty() {
            continue;
        }
        counted.0 += 1;
        for mix in 0..MIXES_A_SONG.min(4 * full.len()) {
            let levels = simulator.flawed(None, &mut rng).levels_db;
            let example = mixer.mix(&mixer.levelled(song, full[mix % full.len()], &levels), &mut rng);
            let reading = read_example(&encoder, &features, &example)?;
            counted.1 += 1;
            for (stem, truth) in Stem::ALL.into_iter().zip(example.rest_levels_db()) {
                if let Some(truth) = truth.filter(|truth| *truth > -25.0) {
                    let error = f64::from((reading[stem].level_db - truth).abs());
                    errors.entry(stem).or_default().push((counted.0 - 1, error));
                }
            }
        }
    }
    ensure!(counted.0 > 0, "no song of the split '{split}' has a window in which all four stems play");
    let resamples = SongResamples::new(counted.0, 1000, 1);
    let meter_mad_db = errors
        .into_iter()
        .filter_map(|(stem, errors)| {
            let median = |weights: &[f64]| weighted_median(&errors, weights);
            Some((stem, (median(&resamples.plain())?, resamples.interval(median))))
        })
        .collect();
    Ok(VariantFigures { name: name.into(), meter_mad_db, songs: counted.0, mixes: counted.1 })
}

/// Median of values whose songs count as often as `weights` says.
fn weighted_median(values: &[(usize, f64)], weights: &[f64]) -> Option<f64> {
    let mut sorted: Vec<(f64, f64)> = values.iter().map(|(song, value)| (*value, weights[*song])).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sorted.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut seen = 0.0;
    sorted.into_iter().find_map(|(value, weight)| {
        seen += weight;
        (weight > 0.0 && seen >= half).then_some(value)
    })
}

fn markdown(table: &[VariantFigures]) -> String {
    let mut text = String::from("| variant |");
    Stem::ALL.iter().for_each(|stem| text += &format!(" {stem} |"));
    text += "\n| --- | --- | --- | --- | --- |\n";
    for row in table {
        text += &format!("| {} |", row.name);
        for stem in Stem::ALL {
            text += &match row.meter_mad_db.get(&stem) {
                Some((median, Some([low, high]))) => format!(" {median:.2} ({low:.2} to {high:.2}) |"),
                Some((median, None)) => format!(" {median:.2} |"),
                None => " |".into(),
            };
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_laid_over_table_by_table() {
        let mut base: toml::Table = toml::from_str("steps = 5\n[mix]\ncoherent = 0.5\nabsent = 0.1").unwrap();
        merge(&mut base, &toml::from_str("steps = 6\n[mix]\nabsent = 0.2").unwrap());
        assert_eq!(base, toml::from_str("steps = 6\n[mix]\ncoherent = 0.5\nabsent = 0.2").unwrap());
    }

    #[test]
    fn medians_count_songs_as_often_as_they_were_drawn() {
        let values = [(0, 1.0), (0, 2.0), (1, 5.0), (1, 6.0)];
        assert_eq!(weighted_median(&values, &[1.0, 0.0]), Some(1.0));
        assert_eq!(weighted_median(&values, &[0.0, 1.0]), Some(5.0));
        assert_eq!(weighted_median(&values, &[0.0, 0.0]), None);
    }
}
