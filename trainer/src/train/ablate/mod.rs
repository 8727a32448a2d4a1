//! Ablations: the same short run of an encoder or an advisor again and again, one thing changed each time, measured on
//! songs and instruments that no run has heard. Or frozen front ends side by side, each with the same small network.

mod front_end;
mod meter;
mod right;

pub use front_end::{FrontEndPlan, ProbePlan};
pub use right::Named;

use super::examples::flaws::FlawReading;
use super::run::RunStart;
use super::runs::advisor::{AdvisorRun, train_advisor};
use super::runs::encoder::{EncoderRun, train_encoder};
use crate::evaluation::{Interval, SongResamples};
use crate::files;
use crate::mixing::cache::MapCache;
use crate::protocol::{SourceKind, Split};
use anyhow::{Context, Result, bail, ensure};
use candle_core::Device;
use mixing_buddy_core::Stem;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What to compare, as in its TOML file: one base run, `[encoder]`, `[advisor]` or `[probe]`, and what is changed in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationPlan {
    /// Feature maps of every run that names no others; front ends hear songs, not maps.
    #[serde(default)]
    pub cache: PathBuf,
    /// The run that the variants change, as in an encoder's configuration.
    #[serde(default)]
    pub encoder: Option<toml::Table>,
    /// The run that the variants change, as in an advisor's configuration.
    #[serde(default)]
    pub advisor: Option<toml::Table>,
    /// What the variants' front ends are compared with.
    #[serde(default)]
    pub probe: Option<ProbePlan>,
    /// The encoder that all advisors hear with (`encoder.safetensors`).
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
    /// For the table.
    pub name: String,
    /// Other feature maps to train on.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Keys of an encoder run's configuration that are changed.
    #[serde(default)]
    pub encoder: toml::Table,
    /// Keys of an advisor run's configuration that are changed.
    #[serde(default)]
    pub advisor: toml::Table,
    /// The front end that is compared.
    #[serde(default)]
    pub probe: Option<FrontEndPlan>,
}

/// A figure and its 95 % interval over songs.
pub type Cell = (f64, Option<Interval>);

/// What is measured of a variant on unheard songs.
#[derive(Clone, Debug, Serialize)]
pub enum Measured {
    /// Of an encoder or a probe: median absolute error of stem against rest in dB, by stem.
    #[serde(rename = "meter_mad_db")]
    Meter(BTreeMap<Stem, Cell>),
    /// Of an advisor: share of right answers (stem and direction), by what the question names.
    #[serde(rename = "right")]
    Right(BTreeMap<Named, Cell>),
}

/// The figures of one variant.
#[derive(Clone, Debug, Serialize)]
pub struct VariantFigures {
    /// Its name.
    pub name: String,
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// Songs measured on.
    pub songs: usize,
    /// Mixes measured on.
    pub mixes: usize,
}

/// Mixes measured a song, four flaws a window at the most.
const MIXES_A_SONG: usize = 8;

/// What the variants of a plan change.
enum Base<'a> {
    Encoder(&'a toml::Table),
    Advisor { run: &'a toml::Table, encoder_file: &'a Path, decoder_file: &'a Path },
    Probe(&'a ProbePlan),
}

fn named<'a>(file: &'a Option<PathBuf>, key: &str) -> Result<&'a Path> {
    file.as_deref().with_context(|| format!("a plan that compares advisors names a file as '{key}'"))
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
            _ => bail!("the plan has one base: [encoder], [advisor] or [probe]"),
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
                Base::Encoder(_) => toml::from_str::<EncoderRun>(&text).map(drop),
                _ => toml::from_str::<AdvisorRun>(&text).map(drop),
            };
            known.with_context(|| format!("the configuration of \"{}\" cannot be used", variant.name))?;
            Ok(text)
        };
        self.variants.iter().map(config).collect()
    }
}

