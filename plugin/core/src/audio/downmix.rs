//! Stereo from any number of channels.
//!
//! One channel goes to both sides unchanged and two stay as they are. More are folded as in ITU-R BS.775-4, annex 4,
//! table 2: the centre and each side's surround channels enter at -3 dB, a rear centre at -6 dB on both sides, and
//! the low-frequency effects are dropped. The sum is not scaled down: samples may exceed full scale.

use symphonia::core::audio::{Channels, Position};

/// -3 dB as an amplitude.
const MINUS_3_DB: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The gain of each channel to the left and the right side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Downmix {
    gains: Vec<(f32, f32)>,
}

impl Downmix {
    /// For a channel layout, its channels in the decoder's order; none if it has no channel.
    pub fn of(channels: &Channels) -> Option<Self> {
        let count = channels.count();
        let gains = match count {
            0 => return None,
            1 => vec![(1.0, 1.0)],
            2 => vec![(1.0, 0.0), (0.0, 1.0)],
            _ => {
                let positions = match channels {
                    Channels::Positioned(positions) => *positions,
                    // Unlabelled channels: the order of WAVE files.
                    _ => Position::from_wave_channel_count(count as u32).unwrap_or_default(),
                };
                let mut gains: Vec<_> = positions.iter().map(gains_of).collect();
                gains.resize(count, (0.0, 0.0));
                let reaches = |side: fn(&(f32, f32)) -> f32| gains.iter().any(|gain| side(gain) > 0.0);
                if !(reaches(|gain| gain.0) && reaches(|gain| gain.1)) {
                    // A layout without a left or a right channel, or with too many channels for positions.
                    gains.fill((0.0, 0.0));
                    gains[0] = (1.0, 0.0);
                    gains[1] = (0.0, 1.0);
                }
                gains
            }
        };
        Some(Self { gains })
    }

    /// Appends the frames `range` of `planes` (one slice per channel) to both sides.
    pub fn append(
        &self,
        planes: &[Vec<f32>],
        range: std::ops::Range<usize>,
        left: &mut Vec<f32>,
        right: &mut Vec<f32>,
    ) {
        match planes {
            [mono] => {
                left.extend_from_slice(&mono[range.clone()]);
                right.extend_from_slice(&mono[range]);
            }
            [l, r] => {
                left.extend_from_slice(&l[range.clone()]);
                right.extend_from_slice(&r[range]);
            }
            _ => {
                for frame in range {
                    let (mut l, mut r) = (0.0, 0.0);
                    for (plane, gain) in planes.iter().zip(&self.gains) {
                        // NaN in a dropped channel must not reach the sum.
                        if gain.0 > 0.0 {
                            l += gain.0 * plane[frame];
                        }
                        if gain.1 > 0.0 {
                            r += gain.1 * plane[frame];
                        }
                    }
                    left.push(l);
                    right.push(r);
                }
            }
        }
    }
}

/// The gain of a channel at this position to the left and the right side.
fn gains_of(position: Position) -> (f32, f32) {
    const LEFT_SURROUND: Position = Position::REAR_LEFT
        .union(Position::SIDE_LEFT)
        .union(Position::TOP_FRONT_LEFT)
        .union(Position::TOP_REAR_LEFT)
        .union(Position::TOP_SIDE_LEFT)
        .union(Position::BOTTOM_FRONT_LEFT);
    const RIGHT_SURROUND: Position = Position::REAR_RIGHT
        .union(Position::SIDE_RIGHT)
        .union(Position::TOP_FRONT_RIGHT)
        .union(Position::TOP_REAR_RIGHT)
        .union(Position::TOP_SIDE_RIGHT)
        .union(Position::BOTTOM_FRONT_RIGHT);
    const LEFT: Position =
        Position::FRONT_LEFT.union(Position::FRONT_LEFT_CENTER).union(Position::FRONT_LEFT_WIDE);
    const RIGHT: Position =
        Position::FRONT_RIGHT.union(Position::FRONT_RIGHT_CENTER).union(Position::FRONT_RIGHT_WIDE);
    const CENTRE: Position =
        Position::FRONT_CENTER.union(Position::TOP_FRONT_CENTER).union(Position::BOTTOM_FRONT_CENTER);
    const FAR_CENTRE: Position =
        Position::REAR_CENTER.union(Position::TOP_CENTER).union(Position::TOP_REAR_CENTER);
    let is_in = |set: Position| set.contains(position);
    if is_in(LEFT) {
        (1.0, 0.0)
    } else if is_in(RIGHT) {
        (0.0, 1.0)
    } else if is_in(CENTRE) {
        (MINUS_3_DB, MINUS_3_DB)
    } else if is_in(LEFT_SURROUND) {
        (MINUS_3_DB, 0.0)
    } else if is_in(RIGHT_SURROUND) {
        (0.0, MINUS_3_DB)
    } else if is_in(FAR_CENTRE) {
        (0.5, 0.5)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use symphonia::core::audio::layouts;

    fn mix(channels: &Channels, frame: &[f32]) -> (f32, f32) {
        let planes: Vec<_> = frame.iter().map(|value| vec![*value]).collect();
        let (mut left, mut right) = (vec![], vec![]);
        Downmix::of(channels).unwrap().append(&planes, 0..1, &mut left, &mut right);
        (left[0], right[0])
    }

    #[test]
    fn folds_five_point_one_and_drops_the_lfe() {
        let (l, r) = mix(&layouts::CHANNEL_LAYOUT_5P1, &[0.1, 0.2, 0.4, 100.0, 0.8, 1.6]);
        assert!((l - (0.1 + MINUS_3_DB * (0.4 + 0.8))).abs() < 1e-6);
        assert!((r - (0.2 + MINUS_3_DB * (0.4 + 1.6))).abs() < 1e-6);
        // The same without labels.
        assert_eq!(mix(&Channels::Discrete(6), &[0.1, 0.2, 0.4, 100.0, 0.8, 1.6]), (l, r));
        // A damaged LFE channel changes nothing.
        assert_eq!(mix(&Channels::Discrete(6), &[0.1, 0.2, 0.4, f32::NAN, 0.8, 1.6]), (l, r));
    }

    #[test]
    fn one_and_two_channels_pass_unchanged() {
        assert_eq!(mix(&Channels::Discrete(1), &[0.3]), (0.3, 0.3));
        assert_eq!(mix(&layouts::CHANNEL_LAYOUT_STEREO, &[0.3, -0.4]), (0.3, -0.4));
        assert_eq!(Downmix::of(&Channels::None), None);
    }

    #[test]
    fn a_layout_without_sides_keeps_its_first_two_channels() {
        let (l, r) = mix(&Channels::Discrete(40), &[0.5; 40]);
        assert_eq!((l, r), (0.5, 0.5));
    }
}
