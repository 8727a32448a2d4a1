//! Reads audio files, makes them stereo and resamples them to the model's rate. Runs on worker threads, never on the
//! audio thread.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`FileStream`] | decodes a file packet by packet, trimmed to the sound itself, as stereo |
//! | [`ModelRateStream`] | the same at another rate, ready for models: every sample is a finite number |
//! | [`decode_file`], [`decode_at_rate`], [`decode_track_at_rate`] | a whole file at its own or another rate |
//! | [`decode_part`] | a part of a file at its own rate |
//! | [`StreamResampler`], [`resample()`] | change the rate without moving the sound |
//! | [`StereoPcm`] | the samples |
//! | [`hide_caught_panics`] | for programs: damaged files print no panic |
//!
//! A song of five minutes takes 77 MB at [`MODEL_RATE_HZ`] as [`StereoPcm`], and about 100 kB as
//! [`ModelRateStream`].

mod decode;
mod downmix;
mod foreign;
mod formats;
mod guard;
mod input;
mod kind;
mod losses;
mod model_rate;
mod mp4;
mod mpeg;
mod open;
mod opus;
mod pcm;
mod resample;
mod riff;
mod spliced;
mod tags;
mod whole;

pub use decode::FileStream;
pub use guard::hide_caught_panics;
pub use input::PIPE_LIMIT_BYTES;
pub use model_rate::ModelRateStream;
pub use pcm::{NonFinite, StereoPcm};
pub use resample::{StreamResampler, resample};
pub use whole::{decode_at_rate, decode_file, decode_part, decode_track_at_rate};

/// Sample rate in Hz of all sound that the model analyzes.
pub const MODEL_RATE_HZ: u32 = 32_000;
