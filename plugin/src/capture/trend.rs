//! Whether a block continues the song: the host's position, judged by its trend.
//!
//! Not all positions run as fast as the sound. With varispeed they run at half or twice its speed, some hosts report a
//! position that stands still, and most round. So a position is not compared with the one before plus the frames
//! between, but with where the trend of the last seconds leads. What differs from the trend is a jump.
//!
//! A large block alone does not tell a short jump from a new speed. The block after it does: after a jump the position
//! is on the old trend again, and with a new speed it is not.

/// A step within this many seconds of the trend is on it. Hosts round a position by up to 20 ms, so two positions
/// differ by up to 40 ms; the rest is for the error that rounding leaves in the trend itself.
const TOLERANCE_S: f64 = 0.045;
/// Length of sound over which the trend is averaged, in seconds. Not tuned.
const MEMORY_S: f64 = 2.0;
/// A position that runs faster than this many times the sound jumps. Varispeed goes up to 2. Not tuned.
const FASTEST: f64 = 4.0;
/// A position that runs slower than this many times the sound stands still. Not tuned.
const SLOWEST: f64 = 0.25;

/// The trend of the host's position. Audio thread: plain arithmetic.
pub(super) struct Trend {
    tolerance: f64,
    memory: f64,
    /// Samples of position and of sound in the last seconds, older ones with less weight. Their ratio is the speed.
    moved: f64,
    sounded: f64,
    /// The last position, and the frames that followed it; none after a break.
    last: Option<(i64, f64)>,
    /// The last position, also after a break.
    last_position: Option<i64>,
    /// A step that was off the trend, not yet known as a jump or a new speed.
    odd: Option<Odd>,
}

/// A step of the position off the trend, in samples.
#[derive(Clone, Copy)]
struct Odd {
    moved: f64,
    sounded: f64,
    /// Distance from the trend.
    off: f64,
}

impl Trend {
    pub fn new(sample_rate_hz: u32) -> Self {
        let rate = f64::from(sample_rate_hz);
        Trend {
            tolerance: TOLERANCE_S * rate,
            memory: MEMORY_S * rate,
            moved: MEMORY_S * rate,
            sounded: MEMORY_S * rate,
            last: None,
            last_position: None,
            odd: None,
        }
    }

    /// Takes the position of a block of `frames`; true if the block continues the song.
    pub fn continues(&mut self, position: i64, frames: usize) -> bool {
        let continues = self.last.is_some_and(|(last, sounded)| {
            // As floating point: hosts send any number, and a difference of two can overflow.
            self.step(position as f64 - last as f64, sounded)
        });
        if !continues {
            self.odd = None;
        }
        self.last = Some((position, frames as f64));
        self.last_position = Some(position);
        continues
    }

    /// The next block is a break, wherever it lies. The speed is remembered.
    pub fn interrupt(&mut self) {
        self.last = None;
        self.odd = None;
    }

    /// Whether the host reports this position all the time while sound runs.
    pub fn stands_at(&self, position: i64) -> bool {
        self.speed() < SLOWEST && self.last_position == Some(position)
    }

    fn speed(&self) -> f64 {
        self.moved / self.sounded
    }

