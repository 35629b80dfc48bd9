//! The choice of what runs an encoder.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::Serialize;

use super::geometry::Geometry;
use super::network::{KeywordNetwork, SpeakerNetwork};
use super::onnx::{Graph, Unsupported};
use super::{keyword, limits, speaker, tract};

/// What runs an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Kernels for graphs like those that came with the program.
    Kernels,
    /// tract-onnx, which runs any graph.
    TractOnnx,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernels => "kernels",
            Self::TractOnnx => "tract-onnx",
        })
    }
}

/// Which runtime was chosen, and why.
#[derive(Debug)]
pub struct Choice {
    /// What runs the encoder.
    pub runtime: Runtime,
    /// Why the kernels cannot run it; `None` where they do.
    pub reason: Option<Unsupported>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            None => write!(f, "the kernels run it: they recognise the graph"),
            Some(reason) => write!(f, "{} runs it, because the kernels cannot: {reason}", self.runtime),
        }
    }
}

/// A model file that no runtime can use.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The file is damaged, too large, or no ONNX file.
    #[error("{encoder} encoder: {reason}")]
    File {
        /// `keyword` or `speaker`.
        encoder: &'static str,
        /// What is wrong with it.
        reason: Unsupported,
    },
    /// Neither the kernels nor tract-onnx can run the graph.
    #[error("{encoder} encoder: the kernels cannot run it ({kernels}) and neither can tract-onnx: {tract}")]
    Graph {
        /// `keyword` or `speaker`.
        encoder: &'static str,
        /// Why the kernels cannot.
        kernels: Unsupported,
        /// Why tract-onnx cannot.
        tract: String,
    },
    /// The manifest and the graph contradict each other.
    #[error(
        "{encoder} encoder: the manifest states {stated}, the graph turns {found}; correct [model.geometry]"
    )]
    Geometry {
        /// `keyword` or `speaker`.
        encoder: &'static str,
        /// What the manifest says.
        stated: Geometry,
        /// What the graph says.
        found: Geometry,
    },
}

/// An encoder with what was chosen to run it.
pub struct Encoder<N: ?Sized> {
    network: Box<N>,
    /// What runs it.
    pub choice: Choice,
}

/// The keyword encoder. Shared by all streams.
pub type KeywordNet = Encoder<dyn KeywordNetwork>;
/// The speaker encoder. Shared.
pub type SpeakerNet = Encoder<dyn SpeakerNetwork>;

impl<N: ?Sized> Deref for Encoder<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.network
    }
}

impl KeywordNet {
    /// Reads an ONNX graph from log-mel frames `[.., T, 32, ..]` to a vector. `stated` is what the manifest says of it;
    /// only a graph whose `T` is fixed does without.
    pub fn load(onnx: impl Into<Bytes>, stated: Option<Geometry>) -> Result<Self, InferenceError> {
        load::<dyn KeywordNetwork>(
            "keyword",
            onnx.into(),
            stated,
            |graph| Ok(Box::new(keyword::Kernels::new(graph)?)),
            |onnx, graph| Ok(Box::new(tract::KeywordGraph::new(onnx, graph, stated)?)),
            KeywordNetwork::geometry,
        )
    }
}

impl SpeakerNet {
    /// Reads an ONNX graph from filterbank frames `[.., T, 80, ..]` to an embedding. `stated` is what the manifest
    /// says of it; only a graph whose `T` is fixed does without.
    pub fn load(onnx: impl Into<Bytes>, stated: Option<Geometry>) -> Result<Self, InferenceError> {
        load::<dyn SpeakerNetwork>(
            "speaker",
            onnx.into(),
            stated,
            |graph| Ok(Box::new(speaker::Kernels::new(graph)?)),
            |onnx, graph| Ok(Box::new(tract::SpeakerGraph::new(onnx, graph, stated)?)),
            SpeakerNetwork::geometry,
        )
    }
}

/// Chooses the kernels where they recognise the graph as the manifest states it, else tract-onnx.
fn load<N: ?Sized>(
    encoder: &'static str,
    onnx: Bytes,
    stated: Option<Geometry>,
    kernels: impl FnOnce(&Graph) -> Result<Box<N>, Unsupported>,
    tract: impl FnOnce(Bytes, &Graph) -> Result<Box<N>, String>,
    geometry: fn(&N) -> Geometry,
) -> Result<Encoder<N>, InferenceError> {
    let graph = limits::check(&onnx).and_then(|()| Graph::read(onnx.clone()));
    let graph = graph.map_err(|reason| InferenceError::File { encoder, reason })?;
    let reason = match kernels(&graph) {
        Ok(network) => {
            let own = geometry(&network);
            if stated.is_none_or(|stated| stated == own) {
                return Ok(Encoder { network, choice: Choice { runtime: Runtime::Kernels, reason: None } });
            }
            Unsupported::Geometry(own)
        }
        Err(reason) => reason,
    };
    let network = match tract(onnx, &graph) {
        Ok(network) => network,
        Err(tract) => return Err(InferenceError::Graph { encoder, kernels: reason, tract }),
    };
    let found = geometry(&network);
    match stated {
        Some(stated) if stated != found => Err(InferenceError::Geometry { encoder, stated, found }),
        _ => Ok(Encoder { network, choice: Choice { runtime: Runtime::TractOnnx, reason: Some(reason) } }),
    }
}
