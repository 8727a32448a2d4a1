//! Items, references, semantic similarity, and the page and card that are made of results.

use anyhow::Result;
use mixing_buddy_core::stem::{Direction, PerStem, Stem};
use mixing_buddy_trainer::evaluation::page::html::{escaped, worst_items};
use mixing_buddy_trainer::evaluation::page::{
    EvaluationJson, PageInputs, card, card_tables, page, with_card_tables,
};
use mixing_buddy_trainer::evaluation::words::{
    Item, Reference, SentenceEmbedder, TextEmbedder, Truth, WRITTEN_BY, choose_items, read_items,
    read_references, similarity, write_items, written_advice,
};
use mixing_buddy_trainer::evaluation::{Advisor, Evaluation, Extras, NormsSource, Settings, evaluate};
use mixing_buddy_trainer::protocol::{Category, Protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[path = "common/cli.rs"]
mod cli;
#[path = "common/oracle.rs"]
mod oracle;

use oracle::{Oracle, in_memory, song};

const LEVELS: [f64; 4] = [-20.0, -22.0, -21.0, -19.0];

fn evaluation() -> Result<(Evaluation, Settings)> {
    let truth = mixing_buddy_core::norms::levels::all_rest_levels_from_levels(&PerStem::from_array(LEVELS));
    let oracle = Oracle::new(truth.targets().into_array(), 0.0);
    assert_eq!(oracle.name(), "an advisor");
    let songs = in_memory(vec![song("one", 2, LEVELS), song("two", 3, LEVELS)]);
    let settings = Settings { resamples: 50, ..Settings::new(Protocol::Anchor, 5) };
    Ok((
        evaluate(&songs, &oracle, &settings, &NormsSource::open(None)?, Extras::default(), &mut |_| Ok(()))?,
        settings,
    ))
}

#[test]
fn items_are_drawn_evenly_over_categories_and_windows_and_come_back_from_their_file() -> Result<()> {
    let (evaluation, settings) = evaluation()?;
    let items = choose_items(&evaluation.records, &settings, 20);
    assert_eq!(items.len(), 20);
    assert_eq!(items, choose_items(&evaluation.records, &settings, 20), "the same seed draws the same");
    let category = |item: &Item| {
        item.truth.map_or(Category::NoError, |truth| {
            let very = truth.gain_db.abs() >= 6.0;
            Category::ALL
                .into_iter()
                .find(|of| of.direction() == Some(truth.direction) && of.is_very() == very)
                .expect("a category")
        })
    };
    for of in Category::ALL {
        assert_eq!(items.iter().filter(|item| category(item) == of).count(), 4, "{}", of.name());
    }
    let windows: BTreeSet<(&str, usize)> =
        items.iter().map(|item| (item.song.as_str(), item.window)).collect();
    assert_eq!(windows.len(), 5);
    let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids.len(), 20);
    for item in &items {
        assert!(item.right && !item.wrong_direction && !item.text.is_empty());
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("items.jsonl");
    write_items(&path, &items)?;
    assert_eq!(read_items(&path)?, items);
    std::fs::write(&path, "{}\n")?;
    assert!(format!("{:#}", read_items(&path).expect_err("no item")).contains("line 1"));
    Ok(())
}

/// Counts words: texts with the same words are alike, and "up" is as far from "down" as from any other word.
struct Words;

impl TextEmbedder for Words {
    fn embed(&self, text: &str) -> Result<Vec<f32>> {
        let mut counts = vec![0.0_f32; 512];
        for word in
            text.to_lowercase().split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty())
        {
            counts[(mixing_buddy_core::hash::fnv1a(word.bytes()) % 512) as usize] += 1.0;
        }
        let length = counts.iter().map(|count| count * count).sum::<f32>().sqrt();
        Ok(counts.into_iter().map(|count| count / length).collect())
    }
}

fn item(number: usize, truth: Option<Truth>, text: &str, right: bool) -> Item {
    Item {
        id: format!("item {number}"),
        song: format!("song {}", number % 3),
        window: 0,
        question: "How is the balance of this mix?".into(),
        anchor: None,
        truth,
        levels_db: PerStem::all(-5.0),
        best: None,
        confidence: 0.5 + 0.01 * number as f64,
        spoken: number.is_multiple_of(2),
        right,
        wrong_direction: false,
        text: text.into(),
    }
}

