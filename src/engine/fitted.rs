//! Written by `models/fit/fit.py --write`, which says how; docs/accuracy.md says on what and how well it does.

use super::weights::Fusion;

/// Weights and limits for the built-in encoders.
pub const FITTED: Fusion = Fusion {
    cepstral: 0.343,
    cepstral_limit: 0.800,
    constant: 0.405,
    cosine: 1.082,
    cosine_limit: 0.600,
    keyword: 0.756,
    near_cepstral: 0.917,
    near_cepstral_limit: 0.050,
    near_keyword: 1.134,
    near_keyword_limit: 0.100,
    noise: 0.222,
    noise_limit: 0.254,
    phrase_voice: 1.740,
    phrase_voice_limit: 0.650,
    phrase_voice_noise: 0.120,
    pitch: 1.277,
    pitch_limit: 0.030,
    pitch_seconds: 0.600,
    segment: 1.130,
    segment_limit: 0.050,
    short: 0.519,
    short_seconds: 0.650,
};
