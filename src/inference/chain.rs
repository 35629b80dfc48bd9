//! An ONNX file read as a chain of convolutions and poolings over time and bands.
//!
//! Only what the keyword encoder is made of is known, and all of it is checked: a file that says
//! anything else is refused, never run as if it had not said it.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};
use tract_onnx::prelude::{Framework, TractError};

/// Why a file is not the network that it should be.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// Not an ONNX file.
    #[error("not an ONNX file: {0:#}")]
    Unreadable(TractError),
    /// An operation that the network does not have.
    #[error("operation {index} is {operator}, which this network does not have")]
    Operator {
        /// Place in the file.
        index: usize,
        /// Its name in ONNX.
        operator: String,
    },
    /// An operation that works in another way than the network's.
    #[error("operation {index} ({operator}) has another {setting} than this network")]
    Setting {
        /// Place in the file.
        index: usize,
        /// Its name in ONNX.
        operator: String,
        /// What differs.
        setting: String,
    },
    /// Sizes that do not follow from each other.
    #[error("the sizes of layer {layer} do not fit this network")]
    Sizes {
        /// Convolutions and poolings before it.
        layer: usize,
    },
}

/// A layer as the file describes it.
pub enum Layer {
    /// A convolution with stride 1 and what follows it value by value.
    Convolution(Convolution),
    /// The maximum of each `time` x `bands` values, without overlap.
    MaxPool {
        /// Rows.
        time: usize,
        /// Values of a row.
        bands: usize,
    },
}

/// Output `o` at time `t` and band `b` is
/// `bias[o] + sum weights[o][i][dt][db] input[i][t + dt][b + db - pad]`, then the activation.
pub struct Convolution {
    /// `[output, input, time, bands]`.
    pub shape: [usize; 4],
    /// Row-major.
    pub weights: Vec<f32>,
    /// `[output]`.
    pub bias: Vec<f32>,
    /// Zeros on either side of the bands.
    pub pad: usize,
    /// What becomes of each output.
    pub activation: Activation,
}

/// `max(floor, x, slope x)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// For negative values, 0 to 1.
    pub slope: f32,
    /// Least output.
    pub floor: f32,
}

impl Activation {
    const NONE: Self = Self { slope: 1.0, floor: f32::NEG_INFINITY };
}

/// The layers of an ONNX file, first to last.
pub fn read(mut onnx: &[u8]) -> Result<Vec<Layer>, Misfit> {
    let model = tract_onnx::onnx().proto_model_for_read(&mut onnx).map_err(Misfit::Unreadable)?;
    let graph = model.graph.unwrap_or_default();
    let weights = graph.initializer.iter().map(|weight| (weight.name.as_str(), weight)).collect();
    let mut chain = Chain { weights, layers: Vec::new() };
    let mut value = graph.input.first().map_or("", |input| &input.name);
    for (index, proto) in graph.node.iter().enumerate() {
        let node = Node { index, proto };
        chain.take(&node, value)?;
        value = node.only_output()?;
    }
    ends(&graph, value)?;
    Ok(chain.layers)
}

fn ends(graph: &GraphProto, value: &str) -> Result<(), Misfit> {
    match &graph.output[..] {
        [output] if output.name == value && !graph.node.is_empty() => Ok(()),
        _ => Err(Misfit::Sizes { layer: graph.node.len() }),
    }
}

struct Chain<'a> {
    weights: HashMap<&'a str, &'a TensorProto>,
    layers: Vec<Layer>,
}

