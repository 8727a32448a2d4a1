//! The parameters that a host can automate, and what is saved beside them. Ids never change.

use crate::panel::Hop;
use crate::state::Session;
use nice_plug::prelude::*;
use std::sync::Arc;

/// How sure the advisor must be before it speaks, at first: the threshold of the model that ships, to five per cent.
/// It is a constant, because a project that never touched it must not change with the model.
pub const DEFAULT_SENSITIVITY: f32 = 0.55;

/// Parameters and saved state of one instance. Shared by audio thread, worker and panel.
#[derive(Params)]
pub struct MixParams {
    /// Sound passes through and is not listened to.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Confidence from which the advisor speaks, 0 to 1.
    #[id = "sensitivity"]
    pub sensitivity: FloatParam,
    /// Time from one judged window to the next.
    #[id = "hop"]
    pub hop: EnumParam<HopChoice>,
    /// Everything else that is saved with the project.
    #[nested]
    pub session: Arc<Session>,
}

impl Default for MixParams {
    fn default() -> Self {
        MixParams {
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            sensitivity: FloatParam::new(
                "Sensitivity",
                DEFAULT_SENSITIVITY,
                FloatRange::Linear { min: 0.0, max: 1.0 },
            )
            .with_unit(" %")
            .with_value_to_string(formatters::v2s_f32_percentage(0))
            .with_string_to_value(formatters::s2v_f32_percentage()),
            hop: EnumParam::new("Hop", HopChoice::Five),
            session: Arc::default(),
        }
    }
}

/// [`Hop`] as a parameter; variants are told apart by id, so that more can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum HopChoice {
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

impl From<HopChoice> for Hop {
    fn from(choice: HopChoice) -> Self {
        match choice {
            HopChoice::TwoAndAHalf => Hop::TwoAndAHalf,
            HopChoice::Five => Hop::Five,
            HopChoice::Ten => Hop::Ten,
        }
    }
}

impl From<Hop> for HopChoice {
    fn from(hop: Hop) -> Self {
        match hop {
            Hop::TwoAndAHalf => HopChoice::TwoAndAHalf,
            Hop::Five => HopChoice::Five,
            Hop::Ten => HopChoice::Ten,
        }
    }
}
