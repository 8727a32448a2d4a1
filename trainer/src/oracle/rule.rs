//! The oracle's rule: which stem is off, given the exact levels of all stems and how usual balances are.
//!
//! For every target and every gain that it may have been given, the rule undoes the gain and asks the density how usual
//! the balance then is. With exact levels and the norms of released songs, its score is the bound, `joint_bound`.

use super::density::BalanceDensity;
use crate::protocol::Category;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::{FLOOR_DB, decibels_to_power, power_to_decibels};
use mixing_buddy_core::{BestAnswer, Direction, GainStep, PerDirection, PerStem, PerTarget, Stem, Verdict};

/// Number of sizes that are tried in each direction.
const STEPS: usize = GainStep::COUNT;
/// Number of errors that are tried: each target in each direction and size.
const ERRORS: usize = Stem::TARGET_COUNT * Direction::COUNT * STEPS;

/// Prior of a step: uniform in each category's range, the ends weighing half (trapezoidal rule).
fn step_prior(step: GainStep) -> f64 {
    let part = |first: GainStep, last: GainStep| {
        let ends = if step == first || step == last { 0.5 } else { 1.0 };
        let steps = (last.index() - first.index()) as f64;
        if (first..=last).contains(&step) { ends * Category::PRIOR / steps } else { 0.0 }
    };
    part(GainStep::FIRST, GainStep::VERY) + part(GainStep::VERY, GainStep::LAST)
}

/// The targets that an answer may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedStems(PerTarget<bool>);

impl AllowedStems {
    /// All targets: no anchor is named.
    pub const ALL: AllowedStems = AllowedStems(PerTarget::all(true));

    /// All but the anchor, which the question says is right.
    pub fn without(anchor: Option<Stem>) -> AllowedStems {
        AllowedStems(PerTarget::from_fn(|target| anchor != Some(target)))
    }

    /// Only the stem that was asked for.
    pub fn only(stem: Stem) -> AllowedStems {
        AllowedStems(PerTarget::from_fn(|target| target == stem))
    }

    /// Those of these that are also present in the mix.
    pub fn and_present(self, present: &PerStem<bool>) -> AllowedStems {
        AllowedStems(PerTarget::from_fn(|target| self.0[target] && present[target]))
    }

    /// Whether an answer may name this stem.
    pub fn contains(self, stem: Stem) -> bool {
        self.0.get(stem).copied().unwrap_or(false)
    }

    /// Whether no stem may be named.
    pub fn is_empty(self) -> bool {
        !self.0.values().contains(&true)
    }
}

/// A density, ready to judge mixes.
#[derive(Clone, Debug)]
pub struct Rule {
    density: BalanceDensity,
    log_priors: [f64; STEPS],
}

impl Rule {
    /// A rule that judges by `density`.
    pub fn new(density: BalanceDensity) -> Rule {
        let mut log_priors = [0.0; STEPS];
        for step in GainStep::all() {
            log_priors[step.index()] = step_prior(step).ln();
        }
        Rule { density, log_priors }
    }

    /// The density that this rule judges by.
    pub fn density(&self) -> &BalanceDensity {
        &self.density
    }

    /// Weighs every target and gain for a mix of these relative stem levels in dB.
    ///
    /// The result does not depend on the anchor, so one call serves every question about the same mix.
    pub fn hypotheses(&self, levels_db: &PerStem<f64>) -> Hypotheses {
        let loudest = levels_db.to_array().into_iter().fold(f64::NEG_INFINITY, f64::max);
        let powers = levels_db.map(|level| {
            let relative = if loudest.is_finite() { level - loudest } else { 0.0 };
            decibels_to_power(relative.max(FLOOR_DB))
        });
        let mut balances = [[0.0; Stem::TARGET_COUNT]; ERRORS + 1];
        let mut next = 0;
        for target in Stem::TARGETS {
            for direction in Direction::ALL {
                for step in GainStep::all() {
                    let gain_db = f64::from(direction.sign() * step.size_db());
                    let mut corrected = powers;
                    corrected[target] *= decibels_to_power(-gain_db);
                    balances[next] = balance_of_powers(&corrected);
                    next += 1;
                }
            }
        }
        balances[ERRORS] = balance_of_powers(&powers);
        let mut log_densities = [0.0; ERRORS + 1];
        self.density.log_densities(&balances, &mut log_densities);
        let none = log_densities[ERRORS] + Category::PRIOR.ln();
        let mut cells = log_densities.chunks_exact(STEPS);
        let errors = PerTarget::from_fn(|_| {
            PerDirection::from_fn(|_| {
                let densities = cells.next().unwrap_or(&[]);
                let mut weighed = self.log_priors;
                weighed.iter_mut().zip(densities).for_each(|(prior, density)| *prior += density);
                weighed
            })
        });
        Hypotheses { none, errors }
    }

    /// The posterior over what may be wrong with a mix of these relative stem levels in dB.
    pub fn posterior(&self, levels_db: &PerStem<f64>, allowed: AllowedStems) -> Posterior {
        self.hypotheses(levels_db).posterior(allowed)
    }
}

fn balance_of_powers(powers: &PerStem<f64>) -> Balance {
    Stem::TARGETS.map(|target| {
        let rest: f64 = powers.iter().filter(|(stem, _)| *stem != target).map(|(_, power)| power).sum();
        power_to_decibels(powers[target] / rest)
    })
}

