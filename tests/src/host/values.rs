//! What goes between host and plugin: plain values.

use clack_host::events::event_types::{TransportEvent, TransportFlags};
use clack_host::events::{EventFlags, EventHeader};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};

/// Where the host's transport is at the start of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// Whether it runs.
    pub is_playing: bool,
    /// Song position in seconds.
    pub position_s: f64,
}

impl Transport {
    pub(super) fn event(self) -> TransportEvent {
        let playing = if self.is_playing { TransportFlags::IS_PLAYING } else { TransportFlags::empty() };
        TransportEvent {
            header: EventHeader::new_core(0, EventFlags::empty()),
            flags: TransportFlags::HAS_SECONDS_TIMELINE | TransportFlags::HAS_TEMPO | playing,
            song_pos_beats: BeatTime::from_int(0),
            song_pos_seconds: SecondsTime::from_float(self.position_s),
            tempo: 120.0,
            tempo_inc: 0.0,
            loop_start_beats: BeatTime::from_int(0),
            loop_end_beats: BeatTime::from_int(0),
            loop_start_seconds: SecondsTime::from_int(0),
            loop_end_seconds: SecondsTime::from_int(0),
            bar_start: BeatTime::from_int(0),
            bar_number: 0,
            time_signature_numerator: 4,
            time_signature_denominator: 4,
        }
    }
}

/// A parameter as the plugin declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// CLAP's number for it.
    pub id: ClapId,
    /// The name that hosts show.
    pub name: String,
    /// Lowest, highest and default plain value.
    pub range: (f64, f64, f64),
    /// The plain value now.
    pub value: f64,
    /// The value as the plugin writes it.
    pub text: String,
    /// Whether only the plugin changes it.
    pub is_read_only: bool,
    /// Whether a host may automate or modulate it.
    pub is_automatable: bool,
}

/// A parameter's value that the plugin has told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// CLAP's number for the parameter.
    pub id: ClapId,
    /// The plain value.
    pub value: f64,
    /// Whether the host may record it as automation.
    pub is_for_recording: bool,
}
