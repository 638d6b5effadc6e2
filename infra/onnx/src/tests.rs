//! The answers of ONNX Runtime, the property that a row stands for itself, and models that are not taken.

use prost::Message as _;

use super::*;
use crate::proto::{AttributeProto, Dimension, FLOAT, ModelProto, NodeProto, TensorProto, TensorType};

/// The networks of `tests/data/models` with the answers of ONNX Runtime 1.32.
const NETWORKS: [&str; 4] = ["recurrence.onnx", "regressor.onnx", "classifier.onnx", "zoo.onnx"];

fn bytes(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/data/models");
    std::fs::read(folder.join(name)).unwrap()
}

fn numbers(rows: &serde_json::Value) -> Vec<Vec<f32>> {
    serde_json::from_value(rows.clone()).unwrap()
}

fn by_column(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect()
}

fn predict(model: &Model, rows: &[Vec<f32>]) -> Vec<f32> {
    let columns = by_column(rows);
    model.predict(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

/// Returns the rows that ONNX Runtime was asked about and what it said.
fn expected(name: &str) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let all: serde_json::Value = serde_json::from_slice(&bytes("expected.json")).unwrap();
    (numbers(&all[name]["x"]), numbers(&all[name]["y"]))
}

#[test]
fn answers_are_those_of_onnx_runtime() {
    for name in NETWORKS {
        let model = Model::load(&bytes(name)).unwrap();
        let (rows, answers) = expected(name);
        assert_eq!((model.n_features(), model.n_outputs()), (rows[0].len(), answers[0].len()), "{name}");
        for (ours, theirs) in predict(&model, &rows).iter().zip(answers.concat()) {
            assert!((ours - theirs).abs() <= 1e-5 * theirs.abs().max(1.0), "{name}: {ours} is not {theirs}");
        }
    }
}

/// The first network with a hidden layer of 700: more than a matrix product takes in one piece.
fn wide() -> Vec<u8> {
    let mut model = ModelProto::decode(&bytes("recurrence.onnx")[..]).unwrap();
    for weights in &mut model.graph.as_mut().unwrap().initializer {
        let dims: Vec<i64> = weights.dims.iter().map(|n| if *n == 8 { 700 } else { *n }).collect();
        if dims != weights.dims {
            let n = dims.iter().product::<i64>();
            weights.float_data = (0..n).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect();
            (weights.dims, weights.raw_data) = (dims, None);
        }
    }
    model.encode_to_vec()
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    let networks = NETWORKS.map(|name| (name, bytes(name), expected(name).0));
    let wide = ("wide", wide(), expected("recurrence.onnx").0);
    for (name, bytes, few) in networks.into_iter().chain([wide]) {
        let model = Model::load(&bytes).unwrap();
        let rows: Vec<Vec<f32>> = few.iter().cycle().take(2500).cloned().collect();
        let together = predict(&model, &rows);
        for n_rows in (1..70).chain([1023, 1024, 1025]) {
            let part = predict(&model, &rows[7..7 + n_rows]);
            let same = &together[7 * model.n_outputs()..][..part.len()];
            assert!(part.iter().zip(same).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}: {n_rows} rows");
        }
    }
}

#[test]
fn no_rows_have_no_answers() {
    let model = Model::load(&bytes("recurrence.onnx")).unwrap();
    assert_eq!(model.predict(&[&[][..]; 5]), Ok(Vec::new()));
    assert_eq!(model.predict(&[&[1.0][..]; 4]), Err(OnnxError::Features { expected: 5, found: 4 }));
    assert_eq!(model.predict(&[]), Err(OnnxError::Features { expected: 5, found: 0 }));
}

/// Why a model that was changed is not taken.
fn refusal(name: &str, change: impl FnOnce(&mut ModelProto)) -> String {
    let mut model = ModelProto::decode(&bytes(name)[..]).unwrap();
    change(&mut model);
    Model::load(&model.encode_to_vec()).unwrap_err().to_string()
}

#[test]
fn what_is_no_plain_network_is_refused() {
    let node = |model: &mut ModelProto, op: &str, change: &dyn Fn(&mut NodeProto)| {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        change(nodes.iter_mut().find(|node| node.op_type == op).unwrap());
    };
    let becomes = |op: &'static str| {
        refusal("recurrence.onnx", |model| node(model, "Relu", &|node| node.op_type = op.to_owned()))
    };
    for op in ["RandomNormalLike", "Loop", "Tile", "Expand", "TopK", "ConstantOfShape", "Transpose"] {
        assert!(becomes(op).contains(&format!("`{op}`")), "{}", becomes(op));
    }
    let tree = refusal("recurrence.onnx", |model| {
        node(model, "Relu", &|node| node.domain = "ai.onnx.ml".to_owned());
    });
    assert!(tree.contains("ai.onnx.ml"), "{tree}");
    let other_rows = refusal("zoo.onnx", |model| {
        node(model, "Softmax", &|node| {
            node.attribute = vec![AttributeProto { name: "axis".to_owned(), i: Some(0), ..Default::default() }];
        });
    });
    assert!(other_rows.contains("`Softmax`"), "{other_rows}");
    let loose = refusal("recurrence.onnx", |model| node(model, "Relu", &|node| node.input = vec!["?".to_owned()]));
    assert!(loose.contains("no node before it"), "{loose}");
    let twice = refusal("recurrence.onnx", |model| {
        let constants = &mut model.graph.as_mut().unwrap().initializer;
        constants.push(constants[0].clone());
    });
    assert!(twice.contains("same name"), "{twice}");
}

