//! What the reader gets for the blocks that the callback gets.

use super::*;
use proptest::prelude::*;

fn read_all(reader: &mut TapReader) -> (Vec<Stretch>, Vec<f32>, Vec<f32>) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut stretches, mut all_left, mut all_right) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(stretch) = reader.next(&mut left, &mut right) {
        stretches.push(stretch);
        all_left.extend_from_slice(&left);
        all_right.extend_from_slice(&right);
    }
    (stretches, all_left, all_right)
}

fn playing(position: Option<i64>) -> BlockInfo {
    BlockInfo { flow: Flow::Playing, position }
}

proptest! {
    #[test]
    fn all_audio_arrives_for_any_block_size(blocks in prop::collection::vec(1usize..700, 1..60)) {
        let (mut tap, mut reader) = tap(48_000, false);
        let total: usize = blocks.iter().sum();
        let left: Vec<f32> = (0..total).map(|n| n as f32).collect();
        let right: Vec<f32> = left.iter().map(|x| -x).collect();
        let (mut at, mut got_left, mut got_right) = (0, Vec::new(), Vec::new());
        for frames in blocks {
            tap.block(&[&left[at..at + frames], &right[at..at + frames]], playing(Some(at as i64 + 500)));
            at += frames;
            let (stretches, l, r) = read_all(&mut reader);
            for stretch in stretches {
                prop_assert_eq!(stretch.position, got_left.len() as i64 + 500);
                prop_assert_eq!(stretch.follows_break, got_left.is_empty());
                got_left.extend_from_slice(&l);
                got_right.extend_from_slice(&r);
            }
        }
        tap.stop();
        let (stretches, l, r) = read_all(&mut reader);
        prop_assert_eq!(stretches.last().map(|s| s.flow), Some(Flow::Stopped));
        got_left.extend_from_slice(&l);
        got_right.extend_from_slice(&r);
        prop_assert_eq!(&got_left, &left);
        prop_assert_eq!(&got_right, &right);
    }
}

#[test]
fn a_seek_is_a_break_and_a_rounded_position_is_not() {
    let (mut tap, mut reader) = tap(48_000, false);
    let sound = [0.5f32; 480];
    for (position, is_break) in
        [(0, true), (481, false), (960, false), (96_000, true), (96_480, false), (0, true)]
    {
        tap.block(&[&sound], playing(Some(position)));
        let (stretches, left, right) = read_all(&mut reader);
        assert_eq!(stretches.len(), 1, "at {position}");
        assert_eq!(
            (stretches[0].position, stretches[0].follows_break),
            (position, is_break),
            "at {position}"
        );
        assert_eq!(left, right, "mono goes to both channels");
    }
}

#[test]
fn pause_and_bypass_are_announced_once_and_capture_nothing() {
    let (mut tap, mut reader) = tap(48_000, false);
    let sound = [0.5f32; 100];
    tap.block(&[&sound], playing(None));
    for flow in [Flow::Paused, Flow::Paused, Flow::Bypassed, Flow::Bypassed] {
        tap.block(&[&sound], BlockInfo { flow, position: None });
    }
    tap.block(&[&sound], playing(None));
    tap.stop();
    let (stretches, left, _) = read_all(&mut reader);
    let flows: Vec<Flow> = stretches.iter().map(|s| s.flow).collect();
    assert_eq!(flows, [Flow::Playing, Flow::Paused, Flow::Bypassed, Flow::Playing, Flow::Stopped]);
    assert!(stretches[3].follows_break, "no window contains a bypass");
    assert_eq!(stretches[3].position, 500, "the position advances while nothing is captured");
    assert_eq!(left.len(), 200);
}

#[test]
fn an_overflow_is_counted_and_is_a_break() {
    let (mut tap, mut reader) = tap(8_000, false);
    let sound = vec![0.25f32; 8_000];
    for second in 0..15 {
        tap.block(&[&sound], playing(Some(second * 8_000)));
    }
    let (stretches, left, _) = read_all(&mut reader);
    assert_eq!(left.len(), 80_000, "ten seconds fit");
    assert_eq!(stretches.iter().map(|s| s.frames).sum::<usize>(), 80_000);
    tap.block(&[&sound], playing(Some(15 * 8_000)));
    let (stretches, _, _) = read_all(&mut reader);
    assert_eq!(stretches[0].dropped, 40_000);
    assert!(stretches[0].follows_break, "a window does not continue after lost audio");
}

#[test]
fn a_host_that_seeks_with_every_sample_loses_audio_and_nothing_else() {
    let (mut tap, mut reader) = tap(8_000, false);
    for block in 0..10_000i64 {
        tap.block(&[&[block as f32]], playing(Some(if block % 2 == 0 { 0 } else { 1_000_000 })));
    }
    tap.stop();
    let (stretches, left, _) = read_all(&mut reader);
    assert_eq!(stretches.iter().map(|s| s.frames).sum::<usize>(), left.len());
    for stretch in stretches.iter().filter(|s| s.frames > 0) {
        assert_eq!(stretch.frames, 1);
    }
}

#[test]
fn empty_blocks_and_missing_channels_are_ignored() {
    let (mut tap, mut reader) = tap(44_100, true);
    tap.block::<&[f32]>(&[], playing(None));
    tap.block(&[&[] as &[f32]], playing(None));
    assert!(reader.is_empty() && reader.is_offline());
    assert_eq!(read_all(&mut reader).0, []);
}
