//! Takes a song, and a reference, from a client.

use crate::address::Cost;
use crate::app::App;
use crate::guard::Client;
use crate::job::{Job, Upload};
use crate::listen::too_long;
use crate::problem::{Answer, Problem};
use crate::queue::Full;
use crate::store::Folder;
use axum::Json;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Extension, Multipart, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mixing_buddy_core::audio::FileStream;
use mixing_buddy_core::{Error, Stem};
use std::sync::Arc;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// Bytes of a request besides its files.
pub const REST_BYTES: u64 = 64 << 10;
/// Longest name of a file that is shown, in characters.
const MOST_NAME_CHARS: usize = 120;
/// Longest value of a field that is no file, in bytes.
const MOST_TEXT_BYTES: usize = 64;
/// How long the rest of a refused upload is read. Its length is bounded before.
const READ_REST: Duration = Duration::from_secs(5);
/// Bytes for which room is taken at once.
const STRIDE_BYTES: u64 = 1 << 20;

/// `POST /api/jobs`.
pub async fn upload(
    State(app): State<Arc<App>>,
    Extension(Client(owner)): Extension<Client>,
    headers: HeaderMap,
    multipart: Result<Multipart, MultipartRejection>,
) -> Answer<Response> {
    if app.stops() {
        return Err(Problem::busy("The server is being stopped.", 60));
    }
    let settings = &app.settings;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > 2 * settings.most_upload_bytes + REST_BYTES) {
        return Err(too_large(settings.most_upload_bytes));
    }
    let mut multipart = multipart
        .map_err(|rejection| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, rejection.body_text()))?;
    app.addresses.count(owner, Cost::Upload).map_err(|seconds| {
        let detail = "There were many songs from this address. Try again a little later.";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after_s(seconds)
    })?;
    let folder = app.store.folder().map_err(|cause| Problem::fault(&cause))?;
    let received = timeout(settings.most_upload_time, receive(&app, folder, &mut multipart)).await;
    let received = received.map_err(|_| slow())?;
    if received.is_err() {
        read_rest(multipart, settings.stall).await;
    }
    let Form { folder, song, reference, anchor } = received?;
    let song =
        song.ok_or_else(|| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "There is no song in it."))?;
    let most_song_s = settings.most_song_s;
    let files: Vec<Upload> = [Some(&song), reference.as_ref()].into_iter().flatten().cloned().collect();
    tokio::task::spawn_blocking(move || files.iter().try_for_each(|file| check(file, most_song_s)))
        .await
        .map_err(|cause| Problem::fault(&cause))??;
    let job = Arc::new(Job::new(owner, folder, song, reference, anchor));
    app.workers.push(&job).map_err(|full| match full {
        Full::Queue => Problem::busy("Too many songs wait already. Try again in a minute.", 60),
        Full::Address => {
            let detail = "Too many songs of this address wait already.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after_s(60)
        }
    })?;
    app.add(Arc::clone(&job));
    let place = app.workers.place(&job);
    let state = job.state_json(&job.known(), place);
    let location = [(header::LOCATION, format!("/api/jobs/{}", job.id))];
    Ok((StatusCode::ACCEPTED, location, Json(state)).into_response())
}

/// What a client has sent.
struct Form {
    folder: Folder,
    song: Option<Upload>,
    reference: Option<Upload>,
    anchor: Option<Stem>,
}

/// Reads what a refused client still sends, for a while: one that writes to a closed connection never sees why. One that
/// sends nothing for `stall` has nothing more to say.
async fn read_rest(mut multipart: Multipart, stall: Duration) {
    let rest = async {
        while let Ok(Ok(Some(mut field))) = timeout(stall, multipart.next_field()).await {
            while let Ok(Ok(Some(_))) = timeout(stall, field.chunk()).await {}
        }
    };
    let _whoever_takes_longer_is_cut_off = timeout(READ_REST, rest).await;
}

async fn receive(app: &App, folder: Folder, multipart: &mut Multipart) -> Answer<Form> {
    let mut form = Form { folder, song: None, reference: None, anchor: None };
    let bad = |detail: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    loop {
        let next = timeout(app.settings.stall, multipart.next_field()).await.map_err(|_| slow())?;
        let Some(field) = next.map_err(|error| broken(&error, app))? else { return Ok(form) };
        match field.name() {
            Some("song") if form.song.is_none() => {
                form.song = Some(store(app, &form.folder, "song", field).await?);
            }
            Some("reference") if form.reference.is_none() => {
                let upload = store(app, &form.folder, "reference", field).await?;
                // A browser sends an empty file where none was chosen.
                form.reference =
                    Some(upload).filter(|upload| upload.path.metadata().is_ok_and(|m| m.len() > 0));
            }
            Some("anchor") if form.anchor.is_none() => {
                let text = short_text(app, field).await?;
                let stem = if text.is_empty() {
                    None
                } else {
                    let stem = text.parse::<Stem>().ok().filter(|stem| stem.is_target());
                    Some(stem.ok_or_else(|| bad("The anchor must be vocals, drums or bass."))?)
                };
                form.anchor = stem;
            }
            _ => return Err(bad("There may be one song, one reference and one anchor, and nothing else.")),
        }
    }
}

