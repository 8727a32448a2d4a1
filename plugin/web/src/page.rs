//! The page: plain files inside the program.

use crate::app::App;
use crate::problem::Problem;
use crate::{api, events, guard, upload};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

/// Most bytes of a question's request.
const QUESTION_BYTES: usize = 8 << 10;

/// The paths of the API with what answers them; `openapi.json` describes them.
fn api(app: &App) -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    let upload_bytes = 2 * app.settings.most_upload_bytes + upload::REST_BYTES;
    let upload_limit = DefaultBodyLimit::max(usize::try_from(upload_bytes).unwrap_or(usize::MAX));
    vec![
        ("/api/info", get(api::info)),
        ("/api/jobs", post(upload::upload).layer(upload_limit)),
        ("/api/jobs/{id}", get(api::state).delete(api::remove)),
        ("/api/jobs/{id}/events", get(events::events)),
        ("/api/jobs/{id}/result", get(api::result)),
        ("/api/jobs/{id}/report", get(api::report)),
        ("/api/jobs/{id}/questions", post(api::ask).layer(DefaultBodyLimit::max(QUESTION_BYTES))),
        ("/api/jobs/{id}/windows/{window}/audio/{version}", get(api::audio)),
    ]
}

/// A file of the page: its path, kind and bytes.
struct Asset(&'static str, &'static str, &'static [u8]);

macro_rules! asset {
    ($path:literal, $kind:literal, $file:literal) => {
        Asset($path, $kind, include_bytes!($file))
    };
}

const ASSETS: [Asset; 12] = [
    asset!("/", "text/html; charset=utf-8", "../page/index.html"),
    asset!("/style.css", "text/css; charset=utf-8", "../page/style.css"),
    asset!("/main.js", "text/javascript; charset=utf-8", "../page/main.js"),
    asset!("/api.js", "text/javascript; charset=utf-8", "../page/api.js"),
    asset!("/levels.js", "text/javascript; charset=utf-8", "../page/levels.js"),
    asset!("/timeline.js", "text/javascript; charset=utf-8", "../page/timeline.js"),
    asset!("/player.js", "text/javascript; charset=utf-8", "../page/player.js"),
    asset!("/words.js", "text/javascript; charset=utf-8", "../page/words.js"),
    asset!("/icon.svg", "image/svg+xml", "../page/icon.svg"),
    asset!("/openapi.json", "application/json", "../openapi.json"),
    asset!("/inter.otf", "font/otf", "../../../assets/fonts/Inter-Regular.otf"),
    asset!("/inter-semibold.otf", "font/otf", "../../../assets/fonts/Inter-SemiBold.otf"),
];

/// Everything that the server answers.
pub fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, methods) in api(app) {
        router = router.route(path, methods);
    }
    for Asset(path, kind, bytes) in ASSETS {
        router = router.route(path, get(move || async move { asset(kind, bytes) }));
    }
    router
        .fallback(|| async { Problem::not_found("There is no such page.") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This address does not answer to this method.")
        })
        .layer(from_fn_with_state(Arc::clone(app), guard::guard))
        .with_state(Arc::clone(app))
}

fn asset(kind: &'static str, bytes: &'static [u8]) -> Response {
    // Fonts never change; the rest may, with the next version.
    let cache = if kind.starts_with("font/") { "public, max-age=86400" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, bytes).into_response()
}
