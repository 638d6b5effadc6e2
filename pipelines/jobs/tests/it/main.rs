//! Pipelines on a real engine, lake and catalog.

mod checks;
#[cfg(test)]
mod lab;
mod recipes;
mod resume;
mod run;
