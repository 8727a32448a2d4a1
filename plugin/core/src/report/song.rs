//! One song of the page: advice, levels, timeline, and a table of the windows.

use super::page::escaped;
use super::timeline::timeline;
use super::{Song, Target, Window};
use crate::advice::{Advice, Verdict};
use crate::clock;
use crate::loudness::Meters;
use crate::stem::Stem;
use crate::words;
use std::fmt::Write as _;

/// Ends of the scale of levels, in LU.
const SCALE_LU: (f32, f32) = (-24.0, 12.0);

/// The song as an `article`.
pub(super) fn article(song: &Song<'_>) -> String {
    let mut html = format!("<article>\n<h1>{}</h1>\n", escaped(&song.name));
    html.push_str(&headline(song));
    if let Some((advice, _)) = song.whole {
        html.push_str(&levels(advice, &song.target));
    }
    if let Some(meters) = song.meters.as_ref().filter(|meters| meters.seconds > 0.0) {
        html.push_str(&loudness(meters));
    }
    if !song.windows.is_empty() {
        html.push_str(&timeline(&song.windows));
        html.push_str(&table(&song.windows));
    }
    html.push_str("</article>\n");
    html
}

fn headline(song: &Song<'_>) -> String {
    let Some((advice, windows)) = song.whole else {
        return "<p class=\"advice\">The song has not been analyzed yet.</p>\n".to_string();
    };
    let kind = match (advice.verdict, advice.stem) {
        (Verdict::NoError, _) => "good",
        (_, Some(stem)) => stem.name(),
        (_, None) => "dim",
    };
    let gain = advice
        .gain_db
        .map(|gain_db| format!("<span class=\"gain\">{}</span>", words::gain(gain_db, advice.gain_db_sd)));
    let windows = if windows == 1 { "one window".to_string() } else { format!("{windows} windows") };
    let sure = match advice.verdict {
        Verdict::Silence => String::new(),
        _ => format!("{} sure, ", words::percent(advice.confidence)),
    };
    let target = match &song.target {
        Target::Usual(_) => "compared with what is usual".to_string(),
        Target::Reference(name, _) => format!("reference: {}", escaped(name)),
    };
    format!(
        "<div class=\"headline {kind}\"><p class=\"advice\">{}</p>{}</div>\n\
         <p class=\"dim\">{sure}over {windows}; {target}</p>\n",
        escaped(words::sentence(advice).trim()),
        gain.unwrap_or_default()
    )
}

/// A row per stem: the level on a scale, the usual range or the reference, and both in numbers.
fn levels(advice: &Advice, target: &Target) -> String {
    let mut html = String::from("<h2>Levels, LU against the rest of the mix</h2>\n<div class=\"levels\">\n");
    for stem in Stem::ALL {
        let level_lu = advice.levels_lu[stem].filter(|level| level.is_finite());
        let (compared, words) = match target {
            Target::Usual(ranges) => {
                let (low, high) = ranges[stem];
                if low < high && low.is_finite() && high.is_finite() {
                    let band = format!(
                        "<i class=\"band\" style=\"left:{:.2}%;width:{:.2}%\"></i>",
                        place(low),
                        place(high) - place(low)
                    );
                    let words =
                        format!("usual {} to {}", words::signed_tenth(low), words::signed_tenth(high));
                    (band, words)
                } else {
                    (String::new(), String::new())
                }
            }
            Target::Reference(_, levels_lu) => match levels_lu[stem].filter(|level| level.is_finite()) {
                Some(level) => (
                    format!("<i class=\"diamond\" style=\"left:{:.2}%\"></i>", place(level)),
                    format!("reference {}", words::signed_tenth(level)),
                ),
                None => (String::new(), "not in the reference".to_string()),
            },
        };
        let (bar, number) = match level_lu {
            Some(level) => (
                format!("<i class=\"level\" style=\"width:{:.2}%\"></i>", place(level)),
                words::signed_tenth(level),
            ),
            None => (String::new(), "absent".to_string()),
        };
        // The reference lies on the level, the usual range behind it.
        let (behind, before) = match target {
            Target::Usual(_) => (compared, String::new()),
            Target::Reference(..) => (String::new(), compared),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            html,
            "<div class=\"row {stem}\"><b>{}</b><span class=\"track\">{behind}{bar}{before}</span>\
             <span class=\"number\">{number}</span><span class=\"dim\">{words}</span></div>",
            words::title(stem)
        );
    }
    html.push_str("</div>\n");
    html
}

/// Where a level lies on its scale, in percent.
fn place(level_lu: f32) -> f32 {
    let (low, high) = SCALE_LU;
    100.0 * ((level_lu - low) / (high - low)).clamp(0.0, 1.0)
}

