//! The page in a real browser: a song from upload to verdict, by mouse and by keyboard, in both themes, on a phone.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says why by panicking")]

#[path = "../../../trainer/tests/common/browser.rs"]
mod browser;
mod common;
#[path = "../../../tests/src/prerequisite.rs"]
mod prerequisite;

use base64::Engine as _;
use browser::Browser;
use common::{Running, demo, start, tones};
use serde_json::{Value, json};
use std::path::Path;

/// A page in a new browser, or none where there is no browser.
fn open(running: &Running, folder: &Path) -> Option<Browser> {
    let Some(mut browser) = Browser::start(&folder.join("profile")) else {
        prerequisite::missing("chromium");
        return None;
    };
    browser.call("Page.navigate", json!({"url": running.url("/")}));
    browser.wait_for("document.readyState === 'complete' && !document.getElementById('start').hidden");
    Some(browser)
}

/// Chooses a file as a user does.
fn choose(browser: &mut Browser, input: &str, file: &Path) {
    let root = browser.call("DOM.getDocument", json!({}))["root"]["nodeId"].clone();
    let found = browser.call("DOM.querySelector", json!({"nodeId": root, "selector": input}));
    browser.call(
        "DOM.setFileInputFiles",
        json!({"nodeId": found["nodeId"], "files": [file.display().to_string()]}),
    );
}

/// Clicks with the mouse in the middle of an element.
fn click(browser: &mut Browser, selector: &str) {
    let place = browser.value(&format!(
        "(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
         const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
    ));
    for kind in ["mousePressed", "mouseReleased"] {
        let params = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
        browser.call("Input.dispatchMouseEvent", params);
    }
}

/// Keeps a picture where `MIXING_BUDDY_SHOTS` names a folder.
fn picture(browser: &mut Browser, name: &str) {
    let Some(folder) = std::env::var_os("MIXING_BUDDY_SHOTS") else { return };
    let bytes = base64::engine::general_purpose::STANDARD.decode(browser.picture()).unwrap();
    std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
}

fn text(browser: &mut Browser, id: &str) -> String {
    browser.value(&format!("document.getElementById('{id}').innerText")).as_str().unwrap().to_string()
}

/// Waits for the verdict; a problem on the way is a failure.
fn await_verdict(browser: &mut Browser) {
    let ends = "!document.getElementById('verdict').hidden || !document.getElementById('problem').hidden";
    browser.wait_for(ends);
    let problem = browser
        .value("document.getElementById('problem').hidden || document.getElementById('problem').innerText");
    assert_eq!(problem, true);
}

fn theme(browser: &mut Browser, name: &str) {
    let features = json!({"features": [{"name": "prefers-color-scheme", "value": name}]});
    browser.call("Emulation.setEmulatedMedia", features);
}

