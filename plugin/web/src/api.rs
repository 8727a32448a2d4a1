//! The API's handlers, but for the upload.

use crate::address::Cost;
use crate::app::App;
use crate::clips::{Source, Version, Wanted, file};
use crate::guard::Client;
use crate::hear::{self, NotHeard, Plan};
use crate::job::Job;
use crate::problem::{Answer, Problem};
use crate::workers::NotDone;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mixing_buddy_core::lines::{Kind, json_line};
use mixing_buddy_core::norms::usual::bands_lu;
use mixing_buddy_core::report::{self, Target};
use mixing_buddy_core::{CancelFlag, Conversation, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// Longest question, in characters.
const MOST_QUESTION_CHARS: usize = 500;
/// A short task waits no longer for its turn.
const TASK_WITHIN: Duration = Duration::from_secs(30);

fn job(app: &App, id: &str) -> Answer<Arc<Job>> {
    app.job(id).ok_or_else(|| Problem::not_found("There is no such song: it was removed, or never uploaded."))
}

fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, detail)
}

/// `GET /api/info`.
pub async fn info(State(app): State<Arc<App>>) -> Json<Value> {
    let info = app.engine.info();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": format!("{} {}", info.name, info.version),
        "most_upload_bytes": app.settings.most_upload_bytes,
        "most_song_s": app.settings.most_song_s,
        "keep_s": app.settings.keep.as_secs(),
        "threshold": app.engine.threshold(),
        "usual_lu": bands_lu(app.engine.norms()),
    }))
}

/// `GET /api/jobs/{id}`.
pub async fn state(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let job = job(&app, &id)?;
    let place = app.workers.place(&job);
    let state = job.state_json(&job.known(), place);
    Ok(Json(state))
}

