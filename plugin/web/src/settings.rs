//! Limits and addresses of a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Port that the server takes by default. Chosen: nothing well known uses it.
pub const DEFAULT_PORT: u16 = 8765;

/// What a server allows, and where it listens. The defaults suit one computer; those of `mixing-buddy serve` are these.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port; with port 0 the system chooses one.
    pub bind: SocketAddr,
    /// Threads that run the model.
    pub workers: usize,
    /// Most bytes of one uploaded file.
    pub most_upload_bytes: u64,
    /// Longest song in seconds.
    pub most_song_s: f64,
    /// Most songs that wait.
    pub most_waiting: usize,
    /// Most of them from one address.
    pub most_waiting_per_address: usize,
    /// Uploads that an address may make in a minute; 0 for any number.
    pub uploads_per_minute: u32,
    /// Whether a proxy stands before the server: then the address of a client is the last one in `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// A page of another site that may show this one in a frame, as an origin.
    pub embed_in: Option<String>,
    /// A judged song is removed when nobody has asked for it for so long.
    pub keep: Duration,
    /// A song that is not judged yet is removed when nobody has watched it for so long.
    pub leave_after: Duration,
    /// A client that sends or takes nothing for so long is cut off.
    pub stall: Duration,
    /// Longest time of one upload.
    pub most_upload_time: Duration,
    /// Most open connections; half of them from one address, unless a proxy stands before the server.
    pub most_connections: usize,
    /// Most bytes of all temporary files.
    pub most_stored_bytes: u64,
    /// Folder in which the server makes its own folder of temporary files.
    pub temporary: PathBuf,
    /// Requests that run when the server is stopped may take so long to end.
    pub stop_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
        Settings {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            workers: cores.min(8),
            most_upload_bytes: 200 << 20,
            most_song_s: 15.0 * 60.0,
            most_waiting: 128,
            most_waiting_per_address: 64,
            uploads_per_minute: 120,
            behind_proxy: false,
            embed_in: None,
            keep: Duration::from_secs(30 * 60),
            leave_after: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            most_upload_time: Duration::from_secs(10 * 60),
            most_connections: 512,
            most_stored_bytes: 8 << 30,
            temporary: std::env::temp_dir(),
            stop_within: Duration::from_secs(5),
        }
    }
}
