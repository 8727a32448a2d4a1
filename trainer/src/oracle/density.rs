//! How usual a balance is: a density over stem-minus-rest levels, prepared for many evaluations.

use mixing_buddy_core::Stem;
use mixing_buddy_core::norms::matrix::{self, Matrix};
use mixing_buddy_core::norms::{Balance, NormsSummary};
use std::f64::consts::{LN_2, LOG2_E, TAU};

/// Extra standard deviation that removes a level from the judgement, for a stem that is absent or not measured: far
/// beyond any level.
pub const UNKNOWN_SD_DB: f64 = 1000.0;

/// Smallest density that is distinguished from zero, so that its logarithm stays finite.
const SMALLEST_DENSITY: f64 = 1e-300;

/// A density over the stem-minus-rest levels (dB) of vocals, drums and bass.
///
/// Made by [`BalanceDensity::of_norms`], [`ChunkNorms::density`](super::ChunkNorms::density) or
/// [`BalanceDensity::reference`]. Each of them takes the meter's error into account once.
#[derive(Clone, Debug)]
pub enum BalanceDensity {
    /// The norms of the shipped summary: a mixture of full-covariance Gaussians.
    Mixture(PreparedMixture),
    /// The norms of the exact table: a weighted Gaussian kernel on each chunk.
    Chunks(PreparedKernels),
    /// A reference balance and how well it is known.
    Reference {
        /// Stem-minus-rest level of the reference in dB.
        mean_db: Balance,
        /// Standard deviation around it in dB: of the reference itself, of the window in its song, of the meter.
        sd_db: Balance,
    },
}

impl BalanceDensity {
    /// The density of the norms, with their kernel and a meter's error of `extra_sd_db` per stem added.
    pub fn of_norms(norms: &NormsSummary, extra_sd_db: Balance) -> BalanceDensity {
        let kernel = norms.kernel_bandwidth_db * norms.kernel_bandwidth_db;
        let prepared = PreparedMixture::new(norms.components.iter().map(|component| {
            let covariance =
                matrix::add_diagonal(&component.covariance_db2, extra_sd_db.map(|sd| kernel + sd * sd));
            (component.weight, component.mean_db, covariance)
        }));
        // Covariances are checked on reading, and a sum with a non-negative diagonal stays positive definite.
        BalanceDensity::Mixture(prepared.expect("a positive definite covariance"))
    }

    /// The balance of a reference, known to `sd_db` (all errors in one).
    pub fn reference(mean_db: Balance, sd_db: Balance) -> BalanceDensity {
        BalanceDensity::Reference { mean_db, sd_db }
    }

    /// Logarithm of the density at one balance.
    pub fn log_density(&self, balance_db: Balance) -> f64 {
        let mut result = [0.0];
        self.log_densities(&[balance_db], &mut result);
        result[0]
    }

    /// Logarithm of the density at each of `balances_db`, into `results` of the same length.
    ///
    /// # Panics
    /// When the two slices differ in length.
    pub fn log_densities(&self, balances_db: &[Balance], results: &mut [f64]) {
        assert_eq!(balances_db.len(), results.len(), "one result per balance");
        match self {
            BalanceDensity::Mixture(mixture) => mixture.log_densities(balances_db, results),
            BalanceDensity::Chunks(kernels) => kernels.log_densities(balances_db, results),
            BalanceDensity::Reference { mean_db, sd_db } => {
                let scale: f64 = sd_db.iter().map(|sd| sd.ln() + 0.5 * TAU.ln()).sum();
                for (balance, result) in balances_db.iter().zip(results) {
                    let distance: f64 =
                        (0..Stem::TARGET_COUNT).map(|c| ((balance[c] - mean_db[c]) / sd_db[c]).powi(2)).sum();
                    *result = -0.5 * distance - scale;
                }
            }
        }
    }
}

/// A mixture of Gaussians with its whitening matrices and normalising constants precomputed.
#[derive(Clone, Debug)]
pub struct PreparedMixture {
    components: Vec<PreparedComponent>,
}

#[derive(Clone, Debug)]
struct PreparedComponent {
    mean_db: Balance,
    /// Inverse of the covariance's Cholesky factor: the squared length of `whitening · (x - mean)` is Mahalanobis'.
    whitening: Matrix,
    /// Logarithm of weight and normalising constant.
    log_scale: f64,
}

