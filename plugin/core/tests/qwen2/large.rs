//! The large model, on a tiny base with random weights: what it says is nonsense, but it keeps the rules.

use crate::talking::{base, package};
use crate::tiny::{Tiny, config};
use candle_core::quantized::GgmlDType;
use mixing_buddy_core::conversation::Topic;
use mixing_buddy_core::decoder::{GenerationRequest, ReferenceBalance};
use mixing_buddy_core::encoder::{Reading, StemReading};
use mixing_buddy_core::large::figures::Figures;
use mixing_buddy_core::large::{LargeModel, Package};
use mixing_buddy_core::{Analysis, CancelFlag, Conversation, Engine, Error, PerStem, Request, Stem};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("base.gguf"), base(1)).unwrap();
        Files { folder }
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("base.gguf")
    }

    fn model(&self) -> LargeModel {
        LargeModel::open(&self.base(), (Path::new("adapter"), package(1))).unwrap()
    }
}

fn reading() -> Reading {
    let levels = PerStem::from_array([-9.0, -4.0, -7.0, -2.0]);
    PerStem::from_fn(|stem| StemReading {
        level_db: levels[stem],
        error_db: 1.5,
        presence: 1.0,
        summary: vec![0.0; 32],
    })
}

fn analysis() -> Analysis {
    Analysis {
        silent: false,
        reading: reading(),
        levels_lu: PerStem::from_array([Some(-8.5), Some(-4.0), Some(-9.0), Some(-1.0)]),
    }
}

#[test]
fn outcomes_sum_to_one_and_keep_to_what_may_be_named() {
    let (files, cancel) = (Files::new(), CancelFlag::new());
    let model = files.model();
    let reference = ReferenceBalance::of_levels(PerStem::all(Some(-6.0)));
    for (anchor, reference) in
        [(None, None), (Some(Stem::Drums), None), (Some(Stem::Vocals), Some(reference))]
    {
        let request = GenerationRequest { anchor, reference, ..GenerationRequest::default() };
        let decided = model.decide(&reading(), &request, &cancel).unwrap();
        let of_stem = |stem: Stem| decided.outcomes.errors[stem].values().iter().sum::<f32>();
        let total = decided.outcomes.none + Stem::TARGETS.map(of_stem).iter().sum::<f32>();
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        if let Some(anchor) = anchor {
            assert_eq!(of_stem(anchor), 0.0);
        }
        assert_eq!(decided.outcomes.best().0, decided.error.map(|error| (error.stem, error.direction)));
        // Threads and an earlier window change nothing.
        let again = files.model().with_threads(3).decide(&reading(), &request, &cancel).unwrap();
        assert_eq!((again.outcomes, again.error), (decided.outcomes, decided.error));
    }
    let mut absent = reading();
    absent.bass.presence = 0.0;
    let decided = model.decide(&absent, &GenerationRequest::default(), &cancel).unwrap();
    assert_eq!(decided.outcomes.errors[Stem::Bass].values().iter().sum::<f32>(), 0.0);
    cancel.cancel();
    let cancelled = model.decide(&reading(), &GenerationRequest::default(), &cancel);
    assert!(matches!(cancelled, Err(Error::Cancelled)));
}

#[test]
fn a_conversation_keeps_its_decision_and_states_given_figures_only() {
    let (files, cancel) = (Files::new(), CancelFlag::new());
    let engine = Engine::open(None, &cancel).unwrap().with_large(Arc::new(files.model()));
    let request = Request { min_confidence: Some(0.1), ..Request::default() };
    let mut talk = Conversation::new(analysis(), request.clone());
    let mut first = None;
    let mut said = Vec::new();
    for question in ["", "why?", "should I EQ the bass?", "what first?"] {
        let mut pieces = String::new();
        let reply = engine.ask(&mut talk, question, &cancel, &mut |piece| pieces.push_str(piece)).unwrap();
        assert_eq!(pieces.trim(), reply.advice.text, "it is streamed as it is");
        let facts = reply.facts.unwrap();
        let figures = Figures::of([facts.measured_sheet().as_str(), facts.decision_sheet().as_str()]);
        assert!(figures.allow(&format!("{} ", reply.advice.text)), "{}", reply.advice.text);
        let decision = (facts.best, facts.confidence);
        assert_eq!(*first.get_or_insert(decision), decision, "{question}");
        said.push(reply.advice.text);
    }
    // The same conversation gives the same words, also after a question that was broken off.
    let mut again = Conversation::new(analysis(), request);
    assert_eq!(engine.ask(&mut again, "", &cancel, &mut |_| {}).unwrap().advice.text, said[0]);
    let broken = CancelFlag::new();
    let stopped = engine.ask(&mut again, "why?", &broken, &mut |_| broken.cancel());
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(engine.ask(&mut again, "why?", &cancel, &mut |_| {}).unwrap().advice.text, said[1]);
}

