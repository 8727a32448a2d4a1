//! The CLAP in a host: audio passes through bit for bit, whatever the sample rate, the block and the samples.

use anyhow::Result;
use mixing_buddy_tests::bundle;
use mixing_buddy_tests::host::{Instance, Library, Transport};

const RATES_HZ: [f64; 8] = [8_000.0, 22_050.0, 32_000.0, 44_100.0, 48_000.0, 88_200.0, 96_000.0, 192_000.0];
const BLOCKS: [usize; 9] = [1, 2, 63, 64, 127, 480, 1024, 4097, 8192];
const LONGEST: usize = 8192;

fn instance() -> Result<Instance> {
    Library::load(&bundle::clap())?.create()
}

/// Noise that differs with the seed (SplitMix64, Steele et al. 2014).
fn noise(frames: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..frames)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn bits(samples: &[f32]) -> Vec<u32> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

/// Plays `sound` in blocks and checks that it comes back unchanged.
fn assert_passes(plugin: &mut Instance, sound: &[Vec<f32>], rate_hz: f64, block: usize) -> Result<()> {
    let audio = plugin.audio()?;
    let frames = sound[0].len();
    for start in (0..frames).step_by(block) {
        let end = (start + block).min(frames);
        let input: Vec<&[f32]> = sound.iter().map(|channel| &channel[start..end]).collect();
        let transport = Transport { is_playing: true, position_s: start as f64 / rate_hz };
        let output = audio.play(&input, Some(transport))?;
        for (channel, (sent, came)) in input.iter().zip(output).enumerate() {
            assert_eq!(
                bits(sent),
                bits(came),
                "channel {channel} from {start} at {rate_hz} Hz, blocks of {block}"
            );
        }
    }
    Ok(())
}

#[test]
fn audio_passes_bit_for_bit_at_every_rate_and_block_size() {
    let mut plugin = instance().unwrap();
    for channels in [2, 1] {
        plugin.deactivate();
        plugin.select_channels(channels).unwrap();
        assert_eq!(plugin.channels(), (channels, channels));
        let sound: Vec<Vec<f32>> =
            (0..channels).map(|channel| noise(3 * LONGEST, u64::from(channel) + 1)).collect();
        for rate_hz in RATES_HZ {
            plugin.activate(rate_hz, LONGEST as u32).unwrap();
            assert_eq!(plugin.latency(), 0);
            for block in BLOCKS {
                // A block of one sample takes as long as one of a thousand, so short blocks play less audio.
                let frames = (block * 600).clamp(64, 3 * LONGEST);
                let sound: Vec<Vec<f32>> = sound.iter().map(|channel| channel[..frames].to_vec()).collect();
                assert_passes(&mut plugin, &sound, rate_hz, block).unwrap();
            }
        }
    }
}

#[test]
fn samples_that_are_not_finite_pass_unchanged_too() {
    let mut plugin = instance().unwrap();
    plugin.activate(48_000.0, 512).unwrap();
    let odd = [
        f32::NAN,
        f32::from_bits(0x7fc1_2345),
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40,
        f32::from_bits(1),
        -0.0,
        f32::MAX,
        f32::MIN_POSITIVE,
    ];
    let mut left = noise(48_000, 1);
    let mut right = noise(48_000, 2);
    for (index, sample) in odd.iter().cycle().take(9_000).enumerate() {
        left[index * 5] = *sample;
        right[index * 5 + 2] = *sample;
    }
    assert_passes(&mut plugin, &[left, right], 48_000.0, 512).unwrap();
}

#[test]
fn unusual_hosts_do_no_harm() -> Result<()> {
    let mut plugin = instance().unwrap();
    // Activated and never processed.
    plugin.activate(44_100.0, 64)?;
    // Activated again and again, at changing rates.
    for round in 0..10 {
        plugin.activate([44_100.0, 48_000.0, 96_000.0][round % 3], 256)?;
    }
    let sound = [noise(256, 1), noise(256, 2)];
    let block = |from: usize, to: usize| [&sound[0][from..to], &sound[1][from..to]];
    let audio = plugin.audio()?;
    // No samples, no transport, and a transport that is stopped, negative, jumps, or is not a number.
    audio.play(&block(0, 0), None)?;
    for transport in [
        None,
        Some(Transport { is_playing: false, position_s: 0.0 }),
        Some(Transport { is_playing: true, position_s: -3.0 }),
        Some(Transport { is_playing: true, position_s: 1e9 }),
        Some(Transport { is_playing: true, position_s: 12.0 }),
        Some(Transport { is_playing: true, position_s: f64::NAN }),
    ] {
        for length in [256, 1, 0, 255] {
            let output = audio.play(&block(0, length), transport)?;
            assert_eq!(bits(output[0]), bits(&sound[0][..length]), "{transport:?}, {length} samples");
            assert_eq!(bits(output[1]), bits(&sound[1][..length]), "{transport:?}, {length} samples");
        }
    }
    // The sample rate changes during playback.
    plugin.activate(8_000.0, 256)?;
    assert_passes(&mut plugin, &sound, 8_000.0, 100)
}

#[test]
fn bypass_and_automation_do_not_change_the_audio() -> Result<()> {
    let mut plugin = instance().unwrap();
    let parameters = plugin.parameters();
    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.to_lowercase()).collect();
    for expected in ["bypass", "confidence threshold", "hop"] {
        assert!(names.iter().any(|name| name.contains(expected)), "no {expected} among {names:?}");
    }
    plugin.activate(48_000.0, 480)?;
    let sound = [noise(4_800, 3), noise(4_800, 4)];
    for parameter in &parameters {
        let (low, high, default) = parameter.range;
        for value in [low, high, default] {
            plugin.audio()?.set_parameter(parameter.id, value);
            assert_passes(&mut plugin, &sound, 48_000.0, 480)?;
            let now =
                plugin.parameters().into_iter().find(|other| other.id == parameter.id).map(|now| now.value);
            // A reading is the plugin's own: `clap_readouts` tests that no host can write it.
            if !parameter.is_read_only {
                assert_eq!(now, Some(value), "{}", parameter.name);
            }
        }
    }
    Ok(())
}

#[test]
fn layouts_other_than_mono_and_stereo_are_refused() {
    let mut plugin = instance().unwrap();
    for channels in [0, 3, 6] {
        assert!(plugin.select_channels(channels).is_err(), "{channels} channels");
    }
    assert_eq!(plugin.channels(), (2, 2));
}
