//! The shipped summary of released songs' balances: a mixture of Gaussians, and a usual range per stem.
//!
//! The trainer fits it (its module `oracle::fit`) to levels that were published with the code of a preprint. It is a summary, not a
//! copy: a few hundred numbers for thousands, from which no song can be identified.

use super::levels::{Balance, shares_from_rest_levels};
use super::matrix::{self, Matrix};
use crate::error::{Error, Result};
use crate::stem::{PerStem, Stem};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;
use std::path::Path;
use std::sync::OnceLock;

/// Version of the JSON that this code reads and writes.
pub const NORMS_VERSION: u32 = 1;

/// Standard deviation in dB of the Gaussian kernel that smooths the norms (the benchmark's definition).
pub const KERNEL_BANDWIDTH_DB: f64 = 2.5;

/// Most attempts to draw a balance that leaves power for the stems that are no target.
const DRAWS: usize = 64;

/// Usual balances: fitted to 10 s chunks in which all stems play, with the same weight for each song.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormsSummary {
    /// [`NORMS_VERSION`] of the writer.
    pub version: u32,
    /// The songs behind the levels, and who published the levels.
    pub source: String,
    /// Credit to the authors of the data.
    pub credit: String,
    /// Number of songs behind the fit.
    pub songs: usize,
    /// Number of chunks behind the fit.
    pub chunks: usize,
    /// Standard deviation in dB of the kernel that the density adds.
    pub kernel_bandwidth_db: f64,
    /// Mixture over the stem-minus-rest levels of the targets, without the kernel.
    pub components: Vec<Component>,
    /// Mean covariance in dB² of a song's chunks around their song's mean.
    pub within_song_covariance_db2: Matrix,
    /// Usual stem-minus-rest level of each stem.
    #[serde(rename = "bands")]
    pub usual: PerStem<UsualLevel>,
}

/// One Gaussian of the mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// Its share of the mixture; the shares sum to 1.
    pub weight: f64,
    /// Mean in dB of each target against the rest.
    pub mean_db: Balance,
    /// Covariance in dB².
    pub covariance_db2: Matrix,
}

/// Usual level of a stem against the rest of the mix (RMS, dB).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UsualLevel {
    /// Mean.
    pub mean_db: f64,
    /// Standard deviation over all chunks.
    pub sd_db: f64,
    /// One chunk in ten is lower.
    pub p10_db: f64,
    /// One chunk in ten is higher.
    pub p90_db: f64,
    /// Standard deviation of the songs' means.
    pub song_to_song_sd_db: f64,
    /// Standard deviation of chunks around their song's mean.
    pub within_song_sd_db: f64,
}

/// A simulated song: the balance of one of its windows, and its mean balance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SongDraw {
    /// Stem-minus-rest levels of one window in dB.
    pub window_db: Balance,
    /// Mean stem-minus-rest levels of the song in dB: what a reference from the same song would measure.
    pub song_mean_db: Balance,
}

