//! Tells a client what becomes of its song, as server-sent events.
//!
//! `state` holds the state of the job, `window` a line for a window, `song` the line for the song. Lines are those of
//! `advise --json`. A window's event has its number, from 1, as its id, so that a client that was cut off gets the rest.

use crate::app::App;
use crate::job::{Job, Watching};
use crate::problem::{Answer, Problem};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A comment is sent when nothing else was for so long: it shows both ends that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// `GET /api/jobs/{id}/events`.
pub async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let gone = || Problem::not_found("There is no such song: it was removed, or never uploaded.");
    let job = app.job(&id).ok_or_else(gone)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let feed = Feed {
        changes: job.changes(),
        watching: job.watch(),
        app,
        windows: seen,
        state: String::new(),
        events: VecDeque::new(),
        has_song: false,
        has_ended: false,
    };
    let stream = unfold(feed, |mut feed| async move { Some((Ok(feed.next().await?), feed)) });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What one client has been told, and will be.
struct Feed {
    app: Arc<App>,
    watching: Watching,
    changes: watch::Receiver<u64>,
    /// Windows told so far.
    windows: usize,
    /// The state told last.
    state: String,
    events: VecDeque<Event>,
    has_song: bool,
    has_ended: bool,
}

impl Feed {
    /// The next event; none after the last.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            self.changes.mark_unchanged();
            self.collect();
            if self.events.is_empty() && self.changes.changed().await.is_err() {
                return None;
            }
        }
    }

    fn collect(&mut self) {
        let job: &Job = &self.watching.0;
        let place = self.app.workers.place(job);
        let known = job.known();
        while let Some(window) = known.windows.get(self.windows) {
            self.windows += 1;
            let line = job.window_line(window).to_string();
            self.events.push_back(Event::default().event("window").id(self.windows.to_string()).data(line));
        }
        if let Some(verdict) = known.verdict.as_ref().filter(|_| !self.has_song) {
            self.has_song = true;
            let line = job.song_line(&known, &verdict.advice).to_string();
            self.events.push_back(Event::default().event("song").data(line));
        }
        let state = job.state_json(&known, place).to_string();
        if state != self.state {
            self.events.push_back(Event::default().event("state").data(&state));
            self.state = state;
        }
        self.has_ended = known.state.is_final();
    }
}
