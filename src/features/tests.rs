use super::level::{FLOOR_DBFS, dbfs, percentile, snr_db};
use super::{Frames, WINDOW, frame_count};

/// A tone of `seconds` whose level is `level` dBFS.
fn tone(seconds: f32, level: f32) -> Vec<f32> {
    let amplitude = 10f32.powf(level / 20.0) * 2f32.sqrt();
    (0..(seconds * 16_000.0) as usize).map(|n| amplitude * (n as f32 * 0.37).sin()).collect()
}

#[test]
fn levels_are_right_and_finite() {
    assert!((dbfs(&tone(1.0, -23.0)) + 23.0).abs() < 0.05);
    assert!(dbfs(&[1.0, -1.0, 1.0]).abs() < 1e-6);
    assert_eq!([dbfs(&[0.0; 100]), dbfs(&[])], [FLOOR_DBFS; 2]);
}

#[test]
fn signal_to_noise_ratios_are_close_and_positive() {
    let speech = [tone(0.5, -50.0), tone(0.5, -20.0), tone(0.5, -50.0)].concat();
    assert!((snr_db(&speech) - 24.0).abs() < 1.0, "{}", snr_db(&speech));
    // Without a pause, without sound, without a frame.
    for samples in [tone(1.0, -20.0), vec![0.0; 16_000], vec![0.5; WINDOW - 1], Vec::new()] {
        assert_eq!(snr_db(&samples), 0.0);
    }
}

#[test]
fn percentiles_lie_within_the_values() {
    let of = |values: &[f32], fraction| percentile(&mut values.to_vec(), fraction);
    let values = [4.0, 1.0, 3.0, 2.0, 5.0];
    assert_eq!([0.0, 0.25, 0.5, 1.0].map(|fraction| of(&values, fraction)), [1.0, 2.0, 3.0, 5.0]);
    assert_eq!([of(&values, -1.0), of(&values, 7.0)], [1.0, 5.0]);
    assert!((of(&values, 0.1) - 1.4).abs() < 1e-6);
    assert_eq!([of(&[], 0.5), of(&[7.0], 0.97)], [0.0, 7.0]);
}

#[test]
fn frames_end_with_the_samples() {
    assert_eq!([0, 399, 400, 559, 560].map(|samples| frame_count(samples, WINDOW)), [0, 0, 1, 1, 2]);
}

#[test]
fn constants_normalise_without_division_by_zero() {
    let mut frames = Frames::from_vec(2, vec![0.0, 0.0, 3.0, 4.0]);
    frames.normalise_rows();
    assert_eq!(frames.as_slice(), [0.0, 0.0, 0.6, 0.8]);
    let mut constant = Frames::from_vec(2, vec![1.0, 2.0, 1.0, 6.0]);
    constant.centre_columns();
    constant.scale_columns();
    assert_eq!(constant.as_slice(), [0.0, -1.0, 0.0, 1.0]);
    let mut none = Frames::new(3);
    none.centre_columns();
    none.scale_columns();
    assert_eq!((none.rows(), Frames::default().rows(), none.iter().count()), (0, 0, 0));
}
