//! The parameters that a host can automate or read, and the rest of the saved state next to them. Ids never change.

use crate::readouts::Readouts;
use crate::settings::{Hop, Settings};
use crate::state::ProjectState;
use nice_plug::prelude::*;
use std::sync::Arc;

/// Confidence threshold of a new instance: that of the shipped model, rounded to five percent. A constant, because a
/// project that never changed the parameter must not change with the model.
pub const DEFAULT_CONFIDENCE_THRESHOLD: f32 = 0.55;

/// Parameters and saved state of one instance. Shared by the audio thread, the worker and the panel.
#[derive(Params)]
pub struct MixParams {
    /// Audio passes through and is not analyzed.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Confidence from which the model gives advice, 0 to 1: the higher, the less advice. The id is older than the
    /// name.
    #[id = "sensitivity"]
    pub confidence_threshold: FloatParam,
    /// Time from one analyzed window to the next.
    #[id = "hop"]
    pub hop: EnumParam<HopParam>,
    /// What the host can read of the advice.
    #[nested(group = "Readings")]
    pub readouts: Arc<Readouts>,
    /// Everything else that is saved with the project.
    #[nested]
    pub project: Arc<ProjectState>,
}

impl Default for MixParams {
    fn default() -> Self {
        MixParams {
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            confidence_threshold: FloatParam::new(
                "Confidence threshold",
                DEFAULT_CONFIDENCE_THRESHOLD,
                FloatRange::Linear { min: 0.0, max: 1.0 },
            )
            .with_unit(" %")
            .with_value_to_string(formatters::v2s_f32_percentage(0))
            .with_string_to_value(formatters::s2v_f32_percentage()),
            hop: EnumParam::new("Hop", HopParam::Five),
            readouts: Arc::default(),
            project: Arc::default(),
        }
    }
}

impl MixParams {
    /// The values of the parameters now.
    pub fn settings(&self) -> Settings {
        Settings {
            bypass: self.bypass.value(),
            confidence_threshold: self.confidence_threshold.value(),
            hop: self.hop.value().into(),
        }
    }
}

/// [`Hop`] as a host parameter. The host tells the variants apart by id, so more can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum HopParam {
    /// 2.5 s.
    #[id = "2.5"]
    #[name = "2.5 s"]
    TwoAndAHalf,
    /// 5 s.
    #[id = "5"]
    #[name = "5 s"]
    Five,
    /// 10 s.
    #[id = "10"]
    #[name = "10 s"]
    Ten,
}

impl From<HopParam> for Hop {
    fn from(param: HopParam) -> Self {
        match param {
            HopParam::TwoAndAHalf => Hop::TwoAndAHalf,
            HopParam::Five => Hop::Five,
            HopParam::Ten => Hop::Ten,
        }
    }
}

impl From<Hop> for HopParam {
    fn from(hop: Hop) -> Self {
        match hop {
            Hop::TwoAndAHalf => HopParam::TwoAndAHalf,
            Hop::Five => HopParam::Five,
            Hop::Ten => HopParam::Ten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_as_saved_projects_know_them() {
        let params = MixParams::default();
        let ids: Vec<String> = params.param_map().into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids[..3], ["bypass", "sensitivity", "hop"]);
        let readouts = [
            "r_verd", "r_stem", "r_gain", "r_conf", "r_voc", "r_drum", "r_bass", "r_oth", "r_int", "r_shrt",
            "r_rang", "r_peak",
        ];
        assert_eq!(ids[3..], readouts);
    }

    #[test]
    fn a_host_shows_the_threshold_in_percent() {
        let params = MixParams::default();
        assert_eq!(params.confidence_threshold.name(), "Confidence threshold");
        assert_eq!(params.confidence_threshold.to_string(), "55 %");
    }
}