    /// Takes a step of the position during so many frames of sound.
    fn step(&mut self, moved: f64, sounded: f64) -> bool {
        let off = moved - self.speed() * sounded;
        if off.abs() <= self.tolerance {
            let keep = self.memory / (self.memory + sounded);
            self.moved = (self.moved + moved) * keep;
            self.sounded = (self.sounded + sounded) * keep;
            // On the old trend again after one odd step: that step was a jump, unless it was little further off.
            return self.odd.take().is_none_or(|odd| (odd.off - off).abs() <= self.tolerance);
        }
        if moved < -self.tolerance || moved > FASTEST * sounded + self.tolerance {
            return false;
        }
        self.odd = match self.odd {
            None => Some(Odd { moved, sounded, off }),
            // Two in a row: a new speed.
            Some(odd) => {
                self.moved = odd.moved + moved;
                self.sounded = odd.sounded + sounded;
                None
            }
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 48_000;
    const BLOCKS: [usize; 8] = [1, 32, 64, 441, 512, 1024, 4096, 8192];

    /// Starts of blocks in `seconds` of sound.
    fn starts(block: usize, seconds: usize) -> impl Iterator<Item = i64> {
        (0..(seconds * RATE_HZ as usize) as i64).step_by(block)
    }

    /// A number from -1 to 1 (xorshift, Marsaglia 2003).
    fn random(state: &mut u64) -> f64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Breaks among the blocks of some seconds of sound, whose positions `position` gives.
    fn breaks(block: usize, seconds: usize, mut position: impl FnMut(i64) -> f64) -> Vec<i64> {
        let mut trend = Trend::new(RATE_HZ);
        starts(block, seconds).filter(|at| !trend.continues(position(*at).round() as i64, block)).collect()
    }

    #[test]
    fn a_position_at_any_speed_continues_at_every_block_size() {
        for block in BLOCKS {
            for speed in [0.0, 0.5, 0.8, 0.97, 1.0, 1.003, 1.1, 1.5, 2.0] {
                assert_eq!(
                    breaks(block, 30, |at| at as f64 * speed),
                    [0],
                    "speed {speed}, blocks of {block}"
                );
            }
            let varies = |at: i64| 1.25 * at as f64 - 24_000.0 * (at as f64 / 48_000.0).sin();
            assert_eq!(breaks(block, 30, varies).len(), 1, "a speed that varies, blocks of {block}");
            let switched = |at: i64| if at < 480_000 { at as f64 } else { 2.0 * at as f64 - 480_000.0 };
            assert_eq!(breaks(block, 30, switched), [0], "a speed that is switched, blocks of {block}");
        }
    }

    #[test]
    fn rounded_positions_continue_for_an_hour() {
        for block in [64usize, 1024, 8192] {
            let mut state = 1;
            let rounded = |at: i64| at as f64 + 0.02 * f64::from(RATE_HZ) * random(&mut state);
            assert_eq!(breaks(block, 3600, rounded), [0], "blocks of {block}");
        }
    }

    #[test]
    fn a_jump_is_a_break_at_every_block_size_and_speed() {
        for block in BLOCKS {
            for speed in [0.0, 0.5, 1.0, 2.0] {
                for jump_s in [-8.0, -1.0, -0.1, 0.1, 1.0, 30.0] {
                    let jump = jump_s * f64::from(RATE_HZ);
                    let jumping = |at: i64| at as f64 * speed + if at < 480_000 { 0.0 } else { jump };
                    let found = breaks(block, 20, jumping);
                    let what = format!("{jump_s} s at speed {speed}, blocks of {block}: {found:?}");
                    assert_eq!(found.len(), 2, "{what}");
                    let late = found[1] - 480_000;
                    assert!(late < 2 * block as i64, "{what}");
                }
            }
        }
    }

    #[test]
    fn an_interruption_is_a_break_and_the_speed_is_remembered() {
        let mut trend = Trend::new(RATE_HZ);
        for at in starts(8192, 10) {
            trend.continues(2 * at, 8192);
        }
        trend.interrupt();
        assert!(!trend.continues(0, 8192));
        assert!(trend.continues(16_384, 8192) && trend.continues(32_768, 8192));
        assert!(!trend.stands_at(32_768));
    }

    #[test]
    fn impossible_positions_do_no_harm() {
        let mut trend = Trend::new(RATE_HZ);
        for position in [i64::MIN, i64::MAX, 0, -1, i64::MAX, i64::MAX, i64::MIN] {
            trend.continues(position, 512);
        }
        trend.continues(0, 512);
        assert!(trend.continues(512, 512));
    }
}
