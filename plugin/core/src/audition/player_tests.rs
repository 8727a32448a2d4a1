use super::*;
use crate::audio::StereoPcm;

const RATE_HZ: u32 = 48_000;
/// Frames of a fade.
const FADE: usize = 480;

/// A slow tone, so that a click is far steeper than the tone itself.
fn tone(frames: usize, amplitude: f32, hz: f32) -> StereoPcm {
    let channel: Vec<f32> = (0..frames)
        .map(|n| amplitude * (std::f32::consts::TAU * hz * n as f32 / RATE_HZ as f32).sin())
        .collect();
    StereoPcm::new(channel.clone(), channel, RATE_HZ).unwrap()
}

fn clip(window: u64, amplitude: f32) -> Box<Clip> {
    // Not a whole number of periods, so that the loop has a jump to hide.
    let original = tone(24_123, amplitude, 50.0);
    Box::new(Clip::new(&original, tone(24_123, amplitude, 60.0), window).unwrap())
}

/// Renders blocks of odd sizes over a constant input; returns both channels.
fn render(player: &mut Player, frames: usize, input: f32, wanted: Option<Version>) -> (Vec<f32>, Vec<f32>) {
    let (mut left, mut right) = (vec![input; frames], vec![input; frames]);
    for (left, right) in left.chunks_mut(61).zip(right.chunks_mut(61)) {
        player.render(left, Some(right), wanted);
    }
    (left, right)
}

fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn without_a_clip_the_sound_passes_bit_for_bit() {
    let mut player = Player::new(RATE_HZ);
    let odd = [f32::NAN, -0.0, 1e-42, f32::INFINITY, 0.3];
    let (mut left, mut right) = (odd, odd);
    player.render(&mut left, Some(&mut right), Some(Version::Altered));
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&left), bits(&right)), (bits(&odd), bits(&odd)));
}

#[test]
fn nothing_clicks() {
    let mut player = Player::new(RATE_HZ);
    let mut heard = vec![0.0; 300];
    let mut play = |player: &mut Player, frames: usize, wanted| {
        heard.extend(render(player, frames, 0.0, wanted).0);
    };
    player.offer(clip(1, 0.5)).unwrap();
    // Start at a full-scale place, switch, switch back within a fade, loop, take another window, end, begin again.
    play(&mut player, 5_000, Some(Version::Altered));
    play(&mut player, 1_700, Some(Version::Original));
    play(&mut player, 100, Some(Version::Altered));
    play(&mut player, 200, Some(Version::Original));
    play(&mut player, 60_000, Some(Version::Altered));
    player.offer(clip(2, 0.4)).unwrap();
    play(&mut player, 3_111, Some(Version::Altered));
    assert_eq!(player.take_done().unwrap().window, 1);
    play(&mut player, 2_000, None);
    assert!(!player.is_sounding());
    assert_eq!(player.take_done().unwrap().window, 2);
    assert!(player.take_done().is_none());
    // The tones themselves rise by 0.004 a sample, a fade by 0.001 to 0.002 more.
    assert!(steepest(&heard) < 0.007, "{}", steepest(&heard));
    assert!(heard.iter().any(|x| x.abs() > 0.4));
    assert_eq!(heard[heard.len() - 1], 0.0);
}

#[test]
fn a_version_is_played_bit_for_bit_after_the_fade() {
    let mut player = Player::new(RATE_HZ);
    let expected = clip(1, 0.5);
    player.offer(expected.clone()).unwrap();
    let (left, right) = render(&mut player, 10_000, f32::NAN, Some(Version::Altered));
    let heard = left.iter().zip(&right).zip(expected.frames());
    for ((left, right), [.., altered_left, altered_right]) in heard.skip(FADE) {
        assert_eq!((left, right), (altered_left, altered_right));
    }
    let (left, _) = render(&mut player, 10_000, 0.7, Some(Version::Original));
    for (left, frame) in left.iter().zip(&expected.frames()[10_000..]).skip(FADE) {
        assert_eq!(*left, frame[0]);
    }
}

#[test]
fn a_clip_of_the_same_window_continues_at_the_same_place() {
    let mut player = Player::new(RATE_HZ);
    player.offer(clip(7, 0.5)).unwrap();
    render(&mut player, 5_000, 0.0, Some(Version::Altered));
    let next = clip(7, 0.25);
    player.offer(next.clone()).unwrap();
    assert!(!player.has_room(), "one at a time");
    assert!(player.offer(next.clone()).is_err());
    let (left, _) = render(&mut player, 2_000, 0.0, Some(Version::Altered));
    for (left, frame) in left.iter().zip(&next.frames()[5_000..]).skip(FADE) {
        assert_eq!(*left, frame[2]);
    }
    assert!(!player.has_room(), "the old one has not been taken back yet");
    assert!(player.take_done().is_some() && player.has_room());
}

#[test]
fn an_end_at_once_gives_both_clips_back() {
    let mut player = Player::new(RATE_HZ);
    player.offer(clip(1, 0.5)).unwrap();
    render(&mut player, 1_000, 0.0, Some(Version::Altered));
    player.offer(clip(2, 0.5)).unwrap();
    render(&mut player, 100, 0.0, Some(Version::Altered));
    player.halt();
    assert!(player.take_done().is_some() && player.take_done().is_some() && player.take_done().is_none());
    let (left, right) = render(&mut player, 100, 0.25, Some(Version::Altered));
    assert!(left.iter().chain(&right).all(|x| *x == 0.25));
}

#[test]
fn one_channel_gets_the_mean_of_both() {
    let mut player = Player::new(RATE_HZ);
    let original = StereoPcm::new(vec![0.5; 4_000], vec![0.1; 4_000], RATE_HZ).unwrap();
    player.offer(Box::new(Clip::new(&original, original.clone(), 1).unwrap())).unwrap();
    let mut left = vec![0.0; 2_000];
    player.render(&mut left, None, Some(Version::Original));
    assert_eq!(left[1_999], 0.3);
}
