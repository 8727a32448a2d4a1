//! The shipped bundle: it loads, its advice does not depend on level, and a damaged bundle is refused by name.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

use mixing_buddy_core::audio::StereoPcm;
use mixing_buddy_core::{CancelFlag, Engine, Error, Request, Verdict};
use std::path::Path;
use std::sync::OnceLock;

const BUNDLE: &[u8] = include_bytes!("../../../assets/compact.mixbuddy");

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::from_bytes(Path::new("compact"), BUNDLE, &CancelFlag::new()).unwrap())
}

fn music(seconds: f32, gain: f32) -> StereoPcm {
    let tone = |n: usize, hz: f32| (std::f32::consts::TAU * hz * n as f32 / 32_000.0).sin();
    let samples: Vec<f32> = (0..(seconds * 32_000.0) as usize)
        .map(|n| gain * (0.2 * tone(n, 82.0) + 0.1 * tone(n, 440.0) + 0.05 * tone(n, 1320.0)))
        .collect();
    StereoPcm::new(samples.clone(), samples, 32_000).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    match Engine::from_bytes(Path::new("some.mixbuddy"), bytes, &CancelFlag::new()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("a damaged bundle was loaded"),
    }
}

#[test]
fn advice_does_not_depend_on_level() {
    let ask = |gain| engine().advise(&music(10.0, gain), &Request::default(), &CancelFlag::new()).unwrap();
    let (loud, soft) = (ask(1.0), ask(0.01));
    assert_eq!(loud.best, soft.best);
    assert!((loud.confidence - soft.confidence).abs() < 1e-3);
}

#[test]
fn silence_is_silence_and_bad_windows_are_refused() {
    let cancel = CancelFlag::new();
    let quiet = StereoPcm::silence(320_000, 32_000);
    assert_eq!(engine().advise(&quiet, &Request::default(), &cancel).unwrap().verdict, Verdict::Silence);
    assert!(engine().analyze(&music(1.0, 1.0), &cancel).unwrap_err().to_string().contains("1.0 s long"));
    let mut broken = music(5.0, 1.0);
    broken.left[100] = f32::NAN;
    assert!(engine().analyze(&broken, &cancel).is_err());
    let cancelled = CancelFlag::new();
    cancelled.cancel();
    assert!(matches!(engine().analyze(&music(5.0, 1.0), &cancelled), Err(Error::Cancelled)));
}

#[test]
fn damaged_bundles_are_refused_with_a_sentence() {
    assert!(BUNDLE.len() <= 20_000_000);
    assert!(
        refusal(b"not a model at all, but long enough to have a head of fifty-two bytes")
            .contains("is not a MixingBuddy model")
    );
    assert!(refusal(&BUNDLE[..BUNDLE.len() - 1000]).contains("cut off"));
    assert!(refusal(&BUNDLE[..60]).contains("cut off"));
    let mut version = BUNDLE.to_vec();
    version[8] = 9;
    assert!(refusal(&version).contains("format version 9"));
    for at in [100, BUNDLE.len() / 2, BUNDLE.len() - 10] {
        let mut tampered = BUNDLE.to_vec();
        tampered[at] ^= 0x40;
        let sentence = refusal(&tampered);
        assert!(sentence.contains("checksum") && sentence.contains("some.mixbuddy"), "{sentence}");
    }
}
