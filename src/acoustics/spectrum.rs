//! Filters over whole recordings, by way of their spectrum.

use std::cell::RefCell;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

thread_local! {
    /// Kept, since an enrolment filters many clips of few lengths.
    static PLANNER: RefCell<RealFftPlanner<f32>> = RefCell::new(RealFftPlanner::new());
}

/// Replaces `samples` by their convolution with `response`, cut to the same length.
pub fn convolve(samples: &mut [f32], response: &[f32]) {
    let length = (samples.len() + response.len()).next_power_of_two();
    let kernel = spectrum(response, length);
    filter(samples, length, |bin| kernel[bin]);
}

/// Lets frequencies between `low` and `high` through, as fractions of the sample rate; the edges fall off
/// within a tenth of `low` and of `high`.
pub fn band_pass(samples: &mut [f32], low: f32, high: f32) {
    let length = (2 * samples.len()).next_power_of_two();
    let edge = |above: f32, width: f32| (0.5 + above / width).clamp(0.0, 1.0);
    filter(samples, length, |bin| {
        let frequency = bin as f32 / length as f32;
        let gain = edge(frequency - low, low / 10.0) * edge(high - frequency, high / 10.0);
        Complex::new(gain, 0.0)
    });
}

fn spectrum(samples: &[f32], length: usize) -> Vec<Complex<f32>> {
    let forward = PLANNER.with_borrow_mut(|planner| planner.plan_fft_forward(length));
    let mut input = forward.make_input_vec();
    input[..samples.len()].copy_from_slice(samples);
    let mut output = forward.make_output_vec();
    // The lengths are the planner's own.
    let _ = forward.process(&mut input, &mut output);
    output
}

/// Multiplies the spectrum of `samples`, padded with zeros to `length`.
fn filter(samples: &mut [f32], length: usize, gain: impl Fn(usize) -> Complex<f32>) {
    let mut bins = spectrum(samples, length);
    bins.iter_mut().enumerate().for_each(|(bin, value)| *value *= gain(bin) / length as f32);
    let inverse = PLANNER.with_borrow_mut(|planner| planner.plan_fft_inverse(length));
    let mut output = inverse.make_output_vec();
    // First and last bin of a real signal have no imaginary part.
    for edge in [0, length / 2] {
        bins[edge].im = 0.0;
    }
    let _ = inverse.process(&mut bins, &mut output);
    samples.copy_from_slice(&output[..samples.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolution_by_spectrum_equals_the_sum() {
        let samples: Vec<f32> = (0..700).map(|n| ((n * n % 101) as f32 / 50.0) - 1.0).collect();
        let response: Vec<f32> = (0..90).map(|n| (n as f32 * 0.7).sin() / (n + 1) as f32).collect();
        let mut fast = samples.clone();
        convolve(&mut fast, &response);
        for n in 0..samples.len() {
            let sum: f32 = (0..response.len().min(n + 1)).map(|k| response[k] * samples[n - k]).sum();
            assert!((sum - fast[n]).abs() < 1e-4, "{n}: {sum} {}", fast[n]);
        }
    }

    #[test]
    fn a_band_stops_other_tones() {
        for (frequency, passes) in [(0.01, false), (0.05, true), (0.15, true), (0.3, false)] {
            let tone = |n: usize| (std::f32::consts::TAU * frequency * n as f32).sin();
            let mut samples: Vec<f32> = (0..8000).map(tone).collect();
            band_pass(&mut samples, 0.02, 0.2);
            let peak = samples[2000..6000].iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            assert!(if passes { peak > 0.9 } else { peak < 0.05 }, "{frequency}: {peak}");
        }
    }
}