impl PreparedMixture {
    /// From weight, mean and covariance of each component; none where a covariance is not positive definite.
    pub fn new(components: impl IntoIterator<Item = (f64, Balance, Matrix)>) -> Option<PreparedMixture> {
        let components = components
            .into_iter()
            .map(|(weight, mean_db, covariance)| {
                let lower = matrix::cholesky(&covariance)?;
                let log_root_determinant: f64 = (0..Stem::TARGET_COUNT).map(|c| lower[c][c].ln()).sum();
                Some(PreparedComponent {
                    mean_db,
                    whitening: matrix::invert_lower(&lower),
                    log_scale: weight.ln()
                        - log_root_determinant
                        - 0.5 * Stem::TARGET_COUNT as f64 * TAU.ln(),
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Some(PreparedMixture { components })
    }

    fn log_densities(&self, balances_db: &[Balance], results: &mut [f64]) {
        results.fill(0.0);
        for component in &self.components {
            let mean = &component.mean_db;
            let whitening = &component.whitening;
            for (balance, result) in balances_db.iter().zip(results.iter_mut()) {
                let offset: Balance = std::array::from_fn(|c| balance[c] - mean[c]);
                // The whitening is a lower triangle.
                let whitened: Balance =
                    std::array::from_fn(|row| (0..=row).map(|c| whitening[row][c] * offset[c]).sum());
                *result += fast_exp(component.log_scale - 0.5 * squared_length(whitened));
            }
        }
        into_logarithms(results);
    }
}

/// Gaussian kernels of one diagonal covariance, one on each chunk.
#[derive(Clone, Debug)]
pub struct PreparedKernels {
    /// Chunk balances divided by the kernel's standard deviation.
    scaled: Vec<Balance>,
    /// Logarithm of each chunk's weight and of the normalising constant.
    log_scales: Vec<f64>,
    /// What a balance is divided by, as reciprocals.
    inverse_sd: Balance,
}

impl PreparedKernels {
    /// From the chunks' balances, their weights (summing to 1) and the kernel's standard deviation in dB.
    pub fn new(balances_db: &[Balance], weights: &[f64], sd_db: Balance) -> PreparedKernels {
        let inverse_sd = sd_db.map(|sd| 1.0 / sd);
        let constant: f64 = sd_db.iter().map(|sd| sd.ln() + 0.5 * TAU.ln()).sum();
        PreparedKernels {
            scaled: balances_db
                .iter()
                .map(|balance| std::array::from_fn(|c| balance[c] * inverse_sd[c]))
                .collect(),
            log_scales: weights.iter().map(|weight| weight.ln() - constant).collect(),
            inverse_sd,
        }
    }

    fn log_densities(&self, balances_db: &[Balance], results: &mut [f64]) {
        results.fill(0.0);
        let points: Vec<Balance> = balances_db
            .iter()
            .map(|balance| std::array::from_fn(|c| balance[c] * self.inverse_sd[c]))
            .collect();
        for (kernel, log_scale) in self.scaled.iter().zip(&self.log_scales) {
            for (point, result) in points.iter().zip(results.iter_mut()) {
                let offset: Balance = std::array::from_fn(|c| point[c] - kernel[c]);
                *result += fast_exp(log_scale - 0.5 * squared_length(offset));
            }
        }
        into_logarithms(results);
    }
}

fn squared_length(vector: Balance) -> f64 {
    vector.iter().map(|x| x * x).sum()
}

fn into_logarithms(densities: &mut [f64]) {
    for density in densities {
        *density = (*density + SMALLEST_DENSITY).ln();
    }
}

/// e^x for x up to about 700 within 1e-12 relative, written so that the compiler can vectorise it.
#[inline(always)]
fn fast_exp(x: f64) -> f64 {
    /// 1.5 · 2^52: adding it rounds to an integer, which then sits in the low bits.
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    /// 1/10!, 1/9!, … 1/0!: the series of the exponential function, the highest power first.
    const FACTORS: [f64; 11] = [
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
        1.0,
        1.0,
    ];
    let x = if x < -708.0 { -708.0 } else { x };
    let shifted = x * LOG2_E + ROUNDER;
    let remainder = x - (shifted - ROUNDER) * LN_2;
    let polynomial = FACTORS.iter().fold(0.0, |sum, factor| sum * remainder + factor);
    let power_of_two = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023_u64 << 52));
    polynomial * power_of_two
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_exp_agrees_with_the_standard_one() {
        let mut x = -700.0;
        while x < 20.0 {
            let exact = f64::exp(x);
            assert!((fast_exp(x) - exact).abs() <= 2e-12 * exact, "at {x}");
            x += 0.137;
        }
        assert!(fast_exp(-1e9) < 1e-300);
    }

    #[test]
    fn one_gaussian_is_the_same_as_mixture_kernel_and_reference() {
        let sd = [2.0, 3.0, 1.5];
        let mean = [-3.0, -5.0, -6.0];
        let covariance =
            matrix::add_diagonal(&[[0.0; Stem::TARGET_COUNT]; Stem::TARGET_COUNT], sd.map(|sd| sd * sd));
        let mixture =
            BalanceDensity::Mixture(PreparedMixture::new([(1.0, mean, covariance)]).expect("definite"));
        let kernel = BalanceDensity::Chunks(PreparedKernels::new(&[mean], &[1.0], sd));
        let reference = BalanceDensity::reference(mean, sd);
        for point in [[0.0, 0.0, 0.0], [-4.0, -8.0, -3.0], [-20.0, 5.0, -9.0]] {
            let expected = reference.log_density(point);
            assert!((mixture.log_density(point) - expected).abs() < 1e-8);
            assert!((kernel.log_density(point) - expected).abs() < 1e-8);
        }
    }
}
