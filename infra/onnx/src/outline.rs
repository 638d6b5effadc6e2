//! What a network computes, read off its graph before anything runs: which nodes the answer needs, the shape of every
//! value between, and how much there is to do for a row. The file may come from anybody.

use std::collections::{BTreeSet, HashMap};

use prost::Message as _;

use crate::error::{OnnxError, Result};
use crate::proto::{
    AttributeProto, Dimension, FLOAT, GraphProto, INT64, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use crate::wire;

/// The most numbers a value may hold for a row, and the most that a constant may be computed to.
const MAX_WIDTH: usize = 1 << 16;

/// The most multiplications for a row. Nodes may share their weights, so the size of the file is no bound.
const MAX_WORK: usize = 1 << 24;

/// What one number of a node that is no matrix product counts as, for each of its inputs: a power is that slow.
const WORK_OF_A_NUMBER: usize = 64;

/// The most numbers of an answer.
const MAX_OUTPUTS: usize = 1024;

/// The most dimensions of a value.
const MAX_RANK: usize = 8;

/// The most nodes of a network.
const MAX_NODES: usize = 4096;

/// What to do about a network that is not a plain one.
const PLAIN: &str = "export a feed-forward network: one input [rows, features] and one output, in single precision";

/// Nodes that replace each number of their first input, or normalize a row; the other inputs are constants.
const ELEMENTWISE: [&str; 27] = [
    "Abs",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Sigmoid",
    "Sign",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tanh",
];

/// Nodes that combine the numbers at the same place.
const PAIRWISE: [&str; 9] = ["Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum"];

/// A dimension of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dim {
    /// One for each row of the table. Only the first dimension is this one.
    Rows,
    Of(usize),
}

type Shape = Vec<Dim>;

/// What is known of a network whose every value has a known shape.
pub(crate) struct Outline {
    /// The network, with what the answer needs and no more.
    pub(crate) network: Vec<u8>,
    /// How many numbers a row has at the start.
    pub(crate) n_features: usize,
    /// How many numbers a row has at the end.
    pub(crate) n_outputs: usize,
    /// How many numbers are made for a row, all layers together.
    pub(crate) n_numbers: usize,
}

/// Reads a network and checks all of it.
pub(crate) fn outline(bytes: &[u8]) -> Result<Outline> {
    wire::check(bytes)?;
    let mut model = ModelProto::decode(bytes).map_err(|_| OnnxError::NotOnnx("its bytes cannot be decoded"))?;
    let graph = model.graph.as_mut().ok_or(OnnxError::NotOnnx("it holds no graph"))?;
    keep_the_answer(graph)?;
    let n_features = open_input(graph)?;
    let mut shapes = Shapes::of_constants(graph)?;
    shapes.add(&name_of(graph.input.first()), vec![Dim::Rows, Dim::Of(n_features)])?;
    let (mut n_numbers, mut work) = (n_features, 0);
    for node in &graph.node {
        let shape = shapes.after(node)?;
        let made = within_limits(node, &shape)?;
        work += made * shapes.work_of_a_number(node);
        n_numbers += made;
        shapes.add(node.output.first().map_or("", String::as_str), shape)?;
    }
    if work > MAX_WORK {
        let what = format!("takes {work} multiplications for a row, more than {MAX_WORK}");
        return Err(OnnxError::unsupported(what, "make it smaller"));
    }
    let n_outputs = match shapes.of(&name_of(graph.output.first()))?.as_slice() {
        [Dim::Rows] => 1,
        [Dim::Rows, Dim::Of(n)] => *n,
        _ => return Err(OnnxError::unsupported("does not answer with one row of numbers per row", PLAIN)),
    };
    if n_outputs > MAX_OUTPUTS {
        let what = format!("answers with {n_outputs} numbers for a row, more than {MAX_OUTPUTS}");
        return Err(OnnxError::unsupported(what, "make it smaller"));
    }
    Ok(Outline { network: model.encode_to_vec(), n_features, n_outputs, n_numbers })
}

fn name_of(value: Option<&ValueInfoProto>) -> String {
    value.map(|value| value.name.clone()).unwrap_or_default()
}

fn is_single(value: &ValueInfoProto) -> bool {
    let tensor = value.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    tensor.is_some_and(|tensor| tensor.elem_type == FLOAT)
}

