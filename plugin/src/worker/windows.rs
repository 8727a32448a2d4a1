//! Windows of features in compact form, and the queue in which they wait for the model.

use crate::settings::SLAB_S;
use half::f16;
use mixing_buddy_core::features::{BandPower, FeatureSettings};
use std::collections::VecDeque;
use std::sync::Arc;

/// Live windows that may wait. A computer that cannot keep up analyzes the newest and skips the oldest. Not tuned.
const LIVE_WAITING: usize = 3;
/// Windows of an offline render that may wait: two hours at the shortest hop.
const OFFLINE_WAITING: usize = (2.0 * 3600.0 / SLAB_S) as usize;

/// A quarter of a window, or what is left at the end of a loop: band power, and the separator's shares, as half-precision
/// logarithms. 40 kB for 80 bands, 60 kB with the shares of one stem. Overlapping windows share it.
#[derive(Debug)]
pub struct Slab {
    /// `log2` of the power and the shares, frame by frame: mid bands, side bands, share bands.
    values: Vec<f16>,
    /// Whether the host sent samples that are not finite.
    is_damaged: bool,
}

impl Slab {
    /// A slab from packed rows.
    pub fn new(values: Vec<f16>, is_damaged: bool) -> Self {
        Slab { values, is_damaged }
    }
}

/// Packs a power or a share: half precision of its logarithm is within 0.06 dB from -190 dB up.
pub fn pack(power: f32) -> f16 {
    f16::from_f32(power.max(1e-30).log2())
}

/// The reverse of [`pack`].
pub fn unpack(value: f16) -> f32 {
    value.to_f32().exp2()
}

/// A complete window: ten seconds, or a loop that is shorter.
#[derive(Clone, Debug)]
pub struct Window {
    /// Start in seconds of the host's transport.
    pub start_s: f64,
    /// End in seconds of the host's transport.
    pub end_s: f64,
    /// Whether the host rendered it.
    pub is_offline: bool,
    /// Its slabs, in order. Their frames are whole patches.
    pub slabs: Vec<Arc<Slab>>,
}

impl Window {
    /// Whether it contains samples that are not finite. Such a window is never analyzed.
    pub fn is_damaged(&self) -> bool {
        self.slabs.iter().any(|slab| slab.is_damaged)
    }

    /// The features in the form that the model takes.
    pub fn power(&self, settings: &FeatureSettings) -> BandPower {
        let rows: Vec<f32> =
            self.slabs.iter().flat_map(|slab| &slab.values).map(|value| unpack(*value)).collect();
        BandPower::from_rows(&rows, settings)
    }
}

/// Windows that wait: live ones newest first, rendered ones in order.
#[derive(Debug, Default)]
pub struct Queue {
    live: VecDeque<Window>,
    offline: VecDeque<Window>,
}

impl Queue {
    /// Adds a window; true if that pushed out another one.
    pub fn push(&mut self, window: Window) -> bool {
        let (queue, most) = if window.is_offline {
            (&mut self.offline, OFFLINE_WAITING)
        } else {
            (&mut self.live, LIVE_WAITING)
        };
        queue.push_back(window);
        let is_full = queue.len() > most;
        if is_full {
            queue.pop_front();
        }
        is_full
    }

    /// The newest live window.
    pub fn take_live(&mut self) -> Option<Window> {
        self.live.pop_back()
    }

    /// The oldest window of a render.
    pub fn take_offline(&mut self) -> Option<Window> {
        self.offline.pop_front()
    }

    /// Number of windows of a render that wait.
    pub fn offline_len(&self) -> usize {
        self.offline.len()
    }

    /// Whether no window waits.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.offline.is_empty()
    }

    /// Removes all windows.
    pub fn clear(&mut self) {
        *self = Queue::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start_s: f64, is_offline: bool) -> Window {
        let slab = Arc::new(Slab::new(Vec::new(), false));
        Window { start_s, end_s: start_s + 10.0, is_offline, slabs: vec![slab; 4] }
    }

    #[test]
    fn live_windows_come_newest_first_and_the_oldest_are_skipped() {
        let mut queue = Queue::default();
        let full: Vec<bool> = (0..5).map(|n| queue.push(window(f64::from(n), false))).collect();
        assert_eq!(full, [false, false, false, true, true]);
        let starts: Vec<f64> = std::iter::from_fn(|| queue.take_live()).map(|w| w.start_s).collect();
        assert_eq!(starts, [4.0, 3.0, 2.0]);
    }

    #[test]
    fn a_render_of_two_hours_is_kept_in_order() {
        let mut queue = Queue::default();
        for n in 0..2880 {
            assert!(!queue.push(window(2.5 * f64::from(n), true)));
        }
        assert!(queue.push(window(9000.0, true)), "two hours are full");
        assert_eq!(queue.take_offline().map(|w| w.start_s), Some(2.5));
        assert_eq!(queue.offline_len(), 2879);
    }

    #[test]
    fn packed_power_is_within_a_twentieth_of_a_db() {
        for exponent in -190..=60 {
            let power = 10f32.powf(exponent as f32 / 10.0) * 1.037;
            let back = pack(power).to_f32().exp2();
            let error_db = (10.0 * (back / power).log10()).abs();
            assert!(error_db < 0.06, "{power}: {error_db} dB");
        }
        assert!(pack(0.0).to_f32().exp2() < 1e-29);
    }
}
