//! Which model is chosen: from the hub, from disk, with an adapter.

use super::computer::Computer;
use super::hub::{COMMIT, FakeHub, NAME};
use super::talking::{base, package};
use serde_json::Value;
use std::path::Path;

fn tiny() -> Vec<u8> {
    base(1)
}

/// An adapter for the tiny model of this seed.
fn write_adapter(path: &Path, seed: u64) {
    std::fs::write(path, package(seed).to_bytes().unwrap()).unwrap();
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn chosen(computer: &Computer) -> Value {
    json(&computer.run(&["list", "--json"]).worked().out)["chosen"].clone()
}

#[test]
fn a_fetched_model_is_chosen_described_and_removed() {
    let hub = FakeHub::start(tiny());
    let computer = Computer::new(&hub);
    assert_eq!(chosen(&computer), "compact");
    computer.run(&["use", NAME]).refused(&["is not here yet", "model fetch me/my-model"]);
    computer.fetch().worked();
    computer.run(&["use", NAME]).refused(&["the shipped adapter", "another base"]);
    let adapter = computer.folder.path().join("mine.safetensors");
    write_adapter(&adapter, 1);
    let said = computer.run(&["use", NAME, "--adapter", adapter.to_str().unwrap(), "--json"]).worked();
    assert_eq!(json(&said.out)["chosen"], NAME);
    assert_eq!(json(&said.out)["chosen_file"], computer.pointer(COMMIT).to_str().unwrap());
    assert_eq!(chosen(&computer), NAME);
    // Without a name, the chosen one is described.
    let about = json(&computer.run(&["info", "--json"]).worked().out);
    assert_eq!(about["own_name"], "Tiny");
    assert_eq!(
        (&about["layers"], &about["hidden"], &about["context"]),
        (&3.into(), &256.into(), &4096.into())
    );
    assert!(about["weights"]["Q8_0"]["bytes"].as_u64().unwrap() > 100_000, "{about}");
    assert_eq!(about["adapter_fits"], true);
    assert_eq!(about["adapter_decides"], true);
    let text = computer.run(&["info"]).worked().out;
    assert!(text.contains("qwen2, 3 layers of 256") && text.contains("Q8_0"), "{text}");
    assert!(text.contains("mine.safetensors fits; it decides what is off"), "{text}");
    let removed = computer.run(&["remove", NAME, "--json"]).worked();
    assert_eq!(json(&removed.out)["freed_bytes"], hub.content.len());
    assert_eq!(json(&removed.out)["was_chosen"], true);
    assert!(!computer.blob(&hub.content).exists() && !computer.pointer(COMMIT).exists());
    assert_eq!(chosen(&computer), "compact");
    computer.run(&["remove", NAME]).refused(&["is not here"]);
    computer.run(&["remove", "compact"]).refused(&["built in"]);
}

#[test]
fn a_file_of_the_users_own_is_checked_before_it_is_chosen() {
    let computer = Computer::at("http://127.0.0.1:1");
    let folder = computer.folder.path();
    let good = folder.join("my base.gguf");
    std::fs::write(&good, tiny()).unwrap();
    let adapter = folder.join("mine.safetensors");
    write_adapter(&adapter, 1);
    computer.run(&["use", good.to_str().unwrap(), "--adapter", adapter.to_str().unwrap()]).worked();
    assert_eq!(chosen(&computer), "my base.gguf");
    assert!(computer.run(&["list"]).worked().out.contains("* my base.gguf: your own"));
    // A choice that fails changes nothing.
    let cut = folder.join("cut.gguf");
    std::fs::write(&cut, &tiny()[..50_000]).unwrap();
    let other = folder.join("text.gguf");
    std::fs::write(&other, "no model").unwrap();
    for (path, word) in [(&cut, "cut.gguf"), (&other, "text.gguf"), (&folder.join("none.gguf"), "none.gguf")]
    {
        computer.run(&["use", path.to_str().unwrap()]).refused(&[word]);
    }
    computer.run(&["use", "nothing"]).refused(&["no file 'nothing'", "no model 'nothing'"]);
    assert_eq!(chosen(&computer), "my base.gguf");
    computer.run(&["use", "compact"]).worked();
    let stored = std::fs::read_to_string(folder.join("data/model.json")).unwrap();
    assert_eq!(json(&stored), serde_json::json!({ "format": 1, "model": "compact" }));
    let about = json(&computer.run(&["info", "--json"]).worked().out);
    assert_eq!(about["sample_rate_hz"], 32_000);
    // A choice that a newer version wrote is not overwritten by guessing.
    std::fs::write(folder.join("data/model.json"), r#"{"format": 9, "model": "compact"}"#).unwrap();
    computer.run(&["list"]).refused(&["model.json", "newer version"]);
}

#[test]
fn an_adapter_must_fit_its_base() {
    let computer = Computer::at("http://127.0.0.1:1");
    let folder = computer.folder.path();
    let (mine, others) = (folder.join("mine.safetensors"), folder.join("others.safetensors"));
    write_adapter(&mine, 1);
    write_adapter(&others, 2);
    let (mine, others) = (mine.to_str().unwrap(), others.to_str().unwrap());
    // A base for who trains an adapter, as if it had been fetched.
    let name = "qwen2-0.5b-instruct";
    let place =
        "hf/hub/models--Qwen--Qwen2-0.5B-Instruct-GGUF/snapshots/abc123/qwen2-0_5b-instruct-q4_k_m.gguf";
    let place = folder.join(place);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, tiny()).unwrap();
    computer.run(&["use", name]).refused(&["without an adapter", "--adapter"]);
    computer.run(&["use", place.to_str().unwrap()]).refused(&["without an adapter"]);
    computer.run(&["use", name, "--adapter", others]).refused(&["another base", "others.safetensors"]);
    computer.run(&["use", "compact", "--adapter", mine]).refused(&["compact"]);
    assert_eq!(chosen(&computer), "compact");
    computer.run(&["use", name, "--adapter", mine]).worked();
    assert_eq!(chosen(&computer), name);
    let about = json(&computer.run(&["info", "--json"]).worked().out);
    assert_eq!((&about["adapter_fits"], &about["licence"]), (&true.into(), &"Apache-2.0".into()));
    let about = json(&computer.run(&["info", name, "--adapter", others, "--json"]).worked().out);
    assert_eq!(about["adapter_fits"], false);
    assert!(about["adapter_reason"].as_str().unwrap().contains("another base"), "{about}");
}
