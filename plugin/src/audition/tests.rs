use super::*;
use mixing_buddy_core::audio::StereoPcm;

const RATE_HZ: u32 = 48_000;

fn clip() -> Clip {
    let original = StereoPcm::new(vec![0.5; 48_000], vec![0.5; 48_000], RATE_HZ).unwrap();
    Clip::new(&original, original.clone(), 1).unwrap()
}

/// A pair whose editor is open, and which has a clip to play.
fn begun(over_song: bool) -> (AudioSide, WorkerSide) {
    let (mut audio, mut worker) = link();
    audio.prepare(RATE_HZ, false);
    audio.switch().set_open(true);
    worker.want(Version::Altered, over_song);
    worker.send(clip());
    (audio, worker)
}

/// Renders half a second over silence; returns the last sample.
fn render(audio: &mut AudioSide, flow: Flow) -> f32 {
    let mut last = 0.0;
    for _ in 0..375 {
        let (mut left, mut right) = ([0.0; 64], [0.0; 64]);
        audio.render(&mut [&mut left, &mut right], flow);
        last = right[63];
    }
    last
}

#[test]
fn it_sounds_while_the_song_stands_and_ends_when_the_user_asks() {
    let (mut audio, mut worker) = begun(false);
    assert_eq!(render(&mut audio, Flow::Paused), 0.5);
    assert!(audio.switch().is_sounding() && worker.is_active());
    assert_eq!(worker.poll(), None);
    worker.end();
    assert_eq!(render(&mut audio, Flow::Paused), 0.0);
    assert!(!audio.switch().is_sounding());
    assert_eq!((worker.poll(), worker.back.occupied_len()), (None, 0));
}

#[test]
fn everything_that_must_end_it_ends_it_for_good() {
    for (flow, expected) in [(Flow::Playing, End::SongPlays), (Flow::Bypassed, End::Bypassed)] {
        let (mut audio, mut worker) = begun(false);
        render(&mut audio, Flow::Paused);
        assert_eq!(render(&mut audio, flow), 0.0);
        // It does not come back by itself, also when the worker has not noticed.
        worker.want(Version::Original, false);
        worker.send(clip());
        assert_eq!(render(&mut audio, Flow::Paused), 0.0);
        assert_eq!(worker.poll(), Some(expected));
        assert!(!worker.is_active());
        // Asked for again, it does.
        worker.want(Version::Original, false);
        worker.send(clip());
        assert_eq!(render(&mut audio, Flow::Paused), 0.5);
        assert_eq!(worker.poll(), None);
    }
}

#[test]
fn the_editor_the_host_and_a_render_end_it() {
    let (mut audio, mut worker) = begun(true);
    render(&mut audio, Flow::Paused);
    audio.switch().set_open(false);
    assert_eq!(render(&mut audio, Flow::Paused), 0.0);
    assert_eq!(worker.poll(), Some(End::EditorClosed));

    let (mut audio, mut worker) = begun(true);
    render(&mut audio, Flow::Paused);
    audio.stop(End::Host);
    assert!(!audio.switch().is_sounding());
    assert_eq!(render(&mut audio, Flow::Paused), 0.0);
    assert_eq!(worker.poll(), Some(End::Host));

    let (mut audio, mut worker) = begun(true);
    render(&mut audio, Flow::Paused);
    audio.prepare(RATE_HZ, true);
    assert_eq!(render(&mut audio, Flow::Playing), 0.0);
    assert_eq!(worker.poll(), Some(End::Renders));
    worker.want(Version::Altered, true);
    worker.send(clip());
    assert_eq!(render(&mut audio, Flow::Playing), 0.0, "nor can it begin in a render");
    assert_eq!(worker.poll(), Some(End::Renders));
}

#[test]
fn over_the_song_it_plays_if_the_user_says_so_until_the_song_stops() {
    let (mut audio, mut worker) = begun(true);
    assert_eq!(render(&mut audio, Flow::Playing), 0.5);
    assert_eq!(worker.poll(), None);
    assert_eq!(render(&mut audio, Flow::Paused), 0.0);
    assert_eq!(worker.poll(), Some(End::SongStopped));
}

#[test]
fn a_clip_at_another_rate_is_not_played() {
    let (mut audio, mut worker) = begun(false);
    audio.prepare(44_100, false);
    worker.poll();
    worker.want(Version::Altered, false);
    worker.send(clip());
    assert_eq!(render(&mut audio, Flow::Paused), 0.0);
    assert!(worker.has_room());
}