/// Keeps the one output that is numbers, as a classifier's probabilities are and its labels are not, and what leads to it.
fn keep_the_answer(graph: &mut GraphProto) -> Result<()> {
    if graph.node.len() > MAX_NODES {
        let what = format!("has {} nodes, more than {MAX_NODES}", graph.node.len());
        return Err(OnnxError::unsupported(what, PLAIN));
    }
    graph.output.retain(is_single);
    if graph.output.len() != 1 {
        let what = format!("has {} outputs in single precision", graph.output.len());
        return Err(OnnxError::unsupported(what, PLAIN));
    }
    let mut needed = BTreeSet::from([name_of(graph.output.first())]);
    let mut kept = Vec::new();
    for node in graph.node.drain(..).rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            needed.extend(node.input.iter().filter(|input| !input.is_empty()).cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    // Older files list their constants among the inputs too.
    let constants: BTreeSet<_> = graph.initializer.iter().map(|constant| constant.name.as_str()).collect();
    graph.input.retain(|input| !constants.contains(input.name.as_str()));
    graph.initializer.retain(|constant| needed.contains(&constant.name));
    Ok(())
}

/// Returns how many features the one input has, and gives its rows a name, which some exporters do not.
fn open_input(graph: &mut GraphProto) -> Result<usize> {
    let n_inputs = graph.input.len();
    let [input] = graph.input.as_mut_slice() else {
        return Err(OnnxError::unsupported(format!("has {n_inputs} inputs"), PLAIN));
    };
    if !is_single(input) {
        return Err(OnnxError::unsupported("has an input that is not in single precision", PLAIN));
    }
    let tensor = input.kind.as_mut().and_then(|kind| kind.tensor_type.as_mut());
    let shape = tensor.and_then(|tensor| tensor.shape.as_mut()).map(|shape| shape.dim.as_mut_slice());
    let Some([rows, features]) = shape else {
        return Err(OnnxError::unsupported("has an input that is not [rows, features]", PLAIN));
    };
    if rows.dim_value.is_some_and(|fixed| fixed > 0) {
        return Err(OnnxError::unsupported(
            "is made for a fixed number of rows",
            "export it with a first dimension that is left open",
        ));
    }
    *rows = Dimension { dim_value: None, dim_param: Some("rows".to_owned()) };
    let n_features = features.dim_value.and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=MAX_WIDTH).contains(n));
    n_features.ok_or_else(|| {
        OnnxError::unsupported(
            format!("does not say how many features it takes, from 1 to {MAX_WIDTH}"),
            "export it with a second dimension that is fixed",
        )
    })
}

/// Returns how many numbers the value has for a row.
fn within_limits(node: &NodeProto, shape: &[Dim]) -> Result<usize> {
    let width = width_of(shape).filter(|width| *width <= MAX_WIDTH);
    let is_per_row = shape.iter().skip(1).all(|dim| matches!(dim, Dim::Of(_)));
    match width {
        Some(width) if is_per_row => Ok(width),
        Some(_) => Err(OnnxError::unsupported(format!("mixes rows in `{}`", node.op_type), PLAIN)),
        None => Err(OnnxError::unsupported(
            format!("makes a value of more than {MAX_WIDTH} numbers in `{}`", node.op_type),
            "make its layers narrower",
        )),
    }
}

fn width_of(shape: &[Dim]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |width, dim| match dim {
        Dim::Rows => Some(width),
        Dim::Of(n) => width.checked_mul(*n),
    })
}

/// The values so far.
struct Shapes<'a> {
    shapes: HashMap<String, Shape>,
    /// Whole numbers that stand in the graph: where to reshape to, which axis to drop.
    integers: HashMap<&'a str, Vec<i64>>,
}

