//! The shipped model's masks, and what is heard with them.
#![allow(clippy::unwrap_used)]

use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::audition::{Clip, Remixer};
use mixing_buddy_core::loudness::integrated_lufs;
use mixing_buddy_core::{CancelFlag, Engine, PerStem, Stem};

/// A low tone, a high tone and clicks, with different channels.
fn sound(rate: u32) -> StereoPcm {
    let tone = |n: usize, hz: f32| (std::f32::consts::TAU * hz * n as f32 / rate as f32).sin();
    let left: Vec<f32> = (0..4 * rate as usize)
        .map(|n| 0.2 * tone(n, 60.0) + 0.1 * tone(n, 900.0) + if n % 12_000 < 20 { 0.5 } else { 0.0 })
        .collect();
    let right = left.iter().enumerate().map(|(n, x)| 0.7 * x + 0.05 * tone(n, 2_000.0)).collect();
    StereoPcm::new(left, right, rate).unwrap()
}

#[test]
fn the_models_masks_share_all_power_and_a_gain_is_heard_as_loud_as_before() {
    let cancel = CancelFlag::new();
    let engine = Engine::open(None, &cancel).unwrap();
    let features = engine.info().features.clone();
    let sound = sound(features.sample_rate_hz);
    let power = engine.feature_stream().unwrap().whole(&sound.left, &sound.right, &cancel).unwrap();
    let masks = engine.stem_masks(&power, &cancel).unwrap();
    assert_eq!((masks.frames, masks.bands), (power.frames, power.bands));
    for map in [&masks.mid, &masks.side] {
        for cell in 0..power.frames * power.bands {
            let sum: f32 = Stem::ALL.iter().map(|stem| map[*stem][cell]).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }
    let gains = PerStem::all(0.0).with(Stem::Bass, -12.0);
    let window = engine.unmix(sound.clone(), &power, &cancel).unwrap();
    assert_eq!(window.separated().iter().map(|(stem, _)| *stem).collect::<Vec<_>>(), [Stem::Vocals]);
    let altered = Remixer::new(&features, sound.sample_rate_hz).remix(&window, &gains, &cancel).unwrap();
    assert_ne!(altered, sound);
    let clip = Clip::new(&sound, altered, 1).unwrap();
    let version = |first: usize| {
        let channel = |c: usize| clip.frames().iter().map(|frame| frame[c]).collect();
        let pcm = StereoPcm::new(channel(first), channel(first + 1), clip.sample_rate_hz).unwrap();
        integrated_lufs(&pcm).unwrap().unwrap()
    };
    assert!((version(0) - version(2)).abs() <= 0.1);
}

#[test]
fn features_of_another_model_are_refused() {
    let cancel = CancelFlag::new();
    let engine = Engine::open(None, &cancel).unwrap();
    let sound = sound(engine.info().features.sample_rate_hz);
    let mut power = engine.feature_stream().unwrap().whole(&sound.left, &sound.right, &cancel).unwrap();
    power.mid.pop();
    assert!(engine.stem_masks(&power, &cancel).is_err());
}

#[test]
fn a_window_is_taken_apart_at_any_rate() {
    let cancel = CancelFlag::new();
    let engine = Engine::open(None, &cancel).unwrap();
    let features = engine.info().features.clone();
    let heard = sound(features.sample_rate_hz);
    let power = engine.feature_stream().unwrap().whole(&heard.left, &heard.right, &cancel).unwrap();
    for rate in [16_000, 44_100, 96_000] {
        let sound = sound(rate);
        let window = engine.unmix(sound.clone(), &power, &cancel).unwrap();
        let (_, vocals) = &window.separated()[0];
        assert_eq!((vocals.len(), vocals.sample_rate_hz), (sound.len(), rate));
        // Tones and clicks are no voice; and a stem is never louder than the mix.
        let power =
            |pcm: &StereoPcm| pcm.left.iter().chain(&pcm.right).map(|x| f64::from(x * x)).sum::<f64>();
        assert!(power(vocals) < 0.5 * power(&sound), "{rate} Hz");
        // The stems sum to the mix.
        let out = Remixer::new(&features, rate).remix(&window, &PerStem::all(-6.0), &cancel).unwrap();
        let gain = 10f32.powf(-0.3);
        for (mix, out) in sound.left.iter().zip(&out.left) {
            assert!((mix * gain - out).abs() < 1e-5, "{rate} Hz");
        }
    }
    cancel.cancel();
    assert!(engine.unmix(heard, &power, &cancel).is_err());
}
