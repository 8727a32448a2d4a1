//! Models that fail, are missing or hang.

use crate::common::{Act, Bench, Fake};
use crate::{LOUD, errors};
use mixing_buddy::view::{Activity, Command};
use mixing_buddy::worker::advice_model::{AdviceModel, ModelKey, ModelSource};
use mixing_buddy_core::model_choice::LargeChoice;
use mixing_buddy_core::{CancelFlag, DeviceKind, ModelChoice};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_failed_window_is_reported_once_and_the_next_is_analyzed() {
    let fake = Fake::new([Act::Fail, Act::Panic]);
    let mut bench = Bench::new([fake.clone()]);
    bench.play_and_step(20, LOUD);
    assert_eq!(bench.starts(), [10.0]);
    let errors = errors(&bench);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("out of memory"), "{errors:?}");
    let id = bench.session.view().notices[0].id;
    bench.session.command(Command::Dismiss(id));
    assert!(bench.session.view().notices.is_empty());
}

#[test]
fn the_cpu_takes_over_from_a_gpu_that_fails() {
    let gpu = Fake::on(DeviceKind::Cuda, [Act::Fail]);
    let cpu = Fake::new([]);
    let mut bench = Bench::new([gpu.clone(), cpu.clone()]);
    let view = bench.play_and_step(21, LOUD);
    assert!(errors(&bench)[0].contains("runs on the CPU now"), "{:?}", errors(&bench));
    assert_eq!((gpu.analyzed(), view.model.device), (1, Some(DeviceKind::Cpu)));
    assert!(cpu.analyzed() >= 1);
    assert!(bench.keys.lock().unwrap()[1].cpu_only);
}

#[test]
fn without_a_model_audio_does_not_pile_up() {
    let mut bench = Bench::new([]);
    let view = bench.play_and_step(30, LOUD);
    assert_eq!(view.activity, Activity::NoModel);
    assert!(errors(&bench)[0].contains("no weights were built in"), "{:?}", errors(&bench));
    assert_eq!(view.model.dropped_s, 0.0);
}

#[test]
fn the_built_in_model_replaces_a_model_file_that_cannot_be_used() {
    let mut bench = Bench::new([Fake::new([]), Fake::new([])]);
    bench.settle();
    bench.session.command(Command::ChooseModel(Some("/models/other.mixbuddy".into())));
    let view = bench.play_and_step(10, LOUD);
    assert!(errors(&bench)[0].contains("has format version 9"), "{:?}", errors(&bench));
    assert_eq!(view.newest.as_ref().map(|mark| mark.start_s), Some(0.0));
    let kept = bench.params.project.current().choices.model_path.clone();
    assert_eq!(kept, Some("/models/other.mixbuddy".into()), "the file may be present again next time");
}

fn large(file: &str) -> ModelChoice {
    ModelChoice::Large(LargeChoice { name: "qwen2-0.5b".into(), file: file.into(), adapter: None })
}

#[test]
fn a_language_model_is_chosen_for_all_projects_once_it_works() {
    let mut bench = Bench::new([Fake::new([]), Fake::new([]), Fake::new([]), Fake::new([])]);
    bench.settle();
    let chosen = large("/models/base.gguf");
    bench.session.command(Command::ChooseLanguage(chosen.clone()));
    assert_eq!(*bench.language.lock().unwrap(), [], "not before it has been loaded");
    bench.settle();
    assert_eq!(bench.language.lock().unwrap().as_slice(), std::slice::from_ref(&chosen));
    let view = bench.session.view();
    assert_eq!(view.model.language, chosen);
    let told: Vec<&str> = view.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(told, ["qwen2-0.5b answers from now on, in all projects."]);

    // One that does not load changes nothing for other projects, and the compact one answers here.
    bench.session.command(Command::ChooseLanguage(large("/elsewhere/damaged.gguf")));
    bench.settle();
    assert_eq!(bench.language.lock().unwrap().as_slice(), std::slice::from_ref(&chosen));
    assert_eq!(errors(&bench), ["The file is damaged. The compact model answers."]);
    assert_eq!(bench.session.view().model.language, ModelChoice::Compact);

    // Another instance's choice is followed without a word.
    let notices = bench.session.view().notices.len();
    bench.language.lock().unwrap().push(large("/models/other.gguf"));
    bench.settle();
    assert_eq!(bench.session.view().model.language, large("/models/other.gguf"));
    assert_eq!(bench.session.view().notices.len(), notices);
}

#[test]
fn a_stored_language_model_that_is_gone_is_told_and_the_compact_one_answers() {
    let mut bench = Bench::new([Fake::new([])]);
    bench.language.lock().unwrap().push(large("/elsewhere/gone.gguf"));
    let view = bench.play_and_step(10, LOUD);
    assert_eq!(errors(&bench), ["The file is damaged. The compact model answers."]);
    assert_eq!(view.newest.as_ref().map(|mark| mark.start_s), Some(0.0), "no window is lost");
}

#[test]
fn a_worker_that_hangs_does_not_hang_the_host() {
    struct Stuck;
    impl ModelSource for Stuck {
        fn get(
            &mut self,
            _: &ModelKey,
            _: &CancelFlag,
        ) -> mixing_buddy_core::Result<Option<Arc<dyn AdviceModel>>> {
            // Like a read from a network drive that is gone: it cannot be cancelled.
            std::thread::sleep(Duration::from_millis(900));
            Ok(None)
        }
    }
    let plugin = mixing_buddy::MixingBuddy::with_models(Box::new(Stuck));
    std::thread::sleep(Duration::from_millis(50));
    let started = Instant::now();
    drop(plugin);
    let took = started.elapsed();
    assert!((Duration::from_millis(200)..Duration::from_millis(500)).contains(&took), "{took:?}");
}