/// Runs every variant that has not been run yet into a folder of its own below `out`, and measures all on the songs of
/// the split `split`. Writes `ablation.json` and `ablation.md`.
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
            .with_context(|| format!("nothing of the split '{split}' can be measured with"))
    };
    // Advisors share their encoder, so that the songs are heard once for all.
    let readings = match &base {
        Base::Encoder(_) | Base::Probe(_) => None,
        Base::Advisor { encoder_file, .. } => Some(right::read(encoder_file, &songs_of(&plan.cache)?)?),
    };
    let mut table = Vec::new();
    for (variant, config) in plan.variants.iter().zip(&configs) {
        let folder = out.join(folder_name(&variant.name));
        let cache = variant.cache.as_ref().unwrap_or(&plan.cache);
        let resume = folder.join("last.safetensors").exists();
        let begin = RunStart { config, out: &folder, resume, device: &Device::Cpu };
        eprintln!("{}", variant.name);
        let (measured, songs, mixes) = match (&base, &readings) {
            (Base::Advisor { encoder_file, decoder_file, .. }, Some(readings)) => {
                train_advisor(&begin, cache, encoder_file, decoder_file)?;
                let (resamples, songs, mixes) = of_songs(readings.iter().flat_map(|(_, flaws)| flaws));
                let shares = right::shares(&folder.join("advisor.safetensors"), readings, &resamples)?;
                (Measured::Right(shares), songs, mixes)
            }
            _ => {
                train_encoder(&begin, cache)?;
                let readings = meter::read(&folder.join("encoder.safetensors"), &songs_of(cache)?)?;
                let (resamples, songs, mixes) = of_songs(readings.iter());
                (Measured::Meter(meter::errors(&readings, &resamples)), songs, mixes)
            }
        };
        table.push(VariantFigures { name: variant.name.clone(), measured, songs, mixes });
        write(&table, out)?;
    }
    Ok(table)
}

fn write(table: &[VariantFigures], out: &Path) -> Result<()> {
    files::replace(&out.join("ablation.json"), serde_json::to_string_pretty(table)? + "\n")?;
    files::replace(&out.join("ablation.md"), markdown(table))
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
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    write(&table, out)?;
    Ok(table)
}

/// Resamples of the songs that were heard; how many songs and mixes there are.
fn of_songs<'a>(readings: impl Iterator<Item = &'a FlawReading>) -> (SongResamples, usize, usize) {
    let songs: Vec<usize> = readings.map(|flaw| flaw.song).collect();
    let (mixes, known) = (songs.len(), songs.into_iter().collect::<BTreeSet<_>>());
    (SongResamples::among(&known, 1000, 1), known.len(), mixes)
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

fn markdown(table: &[VariantFigures]) -> String {
    let titles: Vec<String> = match table.first().map(|row| &row.measured) {
        Some(Measured::Right(_)) => Named::ALL.iter().map(|named| named.title().into()).collect(),
        _ => Stem::ALL.iter().map(Stem::to_string).collect(),
    };
    let mut text =
        format!("| variant | {} |\n| --- |{}\n", titles.join(" | "), " --- |".repeat(titles.len()));
    for row in table {
        let cells: Vec<String> = match &row.measured {
            Measured::Meter(errors) => Stem::ALL.map(|stem| cell(errors.get(&stem), 1.0, 2)).to_vec(),
            Measured::Right(shares) => Named::ALL.map(|named| cell(shares.get(&named), 100.0, 1)).to_vec(),
        };
        text += &format!("| {} |{} |\n", row.name, cells.join(" |"));
    }
    text
}

fn cell(cell: Option<&Cell>, scale: f64, places: usize) -> String {
    let number = |value: f64| format!("{:.places$}", value * scale);
    match cell {
        Some((value, Some([low, high]))) => {
            format!(" {} ({} to {})", number(*value), number(*low), number(*high))
        }
        Some((value, None)) => format!(" {}", number(*value)),
        None => String::new(),
    }
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
    fn a_plan_compares_encoders_or_advisors_and_names_what_it_needs() {
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

    #[test]
    fn tables_say_decibels_of_encoders_and_percent_of_advisors() {
        let row = |measured: Measured| VariantFigures { name: "x".into(), measured, songs: 3, mixes: 9 };
        let meter = Measured::Meter([(Stem::Bass, (1.234, Some([1.0, 2.0])))].into());
        let text = markdown(&[row(meter)]);
        assert!(text.contains("| variant | vocals | drums | bass | other |"), "{text}");
        assert!(text.ends_with("| x | | | 1.23 (1.00 to 2.00) | |\n"), "{text}");
        let right = Measured::Right([(Named::Reference, (0.701, Some([0.6512, 0.75])))].into());
        let text = markdown(&[row(right.clone())]);
        assert!(text.ends_with("| x | | 70.1 (65.1 to 75.0) | |\n"), "{text}");
        let json = serde_json::to_value(row(right)).unwrap();
        assert_eq!(json["right"]["reference"][0], 0.701);
    }
}
