//! What the running daemon costs, and how soon it tells: a virtual microphone, a private bus, the built
//! binary. `cargo bench --bench daemon` prints the figures; nothing here passes or fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::daemon::{Daemon, NAME, ROOT, signal};
use common::home::Home;
use common::load::Load;
use common::process::cpu_seconds;
use common::{
    PLAIN, cut, demo_profile, enrol_by, living_room, noise, repository, seconds, small_models, takes,
    write_wav,
};
use rustix::process::Signal;
use wakeword::audio::clock::monotonic_us;
use wakeword::features::SAMPLE_RATE;
use wakeword::profile::Profile;
use wakeword::store::Store;
use zbus::{OwnedVariant, Variant};

const PROFILES: usize = 5;
const REPEATS: usize = 20;
/// How long a signal is waited for.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(10);
const STRETCH: Duration = Duration::from_secs(30);

fn main() {
    let home = Home::start();
    fill(&home, demo_profile(), 1);
    let started = Instant::now();
    let mut daemon = Daemon::start(&home, "");
    daemon.wait_for_notice("STATUS=starting: ");
    println!("start to first audio      {:7.2} s", started.elapsed().as_secs_f64());
    daemon.wait_until_it_hears();
    println!("start to listening        {:7.2} s", started.elapsed().as_secs_f64());

    let bus = zbus::connection::Builder::address(home.session_bus().as_str());
    let bus = zbus::block_on(bus.build()).unwrap();
    let detected = detected(&bus);

    // A quiet room, not digital silence.
    let room = |seed, length| noise(seed, length).into_iter().map(|sample| sample * 1e-3);
    let latencies = |load: &str| {
        let mut latencies = Vec::new();
        for repeat in 0..REPEATS {
            let mut samples: Vec<f32> = room(repeat as u64, seconds(1.0)).collect();
            samples.extend(cut(18.3, 19.9));
            samples.extend(room(99, seconds(1.5)));
            write_wav(&home.path("phrase.wav"), &samples, PLAIN);
            let playing = home.start_playing(&home.path("phrase.wav"));
            if let Ok(latency) = detected.recv_timeout(SIGNAL_TIMEOUT) {
                latencies.push(latency);
            }
            playing.finish();
        }
        latencies.sort_by(f64::total_cmp);
        let percentile = |p: f64| latencies[((latencies.len() - 1) as f64 * p).round() as usize];
        println!(
            "phrase end to signal{load:18} {:7.0} ms (median), {:.0} ms (95 %); {} of {REPEATS} told",
            percentile(0.5),
            percentile(0.95),
            latencies.len()
        );
    };
    latencies("");
    let before = daemon.resident_mib();
    let load = Load::on_every_core(&home);
    latencies(", two loops a core");
    drop(load);
    let lost: u64 = zbus::block_on(async {
        let daemon = zbus::Proxy::new(&bus, NAME, ROOT, "org.wakeword.Wakeword1.Daemon").await?;
        daemon.get_property("LostSamples").await
    })
    .unwrap();
    println!("lost under that load      {:7.2} s of audio", lost as f64 / SAMPLE_RATE as f64);
    println!("grown under that load     {:7.1} MiB", daemon.resident_mib() - before);

    let speech: Vec<f32> = living_room()[..seconds(STRETCH.as_secs_f32())].to_vec();
    let room: Vec<f32> = room(1, seconds(STRETCH.as_secs_f32())).collect();
    for (what, samples) in [("a living room", speech), ("a quiet room", room)] {
        let file = home.path("stretch.wav");
        write_wav(&file, &samples, PLAIN);
        let before = cpu_seconds(daemon.id());
        home.play(&file);
        let spent = cpu_seconds(daemon.id()) - before;
        println!("CPU in {what:14}     {:8.4} s per second of audio", spent / STRETCH.as_secs_f64());
    }
    let told = Instant::now();
    signal(daemon.id(), Signal::TERM);
    assert!(daemon.end().success());
    println!("TERM to the end           {:7.2} s", told.elapsed().as_secs_f64());

    let small = format!("[models]\npath = {:?}\n", repository("models/small"));
    let profiles = [demo_profile().clone(), enrol_by(&small_models(), "demo", takes())];
    for (encoder, config, profile) in [("whole", "", &profiles[0]), ("small", &small, &profiles[1])] {
        fill(&home, profile, PROFILES);
        let mut daemon = Daemon::start(&home, config);
        daemon.wait_until_it_hears();
        home.play(&home.path("phrase.wav"));
        let [now, most] = ["VmRSS:", "VmHWM:"].map(|field| daemon.memory_mib(field));
        println!(
            "resident, {PROFILES} profiles      {now:7.1} MiB, at most {most:.1} MiB; {encoder} speaker encoder"
        );
    }
}

/// Stores a profile several times.
fn fill(home: &Home, profile: &Profile, times: usize) {
    let store = Store::new(home.path("store"));
    for number in 1..=times {
        store.save(&Profile { name: format!("demo-{number}"), ..profile.clone() }).unwrap();
    }
}

/// For every detection, how long after the end of its phrase the signal came, in milliseconds.
fn detected(bus: &zbus::Connection) -> Receiver<f64> {
    use futures_core::Stream as _;
    let rule = format!("type='signal',sender='{NAME}',member='Detected'");
    let mut signals = zbus::block_on(zbus::MessageStream::for_match_rule(rule.as_str(), bus, None)).unwrap();
    let (sender, receiver) = channel();
    let mut latency = move || {
        let next = std::future::poll_fn(|context| std::pin::Pin::new(&mut signals).poll_next(context));
        let message = zbus::block_on(next)?.ok()?;
        let received = monotonic_us();
        let body = message.body();
        let (_, details): (String, std::collections::HashMap<String, OwnedVariant>) =
            body.deserialize().unwrap();
        let Variant::U64(end) = *details["end_us"] else { panic!("end_us is no number") };
        sender.send((received - end) as f64 / 1000.0).ok()
    };
    std::thread::spawn(move || while latency().is_some() {});
    receiver
}
