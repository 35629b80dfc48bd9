//! An ONNX file read as a chain of convolutions and poolings over time and bands: the keyword encoder.

use std::collections::HashMap;

use bytes::Bytes;

use super::conv::{Activation, Convolution};
use super::onnx::{Graph, Misfit, Node, Tensor, Window};

/// A layer as the file describes it.
pub enum Layer {
    /// A convolution with stride 1 that does not pad time, and what follows it value by value.
    Convolution(Convolution),
    /// The maximum of each `time` x `bands` values, without overlap.
    MaxPool {
        /// Rows.
        time: usize,
        /// Values of a row.
        bands: usize,
    },
}

/// The layers of an ONNX file, first to last.
pub fn read(onnx: Bytes) -> Result<Vec<Layer>, Misfit> {
    let graph = Graph::read(onnx)?;
    let constants = graph.initializer.iter().map(|constant| (constant.name.as_str(), constant)).collect();
    let mut chain = Chain { constants, layers: Vec::new() };
    let mut value = graph.input.first().map_or("", |input| &input.name);
    for (index, node) in graph.node.iter().enumerate() {
        chain.take(index, node, value)?;
        value = node.only_output(index)?;
    }
    match &graph.output[..] {
        [output] if output.name == value && !graph.node.is_empty() => Ok(chain.layers),
        _ => Err(Misfit::Sizes { layer: graph.node.len() }),
    }
}

struct Chain<'a> {
    constants: HashMap<&'a str, &'a Tensor>,
    layers: Vec<Layer>,
}

impl Chain<'_> {
    fn take(&mut self, index: usize, node: &Node, value: &str) -> Result<(), Misfit> {
        if !node.domain.is_empty() || node.input.first().is_none_or(|input| input != value) {
            return Err(node.setting(index, "input"));
        }
        match (node.operator.as_str(), self.layers.last_mut()) {
            ("Conv", _) => {
                let layer = self.convolution(index, node)?;
                self.layers.push(Layer::Convolution(layer));
            }
            ("MaxPool", _) => self.layers.push(max_pool(index, node)?),
            ("LeakyRelu", Some(Layer::Convolution(layer))) if layer.activation == Activation::NONE => {
                layer.activation.slope = leaky_slope(index, node)?;
            }
            ("Max", Some(Layer::Convolution(layer))) if layer.activation.floor == f32::NEG_INFINITY => {
                let floor = node.input.get(1).and_then(|name| self.constants.get(name.as_str()));
                let floor = floor.and_then(|tensor| tensor.f32s());
                let [floor] = floor.as_deref().unwrap_or_default() else {
                    return Err(node.setting(index, "limit"));
                };
                layer.activation.floor = *floor;
            }
            (operator, _) => return Err(Misfit::Operator { index, operator: operator.into() }),
        }
        Ok(())
    }

    fn convolution(&self, index: usize, node: &Node) -> Result<Convolution, Misfit> {
        let misfit = |setting| node.setting(index, setting);
        let tensor = |place: usize| self.constants.get(node.input.get(place)?.as_str());
        let weight = tensor(1).and_then(|tensor| Some((tensor.dims()?, tensor.weights()?)));
        let (shape, weights) = weight.ok_or_else(|| misfit("weight"))?;
        let Ok(shape) = <[usize; 4]>::try_from(shape) else { return Err(misfit("weight")) };
        let bias = match node.input.len() {
            2 => Some(vec![0.0; shape[0]]),
            _ => tensor(2).and_then(|tensor| tensor.f32s()).filter(|bias| bias.len() == shape[0]),
        };
        let bias = bias.filter(|_| node.input.len() <= 3).ok_or_else(|| misfit("bias"))?;
        let mut window = node.window(index, &shape[2..])?;
        let pad = window.pads[1];
        if window != (Window { pads: [0, pad], ..Window::PLAIN }) || pad >= shape[3].max(1) {
            return Err(misfit("strides, dilations or pads"));
        }
        // An output comes with the last row that it sees: before it are those kept from earlier.
        window.pads[0] = shape[2].saturating_sub(1);
        Ok(Convolution { window, ..Convolution::new(shape, weights, bias) })
    }
}

fn max_pool(index: usize, node: &Node) -> Result<Layer, Misfit> {
    let (mut kernel, mut strides) = (Vec::new(), Vec::new());
    node.attributes(index, |name, ints, _| match name {
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
        _ => Err(node.setting(index, "kernel_shape")),
    }
}

fn leaky_slope(index: usize, node: &Node) -> Result<f32, Misfit> {
    // What ONNX says of a LeakyRelu that does not say.
    let mut slope = 0.01;
    node.attributes(index, |name, _, attribute| {
        slope = attribute.f;
        name == "alpha" && (0.0..1.0).contains(&slope)
    })?;
    Ok(slope)
}
