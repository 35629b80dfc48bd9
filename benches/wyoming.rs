//! What connections to the Wyoming server cost: the built program, and clients that send speech in real time, in
//! chunks of 10 ms as Home Assistant does. `cargo bench --bench wyoming` prints the figures.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/wyoming/harness.rs"]
mod harness;

use std::time::Duration;

use common::process::{cpu_seconds, memory_mib};
use common::{living_room, noise, seconds};
use harness::{Home, How, Server, USUAL};

const STRETCH: Duration = Duration::from_secs(20);

fn main() {
    let home = Home::new();
    let speech = &living_room()[..seconds(STRETCH.as_secs_f32())];
    let quiet: Vec<f32> = noise(1, speech.len()).iter().map(|sample| sample * 1e-3).collect();
    for connections in [1, 20] {
        let server = Server::start(&home);
        let mut clients: Vec<_> = (0..connections).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(harness::Client::assert_quiet);
        let (before, cpu) = (memory_mib(server.id(), "VmRSS:"), cpu_seconds(server.id()));
        for client in &mut clients {
            client.models();
        }
        let describing = (cpu_seconds(server.id()) - cpu) / f64::from(connections);
        for (what, samples) in [("a living room", speech), ("a quiet room", &quiet)] {
            let cpu = cpu_seconds(server.id());
            std::thread::scope(|scope| {
                for client in &mut clients {
                    scope.spawn(|| {
                        client.detect(&["demo"]);
                        client.audio(samples, How { live: true, ..USUAL });
                    });
                }
            });
            let spent = (cpu_seconds(server.id()) - cpu) / f64::from(connections) / STRETCH.as_secs_f64();
            println!("{connections:3} connections, {what:14} {spent:8.4} s of processor per second, each");
        }
        let grown = (memory_mib(server.id(), "VmRSS:") - before) / f64::from(connections);
        println!("{connections:3} connections, resident {before:11.1} MiB without any, {grown:.1} MiB each");
        println!("{connections:3} connections, a description  {describing:8.4} s of processor");
    }
}