impl<'a> Shapes<'a> {
    fn of_constants(graph: &'a GraphProto) -> Result<Self> {
        let mut shapes = Self { shapes: HashMap::new(), integers: HashMap::new() };
        for constant in &graph.initializer {
            shapes.add_constant(&constant.name, constant)?;
        }
        for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
            let value = attribute(node, "value").and_then(|value| value.t.as_ref());
            let value = value.ok_or_else(|| unsupported_use(node))?;
            if let Some(numbers) = whole_numbers(value) {
                shapes.integers.insert(node.output.first().map_or("", String::as_str), numbers);
            }
        }
        Ok(shapes)
    }

    fn add_constant(&mut self, name: &'a str, constant: &'a TensorProto) -> Result<()> {
        if let Some(numbers) = whole_numbers(constant) {
            self.integers.insert(name, numbers);
        }
        self.add(name, constant_shape(constant)?)
    }

    fn add(&mut self, name: &str, shape: Shape) -> Result<()> {
        match self.shapes.insert(name.to_owned(), shape) {
            None => Ok(()),
            Some(_) => Err(OnnxError::NotOnnx("two of its values have the same name")),
        }
    }

    fn of(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).ok_or(OnnxError::NotOnnx("a node reads what no node before it makes"))
    }

    /// Returns how many products each number that a node makes is a sum of, or counts as.
    fn work_of_a_number(&self, node: &NodeProto) -> usize {
        let first = node.input.first().filter(|_| matches!(node.op_type.as_str(), "MatMul" | "Gemm"));
        let products = first.and_then(|input| width_of(self.shapes.get(input)?));
        products.unwrap_or(WORK_OF_A_NUMBER * node.input.len())
    }

    /// Returns the shape of what a node makes.
    fn after(&self, node: &NodeProto) -> Result<Shape> {
        let op = node.op_type.as_str();
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(OnnxError::unsupported(
                format!("uses `{op}` of {}", node.domain),
                "export it as a network of standard ONNX operators, without trees or text",
            ));
        }
        let inputs = node.input.iter().filter(|name| !name.is_empty());
        let inputs = inputs.map(|name| self.of(name)).collect::<Result<Vec<_>>>()?;
        let shape = match (op, inputs.as_slice()) {
            ("Constant", []) => attribute(node, "value").and_then(|value| value.t.as_ref()).map(constant_shape),
            ("MatMul", [left, right]) => product(left, right, false).map(Ok),
            ("Gemm", [left, right, bias @ ..]) => general_product(node, left, right, bias).map(Ok),
            ("PRelu", [value, slope]) => together(&[value, slope]).filter(|shape| shape == *value).map(Ok),
            ("Concat", [first, ..]) if is_last_axis(node, first, None) => side_by_side(&inputs).map(Ok),
            ("Flatten", [value]) if integer(node, "axis").unwrap_or(1) == 1 => flat(value).map(Ok),
            ("Reshape", [value, _]) => self.reshaped(node, value).map(Ok),
            ("Squeeze", [value, ..]) => self.squeezed(node, value).map(Ok),
            ("Softmax" | "LogSoftmax", [value]) if !is_last_axis(node, value, Some(-1)) => None,
            ("Clip", [_, bounds @ ..]) if bounds.iter().any(|bound| width_of(bound) != Some(1)) => None,
            ("BatchNormalization", [value, constants @ ..])
                if constants
                    .iter()
                    .any(|constant| constant.len() != 1 || value.as_slice() != [Dim::Rows, constant[0]]) =>
            {
                None
            }
            ("Cast", [_]) if integer(node, "to") != Some(i64::from(FLOAT)) => None,
            (op, [value, constants @ ..]) if ELEMENTWISE.contains(&op) => {
                constants.iter().all(|constant| !has_rows(constant)).then(|| Ok((*value).clone()))
            }
            (op, [_, ..]) if PAIRWISE.contains(&op) => together(&inputs).map(Ok),
            _ => None,
        };
        shape.unwrap_or_else(|| Err(unsupported_use(node)))
    }

    /// Only what keeps each row to itself: `[rows, n]` told in another way.
    fn reshaped(&self, node: &NodeProto, value: &Shape) -> Option<Shape> {
        let wanted = self.integers.get(node.input.get(1)?.as_str())?;
        let (Dim::Rows, width) = (value.first()?, width_of(value)?) else { return None };
        match wanted.as_slice() {
            [-1 | 0] if width == 1 => Some(vec![Dim::Rows]),
            [0, -1] => Some(vec![Dim::Rows, Dim::Of(width)]),
            [-1 | 0, n] if usize::try_from(*n) == Ok(width) => Some(vec![Dim::Rows, Dim::Of(width)]),
            _ => None,
        }
    }

    fn squeezed(&self, node: &NodeProto, value: &Shape) -> Option<Shape> {
        let listed = node.input.get(1).and_then(|name| self.integers.get(name.as_str()));
        let axes = listed.or_else(|| attribute(node, "axes").map(|axes| &axes.ints))?;
        (value.as_slice() == [Dim::Rows, Dim::Of(1)] && matches!(axes.as_slice(), [1 | -1])).then(|| vec![Dim::Rows])
    }
}

