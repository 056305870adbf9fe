//! A simulator of the vendor's API: to try the export without an account, to rehearse a schedule,
//! and to test failures that the real service produces only rarely.
//!
//! A [`Sandbox`] is an HTTP server on the loopback interface. It implements `api-contract.md`:
//! workflows over some days, their tasks in every status, calls with redials and transcripts in
//! several languages. All content depends on the seed, not on the order of requests; tasks progress
//! with [`SandboxOptions::clock`]. A strict rate limit counts violations, and [`Faults`] make
//! requests fail. Responses are generated in pieces while they are sent, so a response of many
//! gigabytes takes no more memory than a small one.
//!
//! It never listens beyond 127.0.0.1, and contains no data of real people: names are made up and
//! telephone numbers begin with zeros.
//!
//! Four paths are the sandbox's own, exempt from limits and faults: `GET /_sandbox/stats`
//! ([`SandboxSummary`]), `GET /_sandbox/details` (detail requests by task), `GET /_sandbox/tasks`
//! (a list of [`SandboxTask`]) and `GET /_sandbox/truth` (a list of [`SandboxTruth`]), the true
//! state to compare an export with.
//!
//! ```
//! use airudder_export::sandbox::{Sandbox, SandboxOptions};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let options = SandboxOptions { faults: "http_503:0.1".parse().expect("valid"), ..SandboxOptions::default() };
//! let sandbox = Sandbox::start(options).await?;
//! assert_eq!(sandbox.url().host_str(), Some("127.0.0.1"));
//! assert_eq!(sandbox.tasks().len(), 140);
//! sandbox.stop().await;
//! # std::io::Result::Ok(()) })?;
//! # std::io::Result::Ok(())
//! ```

mod answer;
mod ask;
mod call;
mod cursors;
mod detail;
mod endpoint;
mod faults;
mod in_flight;
mod items;
mod json_writer;
mod limit;
mod listing;
mod lists;
mod odd_json;
mod options;
mod phrases;
mod refusals;
mod reply;
mod seeded_rng;
mod state;
mod stats;
mod task;
#[cfg(test)]
mod tests;
mod tokens;
mod truth;
mod vendor;
mod wire;
mod world;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

pub use endpoint::Endpoint;
pub use faults::{FaultFamily, FaultKind, Faults, FaultsError, Quirk};
pub use limit::{RateLimit, RateLimitError};
pub use options::{SANDBOX_KEY, SANDBOX_SECRET, SandboxOptions};
pub use stats::{DetailCounts, SandboxStats, SandboxSummary};
pub use truth::{SandboxTask, SandboxTruth};

use crate::clock::Clock;
use vendor::Vendor;
use wire::{ResetSwitch, Wire};

/// A running simulator. Dropping it also stops it, without waiting.
#[derive(Debug)]
pub struct Sandbox {
    vendor: Arc<Vendor>,
    url: Url,
    server: JoinHandle<()>,
    stop: DropGuard,
}

impl Sandbox {
    /// Creates the account and starts to listen.
    ///
    /// # Errors
    /// If the port is in use.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let url = Url::parse(&url).map_err(io::Error::other)?;
        let vendor = Arc::new(Vendor::new(options));
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::clone(&vendor), stop.clone()));
        Ok(Self {
            vendor,
            url,
            server,
            stop: stop.drop_guard(),
        })
    }

    /// The base URL for a client.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// The statistics so far.
    #[must_use]
    pub fn stats(&self) -> SandboxStats {
        self.vendor.stats()
    }

    /// The current state of every task, in the order of days, workflows and starts.
    #[must_use]
    pub fn tasks(&self) -> Vec<SandboxTask> {
        self.vendor.tasks()
    }

    /// The current state of every task with its calls, in the same order.
    #[must_use]
    pub fn truth(&self) -> Vec<SandboxTruth> {
        self.vendor.truth()
    }

    /// Replaces the clock of tasks and tokens (a demo's second night).
    pub fn set_clock(&self, clock: Clock) {
        self.vendor.set_clock(clock);
    }

    /// Stops listening and closes all connections.
    pub async fn stop(self) {
        drop(self.stop);
        // The server task ends by itself; after a panic there is nothing left to stop.
        let _ = self.server.await;
    }
}

async fn serve(listener: TcpListener, vendor: Arc<Vendor>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&vendor)));
                }
                // For example out of file descriptors: connections that end release some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, vendor: Arc<Vendor>) {
    // Small responses must not be delayed; if this fails they are only slower.
    let _ = stream.set_nodelay(true);
    let reset = ResetSwitch::default();
    let wire = TokioIo::new(Wire::new(stream, reset.clone()));
    let service = service_fn(move |request| Arc::clone(&vendor).handle(request, reset.clone()));
    // Clients disconnect and faults break connections; neither is an error of the sandbox.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(wire, service)
        .await;
}
