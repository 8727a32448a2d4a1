//! The usual levels as people get them: the norms are unweighted RMS, panel and replies give LU.

use super::summary::NormsSummary;
use crate::stem::PerStem;

/// Level of a stem against the rest in LU (K-weighted, ITU-R BS.1770-5) minus the same level in unweighted RMS dB.
///
/// Means over the eight multitrack songs of the training corpus that are real recordings (CC0). Each song has the same
/// weight. Measured on the stems themselves, in windows of 10 s in which the stem is within 25 dB of the rest.
pub const LU_MINUS_RMS_DB: PerStem<f32> = PerStem { vocals: 2.1, drums: 0.4, bass: -2.8, other: 1.8 };

/// Standard deviation between those songs, in dB.
pub const LU_MINUS_RMS_SD_DB: PerStem<f32> = PerStem { vocals: 1.6, drums: 2.0, bass: 0.9, other: 2.1 };

/// The 10th to 90th percentile of each stem's level against the rest, in LU.
pub fn bands_lu(norms: &NormsSummary) -> PerStem<(f32, f32)> {
    PerStem::from_fn(|stem| {
        let band = &norms.usual[stem];
        let offset = LU_MINUS_RMS_DB[stem];
        (band.p10_db as f32 + offset, band.p90_db as f32 + offset)
    })
}
