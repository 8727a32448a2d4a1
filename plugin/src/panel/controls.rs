//! What the panel may do: ask the worker, and turn the automatable parameters through the host.

use crate::view::Command;

/// The automatable parameters as they stand now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Whether the plugin is bypassed: sound passes through and is not listened to.
    pub bypass: bool,
    /// How sure the advisor must be before it speaks, 0 to 1.
    pub sensitivity: f32,
    /// Time from one judged window to the next.
    pub hop: Hop,
}

/// Time from one judged window to the next; windows are ten seconds long and so overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// 2.5 s.
    TwoAndAHalf,
    /// 5 s.
    #[default]
    Five,
    /// 10 s: windows side by side.
    Ten,
}

impl Hop {
    /// All hops, shortest first.
    pub const ALL: [Hop; 3] = [Hop::TwoAndAHalf, Hop::Five, Hop::Ten];

    /// The hop in seconds.
    pub const fn seconds(self) -> f32 {
        match self {
            Hop::TwoAndAHalf => 2.5,
            Hop::Five => 5.0,
            Hop::Ten => 10.0,
        }
    }

    /// As the panel writes it: "2.5 s".
    pub const fn label(self) -> &'static str {
        match self {
            Hop::TwoAndAHalf => "2.5 s",
            Hop::Five => "5 s",
            Hop::Ten => "10 s",
        }
    }
}

/// The panel's way out. The editor implements it for the host, tests with a recorder.
///
/// Every method is called on the thread that draws the panel and must return at once.
pub trait Controls {
    /// The parameters as the host holds them.
    fn params(&self) -> Params;

    /// Asks something of the worker.
    fn send(&mut self, command: Command);

    /// Turns the bypass on or off: a whole gesture, begun and ended.
    fn set_bypass(&mut self, bypass: bool);

    /// The user takes hold of the sensitivity: the host begins to write automation.
    fn begin_sensitivity(&mut self);

    /// Moves the sensitivity, 0 to 1; always between `begin_sensitivity` and `end_sensitivity`.
    fn set_sensitivity(&mut self, sensitivity: f32);

    /// The user lets go of the sensitivity.
    fn end_sensitivity(&mut self);

    /// Chooses a hop: a whole gesture, begun and ended.
    fn set_hop(&mut self, hop: Hop);
}
