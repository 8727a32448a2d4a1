//! The song by host position: one lane per stem, one mark per window. Up means too loud, down too quiet, a bold line on
//! all lanes balanced, so nothing depends on colour alone.

use super::theme::{self, Palette};
use super::{since, words};
use crate::settings::SLAB_S;
use crate::view::Mark;
use egui::{
    Align2, Color32, CornerRadius, EventFilter, FontId, Key, Pos2, Rangef, Rect, Response, Role, Sense,
    Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use mixing_buddy_core::passes::{Followed, Outcome};
use mixing_buddy_core::{Direction, Stem, Verdict, clock};
use std::sync::Arc;

/// Height of the lane of a stem in points.
const LANE_PT: f32 = 24.0;
/// Width of the names of the lanes, in points.
const NAMES_PT: f32 = 58.0;
/// Height of the axis in points.
const AXIS_PT: f32 = 16.0;
/// Two windows whose starts differ by less than this many seconds are at the same place: the shortest hop.
const SAME_PLACE_S: f64 = SLAB_S;
/// The timeline is never shorter than this, in seconds.
const SHORTEST_S: f64 = 60.0;
/// A gain of this size or more fills half a lane, in dB. Chosen by eye.
const FULL_DB: f32 = 9.0;

/// The marks that are shown: the newest at each place, by position.
pub fn newest_at_each_place(history: &[Arc<Mark>]) -> Vec<&Mark> {
    let mut by_place = std::collections::BTreeMap::<i64, &Mark>::new();
    // A position that is not finite or beyond thirty years is a fault of the host: that mark is left out.
    let has_place = |mark: &&Mark| mark.start_s.abs() < 1e9 && mark.end_s.abs() < 1e9;
    let mut newest_first: Vec<&Mark> = history.iter().map(Arc::as_ref).filter(has_place).collect();
    newest_first.sort_by_key(|mark| std::cmp::Reverse(mark.order));
    // Positions in whole milliseconds, so that they can be keys of the map.
    let millis = |seconds: f64| (seconds * 1000.0).round() as i64;
    for mark in newest_first {
        let at = millis(mark.start_s);
        let near = at - millis(SAME_PLACE_S) + 1..at + millis(SAME_PLACE_S);
        if by_place.range(near).next().is_none() {
            by_place.insert(at, mark);
        }
    }
    by_place.into_values().collect()
}

/// Where things lie on the timeline.
struct Geometry {
    /// The lanes.
    lanes: Rect,
    /// Time at the left and right end, in seconds.
    from_s: f64,
    to_s: f64,
}

impl Geometry {
    fn of(lanes: Rect, marks: &[&Mark]) -> Geometry {
        let from_s = marks.iter().map(|mark| mark.start_s).fold(f64::INFINITY, f64::min);
        let to_s = marks.iter().map(|mark| mark.end_s).fold(f64::NEG_INFINITY, f64::max);
        let (from_s, to_s) = if marks.is_empty() { (0.0, SHORTEST_S) } else { (from_s, to_s) };
        // A song that starts near the start of the project is shown from the start of the project.
        let from_s = if (0.0..SHORTEST_S).contains(&from_s) { 0.0 } else { from_s };
        Geometry { lanes, from_s, to_s: to_s.max(from_s + SHORTEST_S) }
    }

    fn x(&self, seconds: f64) -> f32 {
        let part = ((seconds - self.from_s) / (self.to_s - self.from_s)).clamp(0.0, 1.0);
        self.lanes.left() + self.lanes.width() * part as f32
    }

    fn span(&self, mark: &Mark) -> Rangef {
        Rangef::new(self.x(mark.start_s), self.x(mark.end_s))
    }

    /// The middle of a mark's window, where its symbol is drawn.
    fn centre(&self, mark: &Mark) -> f32 {
        self.span(mark).center()
    }

    fn lane(&self, stem: Stem) -> f32 {
        self.lanes.top() + LANE_PT * (stem.index() as f32 + 0.5)
    }
}

/// Draws the timeline. The pointer or the arrow keys select a mark. `takes_focus`: it gets the keyboard now.
pub(super) fn show(
    ui: &mut Ui,
    colours: &Palette,
    history: &[Arc<Mark>],
    selected: &mut Option<u64>,
    takes_focus: bool,
) {
    let marks = newest_at_each_place(history);
    let lanes_height = LANE_PT * Stem::TARGETS.len() as f32;
    let size = vec2(ui.available_width(), lanes_height + AXIS_PT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let lanes = Rect::from_min_max(
        pos2(rect.left() + NAMES_PT, rect.top()),
        pos2(rect.right(), rect.top() + lanes_height),
    );
    let geometry = Geometry::of(lanes, &marks);

    if takes_focus {
        response.request_focus();
    }
    choose(ui, &response, &geometry, &marks, selected);
    if selected.is_some() && !marks.iter().any(|mark| Some(mark.order) == *selected) {
        *selected = None;
    }

    background(ui, colours, &geometry);
    axis(ui, colours, &geometry, rect);
    passes(ui, colours, &geometry, &marks);
    let newest = marks.iter().map(|mark| mark.order).max().unwrap_or(0);
    let oldest = marks.iter().map(|mark| mark.order).min().unwrap_or(0);
    for mark in marks.iter().copied() {
        let opacity = opacity(mark, oldest, newest);
        draw_mark(ui, colours, &geometry, mark, opacity);
        if let Some(followed) = &mark.followed {
            draw_outcome(ui, colours, &geometry, mark, followed);
        }
    }
    if let Some(mark) = marks.iter().find(|mark| Some(mark.order) == *selected) {
        let column = Rect::from_x_y_ranges(geometry.span(mark), lanes.y_range()).expand2(vec2(1.0, 0.0));
        ui.painter().rect_stroke(column, CornerRadius::same(3), (1.5, colours.strong), StrokeKind::Outside);
    }
    if response.has_focus() {
        let ring = rect.expand2(vec2(6.0, 2.0));
        ui.painter().rect_stroke(ring, CornerRadius::same(4), (2.0, colours.accent), StrokeKind::Inside);
    }
    describe(ui, &response, &geometry, &marks, *selected);
}

/// Older marks fade; those from before the last change of the mix fade most.
fn opacity(mark: &Mark, oldest: u64, newest: u64) -> f32 {
    if !mark.current {
        return 0.3;
    }
    let range = newest.saturating_sub(oldest).max(1) as f32;
    let age = newest.saturating_sub(mark.order) as f32 / range;
    1.0 - 0.45 * age
}

fn choose(ui: &Ui, response: &Response, geometry: &Geometry, marks: &[&Mark], selected: &mut Option<u64>) {
    if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        response.request_focus();
        *selected = nearest(geometry, marks, at).map(|mark| mark.order);
    }
    if !response.has_focus() {
        return;
    }
    let filter =
        EventFilter { horizontal_arrows: true, escape: selected.is_some(), ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let at = marks.iter().position(|mark| Some(mark.order) == *selected);
    let last = marks.len().checked_sub(1);
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    let to = if pressed(Key::ArrowLeft) {
        at.map_or(last, |at| Some(at.saturating_sub(1)))
    } else if pressed(Key::ArrowRight) {
        at.map_or(last, |at| last.map(|last| (at + 1).min(last)))
    } else if pressed(Key::Home) {
        last.map(|_| 0)
    } else if pressed(Key::End) {
        last
    } else if pressed(Key::Escape) {
        *selected = None;
        return;
    } else {
        return;
    };
    *selected = to.map(|to| marks[to].order);
}

/// The mark under the pointer, or near to it.
fn nearest<'a>(geometry: &Geometry, marks: &[&'a Mark], at: Pos2) -> Option<&'a Mark> {
    /// A click may miss a mark by this much, in points.
    const SLACK_PT: f32 = 8.0;
    let distance = |mark: &Mark| (geometry.centre(mark) - at.x).abs();
    let best = marks.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
    let reach = geometry.span(best).span() / 2.0 + SLACK_PT;
    (distance(best) <= reach).then_some(best)
}