/// `DELETE /api/jobs/{id}`.
pub async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<StatusCode> {
    let job = job(&app, &id)?;
    app.remove(&job, "The song was removed.");
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/jobs/{id}/result`: the lines of `advise --json`.
pub async fn result(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<Response> {
    let job = job(&app, &id)?;
    let known = job.known();
    let verdict = known.verdict.as_ref().ok_or_else(|| conflict("There is no verdict on the song yet."))?;
    let song = job.song_line(&known, &verdict.advice);
    let lines = known.windows.iter().map(|window| job.window_line(window)).chain([song]);
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((kind, text).into_response())
}

/// `GET /api/jobs/{id}/report`: the report as a page, one file that needs no other.
pub async fn report(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer<Response> {
    let job = job(&app, &id)?;
    let known = job.known();
    let verdict = known.verdict.as_ref().ok_or_else(|| conflict("There is no verdict on the song yet."))?;
    let windows = known.windows.iter();
    let song = report::Song {
        name: job.song.name.clone(),
        whole: Some((&verdict.advice, known.windows.len())),
        windows: windows.map(|one| report::Window::new(one.start_s, one.end_s, &one.advice)).collect(),
        target: match (&job.reference, verdict.reference_lu) {
            (Some(upload), Some(levels_lu)) => Target::Reference(upload.name.clone(), levels_lu),
            _ => Target::Usual(bands_lu(app.engine.norms())),
        },
        meters: None,
    };
    let info = app.engine.info();
    let made_by = format!("MixingBuddy {} · {} {}", env!("CARGO_PKG_VERSION"), info.name, info.version);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"mixing-buddy-report.html\""),
        ),
    ];
    Ok((headers, report::page(&[song], &made_by)).into_response())
}

/// A question about the song, or about one of its windows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    question: String,
    #[serde(default)]
    window: Option<usize>,
}

/// `POST /api/jobs/{id}/questions`.
pub async fn ask(
    State(app): State<Arc<App>>,
    Extension(Client(owner)): Extension<Client>,
    Path(id): Path<String>,
    question: Result<Json<Question>, JsonRejection>,
) -> Answer<Json<Value>> {
    let job = job(&app, &id)?;
    let Json(Question { question, window }) =
        question.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    if question.trim().is_empty() || question.chars().count() > MOST_QUESTION_CHARS {
        let detail = format!("A question has 1 to {MOST_QUESTION_CHARS} characters.");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let (analysis, kind, start_s, end_s, reference) = {
        let known = job.known();
        let (analysis, kind, start_s, end_s) = match window {
            Some(number) => {
                let window = known.windows.get(number);
                let window = window.ok_or_else(|| Problem::not_found("There is no such window."))?;
                (window.analysis.clone(), Kind::Window, window.start_s, window.end_s)
            }
            None => {
                let verdict = known.verdict.as_ref();
                let verdict = verdict.ok_or_else(|| conflict("There is no verdict on the song yet."))?;
                let end_s = known.windows.last().map_or(0.0, |window| window.end_s);
                (verdict.analysis.clone(), Kind::Song, 0.0, end_s)
            }
        };
        (analysis, kind, start_s, end_s, known.balance)
    };
    count_task(&app, owner)?;
    let request = Request { anchor: job.anchor, reference, ..Request::default() };
    let mut conversation = Conversation::new(analysis, request);
    let engine = Arc::clone(&app.engine);
    let reply = on_worker(&app, move |cancel| engine.ask(&mut conversation, &question, cancel, &mut |_| {}));
    let reply = reply.await?.map_err(|error| Problem::fault(&error))?;
    Ok(Json(json_line(&job.song.name, kind, start_s, end_s, &reply.advice)))
}

/// Whose advice is applied in what is heard.
#[derive(Debug, Deserialize)]
pub struct Hearing {
    #[serde(default)]
    of: Source,
}

/// `GET /api/jobs/{id}/windows/{window}/audio/{version}`: a WAV file, in ranges too.
pub async fn audio(
    State(app): State<Arc<App>>,
    Extension(Client(owner)): Extension<Client>,
    Path((id, window, version)): Path<(String, String, String)>,
    hearing: Result<Query<Hearing>, QueryRejection>,
    request: axum::extract::Request,
) -> Answer<Response> {
    let job = job(&app, &id)?;
    let no_window = || Problem::not_found("There is no such window.");
    let window = window.parse().map_err(|_| no_window())?;
    let version = match version.as_str() {
        "original" => Version::Original,
        "advice" => Version::Advice,
        _ => return Err(Problem::not_found("There is an original and a version with the advice, no other.")),
    };
    let Query(Hearing { of: source }) =
        hearing.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let wanted = Wanted { window, source };
    let refuse = |why: NotHeard| match why {
        NotHeard::NoWindow => no_window(),
        NotHeard::NoVerdict => conflict("There is no verdict on the song yet."),
        NotHeard::NothingToChange => conflict("The advice changes nothing here."),
        NotHeard::NoRoom => Problem::busy("No room is left for sound. Try again in a minute.", 60),
        NotHeard::Failed(reason) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let plan = Plan::new(&job, wanted, version).map_err(refuse)?;
    let mut clips = job.clips.lock().await;
    if !clips.has(wanted) {
        count_task(&app, owner)?;
        let (engine, of_job) = (Arc::clone(&app.engine), Arc::clone(&job));
        let new = on_worker(&app, move |cancel| hear::prepare(&engine, &of_job, &plan, cancel)).await?;
        clips.keep(&job.folder, new.map_err(refuse)?);
    }
    // Opened while the windows are held, so that the file is there.
    let response = ServeFile::new(file(&job.folder, wanted, version)).oneshot(request).await;
    drop(clips);
    let mut response = match response {
        Ok(response) => response.map(Body::new),
        Err(impossible) => match impossible {},
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    // The browser may keep it: the name is the song's, and nobody else knows it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=600"));
    Ok(response)
}

fn count_task(app: &App, owner: IpAddr) -> Answer<()> {
    app.addresses.count(owner, Cost::Task).map_err(|seconds| {
        let detail = "There were many requests from this address. Try again a little later.";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after_s(seconds)
    })
}

async fn on_worker<T: Send + 'static>(
    app: &App,
    task: impl FnOnce(&CancelFlag) -> T + Send + 'static,
) -> Answer<T> {
    let busy = || Problem::busy("Too much waits already. Try again in a few seconds.", 5);
    match tokio::time::timeout(TASK_WITHIN, app.workers.run(task)).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(NotDone::Busy)) | Err(_) => Err(busy()),
        Ok(Err(NotDone::Gone)) if app.stops() => Err(Problem::busy("The server is being stopped.", 60)),
        Ok(Err(NotDone::Gone)) => Err(Problem::fault(&"a task ended without a result")),
    }
}
