//! The built-in emulators: services on loopback that hold an invented world and answer as the real ones do.
//!
//! Everything that tests, the demo and rehearsals scan goes through them over real HTTP. They import nothing of the
//! rest of the crate, so that a misreading of an API cannot agree with itself. How to steer them: `docs/emulator.md`.

mod clock;
mod fault;
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
use self::fault::Faults;
use self::nextcloud::Nextcloud;
use self::steering::Log;
pub use self::world::{NextcloudAccess, World, WorldError};

/// Emulated services, serving until dropped or shut down.
#[derive(Debug)]
pub struct Emulator {
    nextcloud: Url,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// How to serve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1 of the emulated Nextcloud; 0 for a free one.
    pub nextcloud_port: u16,
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
        let nextcloud = Nextcloud::build(world.nextcloud(), clock.now())?;
        let stage = Stage {
            clock,
            nextcloud,
            faults: Faults::default(),
            log: Log::default(),
        };
        let shared = Shared(Arc::new(Mutex::new(stage)));
        let port = options.nextcloud_port;
        let listen = |source| EmulatorError::Listen { port, source };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await
            .map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let nextcloud = Url::parse(&format!("http://{address}/"))
            .map_err(|error| listen(std::io::Error::other(error)))?;
        let stop = CancellationToken::new();
        let app = Router::new().fallback(serve::answer).with_state(shared);
        let service = app.into_make_service_with_connect_info::<wire::Switch>();
        let served =
            axum::serve(wire::Wire(listener), service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            // Serving ends only by the stop signal; accept errors are retried inside.
            drop(served.await);
        });
        Ok(Self {
            nextcloud,
            stop,
            task,
        })
    }

    /// Where the emulated Nextcloud is served.
    #[must_use]
    pub fn nextcloud_url(&self) -> Url {
        self.nextcloud.clone()
    }

    /// Stops serving; answers on their way get a moment to finish.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        drop(tokio::time::timeout(Duration::from_millis(300), &mut self.task).await);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}
