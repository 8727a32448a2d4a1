//! The rule of perfect ears: which stem is off, given the levels of all four and how usual balances are.
//!
//! For every stem that may be blamed and every gain it may have been given, the rule undoes the gain and asks the
//! density how usual the balance then is. With exact levels and the norms of released songs this is `joint_bound`.

use super::density::BalanceDensity;
use crate::protocol::Category;
use mixing_buddy_core::norms::Balance;
use mixing_buddy_core::norms::levels::{FLOOR_DB, decibels_to_power, power_to_decibels};
use mixing_buddy_core::{BestAnswer, Direction, PerStem, Stem, Verdict};

/// Gains of one direction that are tried: 3 to 12 dB in steps of half a dB.
pub const STEPS: usize = 19;
/// Size of the smallest error.
const SMALLEST_DB: f64 = 3.0;
/// Distance of two gains that are tried.
const STEP_DB: f64 = 0.5;
/// Index of the step at which an error becomes a "very" one (6 dB).
const VERY_STEP: usize = 6;
/// Prior of each category.
const CATEGORY_PRIOR: f64 = 0.2;

/// Size in dB of the error at a step of the grid.
pub fn step_size_db(step: usize) -> f64 {
    SMALLEST_DB + STEP_DB * step as f64
}

/// Prior of a step: uniform in each category's range, the ends weighing half (trapezoidal rule).
fn step_prior(step: usize) -> f64 {
    let part = |first: usize, last: usize| {
        let ends = if step == first || step == last { 0.5 } else { 1.0 };
        if (first..=last).contains(&step) { ends * CATEGORY_PRIOR / (last - first) as f64 } else { 0.0 }
    };
    part(0, VERY_STEP) + part(VERY_STEP, STEPS - 1)
}

/// The stems that an answer may name, of vocals, drums and bass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedStems([bool; 3]);

impl AllowedStems {
    /// All three: no anchor is named.
    pub const ALL: AllowedStems = AllowedStems([true; 3]);

    /// All but the anchor, which the question says is right.
    pub fn without(anchor: Option<Stem>) -> AllowedStems {
        AllowedStems(std::array::from_fn(|index| anchor.is_none_or(|stem| stem.index() != index)))
    }

    /// Only the stem that was asked for.
    pub fn only(stem: Stem) -> AllowedStems {
        AllowedStems(std::array::from_fn(|index| stem.index() == index))
    }

    /// Those of these that are also present in the mix.
    pub fn and_present(self, present: &PerStem<bool>) -> AllowedStems {
        AllowedStems(std::array::from_fn(|index| self.0[index] && present[Stem::TARGETS[index]]))
    }

    /// Whether an answer may name this stem.
    pub fn contains(self, stem: Stem) -> bool {
        self.0.get(stem.index()).copied().unwrap_or(false)
    }

    /// Whether no stem may be named.
    pub fn is_empty(self) -> bool {
        !self.0.contains(&true)
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
        Rule { density, log_priors: std::array::from_fn(|step| step_prior(step).ln()) }
    }

    /// The density that this rule judges by.
    pub fn density(&self) -> &BalanceDensity {
        &self.density
    }

    /// Weighs every stem and gain for a mix of these relative stem levels in dB.
    ///
    /// It does not depend on the anchor, so one call serves every question about the same mix.
    pub fn hypotheses(&self, levels_db: &PerStem<f64>) -> Hypotheses {
        let loudest = levels_db.to_array().into_iter().fold(f64::NEG_INFINITY, f64::max);
        let powers: [f64; 4] = levels_db.to_array().map(|level| {
            let relative = if loudest.is_finite() { level - loudest } else { 0.0 };
            decibels_to_power(relative.max(FLOOR_DB))
        });
        let mut balances = [[0.0; 3]; 3 * 2 * STEPS + 1];
        let mut next = 0;
        for stem in 0..3 {
            for direction in Direction::ALL {
                for step in 0..STEPS {
                    let gain_db = f64::from(direction.sign()) * step_size_db(step);
                    let mut mended = powers;
                    mended[stem] *= decibels_to_power(-gain_db);
                    balances[next] = balance_of_powers(&mended);
                    next += 1;
                }
            }
        }
        balances[next] = balance_of_powers(&powers);
        let mut log_densities = [0.0; 3 * 2 * STEPS + 1];
        self.density.log_densities(&balances, &mut log_densities);
        let none = log_densities[next] + CATEGORY_PRIOR.ln();
        let errors = std::array::from_fn(|stem| {
            std::array::from_fn(|direction| {
                std::array::from_fn(|step| {
                    log_densities[(stem * 2 + direction) * STEPS + step] + self.log_priors[step]
                })
            })
        });
        Hypotheses { none, errors }
    }

    /// The posterior over what may be wrong with a mix of these relative stem levels in dB.
    pub fn posterior(&self, levels_db: &PerStem<f64>, allowed: AllowedStems) -> Posterior {
        self.hypotheses(levels_db).posterior(allowed)
    }
}

