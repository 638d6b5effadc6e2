//! The whole product, tested from outside: one binary, one module a concern.

mod architecture;
mod command_line;
mod docs;
mod killed;
mod product;
mod slt;
