//! The meters on the tones that EBU Tech 3341 and EBU Tech 3342 define, and the limiter on music.
#![allow(clippy::unwrap_used)]

use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::audio::{decode_at_rate, decode_file};
use mixing_buddy_core::loudness::{Meter, Meters};
use std::f64::consts::TAU;
use std::path::Path;

const RATE_HZ: u32 = 48_000;
/// Tolerances of EBU Tech 3341 for loudness and of EBU Tech 3342 for the loudness range, in LU.
const LOUDNESS_LU: f64 = 0.1;
const RANGE_LU: f64 = 1.0;

/// Segments of a stereo tone of 1 kHz: level of the peak in dBFS, and seconds. Minus infinity is silence.
fn tones(segments: &[(f64, f64)]) -> Vec<f32> {
    let mut sound: Vec<f32> = Vec::new();
    for (level_db, seconds) in segments {
        let amplitude = 10f64.powf(level_db / 20.0);
        let frames = (seconds * f64::from(RATE_HZ)).round() as usize;
        sound.extend(
            (sound.len()..sound.len() + frames)
                .map(|frame| (amplitude * (TAU * 1000.0 * frame as f64 / f64::from(RATE_HZ)).sin()) as f32),
        );
    }
    sound
}

/// Plays a sound on both channels in blocks of 512 samples; `each` reads the meters after every block.
fn play(sound: &[f32], mut each: impl FnMut(&Meters)) -> Meters {
    let mut meter = Meter::new(RATE_HZ).unwrap();
    for block in sound.chunks(512) {
        meter.add(block, block).unwrap();
        each(&meter.read());
    }
    meter.read()
}

fn measured(segments: &[(f64, f64)]) -> Meters {
    let sound = tones(segments);
    let mut meter = Meter::new(RATE_HZ).unwrap();
    meter.add(&sound, &sound).unwrap();
    meter.read()
}

fn assert_near(what: &str, measured: Option<f64>, expected: f64, tolerance: f64) {
    let measured = measured.unwrap_or_else(|| panic!("{what}: nothing was measured"));
    assert!((measured - expected).abs() <= tolerance, "{what}: {measured}, not {expected}");
}

