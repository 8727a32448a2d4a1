//! Ablations: the same short run of an encoder or an advisor several times, one thing changed each time, measured on
//! songs and instruments that no run is trained on. Or frozen front ends compared, each with the same small network.

mod answers;
mod cell;
mod front_end;
mod meter;
mod table;

pub use answers::Named;
pub use cell::Cell;
pub use front_end::{FrontEndPlan, ProbePlan};
pub use table::{Measured, VariantFigures};

use super::examples::mix_reading::MixReading;
use super::examples::tuning::MixSource;
use super::ranks::OneProcess;
use super::run::{CHECKPOINT_FILE, RunStart};
use super::runs::advisor::{AdvisorRun, train_advisor};
use super::runs::encoder::{EncoderRun, train_encoder};
use crate::evaluation::SongResamples;
use crate::mixing::cache::MapCache;
use crate::protocol::{SourceKind, Split};
use crate::weights::Part;
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to compare, as in its TOML file: one base run, `[encoder]`, `[advisor]` or `[probe]`, and its variants.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationPlan {
    /// Feature maps of the runs, unless a variant names others; front ends analyze songs, not maps.
    #[serde(default)]
    pub cache: PathBuf,
    /// The run that the variants change: the configuration of an encoder run.
    #[serde(default)]
    pub encoder: Option<toml::Table>,
    /// The run that the variants change: the configuration of an advisor run.
    #[serde(default)]
    pub advisor: Option<toml::Table>,
    /// How front ends are compared.
    #[serde(default)]
    pub probe: Option<ProbePlan>,
    /// The encoder that reads the mixes for all advisors (`encoder.safetensors`).
    #[serde(default)]
    pub encoder_file: Option<PathBuf>,
    /// The decoder that all advisors are tuned from (`decoder.safetensors`).
    #[serde(default)]
    pub decoder_file: Option<PathBuf>,
    /// What is changed, one at a time.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// One run of the comparison.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name in the table.
    pub name: String,
    /// Other feature maps to train on.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Keys of the encoder run that are changed.
    #[serde(default)]
    pub encoder: toml::Table,
    /// Keys of the advisor run that are changed.
    #[serde(default)]
    pub advisor: toml::Table,
    /// The front end that is compared.
    #[serde(default)]
    pub probe: Option<FrontEndPlan>,
}

/// What the variants of a plan change.
enum Base<'a> {
    Encoder(&'a toml::Table),
    Advisor { run: &'a toml::Table, encoder_file: &'a Path, decoder_file: &'a Path },
    Probe(&'a ProbePlan),
}

fn named<'a>(file: &'a Option<PathBuf>, key: &str) -> Result<&'a Path> {
    file.as_deref().with_context(|| format!("a plan that compares advisors must name a file as '{key}'"))
}

impl AblationPlan {
    fn base(&self) -> Result<Base<'_>> {
        match (&self.encoder, &self.advisor, &self.probe) {
            (Some(run), None, None) => Ok(Base::Encoder(run)),
            (None, None, Some(plan)) => Ok(Base::Probe(plan)),
            (None, Some(run), None) => Ok(Base::Advisor {
                run,
                encoder_file: named(&self.encoder_file, "encoder_file")?,
                decoder_file: named(&self.decoder_file, "decoder_file")?,
            }),
            _ => bail!("the plan must have exactly one base: [encoder], [advisor] or [probe]"),
        }
    }

    /// The text of each variant's configuration.
    fn configs(&self, base: &Base<'_>) -> Result<Vec<String>> {
        let config = |variant: &Variant| {
            let (run, changes, others, foreign) = match base {
                Base::Encoder(run) => (run, &variant.encoder, &variant.advisor, "advisor"),
                Base::Advisor { run, .. } => (run, &variant.advisor, &variant.encoder, "encoder"),
                Base::Probe(_) => return Ok(String::new()),
            };
            ensure!(
                others.is_empty(),
                "\"{}\" changes [{foreign}], which this plan does not run",
                variant.name
            );
            let mut config = (*run).clone();
            merge(&mut config, changes);
            let text = toml::to_string(&config)?;
            let known = match base {
                Base::Encoder(_) => EncoderRun::from_toml(&text).map(drop),
                _ => AdvisorRun::from_toml(&text).map(drop),
            };
            known.with_context(|| format!("variant \"{}\"", variant.name))?;
            Ok(text)
        };
        self.variants.iter().map(config).collect()
    }
}

