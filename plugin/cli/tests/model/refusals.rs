//! The hub says no, or says nothing, or says something odd.

use super::computer::{Computer, Said};
use super::fetch::content;
use super::hub::{Answer, FakeHub, NAME};

/// Fetches from a hub that gives this answer to the first question.
fn first(answer: Answer, token: Option<&str>) -> Said {
    let hub = FakeHub::changed(content(5_000), move |asked, before, usual| match asked.is_content {
        false if before == 0 => answer.clone(),
        _ => usual,
    });
    let computer = Computer::new(&hub);
    let mut command = computer.command(&["fetch", NAME, "--yes"]);
    if let Some(token) = token {
        command.env("HF_TOKEN", token);
    }
    Said::of(&command.output().unwrap())
}

#[test]
fn each_refusal_says_what_to_do() {
    let coded = |status, code: &str| Answer::status(status).with("X-Error-Code", code);
    first(coded(401, "RepoNotFound"), None).refused(&["me/my-model", "401", "set HF_TOKEN"]);
    let said = first(Answer::status(401), Some("hf_wrong"));
    said.refused(&["token that was sent is not accepted"]);
    assert!(!said.error.contains("hf_wrong"), "{}", said.error);
    first(coded(403, "GatedRepo"), Some("hf_mine")).refused(&[
        "accept its terms",
        "/me/my-model",
        "HF_TOKEN",
    ]);
    first(Answer::status(403), None).refused(&["403", "refuses access"]);
    first(coded(404, "EntryNotFound"), None).refused(&["no file q8/tiny.gguf", "404"]);
    first(coded(404, "RevisionNotFound"), None).refused(&["404", "RevisionNotFound"]);
    first(Answer::status(418), None).refused(&["418"]);
}

#[test]
fn odd_answers_are_refused() {
    let answer = |etag: &str, size: &str| {
        Answer::status(302)
            .with("X-Repo-Commit", "abc123")
            .with("X-Linked-Etag", etag)
            .with("X-Linked-Size", size)
            .with("Location", "http://127.0.0.1:1/")
    };
    first(answer("\"0123456789abcdef0123456789abcdef01234567\"", "12"), None)
        .refused(&["does not say the SHA-256"]);
    first(answer(&"a".repeat(64), "many"), None).refused(&["does not say the size"]);
    first(answer("../../../../etc/passwd", "12"), None).refused(&["does not say the SHA-256"]);
    first(Answer::status(302), None).refused(&["redirects to nowhere"]);
    first(Answer::status(302).with("Location", "file:///etc/passwd"), None).refused(&["cannot be followed"]);
    // A commit is the name of a folder.
    let commit = Answer::status(200).with("X-Repo-Commit", "../../..").with("X-Linked-Etag", "a".repeat(64));
    first(commit, None).refused(&["does not say the commit"]);
    first(Answer::status(200), None).refused(&["does not say the commit"]);
}

#[test]
fn redirects_in_a_circle_end() {
    let hub = FakeHub::changed(content(5_000), |asked, _, _| {
        Answer::status(302).with("Location", asked.path.clone())
    });
    Computer::new(&hub).run(&["fetch", NAME, "--yes"]).refused(&["redirects more than 10 times"]);
    assert_eq!(hub.asked().len(), 11);
}

#[test]
fn content_of_another_size_is_refused() {
    for status in [200, 206] {
        let hub = FakeHub::changed(content(5_000), move |asked, _, answer| match asked.is_content {
            true => Answer { body: content(7_000), ..Answer::status(status) }
                .with("Content-Range", "bytes 0-6999/7000"),
            false => answer,
        });
        Computer::new(&hub).fetch().refused(&["7000 bytes, not of 5000"]);
    }
}

#[test]
fn a_hub_that_is_down_is_named() {
    // Nobody listens at a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let computer = Computer::at(&format!("http://127.0.0.1:{port}"));
    computer.fetch().refused(&["127.0.0.1", "cannot be reached", "Is this computer online?"]);
    Computer::at("http://hub.invalid").fetch().refused(&["hub.invalid cannot be reached"]);
    Computer::at("no address").fetch().refused(&["HF_ENDPOINT", "no address"]);
}

#[test]
fn offline_sends_nothing() {
    let hub = FakeHub::start(content(5_000));
    let computer = Computer::new(&hub);
    computer.run(&["fetch", NAME, "--yes", "--offline"]).refused(&["is not here", "--offline"]);
    let mut command = computer.command(&["fetch", NAME, "--yes"]);
    Said::of(&command.env("HF_HUB_OFFLINE", "1").output().unwrap()).refused(&["HF_HUB_OFFLINE"]);
    assert!(hub.asked().is_empty());
    computer.fetch().worked();
    let asked = hub.asked().len();
    computer.run(&["fetch", NAME, "--offline"]).worked();
    assert_eq!(hub.asked().len(), asked);
}

#[test]
fn nothing_is_fetched_without_a_yes() {
    let hub = FakeHub::start(content(5_000));
    let computer = Computer::new(&hub);
    for args in [vec!["fetch", NAME], vec!["fetch", NAME, "--json"]] {
        let said = computer.run(&args);
        said.refused(&["nothing was fetched", "--yes"]);
        // Size and licence were shown.
        let shown = format!("{}{}", said.out, said.error);
        assert!(shown.contains("5000") && shown.contains("mit"), "{shown}");
    }
    assert!(hub.starts().is_empty() && !computer.repository().exists());
}

#[test]
fn another_file_than_the_tested_one_is_refused() {
    let hub = FakeHub::changed(content(5_000), |asked, _, answer| match asked.path.starts_with("/Qwen/") {
        true => Answer::status(302)
            .with("X-Repo-Commit", "abc123")
            .with("X-Linked-Etag", "a".repeat(64))
            .with("X-Linked-Size", "491400064")
            .with("Location", "http://127.0.0.1:1/"),
        false => answer,
    });
    let computer = Computer::new(&hub);
    computer.run(&["fetch", "qwen2-0.5b", "--yes"]).refused(&["another file than the one that was tested"]);
    computer.run(&["fetch", "compact"]).refused(&["built in"]);
    computer.run(&["fetch", "gpt"]).refused(&["no model 'gpt'", "qwen2-0.5b"]);
}
