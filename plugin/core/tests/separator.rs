//! The vocal separator against an independent implementation (`trainer/frontends/reference_spleeter.py`, plain numpy).
#![expect(clippy::unwrap_used, reason = "a test that cannot continue says why by panicking")]

use mixing_buddy_core::audio::{StereoPcm, decode_file};
use mixing_buddy_core::isa::Isa;
use mixing_buddy_core::separator::{
    BINS, CHANNELS, Magnitudes, NetworkWeights, SEPARATOR_RATE_HZ, Separator, UNet, Workspace,
};
use mixing_buddy_core::{CancelFlag, Error, Stem};
use serde::Deserialize;
use std::path::Path;

static VOCALS: &[u8] = include_bytes!("../../../assets/separator/vocals.safetensors");

/// What the reference implementation found.
#[derive(Deserialize)]
struct Reference {
    network: Network,
    demo: Demo,
}

#[derive(Deserialize)]
struct Network {
    frames: usize,
    mean: f64,
    /// Channel, frame, bin and the share there.
    cells: Vec<(usize, usize, usize, f64)>,
}

#[derive(Deserialize)]
struct Demo {
    frames: usize,
    level_db: Vec<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("fixtures/spleeter.json")).unwrap()
}

/// The input that the reference made for itself.
fn made_input(frames: usize) -> Vec<f32> {
    let cell = |c: usize, t: usize, f: usize| {
        let angle = 0.37 * t as f64 + 0.011 * f as f64 * (c as f64 + 1.0);
        (angle.sin().abs() * 20.0 * (-(f as f64) / 200.0).exp()) as f32
    };
    let rows = (0..CHANNELS).flat_map(|c| (0..frames).map(move |t| (c, t)));
    rows.flat_map(|(c, t)| (0..BINS).map(move |f| cell(c, t, f))).collect()
}

fn separator() -> Separator {
    Separator::from_networks([(Stem::Vocals, VOCALS)]).unwrap()
}

/// The demo's vocals and drums: all decoders make the same samples of these two files.
fn demo_mix() -> StereoPcm {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo");
    let mut mix: Option<StereoPcm> = None;
    for stem in [Stem::Vocals, Stem::Drums] {
        let mut pcm = decode_file(&folder.join(format!("{stem}.ogg")), &CancelFlag::new()).unwrap();
        match &mut mix {
            Some(mix) => {
                let frames = mix.len().max(pcm.len());
                mix.pad_to(frames);
                pcm.pad_to(frames);
                mix.add(&pcm).unwrap();
            }
            none => *none = Some(pcm),
        }
    }
    mix.unwrap()
}

#[test]
fn the_network_agrees_with_an_independent_implementation() {
    let Network { frames, mean, cells } = reference().network;
    let network = UNet::floating(NetworkWeights::read(VOCALS).unwrap());
    let input = made_input(frames);
    let mut shares = vec![0.0; input.len()];
    let mut work = Workspace::default();
    // Twice: the buffers of the first pass must not reach the second.
    for _ in 0..2 {
        network.shares(&input, frames, &mut work, &mut shares);
        for (c, t, f, expected) in &cells {
            let found = f64::from(shares[(c * frames + t) * BINS + f]);
            assert!(
                (found - expected).abs() < 1e-4,
                "{found} at {c}, {t}, {f}; the reference has {expected}"
            );
        }
        let found = shares.iter().map(|share| f64::from(*share)).sum::<f64>() / shares.len() as f64;
        assert!((found - mean).abs() < 1e-5, "a mean of {found}, the reference has {mean}");
    }
}

