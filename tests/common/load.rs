//! A machine that has too much to do.

use super::home::{Home, Running};

/// Programs that never rest, two for each core, until this is dropped.
pub struct Load(#[expect(dead_code, reason = "kept running")] Vec<Running>);

impl Load {
    /// Starts them.
    pub fn on_every_core(home: &Home) -> Self {
        let cores = std::thread::available_parallelism().unwrap().get();
        let busy = || {
            let mut command = home.command("sh");
            command.args(["-c", "while :; do :; done"]);
            home.spawn(command)
        };
        Self((0..2 * cores).map(|_| busy()).collect())
    }
}
