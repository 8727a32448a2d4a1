//! Samples from an index: the same bytes for the same seed, the priors and ranges of the settings, answers about the
//! stem in question, and audio that is reproduced bit for bit.

#![allow(clippy::unwrap_used)]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/sounds.rs"]
mod sounds;

use cli::{Place, answer};
use mixing_buddy_core::Stem;
use mixing_buddy_trainer::collections::{ImportOptions, Index, Layout, import};
use mixing_buddy_trainer::part::Part;
use mixing_buddy_trainer::protocol::{Category, Split};
use mixing_buddy_trainer::synthesis::{
    PromptKind, SampleLine, Synthesis, SynthesisSettings, Synthesizer, audio, read_lines, synthesize,
};
use mixing_buddy_trainer::text::{Instructions, TextSampler};
use sounds::musdb_song;
use std::path::Path;

fn collection(dir: &Path) -> Index {
    musdb_song(&dir.join("train/One"), 1, 30.0);
    musdb_song(&dir.join("train/Two"), 2, 20.0);
    musdb_song(&dir.join("test/Three"), 3, 20.0);
    import(dir, &ImportOptions { layout: Layout::Musdb, ..ImportOptions::default() }).unwrap()
}

fn lines(
    index: &Index,
    settings: &SynthesisSettings,
    count: u64,
    seed: u64,
    audio: Option<&Path>,
) -> Vec<SampleLine> {
    let (text, instructions) = (TextSampler::shipped().unwrap(), Instructions::shipped().unwrap());
    let splits = [Split::Train];
    let synthesizer = Synthesizer::new(index, settings, &text, &instructions, &splits).unwrap();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("lines.jsonl");
    synthesize(index, &synthesizer, Synthesis { count, seed, part: Part::WHOLE, audio }, &path).unwrap();
    read_lines(&path).unwrap()
}

#[test]
fn samples_are_as_published_and_answers_are_about_the_stem_in_question() {
    let dir = tempfile::tempdir().unwrap();
    let index = collection(dir.path());
    let samples = lines(&index, &SynthesisSettings::default(), 4000, 7, None);
    let share = |test: &dyn Fn(&SampleLine) -> bool| {
        samples.iter().filter(|line| test(line)).count() as f64 / samples.len() as f64
    };
    for category in Category::ALL {
        let part = share(&|line| line.category == category);
        assert!((part - 0.2).abs() < 0.025, "{category:?}: {part}");
    }
    for (kind, expected) in [
        (PromptKind::Generic, 0.2),
        (PromptKind::Anchor, 0.4),
        (PromptKind::Reference, 0.2),
        (PromptKind::Question, 0.2),
    ] {
        let part = share(&|line| line.kind == kind);
        assert!((part - expected).abs() < 0.03, "{kind:?}: {part}");
    }
    for stem in Stem::TARGETS {
        assert!((share(&|line| line.target == stem) - 1.0 / 3.0).abs() < 0.03);
    }
    for line in &samples {
        assert!(line.split == Some(Split::Train) && line.target != Stem::Other);
        match line.category.gain_range_db() {
            None => assert_eq!(line.gain_db, 0.0),
            Some((low, high)) => assert!((low..=high).contains(&line.gain_db), "{line:?}"),
        }
        assert_ne!(line.anchor, Some(line.target));
        assert_eq!(line.anchor.is_some(), line.kind == PromptKind::Anchor);
        assert_eq!(line.asked.is_some(), line.kind == PromptKind::Question);
        assert_eq!(line.reference_chunk.is_some(), line.kind == PromptKind::Reference);
        assert_ne!(line.reference_chunk, Some(line.chunk));
        if let Some(anchor) = line.anchor {
            assert!(line.instruction.to_lowercase().contains(anchor.name()), "{line:?}");
        }
        assert!(!line.answer.contains(['{', '<', '|']) && !line.instruction.contains(['{', '<']), "{line:?}");
        let size = format!("{} dB", (line.gain_db.abs() * 2.0).round() / 2.0);
        let is_target = match line.asked {
            // The answer to a question about one stem is about that stem, whatever else is off.
            Some(asked) if asked != Stem::Other => {
                assert!(line.answer.to_lowercase().contains(asked.name()), "{line:?}");
                asked == line.target && line.gain_db != 0.0
            }
            _ => line.gain_db != 0.0,
        };
        assert_eq!(line.answer.contains(&size) && line.gain_db != 0.0, is_target, "{line:?}");
        if is_target {
            assert!(line.answer.to_lowercase().contains(line.target.name()), "{line:?}");
        }
        // The level that the line states includes the gain.
        let song = index.song(&line.song).unwrap();
        let plain = f64::from(index.chunks(song)[line.chunk].level_dbfs[line.target.index()]);
        assert!((line.levels_dbfs.stems[line.target].unwrap() - plain - line.gain_db).abs() < 0.011);
    }
}

