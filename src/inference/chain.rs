//! An ONNX file read as a chain of convolutions and poolings over time and bands: the keyword encoder.

use std::collections::HashMap;

use super::layer::{Activation, Convolution, Window};
use super::onnx::{Graph, Node, Tensor, Unsupported};

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

/// A graph of layers one after the other.
#[derive(Default)]
pub struct Chain {
    /// First to last.
    pub layers: Vec<Layer>,
    /// Rows and bands of the only input that a graph takes which reshapes it to `[N, 1, rows, bands]`.
    pub window: Option<[usize; 2]>,
    /// Values of an output that the graph reshapes.
    pub reshaped: Option<usize>,
}

/// Reads the layers of a graph.
pub fn read(graph: &Graph) -> Result<Chain, Unsupported> {
    let constants = graph.initializer.iter().map(|constant| (constant.name.as_str(), constant)).collect();
    let mut reader = Reader { constants, chain: Chain::default() };
    let mut value = graph.input.first().map_or("", |input| &input.name);
    for (index, node) in graph.node.iter().enumerate() {
        reader.take(index, node, value)?;
        value = node.only_output(index)?;
    }
    match &graph.output[..] {
        [output] if output.name == value && !graph.node.is_empty() => Ok(reader.chain),
        _ => Err(Unsupported::Sizes { layer: graph.node.len() }),
    }
}

struct Reader<'a> {
    constants: HashMap<&'a str, &'a Tensor>,
    chain: Chain,
}

impl<'a> Reader<'a> {
    fn take(&mut self, index: usize, node: &Node, value: &str) -> Result<(), Unsupported> {
        if !node.domain.is_empty() || node.input.first().is_none_or(|input| input != value) {
            return Err(node.setting(index, "input"));
        }
        if self.chain.reshaped.is_some() {
            return Err(Unsupported::Operator { index, operator: node.operator.clone() });
        }
        let second = self.constant(node, 1);
        match (node.operator.as_str(), self.chain.layers.last_mut()) {
            ("Conv", _) => {
                let layer = self.convolution(index, node)?;
                self.chain.layers.push(Layer::Convolution(layer));
            }
            ("MaxPool", _) => self.chain.layers.push(max_pool(index, node)?),
            ("Reshape", last) => {
                let is_first = last.is_none() && self.chain.window.is_none();
                let unsupported = || node.setting(index, "shape");
                let shape = second.and_then(Tensor::i64s).ok_or_else(unsupported)?;
                let size = |size: i64| usize::try_from(size).ok().filter(|size| *size > 0);
                match (is_first, &shape[..]) {
                    (true, &[-1 | 1, 1, rows, bands]) => {
                        self.chain.window = size(rows).zip(size(bands)).map(|(rows, bands)| [rows, bands]);
                        self.chain.window.ok_or_else(unsupported)?;
                    }
                    (false, &[-1 | 1, 1, 1, values] | &[-1 | 1, values]) => {
                        self.chain.reshaped = Some(size(values).ok_or_else(unsupported)?);
                    }
                    _ => return Err(unsupported()),
                }
            }
            ("LeakyRelu", Some(Layer::Convolution(layer))) if layer.activation == Activation::NONE => {
                layer.activation.slope = leaky_slope(index, node)?;
            }
            ("Max", Some(Layer::Convolution(layer))) if layer.activation.floor == f32::NEG_INFINITY => {
                let floor = second.and_then(Tensor::f32s);
                let [floor] = floor.as_deref().unwrap_or_default() else {
                    return Err(node.setting(index, "limit"));
                };
                layer.activation.floor = *floor;
            }
            (operator, _) => return Err(Unsupported::Operator { index, operator: operator.into() }),
        }
        Ok(())
    }

    /// Input `place` of an operation, if it is a constant.
    fn constant(&self, node: &Node, place: usize) -> Option<&'a Tensor> {
        self.constants.get(node.input.get(place)?.as_str()).copied()
    }

    fn convolution(&self, index: usize, node: &Node) -> Result<Convolution, Unsupported> {
        let unsupported = |setting| node.setting(index, setting);
        let tensor = |place| self.constant(node, place);
        let weight = tensor(1).and_then(|tensor| Some((tensor.dims()?, tensor.weights()?)));
        let (shape, weights) = weight.ok_or_else(|| unsupported("weight"))?;
        let Ok(shape) = <[usize; 4]>::try_from(shape) else { return Err(unsupported("weight")) };
        let bias = match node.input.len() {
            2 => Some(vec![0.0; shape[0]]),
            _ => tensor(2).and_then(Tensor::f32s).filter(|bias| bias.len() == shape[0]),
        };
        let bias = bias.filter(|_| node.input.len() <= 3).ok_or_else(|| unsupported("bias"))?;
        let mut window = node.window(index, &shape[2..])?;
        let pad = window.pads[1];
        if window != (Window { pads: [0, pad], ..Window::PLAIN }) || pad >= shape[3].max(1) {
            return Err(unsupported("strides, dilations or pads"));
        }
        // An output comes with the last row that it sees: before it are those kept from earlier.
        window.pads[0] = shape[2].saturating_sub(1);
        Ok(Convolution { window, ..Convolution::new(shape, weights, bias) })
    }
}

fn max_pool(index: usize, node: &Node) -> Result<Layer, Unsupported> {
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

fn leaky_slope(index: usize, node: &Node) -> Result<f32, Unsupported> {
    // What ONNX says of a LeakyRelu that does not say.
    let mut slope = 0.01;
    node.attributes(index, |name, _, attribute| {
        slope = attribute.f;
        name == "alpha" && (0.0..1.0).contains(&slope)
    })?;
    Ok(slope)
}