fn some_items() -> Vec<Item> {
    let truth = |stem, direction, gain_db| Truth { stem, direction, gain_db };
    let bass = truth(Stem::Bass, Direction::Loud, 4.0);
    let vocals = truth(Stem::Vocals, Direction::Quiet, -8.0);
    vec![
        item(0, Some(bass), &written_advice(Some(bass))[0], true),
        item(1, Some(vocals), &written_advice(Some(vocals))[1], true),
        item(2, None, &written_advice(None)[2], true),
        item(3, Some(vocals), "The drums are loud, and <b>nothing</b> else is.", false),
    ]
}

#[test]
fn similarity_stands_beside_random_pairs_and_wrong_directions() -> Result<()> {
    let report = similarity(&some_items(), &BTreeMap::new(), &Words, 1, 100)?;
    assert_eq!((report.items, report.songs, report.annotated_items, report.references), (4, 3, 0, 16));
    assert_eq!(report.raters, [WRITTEN_BY]);
    let value = |figure: mixing_buddy_trainer::evaluation::Figure| figure.value.expect("a figure");
    assert!(value(report.right_advice) > value(report.wrong_advice) + 0.2);
    assert!(value(report.advice) > value(report.random_pair));
    // Counted words do not tell the directions of these sentences well apart, which is what the report must show.
    assert!(value(report.right_direction) - value(report.wrong_direction) < 0.2);
    assert!(value(report.direction_is_told) < 1.0 + 1e-9);
    assert!(report.advice.ci95.is_some());
    Ok(())
}

