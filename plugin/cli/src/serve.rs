//! `serve`: the advice on a web page.

use crate::engine::EngineArgs;
use anyhow::{Result, ensure};
use clap::Args;
use mixing_buddy_core::CancelFlag;
use mixing_buddy_core::output::{note, print_line};
use mixing_buddy_web::{DEFAULT_PORT, Server, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Options of `serve`.
#[derive(Args)]
#[command(after_help = "Examples:\n  mixing-buddy serve\n  mixing-buddy serve --bind 127.0.0.1:9000\n  \
    mixing-buddy serve --bind 0.0.0.0:8765 --most-minutes 8\n  \
    mixing-buddy serve --behind-proxy --uploads-per-minute 20\n\n\
    The page and the API have the same address; /openapi.json describes the API. Songs are kept in temporary files \
    until they are removed, and never longer than --keep-minutes after the last request. The server ends with Ctrl-C.")]
pub struct ServeArgs {
    /// Address and port to serve; 0.0.0.0 serves the network
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)))]
    bind: SocketAddr,
    #[command(flatten)]
    engine: EngineArgs,
    /// Songs that are judged at the same time; one per processor if not given
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Largest file in MB
    #[arg(long, value_name = "MB", default_value_t = 200)]
    most_mb: u64,
    /// Longest song in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 15.0)]
    most_minutes: f64,
    /// Most songs that wait; half of them from one address
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    queue: usize,
    /// A judged song is removed after so many minutes without a request
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    keep_minutes: u64,
    /// Most songs from one address in a minute, 0 for any number
    #[arg(long, value_name = "COUNT", default_value_t = 120)]
    uploads_per_minute: u32,
    /// Take a client's address from the last entry of X-Forwarded-For: only if a proxy always writes it
    #[arg(long)]
    behind_proxy: bool,
    /// The site whose pages may show this page in a frame, such as `https://huggingface.co`
    #[arg(long, value_name = "ORIGIN")]
    embed_in: Option<String>,
    /// Folder for temporary files; that of the system if none is given
    #[arg(long, value_name = "FOLDER")]
    temporary: Option<PathBuf>,
}

/// Serves until the program is asked to end.
///
/// # Errors
/// When an option is invalid, the model cannot be loaded, or the address cannot be served.
pub fn run(args: &ServeArgs) -> Result<()> {
    let settings = settings(args)?;
    let engine = args.engine.open(&CancelFlag::new())?;
    let is_open = !settings.bind.ip().is_loopback();
    let server = Server::start(Arc::new(engine), settings)?;
    server.stop_on_signals();
    print_line(&format!("http://{}", server.address()))?;
    if is_open {
        note(
            "Everybody in the network can use it. What is sent is not encrypted: for that, put a proxy before it.",
        );
    }
    server.wait();
    note("Stopped.");
    Ok(())
}

fn settings(args: &ServeArgs) -> Result<Settings> {
    ensure!(
        args.workers.is_none_or(|count| (1..=256).contains(&count)),
        "--workers must be between 1 and 256"
    );
    ensure!((1..=4000).contains(&args.most_mb), "--most-mb must be between 1 and 4000");
    ensure!((0.1..=240.0).contains(&args.most_minutes), "--most-minutes must be between 0.1 and 240");
    ensure!((1..=10_000).contains(&args.queue), "--queue must be between 1 and 10000");
    ensure!((1..=10_080).contains(&args.keep_minutes), "--keep-minutes must be between 1 and 10080");
    ensure!(
        args.embed_in.as_deref().is_none_or(is_origin),
        "--embed-in must be an origin, such as https://huggingface.co"
    );
    let usual = Settings::default();
    Ok(Settings {
        bind: args.bind,
        workers: args.workers.unwrap_or(usual.workers),
        most_upload_bytes: args.most_mb << 20,
        most_song_s: 60.0 * args.most_minutes,
        most_waiting: args.queue,
        most_waiting_per_address: args.queue.div_ceil(2),
        uploads_per_minute: args.uploads_per_minute,
        behind_proxy: args.behind_proxy,
        embed_in: args.embed_in.clone(),
        keep: Duration::from_secs(60 * args.keep_minutes),
        temporary: args.temporary.clone().unwrap_or(usual.temporary.clone()),
        ..usual
    })
}

/// Whether a text is a scheme and a host, which cannot add anything to the header that it becomes a part of.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:*".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_adds_nothing_to_the_policy() {
        assert!(is_origin("https://huggingface.co") && is_origin("http://localhost:3000"));
        for text in ["huggingface.co", "https://", "https://a; script-src *", "https://a b", "*"] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
