//! The meters of the master bus: loudness, its range, peaks. They measure what the host plays, before any audition.

use super::Session;
use crate::capture::{Flow, Stretch};
use mixing_buddy_core::loudness::{Meter, Meters};
use tracing::warn;

/// The meters of a session. They measure from where the host last began to play: a pause or a bypass starts them over, a
/// loop or a jump does not.
#[derive(Default)]
pub(super) struct Metering {
    meter: Option<Meter>,
    /// Whether the next sound begins a new measurement.
    is_over: bool,
}

impl Metering {
    /// Takes a stretch of sound at a rate. `is_interrupted`: the host sent nothing for a long time before it.
    pub(super) fn take(
        &mut self,
        stretch: &Stretch,
        (left, right): (&[f32], &[f32]),
        rate_hz: u32,
        is_interrupted: bool,
    ) {
        // Some hosts stop the plugin around every block, so that alone is no pause.
        self.is_over |= is_interrupted || matches!(stretch.flow, Flow::Paused | Flow::Bypassed);
        if stretch.frames == 0 {
            return;
        }
        if self.meter.as_ref().is_none_or(|meter| meter.rate_hz() != rate_hz) {
            self.meter = Meter::new(rate_hz).inspect_err(|error| warn!(%error, "no meters")).ok();
        }
        let Some(meter) = &mut self.meter else { return };
        if std::mem::take(&mut self.is_over) {
            meter.start_over();
        }
        if let Err(error) = meter.add(left, right) {
            warn!(%error, "no meters");
            self.meter = None;
        }
    }

    fn read(&self) -> Meters {
        self.meter.as_ref().map(Meter::read).unwrap_or_default()
    }
}

impl Session {
    /// Starts the meters over with the next sound, and shows nothing until then.
    pub(super) fn start_meters_over(&mut self) {
        self.metering = Metering::default();
        self.is_dirty = true;
    }

    /// Puts what the meters show into the view.
    pub(super) fn show_meters(&mut self) {
        self.view.meters = self.metering.read();
    }
}
