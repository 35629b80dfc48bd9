//! What is fitted to recordings.

/// Weights and limits that were fitted to recordings, for one pair of encoders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fusion {
    /// Added to every score, so that the threshold is what it was.
    pub constant: f32,
    /// Weight of the keyword score.
    pub keyword: f32,
    /// Weight of the cepstral score, and from where on it counts no more.
    pub cepstral: f32,
    pub cepstral_limit: f32,
    /// Weight of the speaker cosine, and from where on it counts no more.
    pub cosine: f32,
    pub cosine_limit: f32,
    /// What noise makes up for, for each 10 dB below a quiet room, and the most of it.
    pub noise: f32,
    pub noise_limit: f32,
    /// Weight of a pitch that moves otherwise than in the takes, and from which deviation on it counts.
    pub pitch: f32,
    pub pitch_limit: f32,
    /// Seconds beyond which the pitch counts less, in inverse proportion: people say long phrases in many ways.
    pub pitch_seconds: f32,
    /// Weight of what the cosine over the whole phrase lacks to its limit, and by how much the limit falls in noise.
    pub phrase_voice: f32,
    pub phrase_voice_limit: f32,
    pub phrase_voice_noise: f32,
    /// Weight of what the worst part of the words costs more than this.
    pub segment: f32,
    pub segment_limit: f32,
    /// Weights of what a candidate lacks to lie clearly on the side of the takes, not of near words.
    pub near_keyword: f32,
    pub near_keyword_limit: f32,
    pub near_cepstral: f32,
    pub near_cepstral_limit: f32,
    /// Weight of each second that a phrase is shorter than this.
    pub short: f32,
    pub short_seconds: f32,
}
