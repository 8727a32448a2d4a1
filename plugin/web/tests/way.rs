//! The whole way of a song: upload, events, advice, sound, questions, report, and its end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

mod common;

use common::{demo, engine, start, tones};
use mixing_buddy_core::audio::{StereoPcm, decode_file};
use mixing_buddy_core::lines::{Kind, json_line};
use mixing_buddy_core::loudness::integrated_lufs;
use mixing_buddy_core::song::{DEFAULT_HOP_S, analyze_file, measure_reference};
use mixing_buddy_core::{Analysis, CancelFlag, Request, Stem};
use serde_json::{Value, json};
use std::path::Path;

/// The lines that `mixing-buddy advise --json` prints for a song.
fn lines_of(path: &Path, name: &str, request: &Request) -> String {
    let (engine, cancel) = (engine(), CancelFlag::new());
    let song = analyze_file(&engine, path, DEFAULT_HOP_S, &cancel).unwrap();
    let mut lines = String::new();
    for window in &song.windows {
        let advice = engine.answer(&window.analysis, request, &cancel).unwrap();
        lines += &format!("{}\n", json_line(name, Kind::Window, window.start_s, window.end_s, &advice));
    }
    let analyses: Vec<Analysis> = song.windows.iter().map(|window| window.analysis.clone()).collect();
    let advice = engine.answer(&engine.pool(&analyses).unwrap(), request, &cancel).unwrap();
    lines + &format!("{}\n", json_line(name, Kind::Song, 0.0, song.windows.last().unwrap().end_s, &advice))
}

#[test]
fn a_song_goes_the_whole_way_and_leaves_nothing() {
    let running = start(|_| {});
    let (song, reference) = (demo(22.0), tones(11));
    let reply = running.upload(&[
        ("song", Some("/tmp/../my mix.wav"), &song),
        ("reference", Some("hit.wav"), &reference),
        ("anchor", None, b"bass"),
    ]);
    assert_eq!(reply.status, 202, "{}", reply.text());
    let id = reply.json()["id"].as_str().unwrap().to_string();

    let events = running.events(&id, None);
    let of_kind = |kind: &str| -> Vec<&(String, Option<usize>, Value)> {
        events.iter().filter(|event| event.0 == kind).collect()
    };
    let ids: Vec<usize> = of_kind("window").iter().map(|event| event.1.unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4], "the windows at 0, 5, 10 and 12 s, in order");
    assert_eq!(of_kind("song").len(), 1);
    let states = of_kind("state");
    assert!(states.iter().any(|state| state.2["part"] == "reference"));
    let last = &states.last().unwrap().2;
    assert_eq!(events.last().unwrap().0, "state");
    assert_eq!((last["state"].as_str(), last["windows"].as_u64()), (Some("done"), Some(4)));
    assert_eq!(
        (&last["file"], &last["reference"], &last["anchor"]),
        (&json!("my mix.wav"), &json!("hit.wav"), &json!("bass"))
    );
    assert!(last["reference_lu"]["bass"].is_number() || last["reference_lu"]["bass"].is_null());
    // A client that was cut off gets what it has missed.
    let rest: Vec<usize> = running.events(&id, Some(3)).iter().filter_map(|event| event.1).collect();
    assert_eq!(rest, [4]);

    // The advice is that of the command line, with the same reference and anchor.
    let folder = tempfile::tempdir().unwrap();
    let (of_song, of_reference) = (folder.path().join("song"), folder.path().join("reference"));
    std::fs::write(&of_song, &song).unwrap();
    std::fs::write(&of_reference, &reference).unwrap();
    let measured = measure_reference(&engine(), &of_reference, &CancelFlag::new(), |_| Ok(())).unwrap();
    let request =
        Request { anchor: Some(Stem::Bass), reference: Some(measured.balance), ..Request::default() };
    let result = running.get(&format!("/api/jobs/{id}/result"));
    assert_eq!(result.header("content-type"), "application/x-ndjson");
    assert_eq!(result.text(), lines_of(&of_song, "my mix.wav", &request));

    let report = running.get(&format!("/api/jobs/{id}/report"));
    assert!(report.header("content-disposition").starts_with("attachment"));
    for part in ["my mix.wav", "reference: hit.wav", "over 4 windows", "0:12–0:22"] {
        assert!(report.text().contains(part), "{part}: {}", report.text());
    }

    assert!(running.files() >= 2);
    assert_eq!(running.delete(&format!("/api/jobs/{id}")).status, 204);
    for path in ["", "/events", "/result", "/report", "/windows/0/audio/original"] {
        running.get(&format!("/api/jobs/{id}{path}")).problem(404);
    }
    assert_eq!(running.files(), 0);
    let root = running.server.folder().to_path_buf();
    running.server.stop();
    assert!(!root.exists());
}

