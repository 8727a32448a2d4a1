//! Brings sounds to equal loudness.

use crate::audio::StereoPcm;
use crate::error::Result;
use crate::loudness::integrated_lufs;

/// Two sounds count as equally loud when they are this near, in LU.
pub const LOUDNESS_TOLERANCE_LU: f64 = 0.1;
/// A gain may move a quiet block over the absolute gate, so that the loudness follows it inexactly. Then it is measured
/// again, so many times at most.
const ROUNDS: usize = 4;
/// Nearest that matching tries to come, in LU.
const AIM_LU: f64 = 0.01;

/// Brings a sound to a loudness. Returns the gain in dB; none where the sound has no loudness, which leaves it as it is.
///
/// # Errors
/// As [`integrated_lufs`].
pub fn match_loudness(sound: &mut StereoPcm, lufs: f64) -> Result<Option<f64>> {
    let mut total_db = None;
    for _ in 0..ROUNDS {
        let Some(now) = integrated_lufs(sound)? else { break };
        let gain_db = lufs - now;
        total_db = Some(total_db.unwrap_or(0.0) + if gain_db.abs() > AIM_LU { gain_db } else { 0.0 });
        if gain_db.abs() <= AIM_LU {
            break;
        }
        scale(sound, 10f64.powf(gain_db / 20.0) as f32);
    }
    Ok(total_db)
}

/// Multiplies all samples.
pub(super) fn scale(sound: &mut StereoPcm, gain: f32) {
    sound.left.iter_mut().chain(&mut sound.right).for_each(|sample| *sample *= gain);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: impl Fn(f32) -> f32) -> StereoPcm {
        let channel: Vec<f32> = (0..480_000)
            .map(|n| n as f32 / 48_000.0)
            .map(|t| amplitude(t) * (std::f32::consts::TAU * 997.0 * t).sin())
            .collect();
        StereoPcm::new(channel.clone(), channel, 48_000).unwrap()
    }

    #[test]
    fn sounds_become_equally_loud_also_near_the_gate() {
        for loud in [0.5, 0.01, 0.0006] {
            // Half of it is 30 dB quieter, and below the gate in the last case.
            let mut sound = tone(|t| if t < 5.0 { loud } else { loud / 31.6 });
            for lufs in [-14.0, -23.0, -50.0] {
                match_loudness(&mut sound, lufs).unwrap().unwrap();
                let now = integrated_lufs(&sound).unwrap().unwrap();
                assert!((now - lufs).abs() <= LOUDNESS_TOLERANCE_LU, "{now} for {lufs}");
            }
        }
        assert_eq!(match_loudness(&mut tone(|_| 0.0), -23.0).unwrap(), None);
    }
}