#[test]
fn a_song_goes_from_upload_to_verdict_and_is_heard_and_asked_about() {
    let running = start(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let (song, reference) = (folder.path().join("my mix.wav"), folder.path().join("hit.wav"));
    std::fs::write(&song, demo(28.0)).unwrap();
    std::fs::write(&reference, tones(11)).unwrap();
    let Some(mut browser) = open(&running, folder.path()) else { return };
    browser.resize(1100, 900, false);
    picture(&mut browser, "start");
    choose(&mut browser, "#song", &song);
    click(&mut browser, "#start button[type=submit]");
    browser.wait_for("document.querySelectorAll('#windows button').length > 0");
    picture(&mut browser, "progress");
    await_verdict(&mut browser);
    assert!(text(&mut browser, "headline").contains("drums"), "{}", text(&mut browser, "headline"));
    assert!(text(&mut browser, "figure").contains("lower drums"));
    assert!(text(&mut browser, "evidence").contains("% sure · drums at "));
    assert_eq!(browser.value("document.querySelectorAll('#level-rows tr').length"), 4);
    assert_eq!(browser.value("document.querySelectorAll('#windows button').length"), 5);

    theme(&mut browser, "dark");
    picture(&mut browser, "verdict");

    click(&mut browser, "#windows button:nth-child(2)");
    assert!(text(&mut browser, "window-text").starts_with("0:05–0:15 · "));
    click(&mut browser, "#play");
    browser.wait_for("document.getElementById('play').innerText === 'Stop'");
    click(&mut browser, "input[value=window]");
    click(&mut browser, "input[value=song]");
    browser.wait_for("document.getElementById('play-text').innerText.startsWith('All versions')");
    theme(&mut browser, "dark");
    picture(&mut browser, "verdict-dark");
    click(&mut browser, "#play");
    assert_eq!(text(&mut browser, "play"), "Play");
    theme(&mut browser, "light");
    picture(&mut browser, "verdict-light");

    browser.value("document.getElementById('question').focus()");
    browser.type_text("how is my vocal?");
    browser.press("Enter");
    browser.wait_for("document.querySelectorAll('#answers dd').length === 1");
    assert!(text(&mut browser, "answers").to_lowercase().contains("vocal"));
    browser.resize(360, 780, true);
    let width = browser.value("document.documentElement.scrollWidth - window.innerWidth");
    assert!(width.as_i64() <= Some(0), "the page is wider than the phone by {width} pixels");
    picture(&mut browser, "phone-light");

    // The page comes back to its song after it was loaded again.
    browser.call("Page.reload", json!({}));
    browser.wait_for("document.readyState === 'complete' && !document.getElementById('verdict').hidden");
    // Nothing was asked of another server, and nothing was refused by the page's own policy.
    let foreign =
        "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length";
    assert_eq!(browser.value(foreign), 0);
    click(&mut browser, "#again");
    browser.wait_for("!document.getElementById('start').hidden");
    common::wait_until("the song is still there", || running.files() == 0);

    choose(&mut browser, "#song", &song);
    choose(&mut browser, "#reference", &reference);
    click(&mut browser, "#start button[type=submit]");
    await_verdict(&mut browser);
    assert!(text(&mut browser, "song-name").contains("my mix.wav, next to hit.wav"));
    assert_eq!(text(&mut browser, "aim-head"), "Reference");
    theme(&mut browser, "dark");
    picture(&mut browser, "phone-reference-dark");
}

#[test]
fn the_keyboard_is_enough_and_errors_are_said() {
    let running = start(|settings| settings.most_upload_bytes = 4 << 20);
    let folder = tempfile::tempdir().unwrap();
    let (song, words) = (folder.path().join("song.wav"), folder.path().join("words.wav"));
    std::fs::write(&song, tones(20)).unwrap();
    std::fs::write(&words, "no song").unwrap();
    let Some(mut browser) = open(&running, folder.path()) else { return };
    let focused = |browser: &mut Browser| -> Value {
        browser.value("document.activeElement.id || document.activeElement.value")
    };

    choose(&mut browser, "#song", &words);
    browser.value("document.querySelector('#start button[type=submit]').focus()");
    browser.press("Enter");
    browser.wait_for("!document.getElementById('problem').hidden");
    assert!(text(&mut browser, "problem").starts_with("words.wav: "), "{}", text(&mut browser, "problem"));
    assert_eq!(browser.value("document.getElementById('problem').getAttribute('role')"), "alert");

    choose(&mut browser, "#song", &song);
    browser.value("document.getElementById('reference').focus()");
    browser.press("Tab");
    assert_eq!(browser.value("document.activeElement.name"), "anchor");
    browser.press("ArrowRight");
    assert_eq!(focused(&mut browser), "vocals");
    browser.press("Tab");
    browser.press("Enter");
    await_verdict(&mut browser);
    assert_eq!(focused(&mut browser), "headline");
    assert!(text(&mut browser, "evidence").contains("the vocals taken as right"));
    // Report, lines, then the first window; arrows go on from there.
    for _ in 0..3 {
        browser.press("Tab");
    }
    browser.press("ArrowRight");
    browser.press("Enter");
    assert!(
        text(&mut browser, "window-text").starts_with("0:05–0:15"),
        "{}",
        text(&mut browser, "window-text")
    );
    browser.press("Tab");
    assert_eq!(focused(&mut browser), "play");
    let names = "[...document.querySelectorAll('#windows button')].every(b => b.getAttribute('aria-label').includes(' to '))";
    assert_eq!(browser.value(names), true);
}

/// What axe finds that is serious or critical, a line each.
fn faults(browser: &mut Browser) -> Vec<String> {
    browser.value(
        "window.faults = null; axe.run(document).then(found => { window.faults = found.violations; })",
    );
    browser.wait_for("window.faults !== null");
    let found = browser.value(
        "window.faults.filter(one => ['serious', 'critical'].includes(one.impact)) \
         .map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`)",
    );
    found.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_string()).collect()
}

#[test]
#[ignore = "needs axe"]
fn axe_finds_nothing_serious() {
    let Some(axe) = std::env::var_os("MIXING_BUDDY_AXE") else {
        prerequisite::missing("axe.min.js in MIXING_BUDDY_AXE");
        return;
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let running = start(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let song = folder.path().join("song.wav");
    std::fs::write(&song, demo(22.0)).unwrap();
    let Some(mut browser) = open(&running, folder.path()) else { return };
    // Its value, a whole library, must not be sent back.
    browser.value(&format!("{axe}\n; true"));
    let mut looked = 0;
    let mut look = |browser: &mut Browser, at: &str| {
        for name in ["dark", "light"] {
            theme(browser, name);
            assert_eq!(faults(browser), Vec::<String>::new(), "{at}, {name}");
            looked += 1;
        }
    };
    look(&mut browser, "start");
    choose(&mut browser, "#song", &song);
    click(&mut browser, "#start button[type=submit]");
    await_verdict(&mut browser);
    click(&mut browser, "#windows button:nth-child(1)");
    look(&mut browser, "verdict");
    browser.resize(360, 780, true);
    look(&mut browser, "phone");
    assert_eq!(looked, 6);
}
