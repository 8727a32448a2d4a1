use super::*;
use mixing_buddy_core::features::FeatureExtractor;

const RATE_HZ: u32 = 48_000;

fn framer() -> Framer {
    Framer::new(&FeatureSettings::default(), None, RATE_HZ, false, CancelFlag::new()).unwrap()
}

fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|n| ((n * 7919) % 1009) as f32 / 2018.0 - 0.25).collect()
}

fn stretch(frames: usize, position: i64, follows_break: bool) -> Stretch {
    Stretch { frames, position, flow: Flow::Playing, follows_break, dropped: 0 }
}

/// Feeds seconds of noise in pieces and returns the starts of the windows.
fn feed(framer: &mut Framer, from_s: f64, seconds: f64, after_break: bool, hop_slabs: usize) -> Vec<f64> {
    let sound = noise((seconds * f64::from(RATE_HZ)) as usize);
    let (mut position, mut after_break, mut starts) =
        ((from_s * f64::from(RATE_HZ)) as i64, after_break, Vec::new());
    for piece in sound.chunks(4800) {
        let (mut left, mut right) = (piece.to_vec(), piece.to_vec());
        framer
            .take(&stretch(piece.len(), position, after_break), &mut left, &mut right, hop_slabs, |window| {
                starts.push(window.start_s);
            })
            .unwrap();
        position += piece.len() as i64;
        after_break = false;
    }
    starts
}

#[test]
fn windows_have_the_hosts_positions_and_are_one_hop_apart() {
    for (hop_slabs, expected) in
        [(1, vec![30.0, 32.5, 35.0, 37.5, 40.0]), (2, vec![30.0, 35.0, 40.0]), (4, vec![30.0, 40.0])]
    {
        assert_eq!(feed(&mut framer(), 30.0, 20.2, true, hop_slabs), expected, "hop of {hop_slabs} slabs");
    }
}

#[test]
fn no_window_contains_a_break() {
    let mut framer = framer();
    assert_eq!(feed(&mut framer, 0.0, 9.0, true, 2), [0.0; 0]);
    assert_eq!(feed(&mut framer, 60.0, 9.0, true, 2), [0.0; 0], "two runs of nine seconds make no window");
    assert_eq!(feed(&mut framer, 69.0, 2.0, false, 2), [60.0]);
    let paused = Stretch { frames: 0, flow: Flow::Paused, ..stretch(0, 0, true) };
    framer.take(&paused, &mut [], &mut [], 2, |_| panic!("a pause makes no window")).unwrap();
    assert_eq!(framer.run_s(), 0.0);
    assert_eq!(feed(&mut framer, 71.0, 9.0, true, 2), [0.0; 0]);
}

#[test]
fn a_loop_shorter_than_a_window_is_a_window() {
    // Length of the loop, hop, and the rounds in which it is a window.
    for (loop_s, hop_slabs, expected) in
        [(8.0, 2, 3), (3.0, 1, 3), (3.0, 2, 2), (2.98, 2, 2), (2.0, 2, 0), (9.99, 2, 3), (10.5, 2, 4)]
    {
        let mut framer = framer();
        // The user starts in the middle of the loop.
        assert_eq!(feed(&mut framer, 41.0, 1.0, true, hop_slabs), [0.0; 0]);
        let mut starts = Vec::new();
        for _ in 0..4 {
            starts.extend(feed(&mut framer, 40.0, loop_s, true, hop_slabs));
        }
        assert_eq!(starts, vec![40.0; expected], "{loop_s} s, hop of {hop_slabs} slabs");
    }
}

#[test]
fn the_window_of_a_loop_has_its_length_and_whole_patches() {
    let settings = FeatureSettings::default();
    let mut framer = framer();
    let mut windows = Vec::new();
    for (seconds, position) in [(8.33, 0), (1.0, 0)] {
        let mut left = noise((seconds * f64::from(RATE_HZ)) as usize);
        let mut right = left.clone();
        let stretch = stretch(left.len(), position, true);
        framer.take(&stretch, &mut left, &mut right, 2, |window| windows.push(window)).unwrap();
    }
    let [window] = windows.as_slice() else { panic!("{} windows", windows.len()) };
    assert!(window.start_s == 0.0 && (window.end_s - 8.33).abs() < 1e-3 && !window.is_damaged());
    assert_eq!(window.power(&settings).frames, 415, "8.3 s of whole patches of 0.1 s");
}

#[test]
fn samples_that_are_not_finite_damage_their_windows_and_no_others() {
    let mut framer = framer();
    let mut damaged = Vec::new();
    let mut position = 0;
    for second in 0..25 {
        let mut left = noise(RATE_HZ as usize);
        left[100] = 1e-40;
        if second == 12 {
            left[500] = f32::NAN;
            left[501] = f32::INFINITY;
        }
        let mut right = left.clone();
        framer
            .take(&stretch(left.len(), position, second == 0), &mut left, &mut right, 1, |window| {
                let power = window.power(&FeatureSettings::default());
                assert!(power.mid.iter().chain(&power.side).all(|p| p.is_finite()));
                damaged.push((window.start_s, window.is_damaged()));
            })
            .unwrap();
        position += i64::from(RATE_HZ);
    }
    assert_eq!(framer.bad_frames(), 2);
    for (start_s, is_damaged) in damaged {
        // The sample lies at 12.01 s, in the slab from 10 to 12.5 s.
        assert_eq!(is_damaged, (2.5..=10.0).contains(&start_s), "window at {start_s} s");
    }
}

#[test]
fn a_window_has_the_features_that_the_extractor_makes_of_the_same_audio() {
    let settings = FeatureSettings::default();
    let mut framer = Framer::new(&settings, None, settings.sample_rate_hz, false, CancelFlag::new()).unwrap();
    let sound = noise(11 * settings.sample_rate_hz as usize);
    let mut windows = Vec::new();
    let (mut left, mut right) = (sound.clone(), sound.iter().map(|x| 0.3 * x).collect::<Vec<_>>());
    let whole = FeatureExtractor::new(&settings).band_power(&left, &right).unwrap();
    framer.take(&stretch(sound.len(), 0, true), &mut left, &mut right, 2, |w| windows.push(w)).unwrap();
    let power = windows[0].power(&settings);
    assert_eq!(power.frames, 500);
    for (ours, theirs) in power.mid.iter().zip(&whole.mid).chain(power.side.iter().zip(&whole.side)) {
        let error_db = (10.0 * (ours / theirs.max(1e-30)).log10()).abs();
        assert!(error_db < 0.06, "{ours} and {theirs}");
    }
}
