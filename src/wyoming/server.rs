//! Accepts clients, gives each a thread, and ends them all when told to.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{Shutdown, shutdown, sockopt};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::frame::FrameError;
use super::session;
use super::{Address, Peers, Shared};

/// Clients at the same time; each has an engine.
const MAX_CLIENTS: usize = 64;
/// A client that reads nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client that says nothing for so long is asked, by the kernel, whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Clients may take so long to end.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Why the server does not begin, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("{address}: {source}; {advice}")]
    Bind { address: Address, source: io::Error, advice: &'static str },
    /// Something else is where the socket is to be.
    #[error("{0:?} is no socket; say another path with --uri, or remove it")]
    NoSocket(PathBuf),
    /// Another server uses the socket.
    #[error("another server listens at {0:?}; stop it, or say another path with --uri")]
    Taken(PathBuf),
    /// The client on standard input was none.
    #[error("standard input: {0}")]
    Stdio(FrameError),
    /// The system gave no signal handler, or no descriptor.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT; a client on standard input, until it leaves. `peers` are those who may connect by
/// TCP, everybody if there are none. `ready` is told where the server can be reached.
pub fn run(
    address: &Address,
    peers: &[Peers],
    shared: Arc<Shared>,
    ready: impl FnOnce(&Address),
) -> Result<(), ServerError> {
    let Some(listener) = Listener::bind(address)? else {
        let [input, output] = [io::stdin().as_fd(), io::stdout().as_fd()].map(own);
        return session::serve(&shared, input?, output?).map_err(ServerError::Stdio);
    };
    let (stop, asked) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, stop.try_clone()?)?;
    }
    ready(&listener.address(address)?);
    let clients = Arc::new(Clients::default());
    loop {
        let mut waiting = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&asked, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled.map_err(io::Error::from)?,
        };
        if !waiting[1].revents().is_empty() {
            break;
        }
        match listener.accept() {
            Ok((client, peer)) if allowed(peer, peers) => clients.begin(client, &shared),
            Ok((_, peer)) => tracing::warn!(?peer, "refused a client that --allow does not name"),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::error!("cannot accept a client: {error}");
                // What is missing, such as descriptors, is not there at once.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    tracing::info!("stopping");
    clients.end();
    Ok(())
}

fn own(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

fn allowed(peer: Option<IpAddr>, peers: &[Peers]) -> bool {
    peers.is_empty() || peer.is_none_or(|peer| peers.iter().any(|peers| peers.contain(peer)))
}

enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _socket: Socket },
}

/// A socket in the file system, until this is dropped.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// `None` if there is nothing to listen at.
    fn bind(address: &Address) -> Result<Option<Self>, ServerError> {
        let failed = |source: io::Error| {
            let advice = match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program has this port: stop it, or say another with --uri"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "this is no address of this machine; see them with: ip address"
                }
                io::ErrorKind::PermissionDenied => "say a port above 1023, or a folder of yours, with --uri",
                io::ErrorKind::NotFound => "make its folder first",
                _ => "say another address with --uri",
            };
            ServerError::Bind { address: address.clone(), source, advice }
        };
        let listener = match address {
            Address::Stdio => return Ok(None),
            Address::Tcp(host, port) => Self::Tcp(TcpListener::bind((&**host, *port)).map_err(failed)?),
            Address::Unix(path) => {
                make_room(path)?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                Self::Unix { listener, _socket: Socket(path.clone()) }
            }
        };
        // A client may be gone again before it is accepted.
        rustix::io::ioctl_fionbio(&listener, true).map_err(io::Error::from)?;
        Ok(Some(listener))
    }

    /// Where it is in fact.
    fn address(&self, asked: &Address) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => {
                let local = listener.local_addr()?;
                Ok(Address::Tcp(local.ip().to_string(), local.port()))
            }
            Self::Unix { .. } => Ok(asked.clone()),
        }
    }

    /// A client and, by TCP, its address.
    fn accept(&self) -> io::Result<(OwnedFd, Option<IpAddr>)> {
        let (client, peer): (OwnedFd, _) = match self {
            Self::Tcp(listener) => {
                let (client, peer) = listener.accept()?;
                client.set_nodelay(true)?;
                sockopt::set_socket_keepalive(&client, true)?;
                sockopt::set_tcp_keepidle(&client, KEEPALIVE)?;
                sockopt::set_tcp_keepintvl(&client, PATIENCE)?;
                (client.into(), Some(peer.ip()))
            }
            Self::Unix { listener, .. } => (listener.accept()?.0.into(), None),
        };
        sockopt::set_socket_timeout(&client, sockopt::Timeout::Send, Some(PATIENCE))?;
        Ok((client, peer))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

/// Removes the socket that a server left behind that is no more.
fn make_room(path: &Path) -> Result<(), ServerError> {
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => Err(ServerError::NoSocket(path.into())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(ServerError::Taken(path.into())),
        Ok(_) => Ok(std::fs::remove_file(path)?),
        // Binding says what else there may be.
        Err(_) => Ok(()),
    }
}

/// The clients that are connected.
#[derive(Default)]
struct Clients(Mutex<HashMap<i32, Arc<File>>>);

impl Clients {
    fn begin(self: &Arc<Self>, client: OwnedFd, shared: &Arc<Shared>) {
        let client = Arc::new(File::from(client));
        let number = client.as_raw_fd();
        {
            let mut clients = self.lock();
            if clients.len() >= MAX_CLIENTS {
                tracing::warn!("refused a client: {MAX_CLIENTS} are connected already");
                return;
            }
            clients.insert(number, client.clone());
        }
        let (clients, shared) = (self.clone(), shared.clone());
        let serve = move || {
            match session::serve(&shared, &*client, &*client) {
                Ok(()) => tracing::debug!("a client left"),
                Err(FrameError::Io(error)) => tracing::debug!("lost a client: {error}"),
                Err(error) => tracing::warn!("closed a connection: {error}"),
            }
            clients.forget(number);
        };
        if let Err(error) = thread::Builder::new().name("client".into()).spawn(serve) {
            tracing::error!("no thread for a client: {error}");
            self.forget(number);
        }
    }

    fn forget(&self, number: i32) {
        // The descriptor is closed, and may be another's, only after its number is free here.
        let client = self.lock().remove(&number);
        drop(client);
    }

    /// Closes all connections, and waits a little for their threads.
    fn end(&self) {
        for client in self.lock().values() {
            let _ = shutdown(client, Shutdown::Both);
        }
        let deadline = Instant::now() + LETTING_GO;
        while !self.lock().is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i32, Arc<File>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
