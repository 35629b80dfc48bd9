use std::sync::LazyLock;

use super::*;
use crate::audio::read_clip;

#[test]
fn history_keeps_the_newest_samples_in_place() {
    let (keep, step) = (100usize, 7);
    let mut history = History::new(keep);
    let mut pushed = 0usize;
    while pushed < 1000 {
        let samples: Vec<f32> = (pushed..pushed + step).map(|sample| sample as f32).collect();
        history.push(&samples);
        pushed += step;
        assert_eq!(history.end(), pushed as u64);
        let oldest = pushed.saturating_sub(keep) as u64;
        for (from, to) in [(oldest, pushed as u64), (oldest + 3, oldest + 5), (0, u64::MAX), (2000, 3000)] {
            let (start, samples) = history.get(from..to);
            let expected = (start..to.min(pushed as u64).max(start)).map(|sample| sample as f32);
            assert_eq!(samples, expected.collect::<Vec<_>>());
            assert!(start <= oldest.max(from), "{from}..{to} begins at {start}");
        }
    }
    let (start, nothing) = history.get(std::ops::Range { start: 10, end: 5 });
    assert!(nothing.is_empty() && start <= history.end());
    history.reset();
    assert_eq!((history.end(), history.get(0..10)), (0, (0, &[][..])));
}

#[test]
fn a_minimum_ends_with_its_window() {
    let mut window = SlidingMinimum::new(2, 3);
    let columns = [[1.0, 9.0], [5.0, 5.0], [4.0, 6.0], [7.0, 7.0], [8.0, 8.0]];
    let expected = [[1.0, 9.0], [1.0, 5.0], [1.0, 5.0], [4.0, 5.0], [4.0, 6.0]];
    for (column, expected) in columns.into_iter().zip(expected) {
        assert_eq!(window.push(column.into_iter()), expected);
    }
    window.reset();
    assert_eq!(window.push([f32::INFINITY, 3.0].into_iter()), [f32::INFINITY, 3.0]);
    assert!(SlidingMinimum::new(0, 3).push(std::iter::empty()).is_empty());
}

/// The accepted phrases of `samples`, as first and last second, by an engine for the demo voice.
fn accepted(samples: &[f32], gate: Option<Vad>) -> Vec<(f32, f32)> {
    static MODELS: LazyLock<Arc<Models>> = LazyLock::new(|| Arc::new(Models::load(None).unwrap()));
    static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| {
        let takes: Vec<_> = (1..=5).map(|number| demo(&format!("enroll/{number}.wav"))).collect();
        let takes: Vec<_> = takes.iter().map(|take| &take[..]).collect();
        let learned = crate::enroll::learn(&MODELS, &takes).unwrap();
        Arc::new(Profile::new("demo", "", &MODELS.fingerprint, learned))
    });
    let mut engine = Engine::new(MODELS.clone(), std::slice::from_ref(&PROFILE), Rule::default());
    if let Some(gate) = gate {
        engine.vad = gate;
    }
    let mut accepted = Vec::new();
    let mut take = |heard: Event| {
        if heard.is_detected() {
            accepted.push((heard.start as f32 / 16_000.0, heard.end as f32 / 16_000.0));
        }
    };
    engine.push(samples, &mut take);
    engine.finish(take);
    accepted
}

fn demo(name: &str) -> Vec<f32> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo");
    read_clip(&folder.join(name)).unwrap().samples
}

/// A gate that closes as soon as it can.
fn eager() -> Vad {
    Vad::new(0.5, 0.3)
}

#[test]
fn a_closing_gate_costs_no_phrase() {
    let room = demo("living-room.flac");
    let all = accepted(&room, None);
    let heard = accepted(&room, Some(eager()));
    assert!(!all.is_empty() && heard.len() == all.len(), "{all:?}, {heard:?}");
    for (with, without) in heard.iter().zip(&all) {
        assert!(
            (with.0 - without.0).abs() < 0.1 && (with.1 - without.1).abs() < 0.1,
            "{with:?}, {without:?}"
        );
    }
    // Positions are counted on while the gate is closed.
    let phrase = &room[16_000 * 5..16_000 * 8];
    let samples = [phrase, &[0.0; 16_000 * 10], phrase].concat();
    let heard = accepted(&samples, Some(eager()));
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!((heard[1].0 - heard[0].0 - 13.0).abs() < 0.2, "{heard:?}");
}
