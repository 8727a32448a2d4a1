//! The page: failures first, every number next to the command that makes it, nothing loaded from elsewhere.

use super::card::card_tables;
use super::inputs::{EvaluationJson, PageInputs, figure_in};
use crate::evaluation::bootstrap::Figure;
use crate::evaluation::judge::{CRITERIA, JudgeReport};
use crate::evaluation::plot::plot_svg;
use crate::evaluation::study::StudyReport;
use crate::evaluation::words::{Item, SimilarityReport};
use crate::protocol::Category;
use anyhow::Result;
use mixing_buddy_core::stem::{Direction, Stem};
use std::fmt::Write;

/// Failures that are listed.
const FAILURES: usize = 12;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222;background:#fff}\
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.2rem;border-bottom:1px solid #ccc}table{border-collapse:collapse;margin:.6rem 0;display:block;overflow-x:auto}\
td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}\
code{background:#f2f2f2;padding:.1rem .3rem;overflow-wrap:anywhere}svg{width:100%;height:auto}.bad{color:#b00020;font-weight:600}";

/// Escapes text for HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page.
///
/// # Errors
/// When a plot cannot be drawn.
pub fn page(inputs: &PageInputs) -> Result<String> {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><title>MixingBuddy: evaluation</title><style>{STYLE}</style></head><body><h1>MixingBuddy: evaluation</h1>"
    );
    let models: Vec<String> = inputs.evaluations.iter().map(|of| of.text("model")).collect();
    let model = models.first().cloned().unwrap_or_default();
    html += &format!(
        "<p>Model: {}. Scores are exact scores of structured answers. Intervals are 95 %, by bootstrap over songs. The command below each \
         table makes its numbers.</p>",
        escaped(&model)
    );
    html += &failures(inputs);
    html += &figures(inputs);
    for of in &inputs.evaluations {
        html += &details(of)?;
    }
    html += &conventions(&inputs.evaluations);
    if let Some(report) = &inputs.similarity {
        html += &similarity(report);
    }
    if let Some(report) = &inputs.judge {
        html += &judge(report);
    }
    if let Some(report) = &inputs.study {
        html += &study(report);
    }
    html += &credits(inputs);
    html += "</body></html>\n";
    Ok(html)
}

fn command(text: &str) -> String {
    format!("<p><code>{}</code></p>", escaped(text))
}

fn cell(text: &str) -> String {
    format!("<td>{}</td>", escaped(text))
}

fn number(value: Option<f64>, scale: f64, digits: usize) -> String {
    value.map_or("-".to_string(), |value| format!("{:.digits$}", scale * value))
}

fn with_interval((value, interval): (Option<f64>, Option<[f64; 2]>), scale: f64, digits: usize) -> String {
    let ends = interval.map_or(String::new(), |[low, high]| {
        format!(" [{:.digits$}, {:.digits$}]", scale * low, scale * high)
    });
    format!("<td class=\"n\">{}{ends}</td>", number(value, scale, digits))
}

fn figure_cell(figure: &Figure) -> String {
    with_interval((figure.value, figure.ci95), 1.0, 2)
}

/// The worst advice, wrong directions first, then the most confident.
pub fn worst_items(items: &[Item]) -> Vec<&Item> {
    let mut failures: Vec<&Item> = items.iter().filter(|item| !item.right).collect();
    failures.sort_by(|a, b| {
        (b.wrong_direction, b.spoken)
            .cmp(&(a.wrong_direction, a.spoken))
            .then(b.confidence.total_cmp(&a.confidence))
    });
    failures
}

fn truth_words(item: &Item) -> String {
    match item.truth {
        None => "nothing is wrong".into(),
        Some(truth) => {
            let direction = if truth.direction == Direction::Quiet { "quiet" } else { "loud" };
            format!("{} too {direction} by {:.1} dB", truth.stem, truth.gain_db.abs())
        }
    }
}

fn failures(inputs: &PageInputs) -> String {
    if inputs.items.is_empty() {
        return String::new();
    }
    let worst = worst_items(&inputs.items);
    let count = inputs.items.len();
    let mut html = format!(
        "<h2>Failures first</h2><p>{} of {count} items that were drawn at random got wrong advice, {} of them in the wrong direction. The worst:</p>\
         <table><tr><th>what is wrong<th>the advice<th>confidence<th>told to the user<th>listen</tr>",
        worst.len(),
        worst.iter().filter(|item| item.wrong_direction).count()
    );
    for item in worst.iter().take(FAILURES) {
        let sound = inputs.examples.iter().find(|example| example.item == item.id);
        let player = |label: &str, clip: &str| {
            format!(
                "{label}<br><audio controls preload=\"none\" src=\"data:audio/wav;base64,{clip}\"></audio><br>"
            )
        };
        let listen = sound.map_or(String::new(), |example| {
            let after = example.with_advice.as_deref().map(|clip| player("with the advice", clip));
            player("the mix", &example.mix) + &after.unwrap_or_default()
        });
        let mark = if item.wrong_direction { " class=\"bad\"" } else { "" };
        _ = write!(
            html,
            "<tr>{}<td{mark}>{}</td><td class=\"n\">{:.0} %</td>{}<td>{listen}</td></tr>",
            cell(&truth_words(item)),
            escaped(&item.text),
            100.0 * item.confidence,
            cell(if item.spoken { "yes" } else { "no" })
        );
    }
    html + "</table>"
        + &command("mixing-buddy-trainer evaluate --songs SONGS --items items.jsonl --out REPORT.json")
}

