//! What is usual, as the panel shows it: the norms are unweighted RMS, people read LU.

use mixing_buddy_core::PerStem;
use mixing_buddy_core::norms::NormsSummary;

/// Level of a stem against the rest in LU (K-weighted, ITU-R BS.1770-5) less the same in unweighted RMS dB.
///
/// Means over the eight multitrack songs of the training corpus that are real recordings (CC0), each song weighing
/// the same, of windows of 10 s in which the stem is within 25 dB of the rest; measured on the stems themselves. Songs
/// differ by 1.6 (vocals), 2.0 (drums), 0.9 (bass) and 2.1 dB (other), one standard deviation.
pub const LU_MINUS_RMS_DB: PerStem<f32> = PerStem { vocals: 2.1, drums: 0.4, bass: -2.8, other: 1.8 };

/// The band that four chunks in five lie in, in LU against the rest.
pub fn bands_lu(norms: &NormsSummary) -> PerStem<(f32, f32)> {
    PerStem::from_fn(|stem| {
        let band = &norms.usual[stem];
        let offset = LU_MINUS_RMS_DB[stem];
        (band.p10_db as f32 + offset, band.p90_db as f32 + offset)
    })
}
