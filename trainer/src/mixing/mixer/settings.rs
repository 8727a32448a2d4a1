//! How random mixes are drawn, as in a run's configuration.

use crate::mixing::augment::AugmentSettings;
use crate::protocol::SourceKind;
use std::collections::BTreeMap;

/// Chances and spreads of the random mixes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixSettings {
    /// Share of examples whose stems come from one window of one song.
    pub coherent: f64,
    /// Share of coherent examples that get another song's voice.
    pub foreign_voice: f64,
    /// Chance that a stem of an example across songs is left out.
    pub absent: f64,
    /// Chance that a window of three stems or more loses one: the encoder must know mixes with a stem missing.
    pub left_out: f64,
    /// Chance that one stem is turned far down, to where it is hard to tell from a stem that is missing.
    pub far_down: f64,
    /// Windows in which the separator misread a stem's level by more, in dB, are no examples of its errors. It reads most voices
    /// of records to about 2 dB; a rendered voice that it does not take for one is off by more.
    pub largest_separator_error_db: f32,
    /// Share of examples levelled after the norms and then flawed; the rest are spread widely.
    pub after_norms: f64,
    /// Spread of the wide ones around equal levels in dB.
    pub wide_sd_db: f32,
    /// Spread of each stem's equaliser curve in dB.
    pub stem_eq_sd_db: f32,
    /// Spread of the bus equaliser curve in dB.
    pub bus_eq_sd_db: f32,
    /// What is done to stems on their own.
    pub augment: AugmentSettings,
    /// Weight of each source when songs are drawn; 1 where not named.
    pub source_weights: BTreeMap<SourceKind, f64>,
}

impl Default for MixSettings {
    fn default() -> Self {
        MixSettings {
            coherent: 0.5,
            foreign_voice: 0.35,
            absent: 0.12,
            left_out: 0.1,
            far_down: 0.0,
            largest_separator_error_db: f32::INFINITY,
            after_norms: 0.6,
            wide_sd_db: 5.0,
            stem_eq_sd_db: 3.0,
            bus_eq_sd_db: 2.5,
            augment: AugmentSettings::default(),
            source_weights: [(SourceKind::Real, 4.0)].into(),
        }
    }
}
