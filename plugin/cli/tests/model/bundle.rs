//! A bundle on the hub: fetched when the user says so, then named wherever a model is.

use super::computer::{Computer, Said};
use super::hub::{FakeHub, REPOSITORY};
use mixing_buddy_core::bundle::SHIPPED_BUNDLE;

#[test]
fn the_bundle_of_a_repository_is_fetched_and_judges_a_song() {
    let hub = FakeHub::start(SHIPPED_BUNDLE.to_vec());
    let computer = Computer::new(&hub);
    let address = format!("hf://{REPOSITORY}");
    let advise = |more: &[&str]| {
        let args: Vec<&str> = ["advise", "--json"].iter().chain(more).copied().collect();
        Said::of(&computer.program(&args).output().unwrap())
    };
    advise(&["--model", &address]).refused(&["is not here yet", &format!("model fetch {address}")]);
    assert!(hub.asked().is_empty(), "nothing is fetched by itself");
    computer.run(&["fetch", &address, "--yes"]).worked();
    let asked = hub.asked().len();
    let (fetched, built_in) = (advise(&["--model", &address]).worked(), advise(&[]).worked());
    assert_eq!(fetched.out, built_in.out);
    assert_eq!(hub.asked().len(), asked, "a bundle that is here needs no request");

    advise(&["--model", &address, "--bundle", "mine.mixbuddy"]).refused(&["cannot be used together"]);
    advise(&["--model", &address, "--adapter", "mine.safetensors"]).refused(&["takes no adapter"]);
    computer.run(&["use", &address]).refused(&["is a bundle, not a language model"]);
    computer.run(&["remove", &address]).worked();
    advise(&["--model", &address]).refused(&["is not here yet"]);
}
