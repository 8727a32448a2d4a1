//! Why no window can finish: counts the runs of audio that ended before a window was complete.

use crate::view::Obstacle;
use std::time::{Duration, Instant};

/// The user reads why there is no advice after so much audio without a window, in seconds: a little more than a window.
const PATIENCE_S: f64 = 12.0;
/// The same in time on the clock, for audio with pauses between. Not tuned.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many runs must have ended: one that ends early is no pattern.
const FEWEST_RUNS: u32 = 2;

/// Why a run of audio ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunEnd {
    /// The host jumped back to where the run had started: a loop of this many seconds.
    Loop(f32),
    /// The position jumped elsewhere.
    Jump,
    /// The host paused, bypassed the plugin, or no longer sent audio.
    Stop,
    /// Audio was lost.
    Loss,
}

/// The runs since the last window.
#[derive(Debug, Default)]
pub struct Runs {
    jumps: u32,
    stops: u32,
    losses: u32,
    /// Length of the loop, and how many times in a row it has come.
    short_loop: Option<(f32, u32)>,
    sound_s: f64,
    since: Option<Instant>,
}

impl Runs {
    /// A window is complete.
    pub fn window_finished(&mut self) {
        *self = Runs::default();
    }

    /// Audio has come.
    pub fn sounded(&mut self, seconds: f64, now: Instant) {
        self.sound_s += seconds;
        self.since.get_or_insert(now);
    }

    /// A run has ended without a window.
    pub fn ended(&mut self, end: RunEnd) {
        match end {
            RunEnd::Loop(loop_s) => {
                let rounds = self.short_loop.map_or(1, |(_, rounds)| rounds.saturating_add(1));
                self.short_loop = Some((loop_s, rounds));
                return;
            }
            RunEnd::Jump => self.jumps = self.jumps.saturating_add(1),
            RunEnd::Stop => self.stops = self.stops.saturating_add(1),
            RunEnd::Loss => self.losses = self.losses.saturating_add(1),
        }
        self.short_loop = None;
    }

    /// What keeps windows from finishing, if something does.
    pub fn obstacle(&self, now: Instant) -> Option<Obstacle> {
        if let Some((loop_s, rounds)) = self.short_loop
            && rounds >= FEWEST_RUNS
        {
            return Some(Obstacle::ShortLoop { loop_s });
        }
        let is_late = self.sound_s >= PATIENCE_S
            || self.since.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE);
        if !is_late || self.jumps.saturating_add(self.stops).saturating_add(self.losses) < FEWEST_RUNS {
            return None;
        }
        // Lost audio first: the user cannot see it. Then what happened most.
        Some(if self.losses >= self.jumps.max(self.stops) {
            Obstacle::LostAudio
        } else if self.jumps >= self.stops {
            Obstacle::Jumps
        } else {
            Obstacle::Stops
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The obstacle after runs of some seconds that ended in these ways.
    fn after(run_s: f64, ends: &[RunEnd]) -> Option<Obstacle> {
        let (mut runs, now) = (Runs::default(), Instant::now());
        for end in ends {
            runs.sounded(run_s, now);
            runs.ended(*end);
        }
        runs.obstacle(now)
    }

    #[test]
    fn what_happened_most_is_the_obstacle() {
        use RunEnd::{Jump, Loop, Loss, Stop};
        assert_eq!(after(9.0, &[Jump, Jump, Stop]), Some(Obstacle::Jumps));
        assert_eq!(after(9.0, &[Stop, Jump, Stop]), Some(Obstacle::Stops));
        assert_eq!(after(9.0, &[Loss, Jump]), Some(Obstacle::LostAudio));
        assert_eq!(after(2.0, &[Jump, Loop(2.0), Loop(2.0)]), Some(Obstacle::ShortLoop { loop_s: 2.0 }));
        assert_eq!(after(1.0, &[Jump, Jump, Stop]), None, "three seconds are no time");
        assert_eq!(after(15.0, &[Stop]), None, "one is no pattern");
    }

    #[test]
    fn time_on_the_clock_counts_too_and_a_window_ends_it() {
        let (mut runs, now) = (Runs::default(), Instant::now());
        for _ in 0..2 {
            runs.sounded(1.0, now);
            runs.ended(RunEnd::Stop);
        }
        assert_eq!(runs.obstacle(now), None);
        let later = now + Duration::from_secs(16);
        assert_eq!(runs.obstacle(later), Some(Obstacle::Stops));
        runs.window_finished();
        assert_eq!(runs.obstacle(later), None);
    }
}
