//! The bus on which clients look for the daemon.

use std::path::Path;

use wakeword::bus::BusKind;
use wakeword::config::{BusConfig, Config};

/// Options of those who ask the daemon.
#[derive(clap::Args)]
pub struct WhichBus {
    /// Ask the daemon of the machine, whatever the configuration says
    #[arg(long)]
    system: bool,
}

impl WhichBus {
    /// Where the daemon of this configuration is.
    pub fn find(&self, file: Option<&Path>) -> anyhow::Result<BusConfig> {
        if self.system {
            return Ok(BusConfig { kind: BusKind::System, ..BusConfig::default() });
        }
        let bus = Config::load(file)?.bus;
        anyhow::ensure!(
            bus.kind != BusKind::Off,
            "the configuration keeps the daemon off the bus: kind = \"off\" below [bus]"
        );
        Ok(bus)
    }
}