/// Logarithm of prior times likelihood of each thing that may be wrong with one mix.
#[derive(Clone, Debug)]
pub struct Hypotheses {
    none: f64,
    /// By target, direction and size.
    errors: PerTarget<PerDirection<[f64; STEPS]>>,
}

impl Hypotheses {
    /// Restricts to the stems that may be named, and normalises.
    ///
    /// The published protocol draws a target first, so "nothing is wrong" counts once per stem that may be named.
    pub fn posterior(&self, allowed: AllowedStems) -> Posterior {
        let stems = || Stem::TARGETS.into_iter().filter(|stem| allowed.0[*stem]);
        let highest = stems()
            .flat_map(|stem| self.errors[stem].values().iter().flatten())
            .fold(self.none, |highest, value| highest.max(*value));
        let mut posterior = Posterior { none: 1.0, cells: PerTarget::default() };
        let count = stems().count();
        if count == 0 {
            return posterior;
        }
        posterior.none = count as f64 * (self.none - highest).exp();
        let mut total = posterior.none;
        for stem in stems() {
            for direction in Direction::ALL {
                for (cell, error) in
                    posterior.cells[stem][direction].iter_mut().zip(&self.errors[stem][direction])
                {
                    *cell = (error - highest).exp();
                    total += *cell;
                }
            }
        }
        posterior.none /= total;
        posterior.each_error(|cell| *cell /= total);
        posterior
    }
}

/// How probable each thing is that may be wrong with a mix.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// Probability that nothing is wrong.
    pub none: f64,
    /// Probability by target, direction and size.
    pub cells: PerTarget<PerDirection<[f64; GainStep::COUNT]>>,
}

impl Posterior {
    fn each_error(&mut self, change: impl FnMut(&mut f64)) {
        let directions = self.cells.values_mut().iter_mut().flat_map(PerDirection::values_mut);
        directions.flatten().for_each(change);
    }

    /// Probability that this stem is off in this direction; zero for `Other`.
    pub fn of_error(&self, stem: Stem, direction: Direction) -> f64 {
        self.steps(stem, direction).iter().sum()
    }

    /// The same evidence under another prior of "nothing is wrong" than the protocol's ([`Category::PRIOR`]).
    pub fn with_balanced_prior(mut self, prior: f64) -> Self {
        let factor = prior / Category::PRIOR;
        let rest = (1.0 - prior) / (1.0 - Category::PRIOR);
        let total = self.none * factor + (1.0 - self.none) * rest;
        if total > 0.0 {
            self.none *= factor / total;
            self.each_error(|p| *p *= rest / total);
        }
        self
    }

    /// Probability of a category, whichever stem it is; 6 dB belongs to the very ones.
    pub fn of_category(&self, category: Category) -> f64 {
        let Some(direction) = category.direction() else { return self.none };
        Stem::TARGETS
            .into_iter()
            .map(|stem| {
                let (small, large) = self.steps(stem, direction).split_at(GainStep::VERY.index());
                if category.is_very() { large.iter().sum::<f64>() } else { small.iter().sum() }
            })
            .sum()
    }

    /// Mean and standard deviation of the gain in dB that corrects the mix, given that this stem is off in this
    /// direction.
    pub fn correction_db(&self, stem: Stem, direction: Direction) -> (f64, f64) {
        let steps = self.steps(stem, direction);
        let total: f64 = steps.iter().sum();
        if total <= 0.0 {
            return (f64::from(-direction.sign() * GainStep::MIN_DB), 0.0);
        }
        let moment = |power: i32| -> f64 {
            let sizes = GainStep::all().map(|step| f64::from(step.size_db()));
            let sum: f64 = steps.iter().zip(sizes).map(|(p, size)| p * size.powi(power)).sum();
            sum / total
        };
        let mean = moment(1);
        (-f64::from(direction.sign()) * mean, (moment(2) - mean * mean).max(0.0).sqrt())
    }

    /// The largest of "nothing" and each stem in each direction.
    pub fn answer(&self) -> RuleAnswer {
        let mut answer = RuleAnswer { error: None, probability: self.none, gain_db: 0.0, gain_db_sd: 0.0 };
        for stem in Stem::TARGETS {
            for direction in Direction::ALL {
                let probability = self.of_error(stem, direction);
                if probability > answer.probability {
                    let (gain_db, gain_db_sd) = self.correction_db(stem, direction);
                    answer = RuleAnswer { error: Some((stem, direction)), probability, gain_db, gain_db_sd };
                }
            }
        }
        answer
    }

    fn steps(&self, stem: Stem, direction: Direction) -> &[f64] {
        self.cells.get(stem).map_or(&[], |directions| &directions[direction])
    }
}

/// The rule's answer: what is wrong with a mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleAnswer {
    /// Stem and direction, none where nothing is wrong.
    pub error: Option<(Stem, Direction)>,
    /// Probability of the answer, by the rule.
    pub probability: f64,
    /// The gain in dB that corrects the mix; 0 where nothing is wrong.
    pub gain_db: f64,
    /// Standard deviation of `gain_db`.
    pub gain_db_sd: f64,
}

impl RuleAnswer {
    /// The same as the answer that callers get.
    pub fn to_best(self) -> BestAnswer {
        match self.error {
            None => BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None },
            Some((stem, direction)) => BestAnswer {
                verdict: Verdict::of_error(direction, self.gain_db as f32),
                stem: Some(stem),
                gain_db: Some(self.gain_db as f32),
            },
        }
    }
}
