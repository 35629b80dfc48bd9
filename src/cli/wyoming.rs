//! `wakeword wyoming`

use std::net::ToSocketAddrs as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sd_notify::NotifyState;
use wakeword::service::log;
use wakeword::wyoming::{self, Address, Announcement, Peers, Shared};

use super::{Context, Outcome};

/// A log that nobody reads keeps the server from its end no longer than this.
const LOG_TIMEOUT: Duration = Duration::from_millis(300);

/// Arguments of `wyoming`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword wyoming
  wakeword wyoming --uri tcp://0.0.0.0:10400 --allow 192.168.1.20 --announce
  wakeword wyoming --uri unix:///run/user/1000/wakeword.sock

Serves Home Assistant, and satellites that stream their audio, until it gets SIGTERM or SIGINT. It opens no \
microphone. Each enrolled profile is a wake word of its own; profiles that come, change or go are known at once.

The protocol has neither passwords nor encryption: whoever can connect learns the names and phrases of the \
profiles, and can try recordings on them. An address other than this machine's own needs --allow, or a firewall.")]
pub struct Args {
    /// Where clients connect: tcp://HOST:PORT, unix:///PATH, or stdio:// for one client on standard input and output
    #[arg(long, value_name = "URI", default_value = "tcp://127.0.0.1:10400", env = "WAKEWORD_WYOMING_URI")]
    uri: Address,
    /// Only clients of these addresses or networks, such as 192.168.1.0/24 (may be given several times)
    #[arg(long, value_name = "ADDRESS", env = "WAKEWORD_WYOMING_ALLOW", value_delimiter = ',')]
    allow: Vec<Peers>,
    /// Let Avahi tell the network of it, under this name [default: one that is this machine's for good]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    announce: Option<Option<String>>,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    let log = log::init(context.config.log.level)?;
    let store = context.store()?.clone();
    let shared = Arc::new(Shared::new(context.models()?, context.rule(), store));
    if shared.roster().profiles.is_empty() {
        tracing::warn!("{}", shared.nothing());
    }
    let announced = args.announce.map(|name| announced(&args.uri, name)).transpose()?;
    let local = is_local(&args.uri);
    if announced.is_some() && local {
        tracing::warn!(
            "{} is announced, but other machines cannot reach it: say tcp://0.0.0.0:PORT",
            args.uri
        );
    }
    if args.allow.is_empty() && !local {
        tracing::warn!(
            "{} can be reached from other machines, and nobody is asked for a password: name those that may \
             connect with --allow",
            args.uri
        );
    }
    let ready = |address: &Address| {
        tracing::info!("listening at {address}");
        if let (Some(name), Address::Tcp(_, port)) = (announced, address)
            && let Err(error) = (Announcement { name, port: *port }).begin()
        {
            tracing::error!("not announced on the network: {error}");
        }
        let status = format!("listening at {address}");
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)]) {
            tracing::warn!("cannot tell systemd: {error}");
        }
    };
    let served = wyoming::run(&args.uri, &args.allow, shared, ready);
    log.flush(LOG_TIMEOUT);
    served?;
    Ok(Outcome::Done)
}

/// The name to announce.
fn announced(address: &Address, name: Option<String>) -> anyhow::Result<String> {
    anyhow::ensure!(
        matches!(address, Address::Tcp(..)),
        "only a server at tcp:// can be announced; leave --announce out"
    );
    let no_name = "/etc/machine-id is missing, which makes the name: say one, as in --announce=kitchen";
    name.or_else(wyoming::default_name).context(no_name)
}

/// Whether only this machine can connect.
fn is_local(address: &Address) -> bool {
    let Address::Tcp(host, port) = address else { return true };
    // One that is unknown is an error soon.
    (&**host, *port).to_socket_addrs().is_ok_and(|mut found| found.all(|address| address.ip().is_loopback()))
}
