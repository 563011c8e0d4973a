//! The built-in emulators: services on loopback that hold an invented world and answer as the real ones do.
//!
//! Everything that tests, the demo and rehearsals scan goes through them over real HTTP. They import nothing of the
//! rest of the crate, so that a misreading of an API cannot agree with itself. How to steer them: `docs/emulator.md`.

mod clock;
mod fault;
mod graph;
mod http;
mod nextcloud;
mod outgoing;
mod serve;
mod steering;
mod wire;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::clock::Clock;
use self::fault::{Faults, Service};
use self::graph::Graph;
use self::nextcloud::Nextcloud;
use self::steering::Log;
pub use self::world::{MicrosoftAccess, NextcloudAccess, World, WorldError};

/// Emulated services, serving until dropped or shut down.
#[derive(Debug)]
pub struct Emulator {
    nextcloud: Url,
    /// The port of Microsoft 365, where the world has one.
    microsoft: Option<Url>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// How to serve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1 of the emulated Nextcloud; 0 for a free one.
    pub nextcloud_port: u16,
    /// The port on 127.0.0.1 of the emulated Microsoft 365, where the world has one; 0 for a free one.
    pub graph_port: u16,
}

/// Why the emulator does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The world is not consistent.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The port cannot be opened.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
}

/// What all connections share.
#[derive(Debug)]
struct Stage {
    clock: Clock,
    nextcloud: Nextcloud,
    graph: Option<Graph>,
    faults: Faults,
    log: Log,
}

/// The stage behind its lock. Nothing awaits while holding it.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Stage>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Emulator {
    /// Starts serving a world on loopback.
    ///
    /// # Errors
    ///
    /// Tells what is wrong with the world, or why the port cannot be had.
    pub async fn start(world: World, options: Options) -> Result<Self, EmulatorError> {
        let clock = world.clock();
        let nextcloud = Nextcloud::build(&world.nextcloud(), clock.now())?;
        let graph = world.microsoft().map(|file| Graph::build(file, clock.now()));
        let stage = Stage {
            clock,
            nextcloud,
            graph: graph.transpose()?,
            faults: Faults::default(),
            log: Log::default(),
        };
        let has_graph = stage.graph.is_some();
        let shared = Shared(Arc::new(Mutex::new(stage)));
        let stop = CancellationToken::new();
        let (nextcloud, task) =
            serve(shared.clone(), Service::Nextcloud, options.nextcloud_port, &stop).await?;
        let mut tasks = vec![task];
        let mut microsoft = None;
        if has_graph {
            let (url, task) = serve(shared, Service::Graph, options.graph_port, &stop).await?;
            microsoft = Some(url);
            tasks.push(task);
        }
        Ok(Self {
            nextcloud,
            microsoft,
            stop,
            tasks,
        })
    }

    /// Where the emulated Nextcloud is served.
    #[must_use]
    pub fn nextcloud_url(&self) -> Url {
        self.nextcloud.clone()
    }

    /// Where the emulated Microsoft Graph is served, with the version at its end; none where the world has no tenant.
    #[must_use]
    pub fn graph_url(&self) -> Option<Url> {
        self.microsoft.as_ref()?.join("v1.0/").ok()
    }

    /// Where the emulated Microsoft 365 hands out tokens; none where the world has no tenant.
    #[must_use]
    pub fn login_url(&self) -> Option<Url> {
        self.microsoft.clone()
    }

    /// Stops serving; answers on their way get a moment to finish.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let ended = futures::future::join_all(self.tasks.iter_mut());
        drop(tokio::time::timeout(Duration::from_millis(300), ended).await);
    }
}

/// Serves one service on a port of its own, until the signal.
async fn serve(
    shared: Shared,
    service: Service,
    port: u16,
    stop: &CancellationToken,
) -> Result<(Url, JoinHandle<()>), EmulatorError> {
    let listen = |source| EmulatorError::Listen { port, source };
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let url =
        Url::parse(&format!("http://{address}/")).map_err(|error| listen(std::io::Error::other(error)))?;
    let app = Router::new()
        .fallback(serve::answer)
        .with_state((shared, service));
    let app = app.into_make_service_with_connect_info::<wire::Switch>();
    let served =
        axum::serve(wire::Wire(listener), app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let task = tokio::spawn(async move {
        // Serving ends only by the stop signal; accept errors are retried inside.
        drop(served.await);
    });
    Ok((url, task))
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}