#[test]
fn inputs_and_constants_are_checked() {
    fn input(model: &mut ModelProto) -> &mut TensorType {
        let input = &mut model.graph.as_mut().unwrap().input[0];
        input.kind.as_mut().unwrap().tensor_type.as_mut().unwrap()
    }
    fn dims(model: &mut ModelProto) -> &mut Vec<Dimension> {
        &mut input(model).shape.as_mut().unwrap().dim
    }
    let fixed = |value| Dimension { dim_value: Some(value), dim_param: None };
    let fixed_rows = refusal("recurrence.onnx", |model| dims(model)[0] = fixed(1));
    assert!(fixed_rows.contains("fixed number of rows"), "{fixed_rows}");
    let any_width = refusal("recurrence.onnx", |model| dims(model)[1] = Dimension::default());
    assert!(any_width.contains("how many features"), "{any_width}");
    let misfit = refusal("recurrence.onnx", |model| dims(model)[1] = fixed(6));
    assert!(misfit.contains("`Sub`"), "{misfit}");
    let cube = refusal("recurrence.onnx", |model| dims(model).push(fixed(2)));
    assert!(cube.contains("[rows, features]"), "{cube}");
    let double = refusal("recurrence.onnx", |model| input(model).elem_type = 11);
    assert!(double.contains("single precision"), "{double}");
    let cut = refusal("recurrence.onnx", |model| {
        let weights = model.graph.as_mut().unwrap().initializer.iter_mut().find(|w| w.dims.len() == 2).unwrap();
        weights.dims[1] += 1;
    });
    assert!(cut.contains("more or fewer numbers"), "{cut}");
    let elsewhere = refusal("recurrence.onnx", |model| {
        model.graph.as_mut().unwrap().initializer[0].data_location = 1;
    });
    assert!(elsewhere.contains("another file"), "{elsewhere}");
}

/// Two vectors of the file's size would make a matrix of its square.
#[test]
fn constants_cannot_grow() {
    let grown = refusal("recurrence.onnx", |model| {
        let graph = model.graph.as_mut().unwrap();
        let constant = |name: &str, dims: Vec<i64>| TensorProto {
            name: name.to_owned(),
            dims,
            data_type: FLOAT,
            float_data: vec![1.0; 50_000],
            ..Default::default()
        };
        graph.initializer.extend([constant("tall", vec![50_000, 1]), constant("wide", vec![1, 50_000])]);
        let mut grow = graph.node[0].clone();
        grow.op_type = "Mul".to_owned();
        (grow.input, grow.output) = (vec!["tall".to_owned(), "wide".to_owned()], vec!["huge".to_owned()]);
        graph.node[0].input[1] = "huge".to_owned();
        graph.node.insert(0, grow);
    });
    assert!(grown.contains("more than 65536 numbers in `Mul`"), "{grown}");
}

#[test]
fn constants_are_reals() {
    // 1 / 4 in the place of the scale, and 65536 * 65536 beside it.
    for (op, left, right, scale) in [("Div", 1.0, 4.0, 0.25), ("Mul", 65536.0, 65536.0, 65536.0 * 65536.0_f32)] {
        let with = |change: &dyn Fn(&mut crate::proto::GraphProto)| {
            let mut model = ModelProto::decode(&bytes("recurrence.onnx")[..]).unwrap();
            change(model.graph.as_mut().unwrap());
            Model::load(&model.encode_to_vec()).unwrap()
        };
        let constant = |name: &str, value: f32| TensorProto {
            name: name.to_owned(),
            data_type: FLOAT,
            float_data: vec![value],
            ..Default::default()
        };
        let computed = with(&|graph| {
            graph.initializer.extend([constant("left", left), constant("right", right)]);
            let inputs = vec!["left".to_owned(), "right".to_owned()];
            let node =
                NodeProto { op_type: op.to_owned(), input: inputs, output: vec!["s".to_owned()], ..Default::default() };
            graph.node[1].input[1] = "s".to_owned();
            graph.node.insert(0, node);
        });
        let given = with(&|graph| {
            graph.initializer.push(constant("s", scale));
            graph.node[1].input[1] = "s".to_owned();
        });
        let rows = expected("recurrence.onnx").0;
        assert_eq!(predict(&computed, &rows), predict(&given, &rows), "{op}");
    }
}