#[test]
fn settings_change_priors_ranges_and_prompts_and_bad_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let index = collection(dir.path());
    let path = dir.path().join("settings.toml");
    let load = |text: &str| {
        std::fs::write(&path, text).unwrap();
        SynthesisSettings::load(&path)
    };
    let settings = load(
        "[categories]\nvery_quiet = {prior = 0.0, range_db = [-12, -6]}\nquiet = {prior = 0.5, range_db = [-2, -1]}\n\
         no_error = {prior = 0.5}\nloud = {prior = 0.0, range_db = [3, 6]}\nvery_loud = {prior = 0.0, range_db = [6, 12]}\n\
         [prompts]\ngeneric = 1.0\nanchor = 0.0\nreference = 0.0\nquestion = 0.0\n",
    )
    .unwrap();
    for line in lines(&index, &settings, 200, 1, None) {
        assert_eq!(line.kind, PromptKind::Generic);
        let ok = match line.category {
            Category::Quiet => (-2.0..=-1.0).contains(&line.gain_db),
            Category::NoError => line.gain_db == 0.0,
            _ => false,
        };
        assert!(ok, "{line:?}");
    }
    for (text, words) in [
        ("[gates]\nx = 1", "gates"),
        ("[gate]\nmixture_db = -30", "mixture_db"),
        ("[prompts]\ngeneric = 0.9", "[prompts] the shares add up to"),
        ("[prompts]\ngeneric = -0.2\nanchor = 0.8", "[prompts] generic is -0.2"),
        ("[categories]\nquiet = {prior = 0.2, range_db = [3, 6]}", "[categories.quiet]"),
        ("[categories]\nloud = {prior = 0.2, range_db = [6, 3]}", "[categories.loud]"),
    ] {
        let sentence = format!("{:#}", load(text).unwrap_err());
        assert!(sentence.contains(words) && sentence.contains("settings.toml"), "{sentence}");
    }
}