fn background(ui: &Ui, colours: &Palette, geometry: &Geometry) {
    let painter = ui.painter();
    painter.rect_filled(geometry.lanes, CornerRadius::same(4), colours.well);
    for stem in Stem::TARGETS {
        let y = geometry.lane(stem);
        painter.hline(geometry.lanes.x_range(), y, (1.0, colours.line));
        let at = pos2(geometry.lanes.left() - NAMES_PT, y);
        painter.text(
            at,
            Align2::LEFT_CENTER,
            words::title(stem),
            FontId::proportional(theme::BODY_PT),
            colours.text,
        );
    }
}

fn axis(ui: &Ui, colours: &Palette, geometry: &Geometry, rect: Rect) {
    /// Steps between labels in seconds: round numbers on a clock.
    const STEPS_S: [f64; 10] = [10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];
    /// Width of a label, in points.
    const FIGURE_PT: f64 = 52.0;
    let per_second = f64::from(geometry.lanes.width()) / (geometry.to_s - geometry.from_s);
    let step = STEPS_S.into_iter().find(|step| step * per_second >= FIGURE_PT).unwrap_or(7200.0);
    let first = (geometry.from_s / step).ceil();
    // A host can report positions days apart, so the number of labels has a limit of its own.
    for index in 0..100 {
        let seconds = (first + f64::from(index)) * step;
        if seconds > geometry.to_s {
            break;
        }
        let x = geometry.x(seconds);
        ui.painter().vline(x, geometry.lanes.y_range(), (1.0, colours.line.gamma_multiply(0.5)));
        let at_end = x > rect.right() - 16.0;
        let (align, x) = match index {
            0 if x < geometry.lanes.left() + 12.0 => (Align2::LEFT_CENTER, x),
            _ if at_end => (Align2::RIGHT_CENTER, rect.right()),
            _ => (Align2::CENTER_CENTER, x),
        };
        let at = pos2(x, rect.bottom() - AXIS_PT / 2.0 + 1.0);
        ui.painter().text(at, align, clock::text(seconds), FontId::proportional(10.0), colours.dim);
    }
}