fn sound_of(bytes: &[u8]) -> StereoPcm {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.wav");
    std::fs::write(&path, bytes).unwrap();
    decode_file(&path, &CancelFlag::new()).unwrap()
}

#[test]
fn a_window_is_heard_as_it_is_and_with_the_advice_equally_loud() {
    let running = start(|_| {});
    let song = demo(15.0);
    let id = running.send(&song);
    let state = running.wait_for_end(&id);
    assert_eq!(state["state"], "done", "{state}");
    let result = running.get(&format!("/api/jobs/{id}/result")).text();
    let first: Value = serde_json::from_str(result.lines().next().unwrap()).unwrap();
    assert_eq!(first["best"]["stem"], "drums", "{first}");

    let path = |version: &str| format!("/api/jobs/{id}/windows/1/audio/{version}");
    let whole = running.get(&path("original"));
    assert_eq!((whole.status, whole.header("content-type")), (200, "audio/wav"), "{}", whole.text());
    let (original, advice) = (sound_of(&whole.body), sound_of(&running.get(&path("advice")).body));
    let rate = original.sample_rate_hz as usize;
    assert_eq!((original.len(), advice.len()), (10 * rate, 10 * rate));
    let lufs = |sound: &StereoPcm| integrated_lufs(sound).unwrap().unwrap();
    assert!((lufs(&original) - lufs(&advice)).abs() < 0.2, "{} {}", lufs(&original), lufs(&advice));
    let difference = original.left.iter().zip(&advice.left).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference > 0.02, "the drums are lower: {difference}");
    // The window at 5 s, up to a gain that keeps both from clipping.
    let sent = sound_of(&song);
    let part = &sent.left[5 * rate..15 * rate];
    let gain = original.left.iter().zip(part).map(|(a, b)| a * b).sum::<f32>()
        / part.iter().map(|b| b * b).sum::<f32>();
    let error = original.left.iter().zip(part).map(|(a, b)| (a - gain * b).abs()).fold(0.0, f32::max);
    assert!(gain <= 1.001 && error < 1e-4, "{gain} {error}");

    let range = running.get_with(&path("original"), &[("range", "bytes=100-199")]);
    assert_eq!((range.status, range.body.as_slice()), (206, &whole.body[100..200]));
    let size = whole.body.len();
    assert_eq!(range.header("content-range"), format!("bytes 100-199/{size}"));
    let outside = running.get_with(&path("original"), &[("range", "bytes=99999999-")]);
    assert_eq!(outside.status, 416);
    assert_eq!(running.get(&format!("{}?of=song", path("advice"))).status, 200);
    running.get(&format!("{}?of=me", path("advice"))).problem(400);
    running.get(&format!("/api/jobs/{id}/windows/99/audio/original")).problem(404);
    running.get(&format!("/api/jobs/{id}/windows/-1/audio/original")).problem(404);
    running.get(&format!("/api/jobs/{id}/windows/0/audio/..%2f..%2flock")).problem(404);
}

#[test]
fn questions_are_answered_about_the_song_and_about_a_window() {
    let running = start(|_| {});
    let id = running.send(&demo(15.0));
    running.ask(&id, &json!({"question": "how is my vocal?"})).problem(409);
    running.wait_for_end(&id);
    let of_song = running.ask(&id, &json!({"question": "how is my vocal?"})).json();
    assert_eq!(of_song["kind"], "song");
    assert!(of_song["text"].as_str().unwrap().to_lowercase().contains("vocal"), "{of_song}");
    let of_window = running.ask(&id, &json!({"question": "how are the drums?", "window": 1})).json();
    assert_eq!((&of_window["kind"], &of_window["start_s"]), (&json!("window"), &json!(5.0)));
    running.ask(&id, &json!({"question": "how?", "window": 99})).problem(404);
    for (question, status) in [
        (json!({"question": "  "}), 422),
        (json!({"question": "x".repeat(501)}), 422),
        (json!({"question": 5}), 422),
        (json!({"question": "how?", "window": -1}), 422),
        (json!({"question": "how?", "more": 1}), 422),
        (json!({"question": "x".repeat(20_000)}), 413),
    ] {
        running.ask(&id, &question).problem(status);
    }
    let path = format!("/api/jobs/{id}/questions");
    running.post(&path, "application/json", b"{", &[]).problem(400);
    running.post(&path, "text/plain", b"how?", &[]).problem(415);
}

#[test]
fn a_silent_song_and_one_without_advice_have_nothing_to_change() {
    let running = start(|_| {});
    let silence = common::wav(&StereoPcm::silence(8000 * 11, 8000));
    let id = running.send(&silence);
    assert_eq!(running.wait_for_end(&id)["state"], "done");
    assert_eq!(running.get(&format!("/api/jobs/{id}/windows/0/audio/original")).status, 200);
    let refused = running.get(&format!("/api/jobs/{id}/windows/0/audio/advice"));
    assert!(refused.problem(409).contains("changes nothing"));
}