#[test]
fn annotations_of_experts_replace_the_written_ones_and_bad_files_are_refused() -> Result<()> {
    let items = some_items();
    let place = cli::Place::new();
    let path = place.path("references.jsonl");
    let line = |item: &str, rater: &str, text: &str| {
        serde_json::to_string(&Reference { item: item.into(), rater: rater.into(), text: text.into() })
            .expect("JSON")
    };
    let two = [line("item 0", "A", "Less bass."), line("item 0", "B", "The bass is too much.")].join("\n");
    std::fs::write(&path, &two)?;
    let references = read_references(&path, &items)?;
    assert_eq!(references["item 0"].len(), 2);
    let report = similarity(&items, &references, &Words, 1, 100)?;
    assert_eq!((report.annotated_items, report.references), (1, 2 + 3 * 4));
    assert_eq!(report.raters, ["A", "B", WRITTEN_BY]);
    for (text, reason) in [
        (line("item 9", "A", "x"), "there is no item 'item 9'"),
        (line("item 0", "A", " "), "says nothing"),
        ([line("item 0", "A", "x"), line("item 0", "A", "y")].join("\n"), "has two texts"),
        (r#"{"item": "item 0"}"#.to_string(), "line 1"),
    ] {
        std::fs::write(&path, text)?;
        let sentence = format!("{:#}", read_references(&path, &items).expect_err(reason));
        assert!(sentence.contains(reason), "{sentence}");
    }
    let items_file = place.path("items.jsonl");
    write_items(&items_file, &items)?;
    let refused =
        cli::run(&["similarity", &place.text("items.jsonl"), "--model", &place.text("")]).unwrap_err();
    assert!(refused.contains("config.json") && refused.contains("--fetch"), "{refused}");
    Ok(())
}

/// The vectors of the real model, where `MIXING_BUDDY_MINILM` names its folder. The expected cosines are those of an
/// implementation in numpy: trainer/tests/fixtures/minilm.py.
#[test]
#[ignore = "needs all-MiniLM-L6-v2; run by `cargo xtask test --full similarity`"]
fn the_real_model_gives_the_cosines_of_an_independent_implementation() -> Result<()> {
    let folder =
        std::env::var_os("MIXING_BUDDY_MINILM").expect("MIXING_BUDDY_MINILM names the model's folder");
    let model = SentenceEmbedder::load(Path::new(&folder))?;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/minilm.json");
    let pairs: Vec<(String, String, f64)> = serde_json::from_slice(&std::fs::read(fixture)?)?;
    for (a, b, expected) in pairs {
        let [x, y] = [model.embed(&a)?, model.embed(&b)?];
        let cosine: f64 = x.iter().zip(&y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        assert!((cosine - expected).abs() < 1e-4, "{a} / {b}: {cosine}, not {expected}");
    }
    Ok(())
}

#[test]
fn the_page_holds_failures_first_and_loads_nothing_and_the_card_has_the_same_numbers() -> Result<()> {
    let (evaluation, _) = evaluation()?;
    let place = cli::Place::new();
    evaluation.report.write_json(&place.path("a.json"))?;
    write_items(&place.path("items.jsonl"), &some_items())?;
    let read = EvaluationJson::read("songs, anchor", &place.path("a.json"))?;
    let tables = card_tables(std::slice::from_ref(&read));
    assert!(tables.contains("| joint: stem and direction | 100.0 % (100.0 to 100.0) |"), "{tables}");
    assert!(tables.contains("| songs, windows, samples | 2, 5, 300 |"), "{tables}");
    let similarity = similarity(&some_items(), &BTreeMap::new(), &Words, 1, 50)?;
    let inputs = PageInputs {
        evaluations: vec![read],
        items: some_items(),
        similarity: Some(similarity),
        ..PageInputs::default()
    };
    let html = page(&inputs)?;
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("no '{text}'"));
    assert!(at("Failures first") < at("Figures") && at("Figures") < at("Semantic similarity"));
    assert!(at("&lt;b&gt;nothing&lt;/b&gt;") > 0 && !html.contains("<b>nothing"));
    assert!(at("<svg") > 0 && at("evaluate --songs SONGS --protocol published --seed 5") > 0);
    for outside in ["src=\"http", "href=\"http", "url(", "<script", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.len() < 3_000_000);
    assert_eq!(worst_items(&inputs.items)[0].id, "item 3");
    assert_eq!(escaped("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");

    let model_card = format!("# A card\n\n{}\nold\n{}\n\nRest.\n", card::BEGIN, card::END);
    std::fs::write(place.path("CARD.md"), &model_card)?;
    let evaluation_arg = format!("songs, anchor={}", place.text("a.json"));
    let args = ["report", "--evaluation", &evaluation_arg, "--items", &place.text("items.jsonl")];
    let args = args.iter().map(|arg| arg.to_string());
    let outputs =
        ["--out".to_string(), place.text("report.html"), "--card".to_string(), place.text("CARD.md")];
    cli::run(&args.chain(outputs).collect::<Vec<_>>()).expect("it is written");
    let written = std::fs::read_to_string(place.path("CARD.md"))?;
    assert_eq!(written, with_card_tables(&model_card, &tables)?);
    assert!(written.contains("100.0 %") && !written.contains("\nold\n") && written.ends_with("Rest.\n"));
    assert!(with_card_tables("no markers", &tables).is_err());
    let bad =
        cli::run(&["report", "--evaluation", "x=Cargo.toml", "--out", &place.text("x.html")]).unwrap_err();
    assert!(bad.contains("is not a report of `evaluate`"), "{bad}");
    Ok(())
}

/// Where the repository holds the evaluations of the shipped model, its card states their figures.
#[test]
fn the_model_card_has_the_figures_of_the_evaluations_in_the_repository() -> Result<()> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets");
    let list = assets.join("evaluation/list.txt");
    if !list.is_file() {
        return Ok(());
    }
    let mut evaluations = Vec::new();
    for line in std::fs::read_to_string(&list)?.lines() {
        let (label, file) = line.split_once('=').expect("LABEL=FILE");
        evaluations.push(EvaluationJson::read(label, &assets.join("evaluation").join(file))?);
    }
    let card = std::fs::read_to_string(assets.join("MODEL_CARD.md"))?;
    assert_eq!(with_card_tables(&card, &card_tables(&evaluations))?, card, "run `report --card` again");
    let page = std::fs::metadata(assets.join("evaluation/report.html"))?;
    assert!(page.len() < 3_000_000, "the page is too large");
    Ok(())
}
