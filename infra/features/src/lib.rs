//! Holds no code: its manifest asks for shared dependencies with the features the whole workspace
//! needs (decision 0002), so that `-p one-crate` and `--workspace` compile the same dependencies.
