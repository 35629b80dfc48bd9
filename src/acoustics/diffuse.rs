//! Diffuse reverberation: the direct sound, and after it decaying noise (J.-D. Polack, 1988). It is quicker than the
//! image method, and stands for no room in particular.

use super::spectrum::convolve;
use crate::features::SAMPLE_RATE;

/// Energy of the reverberation for one of the direct sound: 2 m away in a room of 50 m3 that rings for half a
/// second, the distance of equal energies being .57 m.
const REVERBERANT: f64 = 12.3;

/// `samples` (16 kHz mono) as heard two metres away in a room in which sound falls by 60 dB in `rt60` seconds: as
/// long, on the whole as loud, and always the same.
pub fn reverberated(samples: &[f32], rt60: f32) -> Vec<f32> {
    let mut out = samples.to_vec();
    convolve(&mut out, &response(f64::from(rt60)));
    out
}

fn response(rt60: f64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(0);
    let decay = |n: usize| (-3.0 * std::f64::consts::LN_10 * n as f64 / (rt60 * SAMPLE_RATE as f64)).exp();
    let tail: Vec<f64> =
        (1..(rt60 * SAMPLE_RATE as f64) as usize).map(|n| (random.f64() - 0.5) * decay(n)).collect();
    let energy: f64 = tail.iter().map(|x| x * x).sum();
    let gain = (REVERBERANT / energy / (1.0 + REVERBERANT)).sqrt();
    let direct = (1.0 / (1.0 + REVERBERANT)).sqrt();
    std::iter::once(direct).chain(tail.iter().map(|x| x * gain)).map(|x| x as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_its_length_and_weight() {
        for rt60 in [0.3, 0.5] {
            let response = response(rt60);
            let energy = |part: &[f32]| part.iter().map(|x| f64::from(x * x)).sum::<f64>();
            assert!((energy(&response) - 1.0).abs() < 1e-3);
            let ratio = energy(&response[1..]) / energy(&response[..1]);
            assert!((ratio / REVERBERANT - 1.0).abs() < 1e-3, "{ratio}");
            // After a third of the time what is still to come is 20 dB below all of it.
            let left = energy(&response[response.len() / 3..]) / energy(&response[1..]);
            assert!((-22.0..-18.0).contains(&(10.0 * left.log10())), "{left}");
        }
    }
}
