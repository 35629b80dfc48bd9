//! The bundled cohort: stretches of general speech against which every score is normalised.

use serde::{Deserialize, Serialize};

use super::bank::TemplateBank;
use crate::features::{Frames, mfcc};

/// Features of general speech as stored in `models/cohort.bin`. Holds no audio.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CohortTable {
    /// Mean keyword vector over general speech.
    pub mean_vector: Vec<f32>,
    /// One entry a stretch of speech.
    pub members: Vec<Member>,
}

/// One word-long stretch of speech.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Centred keyword vectors of unit length, `[n, dimension]`.
    pub vectors: Frames,
    /// Cepstra, `[n, 39]`.
    pub cepstra: Frames,
}

/// The cohort made ready for matching.
pub struct Cohort {
    mean_vector: Vec<f32>,
    /// Keyword vectors of all members.
    pub vectors: TemplateBank,
    /// Cepstra of all members.
    pub cepstra: TemplateBank,
}

impl Cohort {
    /// Checks the shapes of `table` for an encoder of vectors of `dimension` values, and stacks its members; the error
    /// says what is wrong.
    pub fn new(table: &CohortTable, dimension: usize) -> Result<Self, String> {
        if table.mean_vector.len() != dimension {
            return Err(format!("its mean vector has {} values, not {dimension}", table.mean_vector.len()));
        }
        if table.members.is_empty() {
            return Err("it has no members".into());
        }
        for (index, member) in table.members.iter().enumerate() {
            let parts = [(&member.vectors, dimension), (&member.cepstra, mfcc::DIM)];
            if parts.iter().any(|(frames, dim)| frames.dim() != *dim || frames.is_empty()) {
                return Err(format!("member {index} has the wrong shape"));
            }
        }
        let stack = |part: fn(&Member) -> &Frames| TemplateBank::new(table.members.iter().map(part));
        Ok(Self {
            mean_vector: table.mean_vector.clone(),
            vectors: stack(|m| &m.vectors),
            cepstra: stack(|m| &m.cepstra),
        })
    }

    /// Makes a raw keyword vector comparable: less the mean of general speech, of unit length.
    pub fn centre(&self, vector: &mut [f32]) {
        vector.iter_mut().zip(&self.mean_vector).for_each(|(x, mean)| *x -= mean);
        crate::features::frames::normalise(vector);
    }
}