#[test]
fn a_model_that_only_talks_talks_about_the_compact_decision() {
    let (files, cancel) = (Files::new(), CancelFlag::new());
    let compact = Engine::open(None, &cancel).unwrap();
    let request = Request { anchor: Some(Stem::Drums), ..Request::default() };
    let expected = compact.reply(&analysis(), &request, &cancel).unwrap();
    let mut talking = package(1);
    talking.about.decides = false;
    let model = LargeModel::open(&files.base(), (Path::new("adapter"), talking)).unwrap();
    let engine = Engine::open(None, &cancel).unwrap().with_large(Arc::new(model));
    assert_eq!(engine.reply(&analysis(), &request, &cancel).unwrap(), expected);
    let mut talk = Conversation::new(analysis(), request);
    for question in ["", "why?"] {
        let reply = engine.ask(&mut talk, question, &cancel, &mut |_| {}).unwrap();
        assert_eq!(reply.facts, expected.facts, "{question}");
        assert_ne!(reply.advice.text, expected.advice.text, "its words are its own");
    }
}

#[test]
fn a_decision_that_it_is_told_is_read_as_its_own() {
    let (files, cancel) = (Files::new(), CancelFlag::new());
    let model = files.model();
    let request = GenerationRequest { anchor: Some(Stem::Drums), ..GenerationRequest::default() };
    let decided = model.decide(&reading(), &request, &cancel).unwrap();
    let compact = Engine::open(None, &cancel).unwrap();
    let facts = compact.reply(&analysis(), &Request::default(), &cancel).unwrap().facts.unwrap();
    let said = |mut talk| model.ask(&mut talk, ("why?", Topic::Why(None)), &cancel, &mut |_| {}).unwrap();
    let told = model.talk_about(&reading(), &request, decided.error, &facts, &cancel).unwrap();
    let own = model.talk(decided, &facts, &cancel).unwrap();
    assert_eq!(said(told), said(own));
}

#[test]
fn what_does_not_fit_is_named() {
    let files = Files::new();
    let open = |package: Package| {
        LargeModel::open(&files.base(), (Path::new("my adapter"), package)).map(drop).unwrap_err().to_string()
    };
    let said = open(package(2));
    assert!(said.contains("my adapter: is an adapter for another base"), "{said}");
    let mut wide = package(1);
    wide.about.projector.hidden += 32;
    assert!(open(wide).contains("a projector that does not fit the base"));
    let mut half = package(1);
    half.projector.remove("projector.level_out.weight");
    assert!(open(half).contains("level_out.weight"));

    // A file comes back; one without a projector is no package.
    let bytes = package(1).to_bytes().unwrap();
    let back = Package::from_bytes(&bytes).unwrap();
    assert_eq!((back.about, back.adapter), (package(1).about, package(1).adapter));
    assert!(Package::from_bytes(&bytes[..bytes.len() - 9]).is_err());
    let bare = package(1).adapter.to_bytes().unwrap();
    assert!(Package::from_bytes(&bare).err().unwrap().contains("without a projector"));

    // A vocabulary that has no words for decisions.
    let other = files.folder.path().join("other.gguf");
    let tiny = Tiny::new(1, config());
    std::fs::write(&other, tiny.gguf(&[GgmlDType::Q8_0])).unwrap();
    let mut fitting = package(1);
    fitting.adapter.base = tiny.model(&[GgmlDType::Q8_0]).fingerprint().clone();
    let said =
        LargeModel::open(&other, (Path::new("my adapter"), fitting)).map(drop).unwrap_err().to_string();
    assert!(said.contains("other.gguf") && said.contains("into pieces"), "{said}");
}

#[test]
fn the_shipped_adapter_is_whole() {
    let package = LargeModel::shipped_package().unwrap();
    assert_eq!(package.about.projector.tokens_per_stem, 1);
    assert_eq!(package.adapter.layers.len(), 24 * 7);
    assert!(package.about.temperatures.is_some(), "it is calibrated");
    assert!(!package.about.decides, "the compact model is right more often");
}