#[test]
fn all_instructions_give_the_same_and_nearly_what_floating_point_gives() {
    let magnitudes = Magnitudes::new(&demo_mix()).unwrap();
    let frames = magnitudes.padded_frames();
    let mut work = Workspace::default();
    let mut shares_of = |network: UNet| {
        let mut shares = vec![0.0; magnitudes.values().len()];
        network.shares(magnitudes.values(), frames, &mut work, &mut shares);
        shares
    };
    let weights = || NetworkWeights::read(VOCALS).unwrap();
    let floating = shares_of(UNet::floating(weights()));
    let best = shares_of(UNet::new(weights()));
    let difference = |a: &[f32], b: &[f32]| {
        let parts = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
        let (sum, most) = parts.fold((0.0, 0.0f64), |(sum, most), part| (sum + part, most.max(part)));
        (sum / a.len() as f64, most)
    };
    let (mean, most) = difference(&floating, &best);
    eprintln!("whole numbers and floating point: {mean:.2e} in the mean, {most:.2e} at most");
    assert!(mean < 1e-3 && most < 0.05, "{mean} in the mean, {most} at most");
    for isa in Isa::available() {
        assert!(best == shares_of(UNet::with_isa(weights(), isa)), "{isa:?} gives other shares");
    }
}

#[test]
fn kernels_of_eight_bits_read_the_level_of_whole_ones_within_a_tenth_of_a_db() {
    let Demo { frames, level_db } = reference().demo;
    let mix = demo_mix();
    assert_eq!(mix.sample_rate_hz, SEPARATOR_RATE_HZ);
    let samples = (frames - 1) * 1024;
    let mut work = Workspace::default();
    for (number, expected) in level_db.into_iter().enumerate() {
        let range = number * samples..(number + 1) * samples;
        let part =
            StereoPcm::new(mix.left[range.clone()].to_vec(), mix.right[range].to_vec(), SEPARATOR_RATE_HZ);
        let magnitudes = Magnitudes::new(&part.unwrap()).unwrap();
        assert_eq!((magnitudes.frames(), magnitudes.padded_frames()), (frames, frames));
        let shares = separator().shares(&magnitudes, &mut work, &CancelFlag::new()).unwrap();
        let found = shares[0].level_against_rest_db(&magnitudes);
        assert!((found - expected).abs() < 0.1, "{found} dB, whole kernels give {expected} dB");
    }
}

#[test]
fn sound_at_another_rate_gives_nearly_the_same_level() {
    let mix = demo_mix();
    let part = |from: usize, to: usize| {
        StereoPcm::new(mix.left[from..to].to_vec(), mix.right[from..to].to_vec(), mix.sample_rate_hz).unwrap()
    };
    let window = part(0, 5 * SEPARATOR_RATE_HZ as usize);
    let other = mixing_buddy_core::audio::resample(&window, 48_000).unwrap();
    let mut work = Workspace::default();
    let [level, other_level] = [window, other].map(|pcm| {
        let magnitudes = Magnitudes::new(&pcm).unwrap();
        let shares = separator().shares(&magnitudes, &mut work, &CancelFlag::new()).unwrap();
        shares[0].level_against_rest_db(&magnitudes)
    });
    assert!((level - other_level).abs() < 0.2, "{level} dB at 44.1 kHz, {other_level} dB by way of 48 kHz");
}

#[test]
fn files_that_are_not_this_network_are_refused_by_tensor() {
    let refused = |bytes: &[u8]| match Separator::from_networks([(Stem::Vocals, bytes)]) {
        Err(Error::Format(reason)) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    };
    assert!(refused(b"no weights").contains("not a safetensors file"));
    assert!(refused(&VOCALS[..VOCALS.len() / 2]).contains("not a safetensors file"));
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let other = safetensors::serialize([("down1.weight", tensor)], None).unwrap();
    assert!(refused(&other).contains("'down1.weight' has shape [1]"), "{}", refused(&other));
    let twice = Separator::from_networks([(Stem::Vocals, VOCALS), (Stem::Vocals, VOCALS)]);
    assert!(twice.is_err_and(|error| error.to_string().contains("two networks for the vocals")));
}

#[test]
fn raised_flag_ends_the_work() {
    let cancel = CancelFlag::new();
    cancel.cancel();
    let silence = Magnitudes::new(&StereoPcm::silence(44_100, SEPARATOR_RATE_HZ)).unwrap();
    let done = separator().shares(&silence, &mut Workspace::default(), &cancel);
    assert!(matches!(done, Err(Error::Cancelled)));
}
