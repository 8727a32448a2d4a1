//! What the host does with a parameter, as it tells a plugin for its GUI.

use super::TrackColor;

/// Something that the host tells about how a parameter is controlled. Only CLAP hosts do.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamIndication {
    /// The parameter is mapped to something, such as a knob of a controller, or no longer.
    Mapping(Option<ParamMapping>),
    /// The state of its automation.
    Automation(ParamAutomation),
}

/// What a parameter is mapped to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamMapping {
    /// A short name, such as "K3".
    pub label: String,
    /// A longer one, such as "Knob 3 of the controller".
    pub description: String,
    /// The color of the mapping in the host.
    pub color: Option<TrackColor>,
}

/// The state of a parameter's automation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParamAutomation {
    /// There is none.
    #[default]
    None,
    /// There is some, but it does not play.
    Present,
    /// It plays.
    Playing,
    /// It is being recorded.
    Recording,
    /// The user plays something else over it.
    Overriding,
}
