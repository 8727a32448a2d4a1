//! The plan of a model, as in its TOML file.

use crate::train::runs::advisor::AdvisorRun;
use crate::train::runs::decoder::DecoderRun;
use crate::train::runs::dpo::DpoRun;
use crate::train::runs::encoder::EncoderRun;
use anyhow::{Context, Result, bail, ensure};
use mixing_buddy_core::Stem;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toml::{Table, Value};

/// All stages of a model. The tables of the runs hold the keys of the configurations of these runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The text of the plan.
    pub text: String,
    /// Version of the bundle.
    pub version: String,
    /// How features are prepared.
    pub prepare: PrepareSettings,
    /// Stages of the encoder, in order; the last one's weights are used.
    pub encoders: Vec<EncoderStage>,
    /// The decoder run.
    pub decoder: Table,
    /// The advisor run.
    pub advisor: Table,
    /// The preference tuning, if there is one.
    pub dpo: Option<Table>,
}

/// One stage of the encoder.
#[derive(Clone, Debug)]
pub struct EncoderStage {
    /// Its name.
    pub name: String,
    /// The earlier stage whose weights it starts from; fresh weights if none.
    pub start_from: Option<String>,
    /// The keys of its configuration, without `start_from`.
    pub run: Table,
}

/// How features are prepared, with the defaults of `prepare`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrepareSettings {
    /// Pitch-shifted variants of real songs and voices.
    pub variants: usize,
    /// Most windows kept per song and variant.
    pub windows: usize,
    /// Threads.
    pub threads: usize,
    /// Seed of the variants.
    pub seed: u64,
    /// Stems whose share a separator estimates; none for a model without one.
    pub separated: Vec<Stem>,
    /// Folder of the separator's networks, `STEM.safetensors`; the project's own if none.
    pub networks: Option<PathBuf>,
}

impl Default for PrepareSettings {
    fn default() -> Self {
        PrepareSettings {
            variants: 3,
            windows: 12,
            threads: 2,
            seed: 1,
            separated: vec![Stem::Vocals],
            networks: None,
        }
    }
}

/// The plan as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    bundle: BundleTable,
    #[serde(default)]
    prepare: PrepareSettings,
    encoder: Vec<Table>,
    decoder: Table,
    advisor: Table,
    dpo: Option<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleTable {
    version: String,
}

impl Plan {
    /// Reads a plan, and checks every stage.
    ///
    /// # Errors
    /// When a table or key is missing, unknown or of the wrong type, a stage starts from one that is not before it, or
    /// the parts do not fit together.
    pub fn from_toml(text: &str) -> Result<Self> {
        let file: PlanFile = toml::from_str(text).context("the plan cannot be used")?;
        let mut encoders: Vec<EncoderStage> = Vec::new();
        for table in file.encoder {
            let stage = EncoderStage::from_table(table).context("the plan cannot be used: [[encoder]]")?;
            stage.check_place(&encoders)?;
            encoders.push(stage);
        }
        let plan = Plan {
            text: text.to_string(),
            version: file.bundle.version,
            prepare: file.prepare,
            encoders,
            decoder: file.decoder,
            advisor: file.advisor,
            dpo: file.dpo,
        };
        plan.check()?;
        Ok(plan)
    }

    /// Checks that the parts fit together: the width of the encoder's summaries stands in every run.
    fn check(&self) -> Result<()> {
        let mut widths = Vec::new();
        for stage in &self.encoders {
            let run = EncoderRun::from_toml(&stage.run.to_string());
            let run = run.with_context(|| format!("encoder stage '{}'", stage.name))?;
            widths.push((format!("encoder stage '{}'", stage.name), run.encoder.summary));
        }
        ensure!(!widths.is_empty(), "the plan has no [[encoder]] stage");
        let decoder = DecoderRun::from_toml(&self.decoder.to_string()).context("[decoder]")?;
        ensure!(decoder.start_from.is_none(), "[decoder]: a plan starts from nothing; take start_from out");
        widths.push(("[decoder]".into(), decoder.simulation.summary));
        let advisor = AdvisorRun::from_toml(&self.advisor.to_string()).context("[advisor]")?;
        widths.push(("[advisor]".into(), advisor.simulation.summary));
        if let Some(dpo) = &self.dpo {
            let dpo = DpoRun::from_toml(&dpo.to_string()).context("[dpo]")?;
            widths.push(("[dpo]".into(), dpo.simulation.summary));
        }
        let expected = widths[0].1;
        for (name, width) in widths {
            ensure!(
                width == expected,
                "{name}: the summary has {width} values, but that of the first encoder stage has {expected}"
            );
        }
        Ok(())
    }
}

impl EncoderStage {
    fn from_table(mut run: Table) -> Result<Self> {
        let mut text = |key: &str| match run.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => bail!("{key} is {other}; a name is needed"),
        };
        let (name, start_from) = (text("name")?.context("a stage needs a name")?, text("start_from")?);
        ensure!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "the name '{name}' of a stage may hold letters, digits and '-' only"
        );
        Ok(EncoderStage { name, start_from, run })
    }

    fn check_place(&self, before: &[EncoderStage]) -> Result<()> {
        let is_before = |name: &str| before.iter().any(|stage| stage.name == name);
        ensure!(!is_before(&self.name), "two encoder stages have the name '{}'", self.name);
        if let Some(from) = &self.start_from {
            let name = &self.name;
            ensure!(
                is_before(from),
                "encoder stage '{name}' starts from '{from}', which is not a stage before it"
            );
        }
        Ok(())
    }
}

