//! What is usual, as the panel shows it: the norms are unweighted RMS, people read LU.

use mixing_buddy_core::PerStem;
use mixing_buddy_core::norms::NormsSummary;

/// Level of a stem against the rest in LU (ITU-R BS.1770) less the same in unweighted RMS dB: vocals, drums, bass,
/// other.
pub const LU_MINUS_RMS_DB: PerStem<f32> = PerStem { vocals: 1.5, drums: 1.0, bass: -6.0, other: 1.5 };

/// The band that four chunks in five lie in, in LU against the rest.
pub fn bands_lu(norms: &NormsSummary) -> PerStem<(f32, f32)> {
    PerStem::from_fn(|stem| {
        let band = &norms.bands[stem];
        let offset = LU_MINUS_RMS_DB[stem];
        (band.p10_db as f32 + offset, band.p90_db as f32 + offset)
    })
}