#[test]
fn integrated_loudness_is_that_of_tech_3341() {
    // Signals 1 to 5; 6 has five channels, 7 and 8 are programmes.
    let signals: [(&[(f64, f64)], f64); 5] = [
        (&[(-23.0, 20.0)], -23.0),
        (&[(-33.0, 20.0)], -33.0),
        (&[(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
        (&[(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
        (&[(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    ];
    for (number, (segments, expected)) in signals.into_iter().enumerate() {
        let meters = measured(segments);
        assert_near(&format!("signal {}", number + 1), meters.integrated_lufs, expected, LOUDNESS_LU);
        if segments.len() == 1 {
            assert_near("short term", meters.short_term_lufs, expected, LOUDNESS_LU);
        }
    }
}

#[test]
fn short_term_loudness_is_that_of_tech_3341() {
    // Signal 9: constant after three seconds.
    let sound = tones(&[(-20.0, 1.34), (-30.0, 1.66)].repeat(5));
    play(&sound, |meters| {
        if meters.seconds >= 3.0 {
            assert_near("signal 9", meters.short_term_lufs, -23.0, LOUDNESS_LU);
        } else {
            assert_eq!(meters.short_term_lufs, None);
        }
    });
    // Signal 10: three seconds of tone after a silence of so many times 0.15 s. The highest value counts.
    for step in 0..20 {
        let silence_s = 0.15 * f64::from(step);
        let sound = tones(&[(f64::NEG_INFINITY, silence_s), (-23.0, 3.0), (f64::NEG_INFINITY, 1.0)]);
        let mut highest = f64::NEG_INFINITY;
        play(&sound, |meters| highest = highest.max(meters.short_term_lufs.unwrap_or(f64::NEG_INFINITY)));
        assert_near(&format!("signal 10, segment {step}"), Some(highest), -23.0, LOUDNESS_LU);
    }
}

#[test]
fn the_highest_short_term_loudness_rises_as_tech_3341_says() {
    // Signal 11: the segments of signal 10 one after another, each 1 dB louder than the one before.
    let mut segments = Vec::new();
    for step in 0..20u32 {
        let (silence_s, level_db) = (0.15 * f64::from(step), f64::from(step) - 38.0);
        segments.extend([(f64::NEG_INFINITY, silence_s), (level_db, 3.0), (f64::NEG_INFINITY, 1.0)]);
    }
    let ends_s: Vec<f64> = segments
        .chunks(3)
        .scan(0.0, |end_s, segment| {
            *end_s += segment.iter().map(|(_, seconds)| seconds).sum::<f64>();
            Some(*end_s)
        })
        .collect();
    let (mut highest, mut step) = (f64::NEG_INFINITY, 0);
    play(&tones(&segments), |meters| {
        if ends_s.get(step).is_some_and(|end_s| meters.seconds > *end_s) {
            assert_near(&format!("segment {step}"), Some(highest), step as f64 - 38.0, LOUDNESS_LU);
            step += 1;
        }
        highest = highest.max(meters.short_term_lufs.unwrap_or(f64::NEG_INFINITY));
    });
    assert!(step >= 19, "{step} segments");
    assert_near("the last segment", Some(highest), -19.0, LOUDNESS_LU);
}

#[test]
fn the_loudness_range_is_that_of_tech_3342() {
    // Signals 1 to 4; 5 and 6 are programmes.
    let signals: [(&[f64], f64); 4] = [
        (&[-20.0, -30.0], 10.0),
        (&[-20.0, -15.0], 5.0),
        (&[-40.0, -20.0], 20.0),
        (&[-50.0, -35.0, -20.0, -35.0, -50.0], 15.0),
    ];
    for (number, (levels_db, expected)) in signals.into_iter().enumerate() {
        let segments: Vec<(f64, f64)> = levels_db.iter().map(|level_db| (*level_db, 20.0)).collect();
        assert_near(&format!("signal {}", number + 1), measured(&segments).range_lu, expected, RANGE_LU);
    }
    assert_eq!(measured(&[(-20.0, 10.0), (-30.0, 10.0)]).range_lu, None, "twenty seconds have no range");
}

#[test]
fn true_peaks_are_those_of_tech_3341() {
    // Signals 15 to 19: part of the sample rate, amplitude, phase in degrees, true peak in dBTP.
    for (part, amplitude, phase_deg, expected) in [
        (4.0, 0.5, 0.0, -6.0),
        (4.0, 0.5, 45.0, -6.0),
        (6.0, 0.5, 60.0, -6.0),
        (8.0, 0.5, 67.5, -6.0),
        (4.0, 1.41, 45.0, 3.0),
    ] {
        let sound: Vec<f32> = (0..RATE_HZ)
            // The tone is faded in: a step has peaks of its own.
            .map(|frame| (f64::from(frame), (f64::from(frame) / 4800.0).min(1.0)))
            .map(|(frame, fade)| fade * amplitude * (TAU * frame / part + f64::to_radians(phase_deg)).sin())
            .map(|sample| sample as f32)
            .collect();
        let peak = true_peak_dbtp(&sound);
        assert!((-0.4..=0.2).contains(&(peak - expected)), "{part}, {phase_deg}: {peak}, not {expected}");
    }
}

#[test]
fn true_peaks_between_samples_are_those_of_tech_3341() {
    // Signals 20 to 23: at four times the rate, a tone of a sixth of the rate, and in its middle one period of a quarter of the
    // rate, twice as loud. A low-pass, and every fourth sample, beginning with the first to the fourth.
    let high = 4 * RATE_HZ as usize;
    let (slow, fast) = (24, 16);
    let middle = high / 2 / slow * slow;
    let tone: Vec<f64> = (0..high)
        .map(|at| {
            let fade = (at.min(high - at) as f64 / 9600.0).min(1.0);
            match at.checked_sub(middle) {
                Some(in_burst) if in_burst < fast => (TAU * in_burst as f64 / fast as f64).sin(),
                after => {
                    let at = if after.is_some() { at - fast } else { at };
                    0.5 * fade * (TAU * at as f64 / slow as f64).sin()
                }
            }
        })
        .collect();
    // A windowed sinc with its edge at 22 kHz.
    let (half, edge) = (192i64, 22_000.0 / f64::from(high as u32));
    let taps: Vec<f64> = (-half..=half)
        .map(|tap| {
            let x = 2.0 * edge * tap as f64;
            let sinc =
                if tap == 0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
            2.0 * edge * sinc * (0.5 + 0.5 * (TAU * tap as f64 / (2 * half + 2) as f64).cos())
        })
        .collect();
    for offset in 0..4 {
        let sound: Vec<f32> = (offset..high - taps.len())
            .step_by(4)
            .map(|first| {
                taps.iter().zip(&tone[first..]).map(|(tap, sample)| tap * sample).sum::<f64>() as f32
            })
            .collect();
        let peak = true_peak_dbtp(&sound);
        assert!((-0.4..=0.2).contains(&peak), "signal {}: {peak} dBTP, not 0", 20 + offset);
    }
}

fn true_peak_dbtp(sound: &[f32]) -> f64 {
    let mut meter = Meter::new(RATE_HZ).unwrap();
    meter.add(sound, sound).unwrap();
    meter.read().true_peak_dbtp.unwrap()
}

/// The EBU's own files, as far as the folder has them: `seq-3341-1-16bit.wav` and so on. Momentary loudness (12 to 14) is not
/// measured, and files with five channels are left out.
#[test]
#[ignore = "needs the EBU's files: `cargo xtask test --full ebu`"]
fn the_files_of_the_ebu_read_as_the_documents_say() {
    let folder =
        std::env::var_os("MIXING_BUDDY_EBU").expect("MIXING_BUDDY_EBU names the folder of the files");
    let mut read = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let Some(numbers) = name.strip_prefix("seq-334").filter(|_| !name.contains("hannels")) else {
            continue;
        };
        let mut numbers = numbers.split(['-', '_']).map(|part| part.parse::<u32>().unwrap_or(0));
        let (document, number) = (3340 + numbers.next().unwrap(), numbers.next().unwrap());
        if document == 3341 && (12..=14).contains(&number) {
            continue;
        }
        let sound = decode_file(&path, &CancelFlag::new()).unwrap();
        let mut meter = Meter::new(sound.sample_rate_hz).unwrap();
        let mut highest = f64::NEG_INFINITY;
        for (left, right) in sound.left.chunks(512).zip(sound.right.chunks(512)) {
            meter.add(left, right).unwrap();
            let meters = meter.read();
            highest = highest.max(meters.short_term_lufs.unwrap_or(f64::NEG_INFINITY));
            if (document, number) == (3341, 9) && meters.seconds >= 3.0 {
                assert_near(&name, meters.short_term_lufs, -23.0, LOUDNESS_LU);
            }
        }
        let meters = meter.read();
        match (document, number) {
            (3341, 2) => assert_near(&name, meters.integrated_lufs, -33.0, LOUDNESS_LU),
            (3341, 1..=8) => assert_near(&name, meters.integrated_lufs, -23.0, LOUDNESS_LU),
            (3341, 9) => {}
            (3341, 10) => assert_near(&name, Some(highest), -23.0, LOUDNESS_LU),
            (3341, 11) => assert_near(&name, Some(highest), -19.0, LOUDNESS_LU),
            (3341, 15..=23) => {
                let expected = [-6.0, -6.0, -6.0, -6.0, 3.0, 0.0, 0.0, 0.0, 0.0][number as usize - 15];
                let peak = meters.true_peak_dbtp.unwrap();
                assert!((-0.4..=0.2).contains(&(peak - expected)), "{name}: {peak} dBTP, not {expected}");
            }
            (3342, 1..=6) => {
                let expected = [10.0, 5.0, 20.0, 15.0, 5.0, 15.0][number as usize - 1];
                assert_near(&name, meters.range_lu, expected, RANGE_LU);
            }
            _ => panic!("{name} is none of the signals 3341-1 to 3341-23 and 3342-1 to 3342-6"),
        }
        if let Some((_, rest)) = name.split_once("_seq-3342-") {
            let expected = if rest.starts_with('5') { 5.0 } else { 15.0 };
            assert_near(&name, meters.range_lu, expected, RANGE_LU);
        }
        read.push(name);
    }
    read.sort();
    assert!(!read.is_empty(), "the folder holds none of the files");
    eprintln!("{} files read as the documents say: {}", read.len(), read.join(", "));
}

#[test]
fn silence_and_nothing_have_no_loudness() {
    let meters = measured(&[(f64::NEG_INFINITY, 40.0)]);
    assert_eq!((meters.integrated_lufs, meters.short_term_lufs, meters.true_peak_dbtp), (None, None, None));
    assert_eq!(Meter::new(RATE_HZ).unwrap().read(), Meters::default());
}

#[test]
fn samples_that_are_not_finite_do_not_spoil_what_follows() {
    let mut meter = Meter::new(RATE_HZ).unwrap();
    meter.add(&[f32::NAN, f32::INFINITY, 0.1], &[0.0, 0.0, f32::NEG_INFINITY]).unwrap();
    let sound = tones(&[(-23.0, 20.0)]);
    meter.add(&sound, &sound).unwrap();
    assert_near("afterwards", meter.read().integrated_lufs, -23.0, LOUDNESS_LU);
    meter.start_over();
    assert_eq!(meter.read(), Meters::default());
}

/// The demo's mix at a rate, for limiters to work on.
fn demo() -> [Vec<f32>; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo");
    let stems = ["vocals", "drums", "bass", "other"].map(|stem| {
        decode_at_rate(&folder.join(format!("{stem}.ogg")), RATE_HZ, &CancelFlag::new()).unwrap()
    });
    let frames = stems.iter().map(|stem| stem.left.len()).min().unwrap();
    let sum = |channel: fn(&mixing_buddy_core::audio::StereoPcm) -> &Vec<f32>| {
        (0..frames).map(|frame| stems.iter().map(|stem| channel(stem)[frame]).sum()).collect()
    };
    [sum(|stem| &stem.left), sum(|stem| &stem.right)]
}

/// A limiter that looks 2 ms ahead and brings down the highest peak by `reduction_db`.
fn limited(sound: &[Vec<f32>; 2], reduction_db: f32) -> [Vec<f32>; 2] {
    const REACH: usize = 96;
    let heights: Vec<f32> = sound[0].iter().zip(&sound[1]).map(|(l, r)| l.abs().max(r.abs())).collect();
    let ceiling = heights.iter().copied().fold(0.0, f32::max) * 10f32.powf(-reduction_db / 20.0);
    let wanted: Vec<f32> = heights.iter().map(|height| (ceiling / height.max(1e-9)).min(1.0)).collect();
    let around = |frame: usize| frame.saturating_sub(REACH)..(frame + REACH + 1).min(wanted.len());
    let least: Vec<f32> =
        (0..wanted.len()).map(|frame| wanted[around(frame)].iter().copied().fold(1.0, f32::min)).collect();
    let gains: Vec<f32> = (0..wanted.len())
        .map(|frame| least[around(frame)].iter().sum::<f32>() / around(frame).len() as f32)
        .collect();
    [0, 1].map(|channel| sound[channel].iter().zip(&gains).map(|(sample, gain)| sample * gain).collect())
}

fn is_limited(sound: &[Vec<f32>; 2]) -> bool {
    let mut meter = Meter::new(RATE_HZ).unwrap();
    meter.add(&sound[0], &sound[1]).unwrap();
    meter.read().is_limited
}

#[test]
fn a_limiter_before_the_plugin_is_noticed_and_nothing_else_is() {
    let mix = demo();
    assert!(!is_limited(&mix), "the mix as it is");
    for reduction_db in [3.0, 6.0, 9.0] {
        assert!(is_limited(&limited(&mix, reduction_db)), "limited by {reduction_db} dB");
    }
    let ceiling = mix.iter().flatten().fold(0f32, |top, sample| top.max(sample.abs())) / 2.0;
    let clipped = mix.clone().map(|channel| channel.iter().map(|x| x.clamp(-ceiling, ceiling)).collect());
    assert!(is_limited(&clipped), "clipped by 6 dB");
    let quieter = limited(&mix, 6.0).map(|channel| channel.iter().map(|x| x * 0.25).collect());
    assert!(is_limited(&quieter), "a fader after the limiter changes nothing");
    let tone = tones(&[(-6.0, 20.0)]);
    assert!(!is_limited(&[tone.clone(), tone]), "a test tone is not limited");
    let silence = vec![0.0; 20 * RATE_HZ as usize];
    assert!(!is_limited(&[silence.clone(), silence]), "silence is not limited");
    let short = limited(&mix, 6.0).map(|channel| channel[..5 * RATE_HZ as usize].to_vec());
    assert!(!is_limited(&short), "five seconds are too few");
}