/// Keys that a scale multiplies, if a run has them. There must be at least one mix per thread.
const SCALED: [&str; 7] = [
    "steps",
    "checkpoint_steps",
    "measure_steps",
    "measure_mixes",
    "mixes",
    "validation_mixes",
    "validation_examples",
];

/// The configuration `keys`, made shorter (or longer) by `scale`: `run` is the same configuration with all defaults
/// filled in. Counts that are not 0 stay at least 1.
///
/// # Errors
/// When the configuration cannot be written as TOML.
pub(super) fn scaled(keys: &Table, run: &impl Serialize, scale: f64) -> Result<Table> {
    let mut keys = keys.clone();
    if scale == 1.0 {
        return Ok(keys);
    }
    let full = serde_json::to_value(run)?;
    let count = |value: &serde_json::Value| value.as_u64().filter(|count| *count > 0);
    let multiply =
        |count: u64, least: u64| Value::Integer(((count as f64 * scale).round() as u64).max(least) as i64);
    let shards = count(&full["shards"]).unwrap_or(1);
    for key in SCALED {
        if let Some(value) = count(&full[key]) {
            let least = if key.ends_with("mixes") { shards } else { 1 };
            keys.insert(key.into(), multiply(value, least));
        }
    }
    if let Some(warmup) = count(&full["optimizer"]["warmup_steps"]) {
        let optimizer = keys.entry("optimizer").or_insert(Value::Table(Table::new()));
        if let Value::Table(optimizer) = optimizer {
            if optimizer.is_empty() {
                // A run without [optimizer] has defaults of its own, which an incomplete table would replace.
                *optimizer = Table::try_from(&full["optimizer"])?;
            }
            optimizer.insert("warmup_steps".into(), multiply(warmup, 1));
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "[bundle]\nversion = \"1.2.3\"\n[[encoder]]\nname = \"a\"\nsteps = 1000\n\
        [encoder.optimizer]\nwarmup_steps = 30\n[[encoder]]\nname = \"b\"\nstart_from = \"a\"\n\
        [decoder]\nsteps = 10\n[advisor]\n";

    #[test]
    fn the_shipped_plan_can_be_used() {
        let plan = Plan::from_toml(include_str!("../../../../assets/weights/plan.toml")).unwrap();
        assert_eq!(plan.encoders.len(), 1);
    }

    #[test]
    fn a_plan_keeps_the_order_of_its_stages_and_refuses_what_does_not_fit() {
        let plan = Plan::from_toml(PLAN).unwrap();
        assert_eq!((plan.version.as_str(), plan.encoders.len()), ("1.2.3", 2));
        assert_eq!(plan.encoders[1].start_from.as_deref(), Some("a"));
        assert!(!plan.encoders[1].run.contains_key("start_from"));
        for (from, to, words) in [
            ("start_from = \"a\"", "start_from = \"c\"", "starts from 'c', which is not a stage before it"),
            ("name = \"b\"", "name = \"a\"", "two encoder stages have the name 'a'"),
            ("name = \"b\"", "name = \"b/c\"", "'b/c'"),
            ("name = \"b\"", "", "a stage needs a name"),
            ("version = \"1.2.3\"", "", "version"),
            ("steps = 1000", "stebs = 1000", "stebs"),
            ("[decoder]\n", "[decoder]\nstart_from = \"x\"\n", "take start_from out"),
            ("[advisor]\n", "[advisor.simulation]\nsummary = 8\n", "[advisor]: the summary has 8 values"),
            ("[advisor]\n", "", "advisor"),
        ] {
            let sentence = format!("{:#}", Plan::from_toml(&PLAN.replace(from, to)).unwrap_err());
            assert!(sentence.contains(words), "{words}: {sentence}");
        }
    }

    #[test]
    fn a_scale_multiplies_counts_and_defaults_and_leaves_at_least_one() {
        let scale = |text: &str, scale: f64| {
            let run = AdvisorRun::from_toml(text).unwrap();
            let table = scaled(&toml::from_str(text).unwrap(), &run, scale).unwrap();
            AdvisorRun::from_toml(&table.to_string()).unwrap()
        };
        let short = scale("steps = 700\nmixes = 4000\ncheckpoint_steps = 10\n", 0.01);
        assert_eq!((short.steps, short.mixes, short.checkpoint_steps), (7, 40, 1));
        assert_eq!(short.validation_mixes, 0, "0 stays 0");
        let usual = AdvisorRun::default();
        assert_eq!(short.optimizer.warmup_steps, 1);
        assert_eq!(short.optimizer.learning_rate, usual.optimizer.learning_rate);
        assert_eq!(scale("mixes = 4\n", 0.01).mixes, 2, "one per thread");
        let with_table = scale("[optimizer]\nlearning_rate = 0.1\nwarmup_steps = 300\n", 0.1);
        assert_eq!((with_table.optimizer.learning_rate, with_table.optimizer.warmup_steps), (0.1, 30));
        assert_eq!(with_table.steps, usual.steps / 10);
        assert_eq!(scale("steps = 7\n", 1.0).steps, 7);
    }
}
