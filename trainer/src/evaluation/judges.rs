//! The bound, and the same rule behind the model's own meter.

use crate::oracle::{AllowedStems, BalanceDensity, ChunkNorms, Posterior, Rule};
use crate::protocol::Protocol;
use anyhow::Result;
use mixing_buddy_core::norms::{Balance, NormsSummary, rest_levels_from_levels};
use mixing_buddy_core::stem::{PerStem, Stem};
use std::path::Path;

/// Standard deviation in dB per stem that the bound assumes between a window and the mean of its song's other windows.
///
/// Of 1.0, 1.5, 2.0 and 2.5 dB this is the one with which the rule is right most often on MUSDB18's training songs
/// (72.6, 73.7, 73.6, 73.1 %; test songs: 78.0, 78.5, 78.7, 77.7 %), so it is the best choice without
/// looking at the songs that are scored. Measured by `trainer/tests/oracle_fit.rs`.
pub const REFERENCE_BOUND_SD_DB: f64 = 1.5;

/// The norms that the bound judges by.
#[derive(Clone, Debug)]
pub enum NormsSource {
    /// The shipped summary.
    Summary(Box<NormsSummary>),
    /// The exact table of levels.
    Table {
        /// Where it was read from.
        path: String,
        /// Its training chunks.
        chunks: ChunkNorms,
    },
}

impl NormsSource {
    /// The exact table at `path`, or the shipped summary without one.
    pub fn open(path: Option<&Path>) -> Result<NormsSource> {
        Ok(match path {
            None => NormsSource::Summary(Box::new(NormsSummary::shipped().clone())),
            Some(path) => {
                NormsSource::Table { path: path.display().to_string(), chunks: ChunkNorms::load_csv(path)? }
            }
        })
    }

    /// Name in the report: "summary", or the table's path.
    pub fn name(&self) -> &str {
        match self {
            NormsSource::Summary(_) => "summary",
            NormsSource::Table { path, .. } => path,
        }
    }

    /// The summary of usual levels: the shipped one where the density comes from a table, which holds no other.
    pub(crate) fn usual(&self) -> &NormsSummary {
        match self {
            NormsSource::Summary(summary) => summary,
            NormsSource::Table { .. } => NormsSummary::shipped(),
        }
    }

    /// The density of balances through a meter with an error of `extra_sd_db` per stem.
    pub fn density(&self, extra_sd_db: Balance) -> BalanceDensity {
        match self {
            NormsSource::Summary(summary) => BalanceDensity::of_norms(summary, extra_sd_db),
            NormsSource::Table { chunks, .. } => chunks.density(extra_sd_db),
        }
    }
}

/// The oracle's rule for one protocol, through a meter of a given error.
pub(crate) struct RuleJudge {
    norms: Option<Rule>,
    reference_sd_db: Balance,
}

impl RuleJudge {
    /// For levels with an error of `meter_sd_db` per target: zero for the bound.
    pub fn new(protocol: Protocol, norms: &NormsSource, meter_sd_db: Balance) -> RuleJudge {
        RuleJudge {
            norms: (protocol != Protocol::Reference).then(|| Rule::new(norms.density(meter_sd_db))),
            reference_sd_db: meter_sd_db.map(|sd| sd.hypot(REFERENCE_BOUND_SD_DB)),
        }
    }

    /// Evaluates a mix of these levels, once for all questions about it.
    pub fn judge(&self, levels_db: &PerStem<f64>, reference_db: Option<Balance>) -> RuleHypotheses {
        let hypotheses = match (&self.norms, reference_db) {
            (_, Some(reference)) => Some(
                Rule::new(BalanceDensity::reference(reference, self.reference_sd_db)).hypotheses(levels_db),
            ),
            (Some(rule), None) => Some(rule.hypotheses(levels_db)),
            (None, None) => None,
        };
        RuleHypotheses(hypotheses)
    }

    /// As [`RuleJudge::judge`], with a meter's levels of a mix and of its reference, stem against rest in dB.
    pub fn judge_meter(
        &self,
        metered_db: &PerStem<f64>,
        reference_db: Option<&PerStem<f64>>,
    ) -> RuleHypotheses {
        // The rule needs the reference as its own arithmetic gives it from levels: the meter's may be inconsistent.
        let reference = reference_db.map(|levels| rest_levels_from_levels(&levels_of_meter(levels)));
        self.judge(&levels_of_meter(metered_db), reference)
    }
}

/// A rule's evaluation of one mix.
pub(crate) struct RuleHypotheses(Option<crate::oracle::Hypotheses>);

impl RuleHypotheses {
    /// The posterior where `anchor` is named as right.
    pub fn posterior(&self, anchor: Option<Stem>) -> Option<Posterior> {
        self.0.as_ref().map(|hypotheses| hypotheses.posterior(AllowedStems::without(anchor)))
    }
}

/// Relative levels in dB of four stems whose levels against the rest a meter gives, consistent or not.
fn levels_of_meter(rest_levels_db: &PerStem<f64>) -> PerStem<f64> {
    rest_levels_db.map(|level| -10.0 * (1.0 + 10_f64.powf(-level.clamp(-120.0, 120.0) / 10.0)).log10())
}

/// Mean of balances; none without any.
pub(crate) fn mean_balance(balances_db: &[PerStem<f64>]) -> Option<PerStem<f64>> {
    let count = balances_db.len() as f64;
    let mean = |stem| balances_db.iter().map(|balance| balance[stem]).sum::<f64>() / count;
    (count > 0.0).then(|| PerStem::from_fn(mean))
}
