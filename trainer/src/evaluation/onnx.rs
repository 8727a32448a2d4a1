//! Any separator as an ONNX file, run by ONNX Runtime.
//!
//! The network takes sound, `(1, 2, frames)` at 44.1 kHz, and gives `(1, stems, 2, frames)`, or `(1, 2, frames)` if it has
//! one stem. Exports of HT-Demucs have this form (<https://github.com/adefossez/demucs>; four stems: drums, bass, other,
//! vocals). ONNX Runtime is a library that the user has, such as the one in PyPI's `onnxruntime`; it is loaded when it is
//! asked for, so that nothing is fetched when the trainer is built.

use super::records::rounded;
use super::separating::{RANGE_DB, SeparatedLevels, SeparatorMeter};
use anyhow::{Context, Result, anyhow, bail, ensure};
use mixing_buddy_core::audio::{StereoPcm, resample};
use mixing_buddy_core::stem::Stem;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::{TensorRef, ValueType};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The rate of the networks that this is for.
const SAMPLE_RATE_HZ: u32 = 44_100;

/// Part of a segment after which the next one starts, for networks that take a fixed number of frames. HT-Demucs is
/// applied so (`overlap=0.25` in `demucs/apply.py`).
const STEP: f64 = 0.75;

/// A separator out of an ONNX file.
pub struct OnnxSeparator {
    /// ONNX Runtime's session. A run changes it, so that threads take turns; each run uses one processor.
    session: Mutex<Session>,
    /// The stems in the order of the network's output.
    stems: Vec<Stem>,
    /// Frames that the network takes at a time; any number if none.
    segment_frames: Option<usize>,
}

impl OnnxSeparator {
    /// Reads the network. `stems` names its output in order; `runtime` is ONNX Runtime's library.
    ///
    /// # Errors
    /// When the library cannot be loaded, or the file cannot be read or is a network with another input or output.
    pub fn open(path: &Path, stems: &[Stem], runtime: &Path) -> Result<OnnxSeparator> {
        ensure!(!stems.is_empty(), "a separator needs at least one stem");
        let file = || format!("{}", path.display());
        let environment = environment(runtime)
            .with_context(|| format!("{} cannot be loaded as ONNX Runtime", runtime.display()))?;
        let mut builder =
            Session::builder(&environment)?.with_intra_threads(1).map_err(|error| anyhow!("{error}"))?;
        let session = builder.commit_from_file(path).with_context(file)?;
        let segment_frames = segment_of(&session, stems.len()).with_context(file)?;
        Ok(OnnxSeparator { session: Mutex::new(session), stems: stems.to_vec(), segment_frames })
    }

    /// Power of each stem and of the rest of the mix without it, summed over both channels.
    fn powers(&self, mix: &StereoPcm) -> Result<Vec<(f64, f64)>> {
        let frames = mix.len();
        let segment = self.segment_frames.unwrap_or(frames);
        let mut stems = vec![vec![0.0_f32; 2 * frames]; self.stems.len()];
        let mut weights = vec![0.0_f32; frames];
        let mut input = vec![0.0_f32; 2 * segment];
        for start in segment_starts(frames, segment) {
            let taken = segment.min(frames - start);
            input.fill(0.0);
            for (channel, samples) in [&mix.left, &mix.right].into_iter().enumerate() {
                input[channel * segment..][..taken].copy_from_slice(&samples[start..start + taken]);
            }
            let output = self.run(&input, segment)?;
            for frame in 0..taken {
                let weight = fade(frame, segment);
                weights[start + frame] += weight;
                for (number, stem) in stems.iter_mut().enumerate() {
                    for channel in 0..2 {
                        stem[channel * frames + start + frame] +=
                            weight * output[(number * 2 + channel) * segment + frame];
                    }
                }
            }
        }
        let power_of = |stem: &Vec<f32>| {
            let (mut of_stem, mut of_rest) = (0.0, 0.0);
            for (channel, samples) in [&mix.left, &mix.right].into_iter().enumerate() {
                let separated = &stem[channel * frames..][..frames];
                for ((sample, sum), weight) in samples.iter().zip(separated).zip(&weights) {
                    let value = f64::from(sum / weight);
                    of_stem += value * value;
                    of_rest += (f64::from(*sample) - value).powi(2);
                }
            }
            (of_stem, of_rest)
        };
        Ok(stems.iter().map(power_of).collect())
    }

