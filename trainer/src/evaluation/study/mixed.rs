//! A linear mixed model with two crossed random effects, fitted by REML: `rating = system + rater + item + error`.
//!
//! The effects come from Henderson's mixed model equations. The ratios of the variances to the error's are those that
//! minimize the profiled REML criterion (Bates et al., "Fitting Linear Mixed-Effects Models Using lme4", 2015).

use anyhow::{Context, Result, ensure};
use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

/// One rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Number of the system.
    pub system: usize,
    /// Number of the rater.
    pub rater: usize,
    /// Number of the item.
    pub item: usize,
    /// The rating.
    pub value: f64,
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq)]
pub struct MixedModel {
    /// Mean of each system, as it would be over all raters and items.
    pub means: Vec<f64>,
    /// Covariance of the means.
    pub covariance: DMatrix<f64>,
    /// Variance between raters.
    pub rater_variance: f64,
    /// Variance between items.
    pub item_variance: f64,
    /// Variance that neither explains.
    pub error_variance: f64,
}

impl MixedModel {
    /// Difference between two systems, and its standard error.
    pub fn difference(&self, a: usize, b: usize) -> (f64, f64) {
        let cov = &self.covariance;
        let variance = cov[(a, a)] + cov[(b, b)] - 2.0 * cov[(a, b)];
        (self.means[a] - self.means[b], variance.max(0.0).sqrt())
    }
}

/// Smallest and largest ratio of a random effect's variance to the error's, as logarithms: practically none, practically
/// all.
const LOG_RATIOS: (f64, f64) = (-14.0, 9.0);
/// Rounds of the search over both ratios in turn.
const ROUNDS: usize = 30;
/// Steps of a golden-section search.
const STEPS: usize = 40;

struct Equations {
    observations: usize,
    systems: usize,
    raters: usize,
    items: usize,
    /// `[X Z]'[X Z]`, without the random effects' prior.
    normal: DMatrix<f64>,
    /// `[X Z]'y`.
    right: DVector<f64>,
    /// `y'y`.
    squares: f64,
}

struct Solution {
    criterion: f64,
    effects: DVector<f64>,
    factor: Cholesky<f64, Dyn>,
    residual: f64,
}

impl Equations {
    fn new(observations: &[Observation]) -> Result<Equations> {
        let count = |number: &dyn Fn(&Observation) -> usize| {
            observations.iter().map(number).max().map_or(0, |n| n + 1)
        };
        let (systems, raters, items) = (count(&|o| o.system), count(&|o| o.rater), count(&|o| o.item));
        ensure!(observations.len() > systems + 1, "too few ratings for {systems} systems");
        let size = systems + raters + items;
        let mut normal = DMatrix::zeros(size, size);
        let mut right = DVector::zeros(size);
        let mut squares = 0.0;
        for o in observations {
            let columns = [o.system, systems + o.rater, systems + raters + o.item];
            for a in columns {
                right[a] += o.value;
                columns.iter().for_each(|b| normal[(a, *b)] += 1.0);
            }
            squares += o.value * o.value;
        }
        for system in 0..systems {
            ensure!(normal[(system, system)] > 0.0, "a system has no rating");
        }
        Ok(Equations { observations: observations.len(), systems, raters, items, normal, right, squares })
    }

    /// Effects and REML criterion for given logarithms of the variance ratios.
    fn solve(&self, log_ratios: [f64; 2]) -> Option<Solution> {
        let mut matrix = self.normal.clone();
        for column in self.systems..matrix.nrows() {
            let effect = usize::from(column >= self.systems + self.raters);
            matrix[(column, column)] += (-log_ratios[effect]).exp();
        }
        let factor = Cholesky::new(matrix)?;
        let effects = factor.solve(&self.right);
        let residual = (self.squares - effects.dot(&self.right)).max(1e-12);
        let log_determinant = 2.0 * factor.l_dirty().diagonal().iter().map(|entry| entry.ln()).sum::<f64>();
        let freedom = (self.observations - self.systems) as f64;
        let priors = self.raters as f64 * log_ratios[0] + self.items as f64 * log_ratios[1];
        let criterion = freedom * residual.ln() + log_determinant + priors;
        Some(Solution { criterion, effects, factor, residual })
    }
}

/// Fits the model.
///
/// # Errors
/// When there are too few ratings, or the equations have no solution.
pub fn fit(observations: &[Observation]) -> Result<MixedModel> {
    let equations = Equations::new(observations)?;
    let criterion =
        |log_ratios| equations.solve(log_ratios).map_or(f64::INFINITY, |solution| solution.criterion);
    let mut best = [0.0, 0.0];
    for _ in 0..ROUNDS {
        let before = best;
        for effect in 0..best.len() {
            best[effect] = minimum(LOG_RATIOS, |ratio| {
                let mut at = best;
                at[effect] = ratio;
                criterion(at)
            });
        }
        if best.iter().zip(before).all(|(a, b)| (a - b).abs() < 1e-7) {
            break;
        }
    }
    let solution = equations.solve(best).context("the ratings do not determine the model")?;
    let error_variance = solution.residual / (equations.observations - equations.systems) as f64;
    let inverse = solution.factor.inverse();
    Ok(MixedModel {
        means: solution.effects.iter().take(equations.systems).copied().collect(),
        covariance: inverse.view((0, 0), (equations.systems, equations.systems)) * error_variance,
        rater_variance: best[0].exp() * error_variance,
        item_variance: best[1].exp() * error_variance,
        error_variance,
    })
}

/// Golden-section search.
fn minimum((mut low, mut high): (f64, f64), value: impl Fn(f64) -> f64) -> f64 {
    let part = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - part * (high - low), low + part * (high - low));
    let (mut at_left, mut at_right) = (value(left), value(right));
    for _ in 0..STEPS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - part * (high - low);
            at_left = value(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + part * (high - low);
            at_right = value(right);
        }
    }
    0.5 * (low + high)
}