fn loudness(meters: &Meters) -> String {
    let number =
        |value: Option<f64>| value.map_or("–".to_string(), |value| words::signed_tenth(value as f32));
    let limited = if meters.is_limited {
        "<p class=\"warning\">! The sound seems to come from a limiter, which hides how loud the stems were.</p>\n"
    } else {
        ""
    };
    format!(
        "<h2>Loudness</h2>\n<p>{} LUFS integrated, range {} LU, true peak {} dBTP; measured over {}.</p>\n{limited}",
        number(meters.integrated_lufs),
        meters.range_lu.map_or("–".to_string(), |range| format!("{range:.1}")),
        number(meters.true_peak_dbtp),
        clock::text(meters.seconds)
    )
}

/// All windows, folded until the reader opens them.
fn table(windows: &[Window<'_>]) -> String {
    let mut html = format!(
        "<details>\n<summary>All {} windows</summary>\n<table>\n\
         <thead><tr><th>time</th><th>advice</th></tr></thead>\n<tbody>\n",
        windows.len()
    );
    for window in windows {
        let mut remarks = vec![words::verdict_in_full(window.advice)];
        remarks.extend(window.followed.clone());
        if window.is_outdated {
            remarks.push("before the last change".to_string());
        }
        let class = if window.is_outdated { " class=\"outdated\"" } else { "" };
        let _ = writeln!(
            html,
            "<tr{class}><td>{}</td><td>{}<br><span class=\"dim\">{}</span></td></tr>",
            clock::span(window.start_s, window.end_s),
            escaped(&words::sentence(window.advice)),
            escaped(&remarks.join("; "))
        );
    }
    html.push_str("</tbody>\n</table>\n</details>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{AdviceKind, BestAnswer};
    use crate::report::page;
    use crate::stem::PerStem;

    fn advice(verdict: Verdict, stem: Option<Stem>, gain_db: Option<f32>, text: &str) -> Advice {
        Advice {
            kind: AdviceKind::Balance,
            verdict,
            stem,
            gain_db,
            gain_db_sd: gain_db.map(|_| 1.2),
            confidence: 0.82,
            best: BestAnswer { verdict, stem, gain_db },
            levels_lu: PerStem::all(Some(-4.0)).with(Stem::Bass, None),
            text: text.into(),
        }
    }

    #[test]
    fn a_page_tells_advice_levels_and_windows() {
        let loud =
            advice(Verdict::Loud, Some(Stem::Vocals), Some(-4.0), "The vocals are <too> loud. Lower them.");
        let fine = advice(Verdict::NoError, None, None, "The balance is right.");
        let window = |start_s: f64, advice, is_outdated| Window {
            start_s,
            end_s: start_s + 10.0,
            advice,
            is_outdated,
            followed: is_outdated.then(|| "Done: the advice was vocals −4 dB, it moved −3.8 dB".to_string()),
        };
        let song = Song {
            name: "my & song.wav".into(),
            whole: Some((&loud, 2)),
            windows: vec![window(80.0, &loud, true), window(90.0, &fine, false)],
            target: Target::Usual(PerStem::all((-9.0, -3.0))),
            meters: Some(Meters { seconds: 61.0, integrated_lufs: Some(-14.2), ..Meters::default() }),
        };
        let html = page(std::slice::from_ref(&song), "MixingBuddy 0.6.0");
        for said in [
            "<title>Mix balance: my &amp; song.wav</title>",
            "The vocals are &lt;too&gt; loud. Lower them.",
            "−4 dB ± 1.2",
            "82 % sure, over 2 windows; compared with what is usual",
            "usual −9.0 to −3.0",
            "absent",
            "−14.2 LUFS integrated, range – LU",
            "measured over 1:01",
            "1:20–1:30",
            "Done: the advice was vocals",
            "before the last change",
            "MixingBuddy 0.6.0",
        ] {
            assert!(html.contains(said), "{said}\n{html}");
        }
        let aimed = Song {
            target: Target::Reference("Blue <Hour>".into(), PerStem::all(Some(-2.0)).with(Stem::Drums, None)),
            whole: None,
            ..song
        };
        let html = page(&[aimed.clone(), Song { whole: Some((&fine, 1)), ..aimed }], "");
        for said in ["has not been analyzed yet", "reference: Blue &lt;Hour&gt;", "not in the reference"] {
            assert!(html.contains(said), "{said}\n{html}");
        }
    }

    #[test]
    fn no_value_breaks_the_page() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let mut odd = advice(Verdict::Loud, Some(Stem::Drums), Some(value), "");
            odd.levels_lu = PerStem::all(Some(value));
            odd.confidence = value;
            let windows = [f64::from(value), 0.0, f64::from(value) * 1e300].map(|start_s| Window {
                start_s,
                end_s: f64::from(value),
                advice: &odd,
                is_outdated: false,
                followed: None,
            });
            let song = Song {
                name: String::new(),
                whole: Some((&odd, 0)),
                windows: windows.to_vec(),
                target: Target::Usual(PerStem::all((value, value))),
                meters: None,
            };
            let html = page(&[song], "");
            let styles: String =
                html.split("style=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(!styles.contains("NaN") && !styles.contains("inf"), "{styles}");
        }
    }
}
