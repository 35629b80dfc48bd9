use super::Cohort;
use super::bank::{BankTracker, TemplateBank};
use super::cohort::{CohortTable, Member};
use super::score::{median, t_norm};
use crate::features::{Frames, mfcc};

/// Values of a row.
const DIM: usize = 6;
/// Frames of the template.
const ROWS: usize = 20;

/// Frames that look like no template: unit vectors in the dimensions that templates leave alone.
fn noise(seed: u32, rows: usize) -> Frames {
    let mut state = seed;
    let mut frames = Frames::new(DIM);
    for _ in 0..rows {
        for slot in &mut frames.push_zeroed()[2..] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *slot = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        }
    }
    frames.normalise_rows();
    frames
}

/// The template, spoken in `rows` frames: most of a turn in the first two dimensions.
fn spoken(rows: usize) -> Frames {
    let mut frames = Frames::new(DIM);
    for row in 0..rows {
        let angle = 5.7 * row as f32 / (rows - 1) as f32;
        let (sine, cosine) = angle.sin_cos();
        frames.push_zeroed()[..2].copy_from_slice(&[cosine, sine]);
    }
    frames
}

fn bank<'a>(templates: impl IntoIterator<Item = &'a Frames>) -> TemplateBank {
    TemplateBank::new(templates)
}

fn joined(parts: &[Frames]) -> Frames {
    Frames::from_vec(DIM, parts.iter().flat_map(Frames::as_slice).copied().collect())
}

/// The best match of the template when `rows` frames of it stand among noise.
fn found(rows: usize) -> (f32, usize, usize) {
    let stream = joined(&[noise(1, 30), spoken(rows), noise(2, 20)]);
    let best = bank([&spoken(ROWS)]).best_matches(&stream)[0];
    (best.cost, best.start, best.end)
}

#[test]
fn a_template_in_noise_is_found_in_place() {
    let (cost, start, end) = found(ROWS);
    assert!(cost.abs() < 1e-5, "{cost}");
    assert_eq!((start, end), (30, 30 + ROWS));
}

#[test]
fn half_and_double_tempo_are_found() {
    for rows in [ROWS / 2, ROWS * 2] {
        let (cost, start, end) = found(rows);
        assert!(cost < 0.05, "{rows} frames: {cost}");
        assert!(start.abs_diff(30) <= 2 && end.abs_diff(30 + rows) <= 2, "{rows} frames: {start}..{end}");
    }
}

#[test]
fn a_third_or_triple_tempo_does_not_match() {
    for rows in [ROWS / 3, ROWS * 3] {
        let (cost, ..) = found(rows);
        assert!(cost > 0.1, "{rows} frames: {cost}");
    }
}

#[test]
fn a_stream_that_is_too_short_does_not_match() {
    let bank = bank([&spoken(ROWS), &spoken(5)]);
    for rows in [0, 1, 2] {
        for found in bank.best_matches(&noise(3, rows)) {
            assert_eq!((found.cost, found.start, found.end), (f32::INFINITY, 0, 0), "{rows} frames");
        }
    }
    let aligned = |rows| bank.best_matches(&noise(3, rows)).iter().filter(|found| found.cost < 9.0).count();
    assert_eq!([aligned(3), aligned(ROWS / 2 - 1), aligned(ROWS / 2)], [1, 1, 2]);
}

#[test]
fn an_empty_bank_or_template_does_not_match() {
    assert!(bank([]).best_matches(&noise(1, 5)).is_empty());
    assert!(BankTracker::new(&bank([])).push(&bank([]), noise(1, 1).row(0)).is_empty());
    let empty = bank([&Frames::new(DIM)]);
    assert_eq!(empty.best_matches(&noise(1, 5))[0].cost, f32::INFINITY);
    assert_eq!((empty.len(), empty.longest(), bank([]).is_empty()), (1, 0, true));
}

#[test]
fn streamed_matching_equals_matching_at_once() {
    let templates = [spoken(ROWS), noise(5, 7), spoken(9)];
    let bank = bank(&templates);
    let stream = joined(&[noise(1, 13), spoken(16), noise(5, 7), noise(2, 11), spoken(31)]);
    let mut tracker = BankTracker::new(&bank);
    // After a reset, a tracker is as good as new.
    for frame in stream.iter().take(17) {
        tracker.push(&bank, frame);
    }
    tracker.reset();
    let mut best = vec![(f32::INFINITY, 0, 0); bank.len()];
    for (index, frame) in stream.iter().enumerate() {
        for (best, found) in best.iter_mut().zip(tracker.push(&bank, frame)) {
            if found.cost < best.0 {
                *best = (found.cost, found.start as usize, index + 1);
            }
        }
    }
    for (one, all) in best.iter().zip(bank.best_matches(&stream)) {
        assert!((one.0 - all.cost).abs() < 1e-5, "{one:?} {all:?}");
        assert_eq!((one.1, one.2), (all.start, all.end));
    }
}

#[test]
fn scores_without_an_alignment_are_finite() {
    let infinite = [f32::INFINITY; 10];
    let some = [0.1, f32::INFINITY, 0.2, f32::INFINITY, f32::INFINITY];
    let finite = [0.5; 10];
    for (templates, cohort) in [
        (&infinite[..], &finite[..]),
        (&finite, &infinite),
        (&infinite, &infinite),
        (&some, &finite),
        (&[f32::NAN; 3], &finite),
        (&[], &finite),
        (&finite, &[]),
    ] {
        assert_eq!(t_norm(templates, cohort), f32::NEG_INFINITY, "{templates:?} {cohort:?}");
    }
}

#[test]
fn scores_count_the_lowest_costs() {
    let templates = [0.9, 0.1, 0.3, 0.2, f32::INFINITY];
    let cohort = [0.9, 0.4, 0.6, 0.5, 0.7, 0.8, 0.3, f32::INFINITY];
    assert!((t_norm(&templates, &cohort) - (0.55 - 0.2)).abs() < 1e-6);
    assert!((t_norm(&[0.1], &[0.4, 0.6]) - 0.4).abs() < 1e-6);
}

#[test]
fn medians_of_even_counts_are_defined() {
    assert_eq!(
        [median(&[]), median(&[2.0]), median(&[3.0, 1.0]), median(&[9.0, 1.0, 2.0])],
        [0.0, 2.0, 2.0, 2.0]
    );
}

#[test]
fn a_cohort_of_the_wrong_shape_is_refused() {
    const VECTOR_DIM: usize = 96;
    let member = |vectors, cepstra| Member { vectors, cepstra };
    let frames = |dim: usize, rows: usize| Frames::from_vec(dim, vec![0.5; dim * rows]);
    let good = || member(frames(VECTOR_DIM, 3), frames(mfcc::DIM, 4));
    let refused = |mean: usize, members| {
        Cohort::new(&CohortTable { mean_vector: vec![0.0; mean], members }, VECTOR_DIM)
            .err()
            .unwrap_or_default()
    };
    assert_eq!(refused(VECTOR_DIM, vec![good(), good()]), "");
    assert!(refused(VECTOR_DIM - 1, vec![good()]).contains("95 values"));
    assert!(refused(VECTOR_DIM, Vec::new()).contains("no members"));
    for bad in [
        member(frames(VECTOR_DIM, 0), frames(mfcc::DIM, 4)),
        member(frames(VECTOR_DIM, 3), Frames::default()),
        member(frames(VECTOR_DIM, 3), frames(VECTOR_DIM, 3)),
    ] {
        assert!(refused(VECTOR_DIM, vec![good(), bad]).contains("member 1"));
    }
}
