//! Songs with a licence, items on them, and a plan for a small study.

#![allow(dead_code, reason = "each test file uses its part")]

use super::sounds;
use mixing_buddy_core::advice::{BestAnswer, Verdict};
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use mixing_buddy_trainer::evaluation::study::StudyPlan;
use mixing_buddy_trainer::evaluation::words::{Item, Truth};
use std::path::Path;

/// Songs of a window and a half, under CC-BY.
pub fn songs(dir: &Path, count: u64) {
    for seed in 0..count {
        let folder = dir.join(format!("song {seed}"));
        for stem in Stem::ALL {
            let frames = sounds::stem_samples(stem, seed, 12.0, sounds::RATE_HZ);
            sounds::write_wav(&folder.join(format!("{stem}.wav")), &frames, sounds::RATE_HZ);
        }
        let json = r#"{"song": "A Song", "licence": "CC-BY-4.0", "artist": "Some Band"}"#;
        std::fs::write(folder.join("song.json"), json).expect("a file");
    }
}

/// Two flawed items and a balanced one per song.
pub fn items(songs: usize) -> Vec<Item> {
    let truths = [
        Some(Truth { stem: Stem::Drums, direction: Direction::Loud, gain_db: 8.0 }),
        Some(Truth { stem: Stem::Bass, direction: Direction::Quiet, gain_db: -5.0 }),
        None,
    ];
    let mut items = Vec::new();
    for song in 0..songs {
        for (mix, truth) in truths.into_iter().enumerate() {
            let best = BestAnswer { verdict: Verdict::Loud, stem: Some(Stem::Drums), gain_db: Some(-4.0) };
            items.push(Item {
                id: format!("song {song}/0/{mix}/vocals"),
                song: format!("song {song}"),
                window: 0,
                question: "How is the balance of this mix?".into(),
                anchor: Some(Stem::Vocals),
                truth,
                levels_db: PerStem::from_array([-4.0, 2.0, -5.0, -6.0]),
                best: Some(best),
                confidence: 0.8,
                spoken: true,
                right: mix == 0,
                wrong_direction: false,
                text: "The drums are a little too loud. Lower them by about 4 dB. </script>".into(),
            });
        }
    }
    items
}

/// Two scored items, one of them repeated.
pub fn plan() -> StudyPlan {
    StudyPlan {
        title: "A study of advice".into(),
        contact: "me@example.org".into(),
        items: 2,
        repeats: 1,
        with_written: true,
        seed: 3,
    }
}
