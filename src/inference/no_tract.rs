//! Stands for tract-onnx in a program that was built without it.

use bytes::Bytes;

use super::buffers::SpeakerBuffers;
use super::geometry::Geometry;
use super::network::{KeywordNetwork, KeywordStream, SpeakerNetwork};
use super::onnx::Graph;
use crate::features::Frames;

const REASON: &str = "this program is built without it; build it with the feature `onnx`";

/// Nothing: there is none.
pub enum KeywordGraph {}

/// Nothing: there is none.
pub enum SpeakerGraph {}

impl KeywordGraph {
    pub fn new(_: Bytes, _: &Graph, _: Option<Geometry>) -> Result<Self, String> {
        Err(REASON.into())
    }
}

impl SpeakerGraph {
    pub fn new(_: Bytes, _: &Graph, _: Option<Geometry>) -> Result<Self, String> {
        Err(REASON.into())
    }
}

impl KeywordNetwork for KeywordGraph {
    fn geometry(&self) -> Geometry {
        match *self {}
    }

    fn stream(&self, _: usize) -> Box<dyn KeywordStream> {
        match *self {}
    }
}

impl SpeakerNetwork for SpeakerGraph {
    fn geometry(&self) -> Geometry {
        match *self {}
    }

    fn embed<'a>(&self, _: &Frames, _: &'a mut SpeakerBuffers) -> &'a [f32] {
        match *self {}
    }
}