fn unsupported_use(node: &NodeProto) -> OnnxError {
    OnnxError::unsupported(format!("uses `{}` in a way that is not offered", node.op_type), PLAIN)
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    // A number that is not written is 0.
    attribute(node, name).map(|attribute| attribute.i.unwrap_or(0))
}

fn has_rows(shape: &[Dim]) -> bool {
    shape.contains(&Dim::Rows)
}

fn is_last_axis(node: &NodeProto, shape: &[Dim], default: Option<i64>) -> bool {
    let axis = integer(node, "axis").or(default).filter(|_| matches!(shape.last(), Some(Dim::Of(_))));
    axis == Some(-1) || axis.and_then(|axis| usize::try_from(axis).ok()).is_some_and(|axis| axis + 1 == shape.len())
}

fn flat(value: &[Dim]) -> Option<Shape> {
    (value.first() == Some(&Dim::Rows)).then_some(())?;
    Some(vec![Dim::Rows, Dim::Of(width_of(value)?)])
}

/// `[rows, k]` by a constant `[k, m]`, or `[m, k]` that is transposed.
fn product(left: &[Dim], right: &[Dim], is_transposed: bool) -> Option<Shape> {
    let ([Dim::Rows, Dim::Of(k)], [Dim::Of(first), Dim::Of(second)]) = (left, right) else { return None };
    let (inner, outer) = if is_transposed { (second, first) } else { (first, second) };
    (inner == k).then(|| vec![Dim::Rows, Dim::Of(*outer)])
}

fn general_product(node: &NodeProto, left: &[Dim], right: &[Dim], bias: &[&Shape]) -> Option<Shape> {
    (integer(node, "transA").unwrap_or(0) == 0).then_some(())?;
    let made = product(left, right, integer(node, "transB").unwrap_or(0) != 0)?;
    match bias {
        [] => Some(made),
        [bias] => together(&[&made, bias]).filter(|shape| *shape == made),
        _ => None,
    }
}

fn side_by_side(values: &[&Shape]) -> Option<Shape> {
    let width = values.iter().try_fold(0_usize, |width, value| match value.as_slice() {
        [Dim::Rows, Dim::Of(n)] => width.checked_add(*n),
        _ => None,
    });
    Some(vec![Dim::Rows, Dim::Of(width?)])
}

/// The shape of numbers combined place by place: dimensions are matched from the last, and one of size 1 is repeated.
fn together(values: &[&Shape]) -> Option<Shape> {
    let (first, others) = values.split_first()?;
    others.iter().try_fold((*first).clone(), |shape, other| {
        let rank = shape.len().max(other.len());
        let at = |shape: &[Dim], place: usize| match (place + shape.len()).checked_sub(rank) {
            Some(place) => shape[place],
            None => Dim::Of(1),
        };
        let dims = (0..rank).map(|place| match (at(&shape, place), at(other, place)) {
            (left, right) if left == right => Some(left),
            (Dim::Of(1), dim) | (dim, Dim::Of(1)) => Some(dim),
            _ => None,
        });
        dims.collect()
    })
}

/// Returns the shape of a constant, all of whose numbers are there.
fn constant_shape(constant: &TensorProto) -> Result<Shape> {
    if constant.data_location != 0 {
        return Err(OnnxError::unsupported("keeps its weights in another file", "export it as one file"));
    }
    if constant.dims.len() > MAX_RANK || constant.dims.contains(&0) {
        let what = format!("has a constant of more than {MAX_RANK} dimensions, or one that is empty");
        return Err(OnnxError::unsupported(what, PLAIN));
    }
    let dims = constant.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<Vec<_>>>();
    let expected = dims.as_ref().and_then(|dims| dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim)));
    let (size, listed) = match constant.data_type {
        FLOAT => (4, constant.float_data.len()),
        INT64 => (8, constant.int64_data.len()),
        _ => return Err(OnnxError::unsupported("has weights that are not in single precision", PLAIN)),
    };
    let found = constant.raw_data.as_ref().map_or(listed, |raw| raw.len() / size);
    match dims {
        Some(dims) if expected == Some(found) => Ok(dims.into_iter().map(Dim::Of).collect()),
        _ => Err(OnnxError::NotOnnx("a constant has more or fewer numbers than it says")),
    }
}

/// Returns the numbers of a constant of 64-bit integers.
fn whole_numbers(constant: &TensorProto) -> Option<Vec<i64>> {
    (constant.data_type == INT64).then_some(())?;
    Some(match &constant.raw_data {
        Some(raw) => raw.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        None => constant.int64_data.clone(),
    })
}
