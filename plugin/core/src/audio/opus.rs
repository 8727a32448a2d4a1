//! Opus, which symphonia 0.6.1 finds in Ogg, MP4 and Matroska but does not decode.
//!
//! The decoder is that of the crate `ropus`, a port of the reference implementation in fixed point, so samples have 16 bits
//! and end at full scale. Against libopus, it has a noise of -72 to -76 dB (four files); `opus-decoder` 0.1.1, the
//! other decoder in Rust that was tried, had -48 to -85 dB and refused one of them.

use ropus::OpusMSDecoder;
use symphonia::core::audio::{
    AsGenericAudioBufferRef, Audio, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

/// Rate of all Opus sound in Hz (RFC 7845, section 5.1). Lower rates are limits of the band, not of the samples.
const RATE_HZ: u32 = 48_000;
/// Frames of the longest packet, 120 ms (RFC 6716, section 3.2.5).
const PACKET_FRAMES: usize = 5760;
/// For each number of channels, the place of each channel of a stream among the channels of symphonia, which are in the
/// order of WAVE files. Streams have Vorbis' order (RFC 7845, section 5.1.1.2).
const ORDERS: [&[usize]; 8] = [
    &[0],
    &[0, 1],
    &[0, 2, 1],
    &[0, 1, 2, 3],
    &[0, 2, 1, 3, 4],
    &[0, 2, 1, 4, 5, 3],
    &[0, 2, 1, 5, 6, 4, 3],
    &[0, 2, 1, 6, 7, 4, 5, 3],
];

/// Streams of one or two channels without a mapping of their own.
const IN_ORDER: &[u8] = &[0, 1];

/// An identification header (RFC 7845, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Head<'a> {
    channels: usize,
    /// Frames to drop at the start.
    pre_skip: u16,
    /// Gain to apply, as an amplitude.
    gain: f32,
    streams: u8,
    coupled: u8,
    mapping: &'a [u8],
}

impl<'a> Head<'a> {
    /// None if the header is too short, or its channels have no order that is known.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?;
        let [version, channels, skip_0, skip_1, _, _, _, _, gain_0, gain_1, family, rest @ ..] = fields
        else {
            return None;
        };
        // MP4 has version 0, and its numbers start with the high byte.
        let number =
            |bytes| if *version == 0 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let gain_db = f32::from(number([*gain_0, *gain_1]) as i16) / 256.0;
        let channels = usize::from(*channels);
        let (streams, coupled, mapping) = match (family, channels, rest) {
            (0, 1, _) => (1, 0, &IN_ORDER[..1]),
            (0, 2, _) => (1, 1, IN_ORDER),
            (1, 1..=8, [streams, coupled, mapping @ ..]) => (*streams, *coupled, mapping.get(..channels)?),
            _ => return None,
        };
        let (pre_skip, gain) = (number([*skip_0, *skip_1]), 10f32.powf(gain_db / 20.0));
        Some(Head { channels, pre_skip, gain, streams, coupled, mapping })
    }
}

/// Frames to drop at the start of an Opus track; none if this is not one, or its header cannot be read.
pub(super) fn pre_skip(params: &AudioCodecParameters) -> Option<u64> {
    let head = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_OPUS)?;
    Head::read(head).map(|head| u64::from(head.pre_skip))
}

/// Decodes the packets of a track.
pub(super) struct OpusDecoder {
    params: AudioCodecParameters,
    decoder: OpusMSDecoder,
    gain: f32,
    interleaved: Vec<i16>,
    buffer: AudioBuffer<f32>,
}

impl OpusDecoder {
    /// # Errors
    /// [`Error::Unsupported`] if there is no header, or its channels have no order that is known.
    pub(super) fn new(params: &AudioCodecParameters) -> Result<Self> {
        let head = params.extra_data.as_deref().and_then(Head::read);
        let head = head.ok_or(Error::Unsupported("opus: no header that is known"))?;
        let channels = params.channels.clone().filter(|channels| channels.count() == head.channels);
        let channels = channels.unwrap_or(Channels::Discrete(head.channels as u16));
        let decoder = OpusMSDecoder::new(
            RATE_HZ as i32,
            head.channels as i32,
            i32::from(head.streams),
            i32::from(head.coupled),
            head.mapping,
        );
        Ok(Self {
            params: params.clone(),
            decoder: decoder.map_err(|_| Error::Unsupported("opus: an impossible set of streams"))?,
            gain: head.gain / 32_768.0,
            interleaved: vec![0; PACKET_FRAMES * head.channels],
            buffer: AudioBuffer::new(AudioSpec::new(RATE_HZ, channels), PACKET_FRAMES),
        })
    }
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        // Files are read from their start to their end.
    }

    fn codec_info(&self) -> &CodecInfo {
        &CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] }
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        // Without bytes, the decoder would make up sound.
        if packet.data.is_empty() {
            return Err(Error::DecodeError("opus: an empty packet"));
        }
        let bytes = packet.data.len() as i32;
        let frames =
            self.decoder.decode(Some(packet.data), bytes, &mut self.interleaved, PACKET_FRAMES as i32, false);
        let frames = frames.ok().and_then(|frames| usize::try_from(frames).ok());
        let frames = frames.ok_or(Error::DecodeError("opus: a packet that cannot be decoded"))?;
        self.buffer.render_uninit(Some(frames));
        let order = ORDERS[self.buffer.spec().channels().count() - 1];
        for (channel, place) in order.iter().enumerate() {
            let samples = self.interleaved.iter().skip(channel).step_by(order.len());
            let plane = self.buffer.plane_mut(*place).into_iter().flatten();
            plane.zip(samples).for_each(|(to, from)| *to = f32::from(*from) * self.gain);
        }
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_ogg_and_mp4_are_read_and_others_are_refused() {
        let ogg = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\xfa\0";
        let head = Head::read(ogg).unwrap();
        assert_eq!((head.channels, head.pre_skip, head.streams, head.coupled), (2, 312, 1, 1));
        // -6 dB, in 256th of a dB.
        assert!((head.gain - 0.501).abs() < 1e-3, "{}", head.gain);
        let mp4 = b"OpusHead\0\x02\x01\x38\0\0\xbb\x80\xfa\0\0";
        assert_eq!(Head::read(mp4), Some(head));
        let six = b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\0\x01\x04\x02\0\x04\x01\x02\x03\x05";
        assert_eq!(Head::read(six).unwrap().mapping, [0, 4, 1, 2, 3, 5]);
        for cut in 0..six.len() {
            assert_eq!(Head::read(&six[..cut]), None);
        }
        let (mut family, mut many) = (ogg.to_vec(), ogg.to_vec());
        family[18] = 3;
        many[9] = 3;
        assert_eq!((Head::read(&family), Head::read(&many)), (None, None));
    }

    #[test]
    fn orders_name_each_channel_once() {
        for (count, order) in ORDERS.iter().enumerate() {
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..=count).collect::<Vec<_>>());
        }
    }
}
