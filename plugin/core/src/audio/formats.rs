//! Facts about file formats and codecs: which stated lengths are reliable, and messages for files that cannot be read.

use std::io::ErrorKind;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AC3, CODEC_ID_AC4, CODEC_ID_DCA, CODEC_ID_EAC3, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3,
    CODEC_ID_OPUS, CODEC_ID_SPEEX, CODEC_ID_VORBIS, CODEC_ID_WAVPACK, CODEC_ID_WMA,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::Track;

/// From this size on, the length in a WAV header means "unknown": programs that write to a pipe put 0x7ffff000 or more
/// there.
const WAV_PIPE_BYTES: u64 = 0x7fff_0000;

/// Message for a file with encrypted sound.
pub(super) const PROTECTED: &str = "is protected (DRM) and cannot be read";

/// Whether this is MPEG audio of layer 1, 2 or 3.
pub(super) fn is_mpeg(codec: AudioCodecId) -> bool {
    [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3].contains(&codec)
}

/// Whether the times of packets count samples, so that a gap between them is lost sound.
pub(super) fn has_exact_times(kind: &str, track: &Track, params: &AudioCodecParameters) -> bool {
    let counts_samples = track.time_base.map(|base| base.denom.get()) == params.sample_rate;
    match kind {
        "flac" => true,
        "ogg" => params.codec == CODEC_ID_VORBIS,
        "isomp4" => counts_samples && params.sample_rate.is_some(),
        _ => false,
    }
}

/// The length in frames that the file states; none if it states none or only an estimate.
pub(super) fn stated_frames(
    kind: &str,
    track: &Track,
    params: &AudioCodecParameters,
    file_len: u64,
) -> Option<u64> {
    let frames = track.num_frames.filter(|frames| *frames > 0)?;
    match kind {
        "wave" => {
            let channels = params.channels.as_ref().map_or(1, |channels| channels.count()) as u64;
            let bytes = u64::from(params.bits_per_coded_sample.unwrap_or(32)).div_ceil(8) * channels * frames;
            (bytes < WAV_PIPE_BYTES || bytes <= file_len).then_some(frames)
        }
        "ogg" => Some(frames.saturating_sub(track.start_ts.get().max(0) as u64)),
        "aiff" | "flac" | "mp1" | "mp2" | "mp3" | "isomp4" | "caf" => Some(frames),
        _ => None,
    }
}

/// Why no reader took the file.
pub(super) fn describe_probe(cause: SymphoniaError) -> String {
    match cause {
        SymphoniaError::Unsupported(detail) if detail.contains("no suitable format reader") => {
            "is not an audio file that can be read (WAV, FLAC, MP3, Ogg Vorbis, M4A, AIFF)".into()
        }
        SymphoniaError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
            "is cut off: its end is missing".into()
        }
        cause => format!("cannot be read as audio: {cause}"),
    }
}

/// Why no decoder took the track.
pub(super) fn describe_codec(codec: AudioCodecId, cause: SymphoniaError) -> String {
    let name = match codec {
        CODEC_ID_OPUS => "Opus",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_AC3 | CODEC_ID_EAC3 | CODEC_ID_AC4 => "Dolby Digital",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_WMA => "Windows Media Audio",
        CODEC_ID_WAVPACK => "WavPack",
        _ => return format!("is coded in a way that cannot be read: {cause}"),
    };
    format!("is coded as {name}, which cannot be read")
}
