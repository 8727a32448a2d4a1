//! Advice by position in the song: the newest at each place, with the analysis that it comes from.

use crate::settings::SLAB_S;
use crate::view::Mark;
use mixing_buddy_core::passes::{Followed, Move};
use mixing_buddy_core::{Advice, Analysis};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places kept: two hours at the shortest hop. Beyond that the oldest advice goes.
pub const MOST_MARKS: usize = 2880;
/// Distance between two places in seconds. A window belongs to the nearest place.
const PLACE_S: f64 = SLAB_S;
/// Number of last windows, the newest included, that are compared with the newest. Not tuned.
const COMPARED_WINDOWS: usize = 5;

struct Entry {
    mark: Arc<Mark>,
    /// None for marks that were loaded with the project: it keeps no analysis per window.
    analysis: Option<Analysis>,
}

/// The song so far.
#[derive(Default)]
pub struct History {
    places: BTreeMap<i64, Entry>,
    next_order: u64,
}

impl History {
    /// A history of the marks that were saved with a project.
    pub fn restore(marks: Vec<Mark>) -> Self {
        let mut history = History::default();
        for mark in marks.into_iter().take(MOST_MARKS) {
            if mark.start_s.is_finite() && mark.end_s.is_finite() {
                history.next_order = history.next_order.max(mark.order.saturating_add(1));
                history.places.insert(place(mark.start_s), Entry { mark: Arc::new(mark), analysis: None });
            }
        }
        history
    }

    /// Adds a window with its advice. It replaces the window at the same place.
    pub fn insert(&mut self, start_s: f64, end_s: f64, advice: Advice, analysis: Analysis) -> Arc<Mark> {
        let mark = Arc::new(Mark {
            start_s,
            end_s,
            order: self.next_order,
            current: true,
            pass: 0,
            followed: None,
            advice,
        });
        self.next_order += 1;
        self.places.insert(place(start_s), Entry { mark: mark.clone(), analysis: Some(analysis) });
        self.drop_oldest();
        mark
    }

    /// Sets the pass of the mark with this number.
    pub fn set_pass(&mut self, order: u64, pass: u32) {
        self.change(order, |mark| mark.pass = pass);
    }

    /// Sets what became of the advice at the place of the mark with this number.
    pub fn set_followed(&mut self, order: u64, followed: Followed) {
        self.change(order, |mark| mark.followed = Some(followed));
    }

    fn change(&mut self, order: u64, change: impl FnOnce(&mut Mark)) {
        if let Some(entry) = self.places.values_mut().find(|entry| entry.mark.order == order) {
            change(Arc::make_mut(&mut entry.mark));
        }
    }

    /// The mix has changed at the mark with this number: older ones no longer count. Those whose advice the move answers
    /// say so.
    pub fn outdate(&mut self, first_order: u64, moved: Option<&Move>) {
        for entry in self.places.values_mut().filter(|entry| entry.mark.order < first_order) {
            // Marks from before an earlier change have nothing to do with this one.
            let was_current = entry.mark.current;
            if !was_current && entry.mark.followed.is_none() {
                continue;
            }
            entry.analysis = None;
            let advice = &entry.mark.advice;
            let followed =
                moved.and_then(|moved| Followed::of(moved, advice.stem?, advice.gain_db?, advice.gain_db_sd));
            let mark = Arc::make_mut(&mut entry.mark);
            mark.current = false;
            if was_current || followed.is_some() {
                mark.followed = followed.or(mark.followed);
            }
        }
    }

    /// Replaces the advice on the newest window.
    pub fn replace_newest(&mut self, advice: Advice) -> Option<Arc<Mark>> {
        let entry = self.places.values_mut().max_by_key(|entry| entry.mark.order)?;
        entry.mark = Arc::new(Mark { advice, ..(*entry.mark).clone() });
        Some(entry.mark.clone())
    }

    /// All marks, oldest advice first.
    pub fn marks(&self) -> Vec<Arc<Mark>> {
        let mut marks: Vec<Arc<Mark>> = self.places.values().map(|entry| entry.mark.clone()).collect();
        marks.sort_by_key(|mark| mark.order);
        marks
    }

    /// The newest mark.
    pub fn newest(&self) -> Option<Arc<Mark>> {
        self.places.values().map(|entry| &entry.mark).max_by_key(|mark| mark.order).cloned()
    }

    /// The newest `count` windows since the last "Start over" with their analyses, newest first.
    pub fn recent(&self, count: usize) -> Vec<(Arc<Mark>, &Analysis)> {
        let mut recent: Vec<(Arc<Mark>, &Analysis)> = self
            .places
            .values()
            .filter(|entry| entry.mark.current)
            .filter_map(|entry| Some((entry.mark.clone(), entry.analysis.as_ref()?)))
            .collect();
        recent.sort_by_key(|(mark, _)| std::cmp::Reverse(mark.order));
        recent.truncate(count);
        recent
    }

    /// How many of the last windows agree with the newest in stem and direction, and how many were compared.
    pub fn agreement(&self) -> (usize, usize) {
        let marks = self.marks();
        let of: Vec<&Arc<Mark>> =
            marks.iter().rev().filter(|mark| mark.current).take(COMPARED_WINDOWS).collect();
        let outcome = |mark: &Mark| (mark.advice.best.stem, mark.advice.best.verdict.direction());
        let Some(newest) = of.first() else { return (0, 0) };
        (of.iter().filter(|mark| outcome(mark) == outcome(newest)).count(), of.len())
    }

    /// All analyses since the last "Start over".
    pub fn analyses(&self) -> Vec<Analysis> {
        self.current_analyses().cloned().collect()
    }

    /// Number of [`History::analyses`].
    pub fn analysis_count(&self) -> usize {
        self.current_analyses().count()
    }

    fn current_analyses(&self) -> impl Iterator<Item = &Analysis> {
        self.places.values().filter(|entry| entry.mark.current).filter_map(|entry| entry.analysis.as_ref())
    }

    /// The mix has changed: earlier analyses no longer count. Returns the history as it was.
    pub fn start_over(&mut self) -> History {
        let outdated = |(at, entry): (&i64, &Entry)| {
            let mark = if entry.mark.current {
                Arc::new(Mark { current: false, ..(*entry.mark).clone() })
            } else {
                entry.mark.clone()
            };
            (*at, Entry { mark, analysis: None })
        };
        let places = self.places.iter().map(outdated).collect();
        std::mem::replace(self, History { places, next_order: self.next_order })
    }

    /// Takes back [`History::start_over`], which returned `before`. Windows since then stay.
    pub fn undo_start_over(&mut self, before: History) {
        let first_since = before.next_order;
        let now = std::mem::replace(self, before);
        self.next_order = now.next_order;
        self.places.extend(now.places.into_iter().filter(|(_, entry)| entry.mark.order >= first_since));
        self.drop_oldest();
    }

    /// Keeps within [`MOST_MARKS`].
    fn drop_oldest(&mut self) {
        while self.places.len() > MOST_MARKS {
            let Some(oldest) =
                self.places.iter().min_by_key(|(_, entry)| entry.mark.order).map(|(at, _)| *at)
            else {
                break;
            };
            self.places.remove(&oldest);
        }
    }
}

fn place(start_s: f64) -> i64 {
    (start_s / PLACE_S).round() as i64
}
