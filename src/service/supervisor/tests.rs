use std::sync::Arc;

use super::*;
use crate::audio::read_clip;
use crate::config::BusKind;
use crate::profile::Profile;

/// A supervisor without a bus for the demo voice, what it orders, and the demo folder.
fn supervisor(folder: &tempfile::TempDir) -> (Supervisor, Receiver<Order>) {
    let store = Store::new(folder.path().join("store"));
    let takes: Vec<_> = (1..=5).map(|number| demo(&format!("enroll/{number}.wav"))).collect();
    let takes: Vec<_> = takes.iter().map(|take| &take[..]).collect();
    let models = Models::load(None).unwrap();
    let learned = crate::enroll::learn(&models, &takes).unwrap();
    store.put(&Profile::new("demo", "hello sunflower", &models.fingerprint, learned), false).unwrap();
    let mut config = Config::default();
    config.bus.kind = BusKind::Off;
    let (orders, taken) = bounded(8);
    let messages = crossbeam_channel::never();
    (Supervisor::new(Options::default(), config, store, orders, messages).unwrap(), taken)
}

fn demo(name: &str) -> Vec<f32> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo");
    read_clip(&folder.join(name)).unwrap().samples
}

/// Has the supervisor use what the thread of the store reads next.
fn read(supervisor: &mut Supervisor) {
    let reading = supervisor.librarian.1.recv_timeout(Duration::from_secs(60)).unwrap();
    supervisor.use_profiles(reading);
}

#[test]
fn a_new_engine_hears_at_once_what_was_said_before() {
    let folder = tempfile::TempDir::new().unwrap();
    let (mut supervisor, orders) = supervisor(&folder);
    supervisor.use_models(Models::load(None).map(Arc::new)).unwrap();
    read(&mut supervisor);
    let Order::Engine(mut engine) = orders.try_recv().unwrap() else { panic!("another order comes first") };
    let mut detected = 0;
    engine.push(&demo("living-room.flac")[16_000 * 17..16_000 * 21], |event| {
        detected += usize::from(event.is_detected());
    });
    assert_eq!(detected, 1);
}

#[test]
fn a_change_is_in_force_when_it_is_answered() {
    let folder = tempfile::TempDir::new().unwrap();
    let (mut supervisor, orders) = supervisor(&folder);
    supervisor.use_models(Models::load(None).map(Arc::new)).unwrap();
    read(&mut supervisor);
    drop(orders.try_iter().collect::<Vec<_>>());
    let (answer, answered) = bounded(1);
    supervisor.obey(Command::SetEnabled { profile: "demo".into(), enabled: false, answer });
    read(&mut supervisor);
    answered.try_recv().unwrap().unwrap();
    let Order::Update(profiles, ..) = orders.try_recv().unwrap() else { panic!("another order comes first") };
    assert!(!profiles[0].settings.enabled);
    assert!(supervisor.problems[&Problem::Profiles].contains("no profile to listen for"));
    let (answer, answered) = bounded(1);
    supervisor.obey(Command::Remove { profile: "nobody".into(), answer });
    read(&mut supervisor);
    assert!(answered.try_recv().unwrap().is_err());
}

#[test]
fn a_second_daemon_ends_and_a_lost_name_is_waited_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let taken = || Command::Bus(crate::control::BusCondition::NameTaken);
    let (mut second, _orders) = supervisor(&folder);
    second.obey(taken());
    assert!(matches!(second.end, Some(Err(ServiceError::AnotherDaemon))));

    let folder = tempfile::TempDir::new().unwrap();
    let (mut first, _orders) = supervisor(&folder);
    first.obey(Command::Bus(crate::control::BusCondition::Serving));
    first.obey(taken());
    assert!(first.end.is_none() && first.problems.contains_key(&Problem::Bus));
}