/// A dashed line where one pass over the song ends and another begins.
fn passes(ui: &Ui, colours: &Palette, geometry: &Geometry, marks: &[&Mark]) {
    for pair in marks.windows(2) {
        if pair[0].pass == pair[1].pass || pair[0].pass == 0 || pair[1].pass == 0 {
            continue;
        }
        let x = geometry.x(0.25 * (pair[0].start_s + pair[0].end_s + pair[1].start_s + pair[1].end_s));
        let ends = [pos2(x, geometry.lanes.top()), pos2(x, geometry.lanes.bottom())];
        ui.painter().extend(Shape::dashed_line(&ends, Stroke::new(1.0, colours.dim), 3.0, 3.0));
    }
}

/// What became of the advice at this place: a tick if it is done, a cross if it is overdone or the other way, a dash if it
/// is partly done. On the side of the lane that the mark leaves free.
fn draw_outcome(ui: &Ui, colours: &Palette, geometry: &Geometry, mark: &Mark, followed: &Followed) {
    let side = if followed.asked_db < 0.0 { 1.0 } else { -1.0 };
    let at = pos2(geometry.centre(mark), geometry.lane(followed.stem) + side * (LANE_PT / 2.0 - 5.0));
    let stroke = |colour: Color32| Stroke::new(1.5, colour);
    let painter = ui.painter();
    match followed.outcome {
        Outcome::Done => {
            let points = vec![at + vec2(-3.0, 0.0), at + vec2(-1.0, 2.5), at + vec2(3.0, -2.5)];
            painter.add(Shape::line(points, stroke(colours.good)));
        }
        Outcome::PartlyDone => {
            painter.line_segment([at + vec2(-3.0, 0.0), at + vec2(3.0, 0.0)], stroke(colours.strong));
        }
        Outcome::Overdone | Outcome::Opposite => {
            painter.line_segment([at + vec2(-2.5, -2.5), at + vec2(2.5, 2.5)], stroke(colours.strong));
            painter.line_segment([at + vec2(-2.5, 2.5), at + vec2(2.5, -2.5)], stroke(colours.strong));
        }
    }
}

fn draw_mark(ui: &Ui, colours: &Palette, geometry: &Geometry, mark: &Mark, opacity: f32) {
    let span = geometry.span(mark);
    let x = geometry.centre(mark);
    let painter = ui.painter();
    match (mark.advice.verdict, mark.advice.stem, mark.advice.verdict.direction()) {
        (Verdict::NoError, ..) => {
            for stem in Stem::TARGETS {
                let y = geometry.lane(stem);
                painter.hline(span.shrink(0.5), y, (3.0, colours.good.gamma_multiply(opacity)));
            }
        }
        (_, Some(stem), Some(direction)) if stem != Stem::Other => {
            let colour = colours.of(stem).gamma_multiply(opacity);
            arrow(ui, pos2(x, geometry.lane(stem)), span, direction, mark.advice.gain_db, colour);
        }
        (Verdict::Silence, ..) => {
            painter.circle_filled(
                pos2(x, geometry.lanes.bottom() - 3.0),
                1.0,
                colours.dim.gamma_multiply(opacity),
            );
        }
        // The model abstained: a small ring on each lane.
        _ => {
            for stem in Stem::TARGETS {
                let stroke = Stroke::new(1.0, colours.dim.gamma_multiply(opacity));
                painter.circle(pos2(x, geometry.lane(stem)), 1.75, colours.well, stroke);
            }
        }
    }
}