#[test]
fn a_softmax_stays_within_its_row() {
    let softmax = |change: &dyn Fn(&mut NodeProto)| {
        refusal("zoo.onnx", |model| {
            let nodes = &mut model.graph.as_mut().unwrap().node;
            let mut softmax = nodes.iter().find(|node| node.op_type == "Softmax").unwrap().clone();
            (softmax.input, softmax.output) = (vec!["squeezed".to_owned()], vec!["soft".to_owned()]);
            change(&mut softmax);
            let last = nodes.len() - 1;
            nodes[last].input[0] = "soft".to_owned();
            nodes.insert(last, softmax);
        })
    };
    let axis = |i| AttributeProto { name: "axis".to_owned(), i, ..Default::default() };
    assert!(softmax(&|_| {}).contains("`Softmax`"));
    assert!(softmax(&|node| node.attribute = vec![axis(Some(-1))]).contains("`Softmax`"));
    assert!(
        softmax(&|node| (node.input, node.attribute) = (vec!["flat".to_owned()], vec![axis(None)]))
            .contains("`Softmax`")
    );
}

#[test]
fn many_small_parts_are_refused_before_they_are_decoded() {
    let parts = refusal("recurrence.onnx", |model| {
        let node = &mut model.graph.as_mut().unwrap().node[0];
        node.attribute = vec![AttributeProto::default(); 200_000];
    });
    assert!(parts.contains("parts"), "{parts}");
    let ranks = refusal("recurrence.onnx", |model| model.graph.as_mut().unwrap().initializer[0].dims = vec![1; 9]);
    assert!(ranks.contains("8 dimensions"), "{ranks}");
    let mut list = b"\x3a\x88\x40\x2a\x85\x40\x0a\x82\x40".to_vec();
    list.extend(vec![1; 8194]);
    let list = Model::load(&list).unwrap_err().to_string();
    assert!(list.contains("a list of more than 4096 bytes"), "{list}");
}

#[test]
fn constants_of_clip_and_normalization_fit() {
    for (op, constant) in [("Clip", "low"), ("BatchNormalization", "bn_mean")] {
        let misfit = refusal("zoo.onnx", |model| {
            let constants = &mut model.graph.as_mut().unwrap().initializer;
            let constant = constants.iter_mut().find(|found| found.name == constant).unwrap();
            (constant.dims, constant.float_data, constant.raw_data) = (vec![2, 2], vec![1.0; 4], None);
        });
        assert!(misfit.contains(op), "{misfit}");
    }
}

/// The same weights may be used again and again.
#[test]
fn a_small_file_cannot_ask_for_much_work() {
    let work = |n_layers: usize| {
        let mut model = ModelProto::decode(&bytes("recurrence.onnx")[..]).unwrap();
        let graph = model.graph.as_mut().unwrap();
        let scale = |graph: &mut crate::proto::GraphProto, from: i64| {
            for constant in &mut graph.initializer {
                constant.dims.iter_mut().filter(|n| **n == from).for_each(|n| *n = 1000);
                let n = constant.dims.iter().product::<i64>();
                (constant.float_data, constant.raw_data) = (vec![0.5; usize::try_from(n).unwrap()], None);
            }
        };
        scale(graph, 8);
        let square = TensorProto {
            name: "square".to_owned(),
            dims: vec![1000, 1000],
            data_type: FLOAT,
            float_data: vec![0.001; 1_000_000],
            ..Default::default()
        };
        graph.initializer.push(square);
        let place = graph.node.iter().position(|node| node.op_type == "Relu").unwrap();
        let mut last = "h".to_owned();
        for layer in 0..n_layers {
            let output = format!("again{layer}");
            let node = NodeProto {
                op_type: "MatMul".to_owned(),
                input: vec![last, "square".to_owned()],
                output: vec![output.clone()],
                ..Default::default()
            };
            graph.node.insert(place + layer, node);
            last = output;
        }
        graph.node[place + n_layers].input = vec![last];
        Model::load(&model.encode_to_vec()).map(|model| model.n_outputs())
    };
    assert_eq!(work(16), Ok(1));
    assert!(work(17).unwrap_err().to_string().contains("multiplications for a row"));
}

#[test]
fn rubbish_is_refused() {
    for rubbish in [&b""[..], b"rubbish", b"\x08\x09", &[0xff; 64]] {
        assert!(Model::load(rubbish).is_err());
    }
    assert!(matches!(Model::load(&vec![0; MAX_BYTES + 1]), Err(OnnxError::TooLarge { .. })));
}

/// Each byte of a model changed, and each length it can be cut to: refused or run, never a panic that gets out.
#[test]
fn a_damaged_model_is_refused_or_run() {
    let whole = bytes("recurrence.onnx");
    let row = [[1.0_f32]; 5];
    let columns: Vec<&[f32]> = row.iter().map(<[f32; 1]>::as_slice).collect();
    let mut n_refused = 0;
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        for damaged in [&damaged[..], &whole[..place]] {
            n_refused += usize::from(Model::load(damaged).and_then(|model| model.predict(&columns)).is_err());
        }
    }
    assert!(n_refused > whole.len(), "{n_refused}");
}