impl NormsSummary {
    /// The shipped summary, `assets/norms.json`.
    pub fn shipped() -> &'static NormsSummary {
        static SHIPPED: OnceLock<NormsSummary> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            NormsSummary::from_json(include_str!("../../../../assets/norms.json"))
                .expect("a test reads the shipped summary, so it is valid")
        })
    }

    /// Reads the JSON text of a summary and checks it.
    ///
    /// # Errors
    /// When the text is no summary of this version, or its numbers make no mixture.
    pub fn from_json(text: &str) -> Result<NormsSummary> {
        let summary: NormsSummary = serde_json::from_str(text)
            .map_err(|error| Error::Format(format!("the norms summary cannot be read: {error}")))?;
        summary.check()?;
        Ok(summary)
    }

    /// Reads a summary from a file and checks it.
    ///
    /// # Errors
    /// When the file cannot be read, and as [`NormsSummary::from_json`].
    pub fn load(path: &Path) -> Result<NormsSummary> {
        NormsSummary::from_json(&std::fs::read_to_string(path).map_err(Error::io(path))?)
    }

    /// JSON text, as in `assets/norms.json`.
    ///
    /// # Errors
    /// When a number cannot be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|error| Error::Format(format!("the norms summary cannot be written: {error}")))
    }

    fn check(&self) -> Result<()> {
        let fault = |what: &str| Err(Error::Format(format!("the norms summary is unusable: {what}")));
        if self.version != NORMS_VERSION {
            return fault(&format!("its version is {}, this program reads {NORMS_VERSION}", self.version));
        }
        let total: f64 = self.components.iter().map(|component| component.weight).sum();
        if (total - 1.0).abs() > 0.01 || self.components.iter().any(|component| component.weight <= 0.0) {
            return fault("the weights of its components do not sum to 1");
        }
        let covariances = self.components.iter().map(|component| &component.covariance_db2);
        if covariances.chain([&self.within_song_covariance_db2]).any(|c| matrix::cholesky(c).is_none()) {
            return fault("a covariance is not positive definite");
        }
        if self.kernel_bandwidth_db.is_nan() || self.kernel_bandwidth_db <= 0.0 {
            return fault("the kernel has no width");
        }
        Ok(())
    }

    /// Mean and covariance of the whole mixture, without the kernel.
    pub fn moments(&self) -> (Balance, Matrix) {
        let mut mean = [0.0; Stem::TARGET_COUNT];
        for component in &self.components {
            for (sum, value) in mean.iter_mut().zip(component.mean_db) {
                *sum += component.weight * value;
            }
        }
        let mut covariance = [[0.0; Stem::TARGET_COUNT]; Stem::TARGET_COUNT];
        for component in &self.components {
            let offset: Balance = std::array::from_fn(|c| component.mean_db[c] - mean[c]);
            for row in 0..Stem::TARGET_COUNT {
                for column in 0..Stem::TARGET_COUNT {
                    covariance[row][column] += component.weight
                        * (component.covariance_db2[row][column] + offset[row] * offset[column]);
                }
            }
        }
        (mean, covariance)
    }

    /// Draws the balance of a window from the mixture with `blur_db` added to each standard deviation's square
    /// (0 for songs as they are, [`KERNEL_BANDWIDTH_DB`] for the density that the bound judges by).
    ///
    /// `uniform` gives numbers from 0 to 1. A draw that leaves no power for the other stems is repeated.
    pub fn sample_window(&self, blur_db: f64, uniform: &mut impl FnMut() -> f64) -> Balance {
        for _ in 0..DRAWS {
            let mut left = uniform() * self.components.iter().map(|c| c.weight).sum::<f64>();
            let chosen = self.components.iter().find(|component| {
                left -= component.weight;
                left < 0.0
            });
            let component = chosen.unwrap_or(&self.components[self.components.len() - 1]);
            let covariance =
                matrix::add_diagonal(&component.covariance_db2, [blur_db * blur_db; Stem::TARGET_COUNT]);
            let draw = add(component.mean_db, sample_gaussian(&covariance, uniform));
            if shares_from_rest_levels(draw).is_some() {
                return draw;
            }
        }
        self.moments().0
    }

    /// Draws a window as [`sample_window`](Self::sample_window) does without blur, and the mean balance of the song
    /// that it comes from: Gaussian given the window, so that songs spread as they do and windows around them too.
    pub fn sample_song(&self, uniform: &mut impl FnMut() -> f64) -> SongDraw {
        let (mean, total) = self.moments();
        let between = matrix::subtract(&total, &self.within_song_covariance_db2);
        let window_db = self.sample_window(0.0, uniform);
        let inverse = matrix::invert(&total);
        let song_mean_db = match inverse {
            None => window_db,
            Some(inverse) => {
                // For window = song + deviation, song given window has mean m + B T⁻¹ (x - m), covariance B - B T⁻¹ B.
                let regression = matrix::multiply(&between, &inverse);
                let offset = std::array::from_fn(|c| window_db[c] - mean[c]);
                let rest = matrix::subtract(&between, &matrix::multiply(&regression, &between));
                let noise = sample_gaussian(&rest, uniform);
                add(add(mean, matrix::apply(&regression, offset)), noise)
            }
        };
        SongDraw { window_db, song_mean_db }
    }
}

fn add(left: Balance, right: Balance) -> Balance {
    std::array::from_fn(|c| left[c] + right[c])
}

/// A draw from a Gaussian around zero; zero if the covariance is not positive definite.
fn sample_gaussian(covariance: &Matrix, uniform: &mut impl FnMut() -> f64) -> Balance {
    let normals = std::array::from_fn(|_| {
        // Box and Muller's transform.
        let radius = (-2.0 * (1.0 - uniform()).max(f64::MIN_POSITIVE).ln()).sqrt();
        radius * (TAU * uniform()).cos()
    });
    matrix::cholesky(covariance).map_or([0.0; Stem::TARGET_COUNT], |lower| matrix::apply(&lower, normals))
}
