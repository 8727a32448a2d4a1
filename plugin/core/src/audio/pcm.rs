//! Stereo samples, and the check that they are finite.

use crate::error::{Error, Result};

/// Stereo sound: two channels of equal length, full scale at ±1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StereoPcm {
    /// Left channel, one value per frame.
    pub left: Vec<f32>,
    /// Right channel, as long as the left.
    pub right: Vec<f32>,
    /// Frames per second.
    pub sample_rate_hz: u32,
}

impl StereoPcm {
    /// From two channels.
    ///
    /// # Errors
    /// [`Error::Samples`] if the channels differ in length or the rate is zero.
    pub fn new(left: Vec<f32>, right: Vec<f32>, sample_rate_hz: u32) -> Result<Self> {
        if left.len() != right.len() {
            let (l, r) = (left.len(), right.len());
            return Err(Error::Samples(format!("the left channel has {l} samples and the right one {r}")));
        }
        if sample_rate_hz == 0 {
            return Err(Error::Samples("the sample rate is 0 Hz".into()));
        }
        Ok(Self { left, right, sample_rate_hz })
    }

    /// `frames` frames of silence.
    pub fn silence(frames: usize, sample_rate_hz: u32) -> Self {
        Self { left: vec![0.0; frames], right: vec![0.0; frames], sample_rate_hz }
    }

    /// Length in frames.
    pub fn len(&self) -> usize {
        self.left.len().min(self.right.len())
    }

    /// Whether it has no frames.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.len() as f64 / f64::from(self.sample_rate_hz.max(1))
    }

    /// Appends silence up to `frames` frames. A longer sound stays as it is.
    pub fn pad_to(&mut self, frames: usize) {
        if self.len() < frames {
            self.left.resize(frames, 0.0);
            self.right.resize(frames, 0.0);
        }
    }

    /// Adds another sound of the same rate to this one, frame by frame; the longer one sets the length.
    ///
    /// # Errors
    /// [`Error::Samples`] if the rates differ.
    pub fn add(&mut self, other: &StereoPcm) -> Result<()> {
        if self.sample_rate_hz != other.sample_rate_hz {
            let (a, b) = (self.sample_rate_hz, other.sample_rate_hz);
            return Err(Error::Samples(format!("sound at {b} Hz cannot be added to sound at {a} Hz")));
        }
        self.pad_to(other.len());
        for (mine, theirs) in [(&mut self.left, &other.left), (&mut self.right, &other.right)] {
            for (a, b) in mine.iter_mut().zip(theirs) {
                *a += b;
            }
        }
        Ok(())
    }

    /// How many frames hold NaN or infinity, and where the first is.
    pub fn non_finite(&self) -> NonFinite {
        let mut tally = NonFinite::default();
        tally.count(&self.left, &self.right);
        tally
    }

    /// Checks that every sample is finite.
    ///
    /// # Errors
    /// [`Error::Samples`] with the share of the frames that hold NaN or infinity, and the position of the first.
    pub fn check_finite(&self) -> Result<()> {
        self.non_finite().describe(self.sample_rate_hz).map_or(Ok(()), |reason| Err(Error::Samples(reason)))
    }
}

/// A count of the frames in which either channel holds NaN or infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonFinite {
    /// Frames that hold NaN or infinity.
    pub bad_frames: u64,
    /// Frames counted.
    pub frames: u64,
    /// Position of the first bad frame.
    pub first_frame: Option<u64>,
}

impl NonFinite {
    /// Counts the next frames of a sound.
    pub fn count(&mut self, left: &[f32], right: &[f32]) {
        for (l, r) in left.iter().zip(right) {
            if !(l.is_finite() && r.is_finite()) {
                self.bad_frames += 1;
                self.first_frame.get_or_insert(self.frames);
            }
            self.frames += 1;
        }
    }

    /// Share of the frames that are bad, 0 to 1.
    pub fn share(&self) -> f64 {
        if self.frames == 0 { 0.0 } else { self.bad_frames as f64 / self.frames as f64 }
    }

    /// A message for a person; none if all frames are finite.
    pub fn describe(&self, sample_rate_hz: u32) -> Option<String> {
        let first_s = self.first_frame? as f64 / f64::from(sample_rate_hz.max(1));
        let percent = 100.0 * self.share();
        let share = if percent < 0.01 { "under 0.01".into() } else { format!("{percent:.2}") };
        Some(format!("{share} % of the samples are NaN or infinite, the first at {first_s:.3} s"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tells_share_and_first_position_of_what_is_no_number() {
        let mut pcm = StereoPcm::silence(1000, 8000);
        assert!(pcm.check_finite().is_ok());
        pcm.right[400] = f32::NAN;
        pcm.left[400] = f32::INFINITY;
        pcm.left[900] = f32::NEG_INFINITY;
        let tally = pcm.non_finite();
        assert_eq!((tally.bad_frames, tally.frames, tally.first_frame), (2, 1000, Some(400)));
        let text = pcm.check_finite().unwrap_err().to_string();
        assert!(text.contains("0.20 %") && text.contains("0.050 s"), "{text}");
    }

    #[test]
    fn adds_and_pads() {
        let mut a = StereoPcm::new(vec![1.0, 2.0], vec![0.5, 0.5], 8000).unwrap();
        let b = StereoPcm::new(vec![1.0; 3], vec![-0.5; 3], 8000).unwrap();
        a.add(&b).unwrap();
        assert_eq!(a.left, [2.0, 3.0, 1.0]);
        assert_eq!(a.right, [0.0, 0.0, -0.5]);
        assert!(a.add(&StereoPcm::silence(1, 44_100)).is_err());
        assert!(StereoPcm::new(vec![0.0], vec![], 8000).is_err());
    }
}
