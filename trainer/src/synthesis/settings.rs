//! How often each kind of sample is drawn, as in a TOML file.

use crate::collections::ChunkEntry;
use crate::protocol::{ACTIVE_SHARE, Category, MIXTURE_GATE_DBFS, STEM_GATE_DBFS};
use anyhow::{Context, Result, ensure};
use mixing_buddy_core::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Fewest stems that play in a chunk: a stem alone has no balance.
const FEWEST_STEMS: usize = 2;
/// Largest size of a gain in the settings, in dB. Chosen, not tuned: far beyond any mistake in a mix.
const LARGEST_GAIN_DB: f64 = 60.0;

/// Settings of the pipeline; the defaults are the published ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynthesisSettings {
    /// Which chunks are used.
    pub gate: GateSettings,
    /// How often each category is drawn, and its gains.
    pub categories: Categories,
    /// How often each kind of instruction is drawn.
    pub prompts: PromptShares,
}

/// Which chunks are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateSettings {
    /// The sum of the stems must be over this RMS level.
    pub mixture_dbfs: f64,
    /// A stem plays where it is over this RMS level...
    pub stem_dbfs: f64,
    /// ...and at least this share of its 50 ms frames is active.
    pub active_share: f64,
    /// Whether all stems must play; otherwise one target and one more.
    pub all_stems: bool,
}

impl Default for GateSettings {
    fn default() -> Self {
        GateSettings {
            mixture_dbfs: MIXTURE_GATE_DBFS,
            stem_dbfs: STEM_GATE_DBFS,
            active_share: ACTIVE_SHARE,
            all_stems: true,
        }
    }
}

impl GateSettings {
    /// Which stems play in a chunk; none if the chunk is not used.
    pub fn stems_present(&self, chunk: &ChunkEntry) -> Option<PerStem<bool>> {
        let present = PerStem::from_fn(|stem| {
            let at = stem.index();
            // In single precision, as the chunk's shares are: 0.7 must reach 0.7.
            f64::from(chunk.level_dbfs[at]) > self.stem_dbfs
                && chunk.active_share[at] >= self.active_share as f32
        });
        let count = Stem::ALL.into_iter().filter(|stem| present[*stem]).count();
        let is_enough = if self.all_stems {
            count == Stem::ALL.len()
        } else {
            count >= FEWEST_STEMS && Stem::TARGETS.into_iter().any(|stem| present[stem])
        };
        (f64::from(chunk.mix_dbfs) > self.mixture_dbfs && is_enough).then_some(present)
    }
}

/// How often a category is drawn, and its gains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryRange {
    /// Its share, 0 to 1.
    pub prior: f64,
    /// Lowest and highest gain in dB.
    pub range_db: [f64; 2],
}

/// How often nothing is changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unchanged {
    /// Its share, 0 to 1.
    pub prior: f64,
}

/// The five categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Categories {
    /// A stem far too quiet.
    pub very_quiet: CategoryRange,
    /// A stem too quiet.
    pub quiet: CategoryRange,
    /// Nothing changed.
    pub no_error: Unchanged,
    /// A stem too loud.
    pub loud: CategoryRange,
    /// A stem far too loud.
    pub very_loud: CategoryRange,
}

impl Default for Categories {
    fn default() -> Self {
        let of = |category: Category| {
            let (low, high) = category.gain_range_db().unwrap_or_default();
            CategoryRange { prior: Category::PRIOR, range_db: [low, high] }
        };
        Categories {
            very_quiet: of(Category::VeryQuiet),
            quiet: of(Category::Quiet),
            no_error: Unchanged { prior: Category::PRIOR },
            loud: of(Category::Loud),
            very_loud: of(Category::VeryLoud),
        }
    }
}

impl Categories {
    /// Share and gains of a category.
    pub fn get(&self, category: Category) -> CategoryRange {
        match category {
            Category::VeryQuiet => self.very_quiet,
            Category::Quiet => self.quiet,
            Category::NoError => CategoryRange { prior: self.no_error.prior, range_db: [0.0, 0.0] },
            Category::Loud => self.loud,
            Category::VeryLoud => self.very_loud,
        }
    }
}

/// How often each kind of instruction is drawn, as shares of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptShares {
    /// A general instruction.
    pub generic: f64,
    /// One that names an anchor.
    pub anchor: f64,
    /// One with another chunk of the song, unflawed, as reference.
    pub reference: f64,
    /// A free question about one stem.
    pub question: f64,
    /// Share of the free questions that are about the stem that was changed.
    pub about_target: f64,
}

impl Default for PromptShares {
    fn default() -> Self {
        PromptShares { generic: 0.2, anchor: 0.4, reference: 0.2, question: 0.2, about_target: 0.6 }
    }
}

fn check_shares(name: &str, shares: &[(&str, f64)]) -> Result<()> {
    for (key, share) in shares {
        ensure!((0.0..=1.0).contains(share), "[{name}] {key} is {share}; a share is between 0 and 1");
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    ensure!((sum - 1.0).abs() < 1e-6, "[{name}] the shares add up to {sum}, not to 1");
    Ok(())
}

impl SynthesisSettings {
    /// Reads settings; what the file leaves out has the published value.
    ///
    /// # Errors
    /// When the file is missing, has an unknown key, or a value that makes no sense; the error names it.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let settings: Self =
            toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))?;
        settings.check().with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(settings)
    }

    /// Whether the values make sense.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<()> {
        for category in Category::ALL {
            let Some(direction) = category.direction() else { continue };
            let [low, high] = self.categories.get(category).range_db;
            let sign = f64::from(direction.sign());
            let name = category.name();
            ensure!(
                low < high,
                "[categories.{name}] range_db goes from {low} to {high}; the lower one is first"
            );
            ensure!(
                low * sign >= 0.0 && high * sign >= 0.0 && low.abs().max(high.abs()) <= LARGEST_GAIN_DB,
                "[categories.{name}] range_db is {low} to {high}; {name} is {} dB, at most {LARGEST_GAIN_DB} in size",
                if sign > 0.0 { "above 0" } else { "below 0" }
            );
        }
        let priors = Category::ALL.map(|category| (category.name(), self.categories.get(category).prior));
        check_shares("categories", &priors)?;
        let p = &self.prompts;
        let kinds = [
            ("generic", p.generic),
            ("anchor", p.anchor),
            ("reference", p.reference),
            ("question", p.question),
        ];
        check_shares("prompts", &kinds)?;
        ensure!(
            (0.0..=1.0).contains(&p.about_target),
            "[prompts] about_target is not a share between 0 and 1"
        );
        ensure!(
            (0.0..=1.0).contains(&self.gate.active_share),
            "[gate] active_share is not a share between 0 and 1"
        );
        Ok(())
    }
}