impl Chain<'_> {
    fn take(&mut self, node: &Node<'_>, value: &str) -> Result<(), Misfit> {
        if !node.proto.domain.is_empty() || node.proto.input.first().is_none_or(|input| input != value) {
            return Err(node.setting("input"));
        }
        match (node.proto.op_type.as_str(), self.layers.last_mut()) {
            ("Conv", _) => {
                let layer = self.convolution(node)?;
                self.layers.push(Layer::Convolution(layer));
            }
            ("MaxPool", _) => self.layers.push(max_pool(node)?),
            ("LeakyRelu", Some(Layer::Convolution(layer))) if layer.activation == Activation::NONE => {
                layer.activation.slope = leaky_slope(node)?;
            }
            ("Max", Some(Layer::Convolution(layer))) if layer.activation.floor == f32::NEG_INFINITY => {
                let floor = node.proto.input.get(1).and_then(|name| self.weights.get(name.as_str()));
                let floor = floor.and_then(|tensor| values(tensor));
                let [floor] = floor.as_deref().unwrap_or_default() else { return Err(node.setting("limit")) };
                layer.activation.floor = *floor;
            }
            (operator, _) => {
                return Err(Misfit::Operator { index: node.index, operator: operator.into() });
            }
        }
        Ok(())
    }

    fn convolution(&self, node: &Node<'_>) -> Result<Convolution, Misfit> {
        let tensor = |place: usize| {
            let tensor = self.weights.get(node.proto.input.get(place)?.as_str())?;
            Some((dims(tensor)?, values(tensor)?))
        };
        let (shape, weights) = tensor(1).ok_or_else(|| node.setting("weight"))?;
        let Ok(shape) = <[usize; 4]>::try_from(shape) else { return Err(node.setting("weight")) };
        let bias = match (node.proto.input.len(), tensor(2)) {
            (2, _) => vec![0.0; shape[0]],
            (3, Some((dims, bias))) if dims == [shape[0]] => bias,
            _ => return Err(node.setting("bias")),
        };
        let mut pad = 0;
        node.attributes(|name, ints, attribute| match name {
            "dilations" | "strides" => ints == [1, 1],
            "group" => attribute.i == 1,
            "auto_pad" => attribute.s == b"NOTSET",
            "kernel_shape" => *ints == shape[2..],
            "pads" => {
                pad = ints.get(1).copied().unwrap_or(0);
                ints == [0, pad, 0, pad] && pad < shape[3].max(1)
            }
            _ => false,
        })?;
        Ok(Convolution { shape, weights, bias, pad, activation: Activation::NONE })
    }
}

fn max_pool(node: &Node<'_>) -> Result<Layer, Misfit> {
    let (mut kernel, mut strides) = (Vec::new(), Vec::new());
    node.attributes(|name, ints, _| match name {
        "kernel_shape" => {
            kernel = ints.to_vec();
            true
        }
        "strides" => {
            strides = ints.to_vec();
            true
        }
        "pads" => ints == [0; 4],
        _ => false,
    })?;
    match kernel[..] {
        [time, bands] if time > 0 && bands > 0 && kernel == strides => Ok(Layer::MaxPool { time, bands }),
        _ => Err(node.setting("kernel_shape")),
    }
}

fn leaky_slope(node: &Node<'_>) -> Result<f32, Misfit> {
    // What ONNX says of a LeakyRelu that does not say.
    let mut slope = 0.01;
    node.attributes(|name, _, attribute| {
        slope = attribute.f;
        name == "alpha" && (0.0..1.0).contains(&slope)
    })?;
    Ok(slope)
}

struct Node<'a> {
    index: usize,
    proto: &'a NodeProto,
}

impl<'a> Node<'a> {
    fn setting(&self, setting: &str) -> Misfit {
        let operator = self.proto.op_type.clone();
        Misfit::Setting { index: self.index, operator, setting: setting.into() }
    }

    /// Fails with the first attribute that is not `fine`; that gets its name, its integers if none is
    /// negative, and all of it.
    fn attributes(
        &self,
        mut fine: impl FnMut(&str, &[usize], &tract_onnx::pb::AttributeProto) -> bool,
    ) -> Result<(), Misfit> {
        for attribute in &self.proto.attribute {
            let ints: Option<Vec<_>> = attribute.ints.iter().map(|int| usize::try_from(*int).ok()).collect();
            if !ints.is_some_and(|ints| fine(&attribute.name, &ints, attribute)) {
                return Err(self.setting(&attribute.name));
            }
        }
        Ok(())
    }

    fn only_output(&self) -> Result<&'a str, Misfit> {
        match &self.proto.output[..] {
            [output] => Ok(output),
            _ => Err(self.setting("output")),
        }
    }
}

fn dims(tensor: &TensorProto) -> Option<Vec<usize>> {
    tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect()
}

/// The values of a tensor of f32, if it holds as many as its shape says.
fn values(tensor: &TensorProto) -> Option<Vec<f32>> {
    let count = dims(tensor)?.iter().try_fold(1usize, |count, dim| count.checked_mul(*dim))?;
    let (bytes, rest) = tensor.raw_data.as_chunks::<4>();
    let whole = tensor.data_type == DataType::Float as i32 && bytes.len() == count && rest.is_empty();
    whole.then(|| bytes.iter().map(|four| f32::from_le_bytes(*four)).collect())
}