/// A triangle on its lane: the larger the gain, the higher.
fn arrow(ui: &Ui, at: Pos2, span: Rangef, direction: Direction, gain_db: Option<f32>, colour: Color32) {
    let size =
        gain_db.filter(|gain| gain.is_finite()).map_or(0.5, |gain| (gain.abs() / FULL_DB).clamp(0.0, 1.0));
    let height = 5.0 + (LANE_PT / 2.0 - 6.0) * size;
    let half = (span.span() * 0.3).clamp(3.0, 6.0);
    let up = -direction.sign();
    let points = vec![at + vec2(-half, 0.0), at + vec2(half, 0.0), at + vec2(0.0, height * up)];
    ui.painter().add(Shape::convex_polygon(points, colour, Stroke::NONE));
}

/// A tooltip for the mark under the pointer, and text for screen readers.
fn describe(ui: &Ui, response: &Response, geometry: &Geometry, marks: &[&Mark], selected: Option<u64>) {
    let chosen = marks.iter().find(|mark| Some(mark.order) == selected);
    let text = match chosen {
        Some(mark) => format!("Timeline, {}", line(mark)),
        None => format!("Timeline, {} windows", marks.len()),
    };
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, enabled, &text));
    if let Some(at) = response.hover_pos()
        && let Some(mark) = nearest(geometry, marks, at)
    {
        response.clone().on_hover_text_at_pointer(line(mark));
    }
}

/// "1:20–1:30 (pass 2): Vocals too loud, −4 dB, 82 % sure".
fn line(mark: &Mark) -> String {
    let pass = if mark.pass > 1 { format!(" (pass {})", mark.pass) } else { String::new() };
    let followed = mark.followed.as_ref().map(|followed| format!(". {}", since::outcome(followed)));
    let span = clock::span(mark.start_s, mark.end_s);
    format!("{span}{pass}: {}{}", words::verdict_in_full(&mark.advice), followed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mixing_buddy_core::{Advice, AdviceKind, BestAnswer, PerStem};

    fn mark(order: u64, start_s: f64) -> Arc<Mark> {
        let advice = Advice {
            kind: AdviceKind::Balance,
            verdict: Verdict::NoError,
            stem: None,
            gain_db: None,
            gain_db_sd: None,
            confidence: 0.8,
            best: BestAnswer { verdict: Verdict::NoError, stem: None, gain_db: None },
            levels_lu: PerStem::default(),
            text: String::new(),
        };
        Arc::new(Mark {
            start_s,
            end_s: start_s + 10.0,
            order,
            current: true,
            pass: 1,
            followed: None,
            advice,
        })
    }

    fn orders(history: &[Arc<Mark>]) -> Vec<u64> {
        newest_at_each_place(history).iter().map(|mark| mark.order).collect()
    }

    #[test]
    fn the_newest_mark_at_a_place_is_shown() {
        let history = [mark(1, 0.0), mark(2, 5.0), mark(3, 10.0), mark(4, 0.4), mark(5, 5.4)];
        assert_eq!(orders(&history), [4, 5, 3]);
    }

    #[test]
    fn windows_one_shortest_hop_apart_are_two_places() {
        let history = [mark(1, 0.0), mark(2, 2.5), mark(3, 5.0)];
        assert_eq!(orders(&history), [1, 2, 3]);
    }

    #[test]
    fn marks_at_impossible_positions_are_left_out() {
        let history = [f64::NAN, f64::INFINITY, 1e300, -1e12, 0.0, -5.0];
        let history: Vec<Arc<Mark>> =
            (1..).zip(history).map(|(order, start_s)| mark(order, start_s)).collect();
        assert_eq!(orders(&history), [6, 5]);
    }
}
