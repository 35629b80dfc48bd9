//! Triangular mel filterbanks.

use std::ops::Range;

/// A filterbank over the bins of a power spectrum, stored sparsely.
pub(super) struct MelBank {
    bands: Vec<Band>,
}

struct Band {
    first: usize,
    weights: Vec<f32>,
}

/// Which mel scale spaces the bands.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// 1127 ln(1 + f / 700), as in HTK and Kaldi.
    Htk,
    /// Linear to 1 kHz, then logarithmic with a ratio of 6.4 over 27 steps (Slaney's Auditory Toolbox).
    Slaney,
}

impl Scale {
    fn to_mel(self, hz: f64) -> f64 {
        match self {
            Scale::Htk => 1127.0 * (1.0 + hz / 700.0).ln(),
            Scale::Slaney if hz < 1000.0 => hz * 3.0 / 200.0,
            Scale::Slaney => 15.0 + (hz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    fn to_hz(self, mel: f64) -> f64 {
        match self {
            Scale::Htk => 700.0 * ((mel / 1127.0).exp() - 1.0),
            Scale::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
            Scale::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// The axis on which the triangles' sides are straight, and their height.
#[derive(Clone, Copy)]
pub(super) enum Triangles {
    /// Straight in mel, height 1 (Kaldi).
    Mel,
    /// Straight in Hz, area 1 (librosa).
    HertzUnitArea,
}

impl MelBank {
    /// `bands` triangles over `range` Hz, for `fft_size / 2 + 1` bins at `rate` Hz.
    pub(super) fn new(
        bands: usize,
        range: Range<f64>,
        fft_size: usize,
        rate: usize,
        scale: Scale,
        shape: Triangles,
    ) -> Self {
        let (low, high) = (scale.to_mel(range.start), scale.to_mel(range.end));
        let step = (high - low) / (bands + 1) as f64;
        let bins = fft_size / 2 + 1;
        let build = |band: usize| {
            let mels = [0, 1, 2].map(|side| low + step * (band + side) as f64);
            let hertz = mels.map(|mel| scale.to_hz(mel));
            let weight = |bin: usize| {
                let hz = bin as f64 * rate as f64 / fft_size as f64;
                match shape {
                    Triangles::Mel => triangle(mels, scale.to_mel(hz)),
                    Triangles::HertzUnitArea => triangle(hertz, hz) * 2.0 / (hertz[2] - hertz[0]),
                }
            };
            let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            Band {
                first,
                weights: (first..bins).map(weight).take_while(|w| *w > 0.0).map(|w| w as f32).collect(),
            }
        };
        Self { bands: (0..bands).map(build).collect() }
    }

    pub(super) fn bands(&self) -> usize {
        self.bands.len()
    }

    /// Weighted sums of `power` into `out`, one value a band.
    pub(super) fn apply(&self, power: &[f32], out: &mut [f32]) {
        for (value, band) in out.iter_mut().zip(&self.bands) {
            let bins = &power[band.first..band.first + band.weights.len()];
            *value = super::frames::dot(bins, &band.weights);
        }
    }
}

/// Height at `x` of a triangle of height 1 over `[left, peak, right]`.
fn triangle([left, peak, right]: [f64; 3], x: f64) -> f64 {
    ((x - left) / (peak - left)).min((right - x) / (right - peak)).max(0.0)
}