/// The tables of the model card, as HTML.
fn figures(inputs: &PageInputs) -> String {
    let mut html = String::from("<h2>Figures</h2>");
    for table in card_tables(&inputs.evaluations).trim().split("\n\n") {
        html += "<table>";
        for line in table.lines().filter(|line| !line.starts_with("| ---")) {
            let cells = line.trim_start_matches("| ").trim_end_matches(" |").split(" | ");
            html += "<tr>";
            cells.for_each(|text| html += &cell(text));
            html += "</tr>";
        }
        html += "</table>";
    }
    for of in &inputs.evaluations {
        html += &format!("<p>{}:</p>{}", escaped(&of.label), command(&of.command()));
    }
    html
}

fn details(of: &EvaluationJson) -> Result<String> {
    let mut html = format!("<h2>{}</h2>", escaped(&of.label));
    let intervals = of.text("intervals");
    if intervals.starts_with("refused") {
        html += &format!("<p class=\"bad\">Intervals {}.</p>", escaped(&intervals));
    }
    html += &plot_svg(&of.label, &of.coverage(), &of.calibration())?;
    html += "<table><tr><th>joint by<th>%</tr>";
    let groups: [(&str, Vec<&str>); 3] = [
        ("joint_by_category", Category::ALL.iter().map(|category| category.name()).collect()),
        ("joint_by_stem", Stem::TARGETS.iter().map(|stem| stem.name()).collect()),
        ("joint_by_direction", vec!["quiet", "loud"]),
    ];
    for (group, names) in groups {
        for name in names {
            let ends = &of.json[format!("{group}_ci95")][name];
            let interval = ends[0].as_f64().zip(ends[1].as_f64()).map(|(low, high)| [low, high]);
            let label = if group == "joint_by_direction" {
                format!("flaws: too {name}")
            } else {
                name.replace('_', " ")
            };
            let value = with_interval((of.json[group][name].as_f64(), interval), 100.0, 1);
            html += &format!("<tr>{}{value}</tr>", cell(&label));
        }
    }
    html += "</table>";
    html += &confusion(of);
    Ok(html + &command(&of.command()))
}

