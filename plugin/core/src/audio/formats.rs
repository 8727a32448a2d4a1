//! Facts about file formats and codecs: which stated lengths are reliable, and messages for files that cannot be read.

use super::guard::guarded;
use super::kind::FileKind;
use super::opus::OpusDecoder;
use std::io::ErrorKind;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_AC4, CODEC_ID_DCA, CODEC_ID_EAC3, CODEC_ID_MONKEYS_AUDIO,
    CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_MUSEPACK, CODEC_ID_OPUS, CODEC_ID_SPEEX, CODEC_ID_TTA,
    CODEC_ID_VORBIS, CODEC_ID_WAVPACK, CODEC_ID_WMA,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::Track;

/// Longest packet in frames of any codec; a damaged packet may state a longer one.
pub(super) const PACKET_LIMIT_FRAMES: u64 = 1 << 16;
/// Most channels of a file. Ambisonics of the seventh order have 64 (chosen).
const CHANNEL_LIMIT: usize = 64;

/// Message for a file with encrypted sound.
pub(super) const PROTECTED: &str = "is protected (DRM) and cannot be read";

/// Whether this is MPEG audio of layer 1, 2 or 3.
pub(super) fn is_mpeg(codec: AudioCodecId) -> bool {
    [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3].contains(&codec)
}

/// Whether the times of packets count samples, so that a gap between them is lost sound.
pub(super) fn has_exact_times(kind: FileKind, track: &Track, params: &AudioCodecParameters) -> bool {
    let counts_samples = track.time_base.map(|base| base.denom.get()) == params.sample_rate;
    match kind {
        FileKind::Flac => true,
        FileKind::Ogg => params.codec == CODEC_ID_VORBIS,
        FileKind::Mp4 => counts_samples && params.sample_rate.is_some(),
        _ => false,
    }
}

/// The length in frames that the file states; none if it states none or only an estimate.
pub(super) fn stated_frames(kind: FileKind, track: &Track) -> Option<u64> {
    let frames = track.num_frames.filter(|frames| *frames > 0)?;
    match kind {
        FileKind::Ogg => Some(frames.saturating_sub(track.start_ts.get().max(0) as u64)),
        FileKind::Wave | FileKind::Aiff | FileKind::Flac | FileKind::Mp4 | FileKind::Caf => Some(frames),
        _ => None,
    }
}

/// Checks what the head of a track asks the decoder to make room for. The decoder would believe it.
///
/// # Errors
/// A sentence without subject.
pub(super) fn check_sizes(params: &AudioCodecParameters) -> Result<(), String> {
    let channels = params.channels.as_ref().map_or(0, Channels::count);
    if channels > CHANNEL_LIMIT {
        return Err(format!("states {channels} channels; at most {CHANNEL_LIMIT} are read"));
    }
    match params.max_frames_per_packet {
        Some(frames) if frames > PACKET_LIMIT_FRAMES => {
            Err(format!("is damaged: it states packets of {frames} samples"))
        }
        _ => Ok(()),
    }
}

/// The decoder of a track; `trims`: whether it applies the trims of packets.
///
/// # Errors
/// Symphonia's, if there is none; see [`describe_codec`].
pub(super) fn make_decoder(
    params: &AudioCodecParameters,
    trims: bool,
) -> Result<Box<dyn AudioDecoder>, SymphoniaError> {
    if params.codec == CODEC_ID_OPUS {
        return guarded(|| Ok(Box::new(OpusDecoder::new(params)?) as Box<dyn AudioDecoder>));
    }
    let options = AudioDecoderOptions::default().gapless(trims);
    guarded(|| symphonia::default::get_codecs().make_audio_decoder(params, &options))
}

/// Why a file's head cannot be read.
pub(super) fn describe_open(kind: FileKind, cause: SymphoniaError) -> String {
    tracing::debug!("{}: {cause}", kind.name());
    match cause {
        SymphoniaError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
            "is cut off: its end is missing".into()
        }
        SymphoniaError::IoError(cause) => format!("cannot be read: {cause}"),
        SymphoniaError::Unsupported(_) => {
            format!("is {} of a kind that cannot be read. Convert it to WAV or FLAC", kind.name())
        }
        _ => format!("is {} that is damaged", kind.name()),
    }
}

/// Why a track cannot be decoded.
pub(super) fn describe_codec(codec: AudioCodecId, cause: &SymphoniaError) -> String {
    tracing::debug!("{codec}: {cause}");
    let name = match codec {
        CODEC_ID_AAC => "AAC with more than two channels, or in a form beyond AAC-LC",
        CODEC_ID_OPUS => "Opus with channels in an unknown order",
        CODEC_ID_SPEEX => "Speex",
        CODEC_ID_AC3 | CODEC_ID_EAC3 | CODEC_ID_AC4 => "Dolby Digital",
        CODEC_ID_DCA => "DTS",
        CODEC_ID_WMA => "Windows Media Audio",
        CODEC_ID_WAVPACK => "WavPack",
        CODEC_ID_MUSEPACK => "Musepack",
        CODEC_ID_MONKEYS_AUDIO => "Monkey's Audio",
        CODEC_ID_TTA => "True Audio",
        _ => return "is coded in a way that cannot be read. Convert it to WAV or FLAC".into(),
    };
    format!("is coded as {name}, which cannot be read. Convert it to WAV or FLAC")
}