/// Writes a file of the client into a file of ours.
async fn store(app: &App, folder: &Folder, name: &str, mut field: Field<'_>) -> Answer<Upload> {
    let path = folder.file(name);
    let shown = shown_name(field.file_name().unwrap_or_default(), name);
    let fault = |cause: std::io::Error| Problem::fault(&cause);
    let mut file = File::create(&path).await.map_err(fault)?;
    let (mut bytes, mut taken) = (0u64, 0u64);
    loop {
        let chunk = timeout(app.settings.stall, field.chunk()).await.map_err(|_| slow())?;
        let Some(chunk) = chunk.map_err(|error| broken(&error, app))? else { break };
        bytes += chunk.len() as u64;
        if bytes > app.settings.most_upload_bytes {
            return Err(too_large(app.settings.most_upload_bytes));
        }
        while taken < bytes {
            if !folder.take(STRIDE_BYTES) {
                return Err(Problem::busy("No room is left for songs. Try again in a minute.", 60));
            }
            taken += STRIDE_BYTES;
        }
        file.write_all(&chunk).await.map_err(fault)?;
    }
    file.flush().await.map_err(fault)?;
    folder.give_back(taken - bytes);
    Ok(Upload { path, name: shown })
}

async fn short_text(app: &App, mut field: Field<'_>) -> Answer<String> {
    let mut bytes = Vec::new();
    loop {
        let chunk = timeout(app.settings.stall, field.chunk()).await.map_err(|_| slow())?;
        let Some(chunk) = chunk.map_err(|error| broken(&error, app))? else { break };
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_TEXT_BYTES {
            break;
        }
    }
    let text = String::from_utf8(bytes).ok().filter(|text| text.len() <= MOST_TEXT_BYTES);
    let text = text
        .ok_or_else(|| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The anchor must be a short word."))?;
    Ok(text.trim().to_string())
}

/// Refuses what is no song, or is stated to be too long.
fn check(upload: &Upload, most_song_s: f64) -> Answer<()> {
    match FileStream::open(&upload.path) {
        Ok(stream) if stream.duration_s().is_some_and(|length_s| length_s > most_song_s) => {
            let detail = format!("{} {}", upload.name, too_long(most_song_s));
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(_) => Ok(()),
        Err(Error::Audio { reason, .. }) => {
            let detail = format!("{}: {reason}", upload.name);
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
        Err(error) => Err(Problem::fault(&error)),
    }
}

fn slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "The upload was too slow.")
}

fn too_large(most_bytes: u64) -> Problem {
    let detail = format!("A file may have {} MB at most.", most_bytes >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

fn broken(error: &MultipartError, app: &App) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(app.settings.most_upload_bytes),
        StatusCode::INTERNAL_SERVER_ERROR => {
            Problem::new(StatusCode::BAD_REQUEST, "The upload ended before it was complete.")
        }
        status => Problem::new(status, error.body_text()),
    }
}

/// A client's name for a file, to be shown: the last part, without control and formatting characters.
fn shown_name(sent: &str, otherwise: &str) -> String {
    let is_shown = |c: &char| {
        let turns_text =
            matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
        !c.is_control() && !turns_text && *c != '\u{feff}'
    };
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(is_shown).take(MOST_NAME_CHARS).collect();
    let name = name.trim();
    if name.trim_matches('.').is_empty() { otherwise.to_string() } else { name.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_visible_last_part_of_a_name_is_shown() {
        for (sent, shown) in [
            ("my song.wav", "my song.wav"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\mix.flac", "mix.flac"),
            ("/", "song"),
            ("..", "song"),
            ("", "song"),
            ("a\0b\r\nc.wav", "abc.wav"),
            ("gpj\u{202e}vaw.wav", "gpjvaw.wav"),
        ] {
            assert_eq!(shown_name(sent, "song"), shown, "{sent:?}");
        }
        assert_eq!(shown_name(&"ü".repeat(500), "song").chars().count(), MOST_NAME_CHARS);
    }
}