fn confusion(of: &EvaluationJson) -> String {
    let names: Vec<&str> = of.json["confusion"]["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str())
        .collect();
    let mut html = String::from("<table><tr><th>right \\ answered");
    for name in names.iter().chain(&["unreadable"]) {
        html += &format!("<th>{}", escaped(name));
    }
    html += "</tr>";
    for (name, row) in names.iter().zip(of.json["confusion"]["counts"].as_array().into_iter().flatten()) {
        let counts: Vec<u64> =
            row.as_array().into_iter().flatten().filter_map(|count| count.as_u64()).collect();
        let total = counts.iter().sum::<u64>().max(1) as f64;
        html += &format!("<tr>{}", cell(name));
        for count in counts {
            // The shade says which share of the row it is.
            let shade = 1.0 - 0.6 * count as f64 / total;
            let level = (255.0 * shade).round();
            html += &format!("<td class=\"n\" style=\"background:rgb({level},{level},255)\">{count}</td>");
        }
        html += "</tr>";
    }
    html + "</table>"
}

fn conventions(evaluations: &[EvaluationJson]) -> String {
    let mut html = String::from(
        "<h2>Does the advice follow what engineers do?</h2><p>The advice is applied, and the levels are compared with the usual levels of \
         MUSDB18's stems, and with the published level of the lead vocal against the accompaniment (+1 dB; Gerdes and Siedenburg, 2023).</p>\
         <table><tr><th>evaluation<th>convention<th>moves towards, %<th>moves away, %<th>distance before, dB<th>after</tr>",
    );
    for of in evaluations {
        for (label, name) in [
            ("usual levels", "usual_levels"),
            ("usual levels, advice that is spoken", "usual_levels_of_spoken"),
            ("vocals against accompaniment", "vocal_convention"),
        ] {
            let figure = |part: &str, scale, digits| {
                with_interval(figure_in(&of.json, &format!("{name}_{part}")), scale, digits)
            };
            html += &format!(
                "<tr>{}{}{}{}{}{}</tr>",
                cell(&of.label),
                cell(label),
                figure("towards", 100.0, 1),
                figure("away", 100.0, 1),
                figure("before_db", 1.0, 2),
                figure("after_db", 1.0, 2)
            );
        }
    }
    html + "</table>"
}

fn similarity(report: &SimilarityReport) -> String {
    let mut html = format!(
        "<h2>Semantic similarity</h2><p>Cosine of sentence embeddings (all-MiniLM-L6-v2) between advice and references. {} items of {} songs, \
         {} with annotations by experts; {} references by: {}. Similarity alone is nearly blind to direction, as the last rows show.</p><table>",
        report.items,
        report.songs,
        report.annotated_items,
        report.references,
        escaped(&report.raters.join(", "))
    );
    for (label, figure) in [
        ("advice, against its references", &report.advice),
        ("right advice", &report.right_advice),
        ("wrong advice", &report.wrong_advice),
        ("advice, against those of a random item", &report.random_pair),
        ("references, against each other", &report.references_among_each_other),
        ("written sentences, right direction", &report.right_direction),
        ("the same in the wrong direction", &report.wrong_direction),
        ("how often the right direction is closer (0.5 is blind)", &report.direction_is_told),
    ] {
        html += &format!("<tr>{}{}</tr>", cell(label), figure_cell(figure));
    }
    html + "</table>"
        + &command(
            "mixing-buddy-trainer similarity items.jsonl --model all-MiniLM-L6-v2 --out similarity.json",
        )
}

fn judge(report: &JudgeReport) -> String {
    let mut html = format!(
        "<h2>An LLM as judge</h2><p>{}: {} items of {} songs, {} judgements, {} unreadable. <strong>{}</strong></p><table><tr><th>advice",
        escaped(&report.judge),
        report.items,
        report.songs,
        report.judgements,
        report.unreadable,
        escaped(&report.verdict)
    );
    CRITERIA.iter().for_each(|criterion| html += &format!("<th>{}", criterion.name));
    html += "<th>mean<th>scores lower than good advice, %</tr>";
    for scores in &report.kinds {
        html += &format!("<tr>{}", cell(scores.kind.name()));
        for criterion in CRITERIA {
            html += &scores.criteria.get(criterion.name).map_or("<td></td>".to_string(), figure_cell);
        }
        html += &figure_cell(&scores.mean);
        html += &scores
            .scores_lower
            .map_or("<td></td>".to_string(), |figure| with_interval((figure.value, figure.ci95), 100.0, 0));
        html += "</tr>";
    }
    html + "</table>"
        + &command(
            "mixing-buddy-trainer judge items.jsonl --judge-url URL --judge-model MODEL --out judge.json",
        )
}

fn study(report: &StudyReport) -> String {
    let mut html = format!(
        "<h2>Human study</h2><p>{} raters (median {} years of mixing), {} items, {} ratings from 1 to 5. Intervals over raters{}.</p><table><tr><th>system",
        report.raters,
        report.median_years,
        report.items,
        report.ratings,
        report.intervals.as_ref().map_or(String::new(), |reason| format!(": {}", escaped(reason)))
    );
    report.alpha.keys().for_each(|scale| html += &format!("<th>{}", escaped(scale)));
    html += "<th>all scales, mixed model<th>mix with it is better, %</tr>";
    for system in &report.systems {
        html += &format!("<tr>{}", cell(&system.system));
        system.scales.values().for_each(|figure| html += &figure_cell(figure));
        html += &with_interval((system.mixed_mean, system.mixed_ci95), 1.0, 2);
        html += &with_interval((system.mix_is_better.value, system.mix_is_better.ci95), 100.0, 0);
        html += "</tr>";
    }
    html += "<tr><td>Krippendorff's alpha</td>";
    report
        .alpha
        .values()
        .for_each(|alpha| html += &format!("<td class=\"n\">{}</td>", number(*alpha, 1.0, 2)));
    html + "</tr></table>"
        + &command("mixing-buddy-trainer study score --key STUDY/key.json RATINGS --out study.json")
}

fn credits(inputs: &PageInputs) -> String {
    if inputs.examples.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = inputs
        .examples
        .iter()
        .map(|example| {
            let credit = &example.credit;
            format!("{} by {} ({})", escaped(&credit.song), escaped(&credit.by), escaped(&credit.licence))
        })
        .collect();
    names.sort();
    names.dedup();
    format!(
        "<h2>Credits</h2><p>Music: {}. Ten seconds of each, with changed levels of single parts, in mono.</p>",
        names.join("; ")
    )
}