#[test]
fn audio_is_reproduced_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let index = collection(dir.path());
    let out = dir.path().join("audio");
    let samples = lines(&index, &SynthesisSettings::default(), 25, 3, Some(&out));
    let read = |name: String| -> Vec<u32> {
        let mut reader = hound::WavReader::open(out.join(name)).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.duration()), (sounds::RATE_HZ, 10 * sounds::RATE_HZ));
        reader.samples::<f32>().map(|sample| sample.unwrap().to_bits()).collect()
    };
    let bits = |pcm: mixing_buddy_core::audio::StereoPcm| -> Vec<u32> {
        pcm.left.iter().zip(&pcm.right).flat_map(|(l, r)| [l.to_bits(), r.to_bits()]).collect()
    };
    let mut references = 0;
    for line in &samples {
        let mix = audio::flawed_mix(&index, line).unwrap();
        let level = mixing_buddy_trainer::protocol::rms_dbfs(&[&mix.left, &mix.right]);
        assert!((level - line.levels_dbfs.mixture).abs() < 0.011, "{level} {line:?}");
        assert_eq!(read(format!("{:06}.wav", line.id)), bits(mix));
        if let Some(reference) = audio::reference_mix(&index, line).unwrap() {
            references += 1;
            assert_eq!(read(format!("{:06}-reference.wav", line.id)), bits(reference));
        }
    }
    assert!(references > 0);
    let mut wrong = samples[0].clone();
    wrong.song = "Nobody".into();
    assert!(format!("{:#}", audio::flawed_mix(&index, &wrong).unwrap_err()).contains("'Nobody'"));
    wrong.song = "One".into();
    wrong.chunk = 40;
    assert!(format!("{:#}", audio::flawed_mix(&index, &wrong).unwrap_err()).contains("no chunk 40"));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_commands_work_from_folder_to_lines() {
    let dir = Place::new();
    let place = |name: &str| dir.text(name);
    musdb_song(&dir.path("set/train/One"), 1, 20.0);
    std::fs::create_dir_all(dir.path("set/train/Bad")).unwrap();
    let (set, index) = (place("set"), place("songs.index"));
    let done = answer(&["data", "import", &set, "--layout", "musdb", "--out", &index, "--json"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((summary["songs"].as_u64(), summary["chunks"].as_u64()), (Some(1), Some(2)));
    assert!(summary["refused"][0]["reason"].as_str().unwrap().contains("vocals.wav is missing"));

    let make = |seed: &str, out: &str, more: &[&str]| {
        let mut args = vec!["data", "synthesize", &index, "--count", "50", "--seed", seed, "--out", out];
        args.extend(more);
        answer(&args)
    };
    let (a, b, c) = (place("a.jsonl"), place("b.jsonl"), place("c.jsonl"));
    for (seed, out) in [("5", &a), ("5", &b), ("6", &c)] {
        let done = make(seed, out, &[]);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let bytes = |path: &str| std::fs::read(path).unwrap();
    assert_eq!(bytes(&a), bytes(&b));
    assert_ne!(bytes(&a), bytes(&c));

    // The parts one after another are the whole.
    let parts = ["1/3", "2/3", "3/3"].map(|part| {
        let out = place("part.jsonl");
        assert!(make("5", &out, &["--part", part]).status.success());
        bytes(&out)
    });
    assert_eq!(parts.concat(), bytes(&a));
    assert!(parts.iter().all(|part| part.len() > bytes(&a).len() / 4));

    // Wordings that a user edits are used, and checked.
    let words = place("words");
    assert!(answer(&["data", "templates", "--out", &words]).status.success());
    let edit = |name: &str, from: &str, to: &str| {
        let path = Path::new(&words).join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    assert_eq!(
        {
            assert!(make("5", &b, &["--templates", &words]).status.success());
            bytes(&b)
        },
        bytes(&a)
    );
    edit("instructions.toml", "You are a mixing engineer.", "You are an old hand.");
    assert!(make("5", &b, &["--templates", &words]).status.success());
    assert!(text(&bytes(&b)).contains("old hand"));
    edit("instructions.toml", "I trust the {anchor}.", "I trust it.");
    let sentence = text(&make("5", &b, &["--templates", &words]).stderr);
    assert!(
        sentence.contains("instructions.toml: [anchor]") && sentence.contains("lacks {anchor}"),
        "{sentence}"
    );
    assert!(sentence.contains("words"), "{sentence}");

    // A run that fails keeps the old file.
    assert!(text(&bytes(&b)).contains("old hand"));
    let sentence = text(&make("5", &b, &["--split", "test"]).stderr);
    assert!(sentence.contains("no chunk") && sentence.contains("test"), "{sentence}");
    std::fs::remove_file(dir.path("set/train/One/drums.wav")).unwrap();
    let sentence = text(&make("5", &b, &[]).stderr);
    assert!(sentence.contains("drums.wav") && sentence.contains("songs.index"), "{sentence}");
    assert!(make("5", &b, &["--trust-index"]).status.success());
    assert_eq!(bytes(&a), bytes(&b));
}
