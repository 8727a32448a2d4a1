//! What holds for every request: who asks, from which page, and what a browser may do with the answer.

use crate::app::App;
use crate::problem::Problem;
use crate::settings::Settings;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The address that a request counts for.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

/// Refuses requests that another site's page makes, or that call this machine by another name, and adds the headers.
pub async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip());
    let client = Client(app.addresses.of(peer, request.headers()));
    request.extensions_mut().insert(client);
    let mut response = match refusal(&request, &app.settings) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    protect(response.headers_mut(), app.settings.embed_in.as_deref());
    response
}

fn refusal(request: &Request, settings: &Settings) -> Option<Problem> {
    if is_for_this_machine(settings) && is_by_another_name(request.headers()) {
        let detail = "This server is for its own machine: ask for it as localhost. Behind a proxy it needs --behind-proxy.";
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    if !request.method().is_safe() && is_of_another_site(request.headers()) {
        let detail = "This was asked for by the page of another site.";
        return Some(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    None
}

/// Whether only browsers and programs on this machine reach the server.
fn is_for_this_machine(settings: &Settings) -> bool {
    settings.bind.ip().is_loopback() && !settings.behind_proxy
}

/// Whether the request names another host than this machine. A site can point its own name at 127.0.0.1, and to the browser its
/// page and this server are then one site.
fn is_by_another_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return true };
    let name = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
    let is_local_name = name == "localhost" || name.ends_with(".localhost");
    !is_local_name && !name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a browser says that the page of another site asks. Programs say nothing of the kind.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return false };
    let host = text(header::HOST).unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, authority)| authority != host)
}

/// Headers that keep a browser from doing more with an answer than the page needs.
fn protect(headers: &mut HeaderMap, embed_in: Option<&str>) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {}",
        embed_in.unwrap_or("'none'")
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if embed_in.is_none() {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_server_for_its_own_machine_answers_to_no_other_name() {
        for host in ["localhost", "localhost:8765", "LOCALHOST:80", "127.0.0.1:8765", "[::1]:8765"] {
            assert!(!is_by_another_name(&headers(&[("host", host)])), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8765", "localhost.evil.example", "192.168.1.2:8765", "", "a b"]
        {
            assert!(is_by_another_name(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_by_another_name(&headers(&[])), "programs need not name one");
        let local = Settings::default();
        assert!(is_for_this_machine(&local));
        assert!(!is_for_this_machine(&Settings { behind_proxy: true, ..local.clone() }));
        assert!(!is_for_this_machine(&Settings { bind: ([0, 0, 0, 0], 80).into(), ..local }));
    }

    #[test]
    fn pages_of_other_sites_are_told_from_ours_and_from_programs() {
        let host = ("host", "127.0.0.1:8765");
        for (pairs, is_foreign) in [
            (vec![host], false),
            (vec![host, ("origin", "http://127.0.0.1:8765")], false),
            (vec![host, ("origin", "http://evil.example")], true),
            (vec![host, ("origin", "null")], true),
            (vec![host, ("sec-fetch-site", "same-origin"), ("origin", "https://proxy.example")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], true),
            (vec![host, ("sec-fetch-site", "same-site")], true),
        ] {
            assert_eq!(is_of_another_site(&headers(&pairs)), is_foreign, "{pairs:?}");
        }
    }
}
