//! The whole product, tested from outside: one binary, one module a concern.

mod architecture;
mod killed;
mod product;
mod slt;
