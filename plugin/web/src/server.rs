//! Connections: taken, bounded, timed out, and ended in an orderly way.

use crate::app::App;
use crate::guard::Peer;
use crate::page::router;
use crate::settings::Settings;
use crate::store::Store;
use crate::workers::Workers;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use mixing_buddy_core::Engine;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

/// Threads for the network.
const NETWORK_THREADS: usize = 2;
/// Threads for files: writing uploads, reading their heads, sending sound.
const FILE_THREADS: usize = 4;
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 32 << 10;
/// Most lines of a request's head.
const HEAD_LINES: usize = 64;
/// Time between two looks at what nobody wants any longer.
const TIDY_EVERY: Duration = Duration::from_millis(500);
/// Pause after a connection that could not be taken, for example because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is in use, or not ours.
    #[error("{address} cannot be served: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system. Not `source`: the message has it.
        cause: io::Error,
    },
    /// No temporary files can be made.
    #[error("{}: no temporary files can be made there: {cause}", folder.display())]
    Temporary {
        /// The folder.
        folder: std::path::PathBuf,
        /// The error of the operating system. Not `source`: the message has it.
        cause: io::Error,
    },
    /// No threads can be started.
    #[error("no thread can be started: {0}")]
    Threads(String),
}

/// A server that runs on threads of its own. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    runtime: Handle,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// As [`ServeError`] says.
    pub fn start(engine: Arc<Engine>, settings: Settings) -> Result<Server, ServeError> {
        let bind_failed = |cause| ServeError::Bind { address: settings.bind, cause };
        let listener = std::net::TcpListener::bind(settings.bind).map_err(bind_failed)?;
        listener.set_nonblocking(true).map_err(bind_failed)?;
        let address = listener.local_addr().map_err(bind_failed)?;
        let store = Store::open(&settings.temporary, settings.most_stored_bytes)
            .map_err(|cause| ServeError::Temporary { folder: settings.temporary.clone(), cause })?;
        let no_threads = |cause: &dyn std::fmt::Display| ServeError::Threads(cause.to_string());
        let workers = Workers::start(&settings, App::listener(&engine, &settings))
            .map_err(|cause| no_threads(&cause))?;
        let app = Arc::new(App::new(engine, settings, store, workers));
        let runtime = Builder::new_multi_thread()
            .worker_threads(NETWORK_THREADS)
            .max_blocking_threads(FILE_THREADS)
            .thread_name("network")
            .enable_all()
            .build()
            .map_err(|cause| no_threads(&cause))?;
        let stop = watch::Sender::new(false);
        let handle = runtime.handle().clone();
        let (serving, stopped) = (Arc::clone(&app), stop.subscribe());
        let run = move || {
            runtime.block_on(serve(listener, serving, stopped));
            // Uploads that have not ended by now are cut off.
            runtime.shutdown_timeout(Duration::from_secs(1));
        };
        let thread = std::thread::Builder::new().name("server".into()).spawn(run);
        let thread = Some(thread.map_err(|cause| no_threads(&cause))?);
        Ok(Server { address, app, runtime: handle, stop, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its temporary files.
    pub fn folder(&self) -> &std::path::Path {
        self.app.store.root()
    }

    /// From now on, the signals that ask a program to end stop the server.
    pub fn stop_on_signals(&self) {
        let stop = self.stop.clone();
        self.runtime.spawn(async move {
            signalled().await;
            stop.send_replace(true);
        });
    }

    /// Waits until it has stopped.
    pub fn wait(mut self) {
        self.join();
    }

    /// Stops it: takes no more requests, ends the songs, and lets answers end that are being sent.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.join();
    }
}

/// Waits for a signal that asks the program to end.
async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone.
    let _ = stop.wait_for(|stops| *stops).await;
}

async fn serve(listener: std::net::TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let tidying = tokio::spawn(tidy(Arc::clone(&app)));
    match TcpListener::from_std(listener) {
        Ok(listener) => accept(&listener, &app, &mut stop).await,
        Err(cause) => tracing::error!("the server cannot listen: {cause}"),
    }
    tidying.abort();
    app.stop();
    let (ending, within) = (Arc::clone(&app), app.settings.stop_within);
    let ended = tokio::task::spawn_blocking(move || ending.workers.stop(within)).await;
    if !matches!(ended, Ok(true)) {
        tracing::warn!("a song did not end in time");
    }
}

async fn tidy(app: Arc<App>) {
    let mut every = tokio::time::interval(TIDY_EVERY);
    loop {
        every.tick().await;
        app.tidy();
    }
}

/// Takes connections until the server stops; then waits for the answers that are being sent.
async fn accept(listener: &TcpListener, app: &Arc<App>, stop: &mut watch::Receiver<bool>) {
    let router = router(app);
    let connections = Arc::new(Semaphore::new(app.settings.most_connections));
    let per_address = Arc::new(PerAddress::default());
    let graceful = GracefulShutdown::new();
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&connections).acquire_owned() => permit,
            () = stopped(stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(stop) => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let most = if app.settings.behind_proxy { usize::MAX } else { app.settings.most_connections / 2 };
        let Some(counted) = per_address.count(peer.ip(), most) else { continue };
        let connection = graceful.watch(connection(stream, peer, router.clone(), app.settings.stall));
        tokio::spawn(async move {
            // An error is the client's: it has gone, was too slow, or does not speak HTTP.
            let _ = connection.await;
            drop((permit, counted));
        });
    }
    app.stop();
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(app.settings.stop_within) => {}
    }
}

type Stream = TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

/// Answers the requests of a connection. It ends when the client sends no request, or takes nothing of an answer, for
/// `stall`.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stall: Duration,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stall));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let io: Stream = TokioIo::new(Box::pin(stream));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(stall)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES)
        .serve_connection(io, service)
}

/// Counts the connections of each address.
#[derive(Default)]
struct PerAddress(Mutex<HashMap<IpAddr, usize>>);

impl PerAddress {
    /// Counts one until the result is dropped; none where there are `most` already.
    fn count(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { per_address: Arc::clone(self), address })
    }
}

struct Counted {
    per_address: Arc<PerAddress>,
    address: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.per_address.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}
