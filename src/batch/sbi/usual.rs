//! What a recording of a phrase usually reaches, which differs from voice to voice and from microphone to microphone.

use crate::features::frames::dot;

/// How much less like a recording's voice a take's must be, as a difference of cosines, to count e times less.
const REACH: f32 = 0.1;
/// What is usual for all takes counts as much as a single take whose voice is this near.
const NEARNESS_OF_ALL: f32 = 0.4;

/// What the takes of a list reach against each other, by their voices.
pub struct Usual<'a> {
    /// Voice of each take, `[192]` of unit length, and what takes of its profile reach.
    takes: Vec<(&'a [f32], f32)>,
    of_all: f32,
}

impl<'a> Usual<'a> {
    /// From the voice of every take and what takes of its profile reach.
    pub fn new(takes: Vec<(&'a [f32], f32)>) -> Self {
        let of_all = takes.iter().map(|(_, reached)| reached).sum::<f32>() / takes.len().max(1) as f32;
        Self { takes, of_all }
    }

    /// What is usual for `voice`: the mean over all takes, each weighted by how near its voice is (a kernel
    /// regression). For a voice like no other it is the mean of all.
    pub fn of(&self, voice: &[f32]) -> f32 {
        let weight = |cosine: f32| ((cosine - 1.0) / REACH).exp();
        let (mut sum, mut total) = (weight(NEARNESS_OF_ALL) * self.of_all, weight(NEARNESS_OF_ALL));
        for (take, reached) in &self.takes {
            let weight = weight(dot(take, voice));
            sum += weight * reached;
            total += weight;
        }
        sum / total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_voices_are_measured_by_their_own_takes() {
        let voice = |place: usize| -> Vec<f32> { (0..192).map(|i| f32::from(i == place)).collect() };
        let (clear, muffled, stranger) = (voice(0), voice(1), voice(2));
        let usual = Usual::new(vec![(&clear, 0.6), (&clear, 0.6), (&muffled, 0.3), (&muffled, 0.3)]);
        for (voice, expected) in [(&clear, 0.6), (&muffled, 0.3), (&stranger, 0.45)] {
            let found = usual.of(voice);
            assert!((found - expected).abs() < 0.01, "{found} instead of {expected}");
        }
    }
}