/// Runs every variant that has not been run yet, each into its own folder in `out`, and measures all on the songs of the
/// split `split`. Writes `ablation.json` and `ablation.md`.
///
/// # Errors
/// When the plan, a configuration or a cache cannot be used, or as [`train_encoder`].
pub fn ablate(plan_text: &str, split: &Split, out: &Path) -> Result<Vec<VariantFigures>> {
    let plan: AblationPlan = toml::from_str(plan_text).context("the plan cannot be used")?;
    ensure!(!plan.variants.is_empty(), "the plan names no [[variant]]");
    let base = plan.base()?;
    if let Base::Probe(base) = base {
        return compare_front_ends(base, &plan.variants, split, out);
    }
    let configs = plan.configs(&base)?;
    let songs_of = |cache: &Path| {
        MapCache::open(cache, |song| song.split == *split && song.source != SourceKind::Voice)
            .with_context(|| format!("the cache has no songs of the split '{split}' to measure with"))
    };
    // Advisors share their encoder, so that the songs are read once for all.
    let readings = match &base {
        Base::Encoder(_) | Base::Probe(_) => None,
        Base::Advisor { encoder_file, .. } => Some(answers::read(encoder_file, &songs_of(&plan.cache)?)?),
    };
    let mut table = Vec::new();
    for (variant, config) in plan.variants.iter().zip(&configs) {
        let folder = out.join(folder_name(&variant.name));
        let cache = variant.cache.as_ref().unwrap_or(&plan.cache);
        let resume = folder.join(CHECKPOINT_FILE).exists();
        let start = RunStart { config, out: &folder, resume, device: &Device::Cpu, ranks: &OneProcess };
        tracing::info!("variant \"{}\"", variant.name);
        let (measured, songs, mixes) = match (&base, &readings) {
            (Base::Advisor { encoder_file, decoder_file, .. }, Some(readings)) => {
                let source = MixSource { cache, encoder: encoder_file };
                train_advisor(&start, Some(source), decoder_file)?;
                let (resamples, songs, mixes) = of_songs(readings.iter().flat_map(|(_, mixes)| mixes));
                let shares = answers::shares(&folder.join(Part::Advisor.file_name()), readings, &resamples)?;
                (Measured::Right(shares), songs, mixes)
            }
            _ => {
                train_encoder(&start, cache)?;
                let readings = meter::read(&folder.join(Part::Encoder.file_name()), &songs_of(cache)?)?;
                let (resamples, songs, mixes) = of_songs(readings.iter());
                (Measured::Meter(meter::errors(&readings, &resamples)), songs, mixes)
            }
        };
        table.push(VariantFigures { name: variant.name.clone(), measured, songs, mixes });
        table::write(&table, out)?;
    }
    Ok(table)
}

fn compare_front_ends(
    base: &ProbePlan,
    variants: &[Variant],
    split: &Split,
    out: &Path,
) -> Result<Vec<VariantFigures>> {
    let front_end = |variant: &Variant| {
        ensure!(
            variant.encoder.is_empty() && variant.advisor.is_empty(),
            "\"{}\" changes a run, but this plan compares front ends",
            variant.name
        );
        variant.probe.clone().with_context(|| format!("\"{}\" names no front_end", variant.name))
    };
    let front_ends = variants.iter().map(front_end).collect::<Result<Vec<_>>>()?;
    let compared = front_end::compare(base, &front_ends, split)?;
    let (songs, mixes) = (compared.songs, compared.mixes);
    let figures = |(variant, errors): (&Variant, _)| VariantFigures {
        name: variant.name.clone(),
        measured: Measured::Meter(errors),
        songs,
        mixes,
    };
    let table: Vec<VariantFigures> = variants.iter().zip(compared.errors).map(figures).collect();
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be created", out.display()))?;
    table::write(&table, out)?;
    Ok(table)
}

/// Resamples of the songs in `readings`, and the numbers of songs and mixes.
fn of_songs<'a>(readings: impl Iterator<Item = &'a MixReading>) -> (SongResamples, usize, usize) {
    let songs: Vec<usize> = readings.map(|mix| mix.song).collect();
    let (mixes, known) = (songs.len(), songs.into_iter().collect::<BTreeSet<_>>());
    (SongResamples::among(&known, cell::RESAMPLES, cell::RESAMPLE_SEED), known.len(), mixes)
}

/// Merges `changes` into `base`, table by table.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_merged_table_by_table() {
        let mut base: toml::Table = toml::from_str("steps = 5\n[mix]\ncoherent = 0.5\nabsent = 0.1").unwrap();
        merge(&mut base, &toml::from_str("steps = 6\n[mix]\nabsent = 0.2").unwrap());
        assert_eq!(base, toml::from_str("steps = 6\n[mix]\ncoherent = 0.5\nabsent = 0.2").unwrap());
    }

    #[test]
    fn a_plan_compares_encoders_or_advisors_and_must_name_what_it_needs() {
        let out = Path::new("/nowhere");
        let refused = |plan: &str| format!("{:#}", ablate(plan, &Split::Test, out).unwrap_err());
        let variant = "[[variant]]\nname = \"as it is\"\n";
        let sentence = refused(&format!("cache = \"C\"\n{variant}"));
        assert!(sentence.contains("[encoder], [advisor] or [probe]"), "{sentence}");
        let sentence = refused(&format!("cache = \"C\"\n[encoder]\n[advisor]\n{variant}"));
        assert!(sentence.contains("[encoder], [advisor] or [probe]"), "{sentence}");
        let sentence = refused(&format!("cache = \"C\"\n[advisor]\n{variant}"));
        assert!(sentence.contains("encoder_file"), "{sentence}");
        let files = "cache = \"C\"\nencoder_file = \"E\"\ndecoder_file = \"D\"\n";
        let sentence = refused(&format!("{files}[advisor]\nsteps = 5\n{variant}encoder = {{ steps = 4 }}\n"));
        assert!(sentence.contains("\"as it is\" changes [encoder]"), "{sentence}");
        let sentence =
            refused(&format!("{files}[advisor]\n{variant}advisor = {{ lora = {{ ranc = 4 }} }}\n"));
        assert!(sentence.contains("ranc"), "{sentence}");
        let probe = "[probe]\nsongs = \"S\"\nmixes_a_song = 1\nhidden = 1\nsteps = 1\nbatch = 1\n";
        let sentence = refused(&format!("{probe}{variant}"));
        assert!(sentence.contains("\"as it is\" names no front_end"), "{sentence}");
        let sentence = refused(&format!("{probe}{variant}probe = {{ front_end = \"vgg\" }}\n"));
        assert!(sentence.contains("vgg"), "{sentence}");
    }
}
