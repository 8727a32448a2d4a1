//! What the panel can do: send commands to the worker, and change the automatable parameters through the host.

use crate::settings::{Hop, Settings};
use crate::view::Command;

/// The panel's way out. The editor implements it for the host, tests implement it with a recorder.
///
/// Every method is called on the thread that draws the panel and must return at once.
pub trait Controls {
    /// The parameters as the host has them.
    fn settings(&self) -> Settings;

    /// Sends a command to the worker.
    fn send(&mut self, command: Command);

    /// Turns the bypass on or off, as one complete gesture.
    fn set_bypass(&mut self, bypass: bool);

    /// Begins a change of the confidence threshold: the host starts to write automation.
    fn begin_threshold(&mut self);

    /// Sets the confidence threshold, 0 to 1. Only between `begin_threshold` and `end_threshold`.
    fn set_threshold(&mut self, threshold: f32);

    /// Ends a change of the confidence threshold.
    fn end_threshold(&mut self);

    /// Sets the hop, as one complete gesture.
    fn set_hop(&mut self, hop: Hop);
}