    /// The network on `(2, segment)` samples: `(stems, 2, segment)`.
    fn run(&self, input: &[f32], segment: usize) -> Result<Vec<f32>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let tensor = TensorRef::from_array_view(([1, 2, segment], input))?;
        let outputs = session.run(ort::inputs![tensor])?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>()?;
        let wanted = self.stems.len() * 2 * segment;
        ensure!(
            values.len() == wanted,
            "the network gives {shape:?} for {segment} frames, not {} stems of two channels",
            self.stems.len()
        );
        ensure!(
            values.iter().all(|value| value.is_finite()),
            "the network gives values that are not numbers"
        );
        Ok(values.to_vec())
    }
}

impl SeparatorMeter for OnnxSeparator {
    fn separated_db(&self, mix: &StereoPcm) -> Result<SeparatedLevels> {
        let at_rate;
        let mix = if mix.sample_rate_hz == SAMPLE_RATE_HZ {
            mix
        } else {
            at_rate = resample(mix, SAMPLE_RATE_HZ)?;
            &at_rate
        };
        let mut levels = SeparatedLevels::default();
        for (stem, (power, rest)) in self.stems.iter().zip(self.powers(mix)?) {
            let level_db = 10.0 * (power.max(f64::MIN_POSITIVE) / rest.max(f64::MIN_POSITIVE)).log10();
            levels[*stem] = Some(rounded(level_db.clamp(-RANGE_DB, RANGE_DB)));
        }
        Ok(levels)
    }
}

/// ONNX Runtime out of a library. A process has it once: a second library is not loaded.
fn environment(runtime: &Path) -> Result<Environment> {
    static LOADED: Mutex<Option<Environment>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let builder = ort::init_from(runtime).map_err(|error| anyhow!("{error}"))?;
    Ok(loaded.insert(builder.build()?).clone())
}

/// The frames of the network's input, none if any number will do.
fn segment_of(session: &Session, stems: usize) -> Result<Option<usize>> {
    let [input] = session.inputs() else {
        bail!("the network has {} inputs; one is needed, the sound", session.inputs().len());
    };
    let ValueType::Tensor { shape, .. } = input.dtype() else { bail!("the network's input is not a tensor") };
    let [batch, channels, frames] = shape[..] else {
        bail!("the network's input has the shape {shape:?}; (1, 2, frames) is needed")
    };
    // -1 stands for "any number" in ONNX Runtime.
    ensure!(
        matches!(batch, 1 | -1) && matches!(channels, 2 | -1) && frames != 0,
        "the network's input has the shape {shape:?}; (1, 2, frames) is needed"
    );
    if let Some(ValueType::Tensor { shape, .. }) = session.outputs().first().map(|output| output.dtype())
        && let [_, of_network, 2, _] = shape[..]
        && of_network > 0
    {
        ensure!(of_network == stems as i64, "the network gives {of_network} stems, and {stems} are named");
    }
    Ok(usize::try_from(frames).ok())
}

/// Where segments start: each overlaps the one before, and the last ends with the sound.
fn segment_starts(frames: usize, segment: usize) -> Vec<usize> {
    if frames <= segment {
        return vec![0];
    }
    let step = ((segment as f64 * STEP) as usize).max(1);
    let last = frames - segment;
    (0..last).step_by(step).chain([last]).collect()
}

/// Weight of a frame of a segment: least at the edges, where the network knows least.
fn fade(frame: usize, segment: usize) -> f32 {
    (frame + 1).min(segment - frame) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_all_frames_and_the_last_ends_with_them() {
        for (frames, segment) in [(10, 10), (441, 100), (5, 10), (101, 100)] {
            let starts = segment_starts(frames, segment);
            let mut covered = vec![false; frames];
            for start in &starts {
                covered[*start..(start + segment).min(frames)].fill(true);
                assert!(start + segment <= frames || starts.len() == 1);
            }
            assert!(covered.iter().all(|frame| *frame), "{frames} frames in segments of {segment}");
        }
    }

    #[test]
    fn no_frame_of_a_segment_has_no_weight() {
        assert!((0..7).all(|frame| fade(frame, 7) >= 1.0));
        assert_eq!((fade(0, 7), fade(3, 7), fade(6, 7)), (1.0, 4.0, 1.0));
    }
}
