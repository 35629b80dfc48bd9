use super::phrase_span;

const RATE: usize = 16_000;

/// Noise of `seconds` at `level` dBFS.
fn noise(seconds: f32, level: f32) -> Vec<f32> {
    let amplitude = 10f32.powf(level / 20.0) * 3f32.sqrt();
    let mut state = 12_345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..(seconds * RATE as f32) as usize).map(|_| amplitude * next()).collect()
}

/// A quiet room in which sounds stand, each with its first second, its length in seconds and its level.
fn room(seconds: f32, sounds: &[(f32, f32, f32)]) -> Vec<f32> {
    let mut room = noise(seconds, -60.0);
    for &(start, length, level) in sounds {
        let start = (start * RATE as f32) as usize;
        for (slot, sample) in room[start..].iter_mut().zip(noise(length, level)) {
            *slot += sample;
        }
    }
    room
}

/// The phrase found in `take`, in seconds.
#[track_caller]
fn found(take: &[f32]) -> (f32, f32) {
    let span = phrase_span(take).unwrap();
    assert!(span.start < span.end && span.end <= take.len());
    (span.start as f32 / RATE as f32, span.end as f32 / RATE as f32)
}

#[track_caller]
fn assert_found(take: &[f32], start: f32, end: f32) {
    let (from, to) = found(take);
    assert!((start - 0.15..=start).contains(&from), "{from}, not {start}");
    assert!((end..=end + 0.2).contains(&to), "{to}, not {end}");
}

#[test]
fn a_phrase_is_found_in_its_surroundings() {
    assert_found(&room(2.0, &[(0.7, 0.6, -25.0)]), 0.7, 1.3);
    assert_found(&room(4.0, &[(3.0, 0.5, -45.0)]), 3.0, 3.5);
}

#[test]
fn a_click_is_no_part_of_the_phrase() {
    let clicks = [(0.1, 0.005, -10.0), (0.8, 0.6, -25.0), (1.9, 0.01, -10.0)];
    assert_found(&room(2.2, &clicks), 0.8, 1.4);
}

#[test]
fn a_weak_ending_belongs_to_the_phrase() {
    let (_, end) = found(&room(2.0, &[(0.7, 0.5, -25.0), (1.2, 0.08, -49.0)]));
    assert!(end >= 1.28, "{end}");
}

#[test]
fn a_short_pause_does_not_split_a_phrase() {
    assert_found(&room(2.5, &[(0.5, 0.4, -25.0), (1.1, 0.4, -30.0)]), 0.5, 1.5);
}

#[test]
fn pauses_of_up_to_a_second_belong_to_the_phrase() {
    for pause in [0.4, 0.6, 0.9] {
        let second = 0.5 + 0.4 + pause;
        assert_found(&room(4.0, &[(0.5, 0.4, -25.0), (second, 0.5, -30.0)]), 0.5, second + 0.5);
    }
    // Three parts, the second of them quiet, each after half a second.
    let parts = [(0.5, 0.3, -25.0), (1.3, 0.3, -32.0), (2.1, 0.4, -25.0)];
    assert_found(&room(4.0, &parts), 0.5, 2.5);
}

#[test]
fn a_breath_in_the_pause_does_not_split_a_phrase() {
    let parts = [(0.5, 0.4, -25.0), (1.15, 0.1, -48.0), (1.6, 0.4, -25.0)];
    assert_found(&room(3.0, &parts), 0.5, 2.0);
}

#[test]
fn a_knock_or_a_breath_beside_the_phrase_stays_outside() {
    assert_found(&room(3.0, &[(0.4, 0.08, -30.0), (1.1, 0.7, -25.0)]), 1.1, 1.8);
    assert_found(&room(3.0, &[(0.5, 0.7, -25.0), (1.8, 0.2, -48.0)]), 0.5, 1.2);
}

#[test]
fn a_distant_word_is_no_part_of_the_phrase() {
    assert_found(&room(4.0, &[(0.5, 0.2, -25.0), (1.8, 0.8, -25.0)]), 1.8, 2.6);
}

#[test]
fn audio_without_speech_has_no_phrase() {
    let square: Vec<f32> = (0..RATE).map(|n| if n % 100 < 50 { 1.0 } else { -1.0 }).collect();
    let takes = [vec![], vec![0.5; 399], vec![0.0; RATE], vec![1.0; RATE], noise(2.0, -30.0), square];
    for take in &takes {
        assert_eq!(phrase_span(take), None);
    }
    assert_eq!(phrase_span(&room(1.0, &[(0.5, 0.005, -10.0)])), None);
}

#[test]
fn a_phrase_at_an_edge_ends_with_the_take() {
    let (start, _) = found(&room(1.5, &[(0.0, 0.5, -25.0)]));
    let (_, end) = found(&room(1.5, &[(1.0, 0.5, -25.0)]));
    assert_eq!((start, end), (0.0, 1.5));
}