fn balance_of_powers(powers: &[f64; 4]) -> Balance {
    let [vocals, drums, bass, other] = *powers;
    [
        power_to_decibels(vocals / (drums + bass + other)),
        power_to_decibels(drums / (vocals + bass + other)),
        power_to_decibels(bass / (vocals + drums + other)),
    ]
}

/// Logarithm of prior times likelihood of each thing that may be wrong with one mix.
#[derive(Clone, Debug)]
pub struct Hypotheses {
    none: f64,
    /// By stem, direction and step of the grid of gains.
    errors: [[[f64; STEPS]; 2]; 3],
}

impl Hypotheses {
    /// Restricts to the stems that may be named, and normalises.
    ///
    /// The published protocol draws a target first, so "nothing is wrong" counts once a stem that may be named.
    pub fn posterior(&self, allowed: AllowedStems) -> Posterior {
        let stems = || (0..3).filter(|stem| allowed.0[*stem]);
        let highest = stems()
            .flat_map(|stem| self.errors[stem].iter().flatten())
            .fold(self.none, |highest, value| highest.max(*value));
        let mut posterior = Posterior { none: 1.0, cells: [[[0.0; STEPS]; 2]; 3] };
        let count = stems().count();
        if count == 0 {
            return posterior;
        }
        posterior.none = count as f64 * (self.none - highest).exp();
        let mut total = posterior.none;
        for stem in stems() {
            for direction in 0..2 {
                for step in 0..STEPS {
                    let weight = (self.errors[stem][direction][step] - highest).exp();
                    posterior.cells[stem][direction][step] = weight;
                    total += weight;
                }
            }
        }
        posterior.none /= total;
        posterior.cells.iter_mut().flatten().flatten().for_each(|cell| *cell /= total);
        posterior
    }
}

/// How probable each thing is that may be wrong with a mix.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// Probability that nothing is wrong.
    pub none: f64,
    /// Probability by stem (vocals, drums, bass), direction (quiet, loud) and step of the grid of gains.
    pub cells: [[[f64; STEPS]; 2]; 3],
}

impl Posterior {
    /// Probability that this stem is off in this direction; zero for `Other`.
    pub fn of_error(&self, stem: Stem, direction: Direction) -> f64 {
        self.steps(stem, direction).iter().sum()
    }

    /// The same evidence under another prior of "nothing is wrong" than the protocol's 0.2.
    pub fn with_balanced_prior(mut self, prior: f64) -> Self {
        let factor = prior / CATEGORY_PRIOR;
        let rest = (1.0 - prior) / (1.0 - CATEGORY_PRIOR);
        let total = self.none * factor + (1.0 - self.none) * rest;
        if total > 0.0 {
            self.none *= factor / total;
            self.cells.iter_mut().flatten().flatten().for_each(|p| *p *= rest / total);
        }
        self
    }

    /// Probability of each of the five categories, whichever stem it is; 6 dB belongs to the very ones.
    pub fn of_category(&self, category: Category) -> f64 {
        let Some(direction) = category.direction() else { return self.none };
        let very = matches!(category, Category::VeryQuiet | Category::VeryLoud);
        Stem::TARGETS
            .into_iter()
            .map(|stem| {
                let (small, large) = self.steps(stem, direction).split_at(VERY_STEP);
                if very { large.iter().sum::<f64>() } else { small.iter().sum() }
            })
            .sum()
    }

    /// Mean and standard deviation of the mending gain in dB, given that this stem is off in this direction.
    pub fn mending_gain_db(&self, stem: Stem, direction: Direction) -> (f64, f64) {
        let steps = self.steps(stem, direction);
        let total: f64 = steps.iter().sum();
        if total <= 0.0 {
            return (-f64::from(direction.sign()) * step_size_db(0), 0.0);
        }
        let moment = |power: i32| -> f64 {
            let sum: f64 = steps.iter().enumerate().map(|(s, p)| p * step_size_db(s).powi(power)).sum();
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
                    let (gain_db, gain_db_sd) = self.mending_gain_db(stem, direction);
                    answer = RuleAnswer { error: Some((stem, direction)), probability, gain_db, gain_db_sd };
                }
            }
        }
        answer
    }

    fn steps(&self, stem: Stem, direction: Direction) -> &[f64] {
        self.cells.get(stem.index()).map_or(&[], |directions| &directions[direction as usize])
    }
}

/// What the rule says is wrong with a mix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleAnswer {
    /// Stem and direction, none where nothing is wrong.
    pub error: Option<(Stem, Direction)>,
    /// How probable the rule holds its answer to be.
    pub probability: f64,
    /// The gain in dB that mends the mix; 0 where nothing is wrong.
    pub gain_db: f64,
    /// Standard deviation of `gain_db`.
    pub gain_db_sd: f64,
}

impl RuleAnswer {
    /// The same as the plain answer that callers get.
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
