//! The study's page in a real browser: by keyboard alone, at phone width, from a file, with its progress kept.

use base64::Engine as _;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_trainer::collections::find_songs;
use mixing_buddy_trainer::evaluation::study::{System, make_study, read_ratings, score_study};
use std::collections::BTreeSet;
use std::path::Path;

#[path = "common/browser.rs"]
mod browser;
#[path = "common/sounds.rs"]
mod sounds;
#[path = "common/study.rs"]
mod study;

use browser::Browser;

/// Screens of the small study: two systems on a training item, two scored ones, and a repeated one.
const SCREENS: usize = 2 * (1 + 2 + 1);

/// Goes to the next control and uses it, all by keyboard. Returns what it was.
fn step(browser: &mut Browser) -> String {
    browser.press("Tab");
    let control = browser.value(
        "(() => { const e = document.activeElement; return e.tagName === 'INPUT' ? e.type : e.tagName === 'BUTTON' ? e.type + ' button' : e.id === 'save' ? 'save' : e.tagName.toLowerCase(); })()",
    );
    let control = control.as_str().expect("text").to_string();
    match control.as_str() {
        "checkbox" => browser.press(" "),
        "number" => browser.type_text("7"),
        "select" => browser.press("ArrowDown"),
        "radio" => {
            browser.press(" ");
            browser.press("ArrowRight");
        }
        "textarea" => browser.type_text("a \"quoted\" word, ü and </script>"),
        "button button" => {
            browser.press(" ");
            browser.wait_for("document.activeElement.getAttribute('aria-pressed') === 'true'");
            browser.press(" ");
        }
        "submit button" => browser.press("Enter"),
        _ => {}
    }
    control
}

#[test]
fn a_rater_gets_through_the_page_by_keyboard_at_phone_width_and_the_ratings_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut browser) = Browser::start(&folder.path().join("profile")) else {
        sounds::is_missing("chromium");
        return;
    };
    let songs = folder.path().join("songs");
    study::songs(&songs, 2);
    let system = System { name: "compact".into(), items: study::items(2) };
    let folders = find_songs(&songs).expect("songs");
    let made = make_study(&[system], &folders, &study::plan(), &CancelFlag::new()).expect("a study");
    let page = folder.path().join("study.html");
    std::fs::write(&page, &made.page).expect("a file");

    browser.resize(390, 844, true);
    browser.open(&page);
    let mut screens = BTreeSet::new();
    let mut reloaded = false;
    for _ in 0..40 * SCREENS {
        let done = step(&mut browser);
        let width = browser.value("document.documentElement.scrollWidth - window.innerWidth");
        assert!(width.as_i64() <= Some(0), "the page is wider than the phone by {width} pixels");
        assert!(browser.value("document.querySelector('.error') === null") == true, "after {done}");
        if done == "submit button" {
            let heading = browser.value("document.querySelector('main').innerText.slice(0, 12)");
            let is_new = screens.insert(heading.to_string());
            assert!(is_new, "the screen '{heading}' is there again after a submit");
            if screens.len() == 5 && !reloaded {
                reloaded = true;
                picture(&mut browser);
                browser.resize(390, 844, true);
                browser.call("Page.reload", serde_json::json!({}));
                std::thread::sleep(std::time::Duration::from_millis(300));
                browser.wait_for("document.readyState === 'complete' && document.querySelector('main').innerText.length > 0");
                let again = browser.value("document.querySelector('main').innerText.slice(0, 12)");
                assert_eq!(again, heading, "the progress is kept");
            }
        }
        if browser.value("document.getElementById('save') !== null") == true {
            break;
        }
    }
    let text = browser.value("fetch(document.getElementById('save').href).then((answer) => answer.text())");
    let path = folder.path().join("ratings.json");
    std::fs::write(&path, text.as_str().expect("the ratings")).expect("a file");
    let ratings = read_ratings(&path, &made.key).expect("ratings of this study");
    assert_eq!(ratings.answers.len(), SCREENS);
    assert_eq!((ratings.rater.years, ratings.answers[0].comment.contains("ü and </script>")), (7.0, true));
    // Space chose 1 and the arrow 2, on every scale.
    assert!(ratings.answers.iter().all(|answer| answer.scales.values().all(|value| *value == 2)));
    let codes: BTreeSet<&String> = ratings.answers.iter().map(|answer| &answer.code).collect();
    assert_eq!(codes, made.key.advice.keys().collect());
    assert_eq!(ratings.answers.iter().filter(|answer| answer.repeated).count(), 2);
    let report = score_study(&made.key, &[ratings], 0, 50).expect("a score");
    assert_eq!((report.raters, report.ratings), (1, 4));
    assert_eq!(report.inconsistency, vec![Some(0.0)]);
}

/// Saves a picture of the page at desktop width, where `MIXING_BUDDY_STUDY_PICTURE` names a file.
fn picture(browser: &mut Browser) {
    let Some(path) = std::env::var_os("MIXING_BUDDY_STUDY_PICTURE") else { return };
    browser.resize(760, 1500, false);
    let picture = base64::engine::general_purpose::STANDARD.decode(browser.picture()).expect("base64");
    std::fs::write(Path::new(&path), picture).expect("the picture is written");
}
